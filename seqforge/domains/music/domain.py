"""The music domain: tunes as ABC text, or any notes as a text of events."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from seqforge.core.domain import Decipher, Record, Sample
from seqforge.core.files import numbered, write_atomically
from seqforge.core.origin import settings_of, temperature_of
from seqforge.domains.music import (
    abc_files,
    abc_grammar,
    abc_notation,
    events,
    events_grammar,
    judging,
)
from seqforge.domains.music.abc_writer import to_abc
from seqforge.domains.music.clusters import clusters
from seqforge.domains.music.midi import midi_bytes, read_midi
from seqforge.domains.music.musicxml import read_musicxml
from seqforge.domains.music.notes import STEPS_PER_QUARTER, Decoded, Piece
from seqforge.domains.music.showing import Picture, Sound, piano_roll, synthesis
from seqforge.domains.music.transposing import piece_in_keys, tune_in_keys
from seqforge.errors import InputError

if TYPE_CHECKING:
    from seqforge.core.corpus import Corpus
    from seqforge.core.sampling.constraints import Constraint
    from seqforge.core.vocabulary import Vocabulary

_LONGEST_BAR_LINE = 8  # symbols: repeats, double bars and the number of an ending
_TUNE_BOOKS = ("ryansMammoth", "oneills1850", "airdsAirs")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MusicDomain:
    """ABC tunes, MIDI and MusicXML, in one of two codes of a character a symbol.

    *abc* is ABC text itself, cleaned; *events* is the code of `events`, which says whatever MIDI
    can: polyphony, velocities, programs, tempos and metres.
    """

    name: ClassVar[str] = "music"
    unit: ClassVar[str] = "character"
    suffix: ClassVar[str] = ".mid"
    suffixes: ClassVar[tuple[str, ...]] = (".abc", ".mid", ".midi", ".musicxml", ".mxl", ".xml")
    file_per_sample: ClassVar[bool] = True
    coding: ClassVar[tuple[str, ...]] = ("code", "steps_per_quarter", "key")

    code: Literal["auto", "abc", "events"] = "auto"
    """``auto``: abc where every file is ABC, else events, which reads all of them."""
    steps_per_quarter: Annotated[int, Field(ge=1, le=480)] = STEPS_PER_QUARTER
    """The grid of the events code."""
    held_key: str = ""
    """A key that what is drawn stays in, as ABC writes it (``G``, ``Em``); empty for any."""
    key: Literal["as written", "C"] = "as written"
    """``C``: everything read is moved to the tonic C, its mode kept, and samples are in C."""
    transpositions: Annotated[int, Field(ge=0, le=6)] = 0
    """Each tune trained on is read in so many keys up and as many down as well."""

    def settle(self, paths: Sequence[Path]) -> Self:
        """The domain with its code decided by the files."""
        if self.code != "auto":
            return self
        only_abc = all(_kind(path) == "abc" for path in paths)
        return replace(self, code="abc" if only_abc else "events")

    def default_input(self) -> list[Path]:
        """Three tune books in the installed music21, read where they lie.

        Raises:
            InputError: If music21 is not installed, or was installed without its corpus.
        """
        found = importlib.util.find_spec("music21")
        folders = [Path(place) for place in (found and found.submodule_search_locations) or ()]
        books = [folder / "corpus" / book for folder in folders for book in _TUNE_BOOKS]
        paths = [path for book in books for path in sorted(book.glob("*.abc"))]
        if not paths:
            raise InputError(
                "the tunes of music21's corpus are not installed; pip install music21, or give "
                "files with --input"
            )
        return paths

    def read(self, path: Path) -> Iterator[Record]:
        """A record a tune of an ABC file; one of a MIDI or MusicXML file."""
        with _said(path):
            yield from self._records(path)

    def _records(self, path: Path) -> Iterator[Record]:
        if _kind(path) == "abc":
            for record in abc_files.read(path):
                note = record.note
                for tune, copy in tune_in_keys(record.symbols, self.key, self.transpositions):
                    symbols = self._events_of(tune) if self.code == "events" else tune
                    yield replace(record, symbols=symbols, note=note, augmented=copy)
                    note = ""
            return
        if self.code != "events":
            raise InputError(
                f"{path}: is no ABC, which is what this run reads; --code events reads it, and "
                "ABC too"
            )
        piece, note = self._piece(path)
        for ours, copy in piece_in_keys(piece, self.key, self.transpositions):
            symbols = events.encode(ours)
            yield Record(symbols, path.stem, path.name, note="" if copy else note, augmented=copy)

    def clusters(self, records: Iterable[str]) -> NDArray[np.int64]:
        """Tunes that are one tune; see `clusters`."""
        return clusters(self.decode(symbols).piece.notes for symbols in records)

    def prime(self, source: str | Path) -> str:
        """Symbols to go on from: text as typed, or the music of a file turned into the code.

        An ABC book gives its first tune; a tune ends without its last double bar.
        """
        if isinstance(source, str):
            if not source:
                raise InputError("the prime is empty")
            return source
        with _said(source):
            if _kind(source) == "abc":
                symbols = abc_files.opened(next(abc_files.read(source)).symbols)
                return self._events_of(symbols) if self.code == "events" else symbols
            piece, _ = self._piece(source)
        return events.encode(piece) if self.code == "events" else to_abc(piece, closed=False)

    def constraint(self, vocabulary: Vocabulary) -> Constraint | None:
        """Bars that add up, repeats that close, notes in range; in the held key if there is one."""
        if self.code == "events":
            return events_grammar.grammar(vocabulary, self.steps_per_quarter, self.held_key)
        return abc_grammar.grammar(vocabulary, held=bool(self.held_key))

    def write(self, samples: Sequence[Sample], path: Path) -> list[Path]:
        """A .mid and an .abc for each sample, whatever ending the path has.

        Where there are more they are numbered (``t0.8-001.mid``).
        """
        written = []
        for sample in samples:
            midi = path
            if path.suffix.lower() not in (".mid", ".midi"):
                midi = path.with_name(f"{path.stem}.mid")
            if len(samples) > 1:
                midi = numbered(path, sample.number, ".mid")
            text = midi.with_name(f"{midi.stem}.abc")
            write_atomically(midi, midi_bytes(self.decode(sample.symbols).piece, _origin(sample)))
            write_atomically(text, self._abc_file(sample).encode())
            written += [midi, text]
        return written

    def show(self, sample: Sample) -> str:
        """The sample as ABC; of events, their melody."""
        if self.code == "events":
            return to_abc(self.decode(sample.symbols).piece) + "\n"
        return sample.symbols.rstrip("\n") + "\n"

    def showing(self, sample: Sample, pieces: Iterable[str]) -> Iterator[str]:
        """ABC as it comes; the melody of events when all are there."""
        if self.code == "events":
            yield self.show(replace(sample, symbols="".join(pieces)))
            return
        held = ""  # line breaks that may be the last
        for piece in pieces:
            text = held + piece
            shown = text.rstrip("\n")
            held = text[len(shown) :]
            yield shown
        yield "\n"

    def deciphering(self) -> Decipher | None:
        """ABC is read as it stands; events only as the melody that all of them make."""
        return None if self.code == "events" else lambda symbols, last: symbols

    def picture(self, sample: Sample) -> Picture | None:
        """The sample as a piano roll."""
        return piano_roll(self.decode(sample.symbols).piece)

    def sound(self, sample: Sample, rate: int) -> Sound | None:
        """The sample played, its first 20 seconds."""
        return synthesis(self.decode(sample.symbols).piece, rate)

    def report(self, samples: Sequence[Sample], corpus: Corpus) -> dict[str, Any]:
        """Measures of the samples beside those of held-out music and of random notes."""
        return judging.report(self, samples, corpus)

    def grammar_report(self, samples: Sequence[Sample], free: Sequence[Sample]) -> dict[str, Any]:
        """How often the model alone fails to fill a bar, and how much the grammar had to forbid."""
        return judging.of_grammar(self, samples, free)

    def fitted(self, symbols: str, vocabulary: Vocabulary) -> str:
        """A prime in the symbols that a model knows, as far as leaving out can make it so."""
        if self.code != "events":
            return symbols
        return events.fitted(symbols, frozenset(vocabulary.symbols))

    def decode(self, symbols: str) -> Decoded:
        """The notes that symbols stand for; any symbols."""
        if self.code == "events":
            return events.decode(symbols, self.steps_per_quarter)
        return abc_notation.decode(symbols, self.steps_per_quarter)

    def bars(self, symbols: str) -> int:
        """How many bar lines symbols hold."""
        if self.code == "events":
            return symbols.count(events.BAR)
        return len(abc_files.bar_ends(symbols))

    def bar_end(self, symbols: str, given: int, bars: int, over: bool) -> int | None:
        """Where the bars-th bar after the first ``given`` symbols ends; see `Barred`."""
        if self.code == "events":
            ends = [place for place, symbol in enumerate(symbols, 1) if symbol == events.BAR]
        else:  # what looks like a bar line may be the beginning of a longer one
            ends = abc_files.bar_ends(symbols)
            ends = [end for end in ends if over or end + _LONGEST_BAR_LINE < len(symbols)]
        ends = [end for end in ends if end > given]
        return ends[bars - 1] if len(ends) >= bars else None

    def _piece(self, path: Path) -> tuple[Piece, str]:
        reader = read_midi if _kind(path) == "midi" else read_musicxml
        return reader(path, self.steps_per_quarter)

    def _events_of(self, abc: str) -> str:
        return events.encode(abc_notation.decode(abc, self.steps_per_quarter).piece)

    def _abc_file(self, sample: Sample) -> str:
        symbols = sample.symbols
        if self.code == "events":
            symbols = to_abc(self.decode(symbols).piece)
        title = f"{sample.model or 'seqforge'}, sample {sample.number}"
        return abc_files.with_header(symbols, sample.number, title, _origin(sample))


def _kind(path: Path) -> str:
    """abc, midi or musicxml: by the first bytes, or the ending where they say nothing."""
    head = b""
    with suppress(OSError), path.open("rb") as file:  # whoever reads it will say so
        head = file.read(64)
    suffix = path.suffix.lower()
    if head.startswith((b"MThd", b"RIFF")) or suffix in (".mid", ".midi"):
        return "midi"
    if head.startswith((b"PK", b"<")) or suffix in (".musicxml", ".mxl", ".xml"):
        return "musicxml"
    return "abc"


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error


def _origin(sample: Sample) -> str:
    """How the sample came to be, in a line that a file can keep."""
    said = [f"seqforge music: {sample.model or 'a model'}"]
    temperature = temperature_of(sample)
    if temperature is not None:
        said.append(f"temperature {temperature.removesuffix('.0')}")
    if sample.seed is not None:
        said.append(f"seed {sample.seed}")
    said.append(f"sample {sample.number}")
    if sample.mean_log_prob is not None:
        said.append(f"mean log-probability {sample.mean_log_prob:.4f}")
    if sample.removed_mass is not None:
        said.append(f"removed mass {sample.removed_mass:.4f}")
    said += [f"{name} {value}" for name, value in settings_of(sample).items()]
    return " ".join(", ".join(said).split())
