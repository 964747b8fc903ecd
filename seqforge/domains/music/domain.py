"""The music domain: ABC, MIDI and MusicXML in, symbols of two codes, files of each sample out."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from seqforge.base.html_page import Section
from seqforge.base.textio import checked_encoding
from seqforge.core.data.domain import CopyUnits, Record, Sample, SymbolDecoder
from seqforge.core.data.presentation import Measured, Wording
from seqforge.core.inspection.annotations import WrittenScore, WrittenTune
from seqforge.domains.music import event_codec, report
from seqforge.domains.music.abc import continuation, grammar, parser, tune_books
from seqforge.domains.music.abc.writer import to_abc
from seqforge.domains.music.abc.written import WrittenPiece, written_piece
from seqforge.domains.music.annotations import (
    annotate_events,
    annotate_tune,
    events_on_staff,
    tune_on_staff,
    written_events,
)
from seqforge.domains.music.file_type import music_file_type, read_notes, readable
from seqforge.domains.music.keys import piece_in_keys, tune_in_keys
from seqforge.domains.music.notes import STEPS_PER_QUARTER, Decoded
from seqforge.domains.music.primer import MusicPrompt, fitted_prompt, read_prime
from seqforge.domains.music.render.audio import Waveform, synthesize
from seqforge.domains.music.render.piano_roll import Pixels, piano_roll
from seqforge.domains.music.render.sample_export import Format, SampleExport, write_samples
from seqforge.domains.music.tune_variants import tune_clusters
from seqforge.errors import InputError

if TYPE_CHECKING:
    from seqforge.core.data.constraint import Constraint
    from seqforge.core.data.corpus import Corpus
    from seqforge.core.data.vocabulary import Vocabulary
    from seqforge.core.memory.memory import Arrays, Ids, Memory

_HEARD = 20.0  # seconds of a sample that is only listened into
_TUNE_BOOKS = ("ryansMammoth", "oneills1850", "airdsAirs")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MusicDomain:
    """ABC, MIDI and MusicXML in, symbols of one of two codes out, one character each.

    *abc* is ABC text itself, cleaned; *events* is the code of `events`, which says whatever MIDI
    can: polyphony, velocities, programs, tempos and metres.
    """

    name: ClassVar[str] = "music"
    unit: ClassVar[str] = "character"
    wordings: ClassVar[Mapping[str, Wording]] = report.WORDINGS
    next_commands: ClassVar[tuple[tuple[str, str], ...]] = (
        ("seqforge music --model {run}", "new tunes with score and sound"),
    )
    copy_measure: ClassVar[str] = "24 intervals or more shared"
    suffix: ClassVar[str] = ".mid"
    suffixes: ClassVar[tuple[str, ...]] = (".abc", ".mid", ".midi", ".musicxml", ".mxl", ".xml")
    file_per_sample: ClassVar[bool] = True
    coding: ClassVar[tuple[str, ...]] = ("code", "steps_per_quarter", "key")
    file_marks: ClassVar[tuple[bytes, ...]] = (b"<software>seqforge ",)  # as MusicXML says it

    code: Literal["auto", "abc", "events"] = "auto"
    """``auto``: abc if every file is ABC, else events, which reads all formats."""
    steps_per_quarter: Annotated[int, Field(ge=1, le=480)] = STEPS_PER_QUARTER
    """Grid of the events code."""
    held_key: str = ""
    """A key that samples keep to, as ABC writes it (``G``, ``Em``); empty for any. ABC keeps the
    key of its header, whichever it is."""
    key: Literal["as written", "C"] = "as written"
    """``C``: every input is transposed to the tonic C, its mode kept, and samples are in C."""
    transpositions: Annotated[int, Field(ge=0, le=6)] = 0
    """Augmentation: each training tune is also read in so many keys up and as many down."""
    formats: tuple[Format, ...] = ("mid", "abc")
    """Output formats of each sample."""
    transpose: int = 0
    """Transpose the output by N semitones."""
    into_key: str = ""
    """Key of the output, after ``transpose``."""
    tempo: Annotated[int, Field(ge=0)] = 0
    """First tempo of the output in microseconds per quarter; 0 for that of the symbols."""
    program: Annotated[int, Field(ge=0, le=127)] = 0
    """Instrument of the output for tunes, which name none."""
    after: str = ""
    """Title of the prime, for the titles of the output."""
    soundfont: str = ""
    """SoundFont for audio; empty for the plain synthesis."""
    encoding: Annotated[str, AfterValidator(checked_encoding)] = ""
    """Encoding of ABC files that are not UTF-8 and have no byte-order mark."""

    def settle(self, paths: Sequence[Path]) -> Self:
        """The domain with its code decided by the files."""
        if self.code != "auto":
            return self
        only_abc = all(music_file_type(path) == "abc" for path in paths)
        return replace(self, code="abc" if only_abc else "events")

    def default_input(self) -> list[Path]:
        """Three tune books in the installed music21.

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
        """Each tune of an ABC file as a record; a MIDI or MusicXML file as one."""
        with readable(path):
            yield from self._records(path)

    def _records(self, path: Path) -> Iterator[Record]:
        if music_file_type(path) == "abc":
            for record in tune_books.read(path, self.encoding, self.code == "events"):
                note = record.note
                for tune, copy in tune_in_keys(record.symbols, self.key, self.transpositions):
                    symbols = self._events_of(tune) if self.code == "events" else tune
                    yield replace(record, symbols=symbols, note=note, augmented=copy)
                    note = ""
            return
        if self.code != "events":
            raise InputError(
                f"{path}: is not ABC, which this run reads; --code events reads it, and ABC too"
            )
        piece, note = read_notes(path, self.steps_per_quarter)
        for ours, copy in piece_in_keys(piece, self.key, self.transpositions):
            symbols = event_codec.encode(ours)
            yield Record(symbols, path.stem, path.name, note="" if copy else note, augmented=copy)

    def memory(self, vocabulary: Vocabulary, training: Ids, symbols: int, budget: int) -> Memory:
        """See `HasMemory.memory`."""
        from seqforge.core.memory.slots import table_bytes
        from seqforge.domains.music.memory import TuneMemory

        size, events = table_bytes(symbols, budget), self.code == "events"
        return TuneMemory.made(training, vocabulary.symbols, events, size)

    def best_memory(
        self, vocabulary: Vocabulary, training: Ids, symbols: int, budget: int
    ) -> Memory:
        """See `HasBestMemory.best_memory`."""
        from seqforge.core.memory.slots import table_bytes
        from seqforge.domains.music.memory import TuneMemories

        size = table_bytes(symbols, budget, TuneMemories.count)
        return TuneMemories.made(training, vocabulary.symbols, self.code == "events", size)

    def saved_memory(self, vocabulary: Vocabulary, arrays: Arrays) -> Memory:
        """See `KeepsMemory`."""
        from seqforge.core.memory.several import restored
        from seqforge.domains.music.memory import TuneMemories, TuneMemory

        one = partial(TuneMemory.saved, vocabulary.symbols, self.code == "events")
        return restored(TuneMemories, one, arrays)

    def copy_units(self, vocabulary: Vocabulary) -> CopyUnits:
        """16 notes, whatever else stands between them."""
        from seqforge.domains.music.memory import NOTE, traits

        notes = traits(vocabulary.symbols, self.code == "events")[:, 0] == NOTE
        return CopyUnits(16, notes, np.arange(len(vocabulary)))

    def clusters(self, records: Iterable[str]) -> NDArray[np.int64]:
        """Clusters of tune variants; see `tune_clusters`."""
        return tune_clusters(self.decode(symbols).piece.notes for symbols in records)

    def prime(self, source: str | Path) -> str:
        """Typed text, or the music of a file, as a prime; see `primer.read_prime`."""
        if isinstance(source, str):
            if not source:
                raise InputError("the prime is empty")
            return source
        return read_prime(self, source, bars=None).symbols

    def prompt(
        self, source: str | Path, vocabulary: Vocabulary, bars: int | None = None
    ) -> MusicPrompt:
        """The prime in symbols that a model knows; of a file the last ``bars``, None for all."""
        if isinstance(source, str):
            return MusicPrompt(self.prime(source))
        return fitted_prompt(self, read_prime(self, source, bars), source, vocabulary)

    def constraint(self, vocabulary: Vocabulary) -> Constraint | None:
        """The grammar: full bars, closed repeats, notes in range and in the held key."""
        if self.code == "events":
            return event_codec.grammar(vocabulary, self.steps_per_quarter, self.held_key)
        return grammar.grammar(vocabulary, held=bool(self.held_key))

    def endings(self) -> tuple[str, ...]:
        """Endings of ``formats``."""
        return tuple(f".{name}" for name in self.formats)

    def write(self, samples: Sequence[Sample], path: Path) -> list[Path]:
        """Each sample in every one of ``formats``; see `sample_export.write_samples`."""
        return write_samples(self, samples, path)

    def show(self, sample: Sample) -> str:
        """The sample as ABC; of events, its melody."""
        if self.code == "events":
            return to_abc(self.decode(sample.symbols).piece) + "\n"
        given, once = sample.prime_length, sample.settings.get("bars") is not None
        return continuation.continued(sample.symbols, given, once)[0].rstrip("\n") + "\n"

    def showing(self, sample: Sample, pieces: Iterable[str]) -> Iterator[str]:
        """ABC as it comes; the melody of events at the end."""
        if self.code == "events":
            yield self.show(replace(sample, symbols="".join(pieces)))
            return
        once = sample.settings.get("bars") is not None
        pieces = continuation.continued_as_drawn(pieces, sample.prime_length, once)
        held = ""  # line breaks that may be the last
        for piece in pieces:
            text = held + piece
            shown = text.rstrip("\n")
            held = text[len(shown) :]
            yield shown
        yield "\n"

    def deciphering(self) -> SymbolDecoder | None:
        """ABC as it is; None for events."""
        return None if self.code == "events" else lambda symbols, last: symbols

    def picture(self, sample: Sample) -> Pixels | None:
        """A piano roll of the sample, the prime tinted."""
        performance = SampleExport(self, sample)
        return piano_roll(performance.piece, performance.prime_end)

    def sound(self, sample: Sample, rate: int) -> Waveform | None:
        """Audio of the sample, at most 20 seconds."""
        return synthesize(SampleExport(self, sample).piece, rate, _HEARD, self.soundfont)

    def report(self, samples: Sequence[Sample], corpus: Corpus) -> dict[str, Any]:
        """Melody features of samples, held-out tunes, training tunes and random notes."""
        return report.report(self, samples, corpus)

    def measure_groups(self, groups: Sequence[Sequence[Sample]], corpus: Corpus) -> list[Measured]:
        """See `MeasuresGroups`: all features of melodies, and full bars."""
        return [report.measured_group(self, group) for group in groups]

    def page_sections(self, folder: Path, files: Sequence[str]) -> list[Section]:
        """See `ShowsOnPage`: score, sound and piano roll of a sample of each temperature."""
        from seqforge.domains.music.render.run_section import run_section

        return run_section(self, folder, files)

    def grammar_report(self, samples: Sequence[Sample], free: Sequence[Sample]) -> dict[str, Any]:
        """Bars the model fills without the grammar, and the probability the grammar removed."""
        return report.of_grammar(self, samples, free)

    def decode(self, symbols: str) -> Decoded:
        """Any symbols in, notes out."""
        if self.code == "events":
            return event_codec.decode(symbols, self.steps_per_quarter)
        return parser.decode(symbols, self.steps_per_quarter)

    def bars(self, symbols: str) -> int:
        """The number of bar lines in symbols."""
        if self.code == "events":
            return symbols.count(event_codec.BAR)
        return len(tune_books.bar_ends(symbols))

    def annotate(self, symbols: str) -> Mapping[str, NDArray[Any]]:
        """Places in bars, beats, degrees, cadences, repeats; see `annotate_tune`."""
        if self.code == "events":
            return annotate_events(symbols, self.steps_per_quarter)
        return annotate_tune(symbols)

    def written_tune(self, symbols: str) -> WrittenTune:
        """Notes to show on a staff; see `WritesNotes`."""
        if self.code == "events":
            return events_on_staff(symbols, self.steps_per_quarter)
        return tune_on_staff(symbols)

    def written_scores(self, symbols: Sequence[str]) -> list[WrittenScore | None]:
        """Scores of tunes; see `EngravesNotes`."""
        from seqforge.domains.music.render.tune_score import tune_scores

        return tune_scores(
            [self._written(one) for one in symbols],
            [self.written_tune(one).notes for one in symbols],
        )

    def _written(self, symbols: str) -> WrittenPiece:
        if self.code == "events":
            return written_events(symbols, self.steps_per_quarter)
        return written_piece(symbols, self.steps_per_quarter)

    def unit_end(self, symbols: str, given: int, count: int, over: bool) -> int | None:
        """The end of the count-th bar after the first ``given`` symbols; see `StopsAfterUnits`."""
        if self.code == "events":
            return event_codec.bar_end(symbols, given, count)
        return continuation.bar_end(symbols, given, count, over)

    def _events_of(self, abc: str) -> str:
        return event_codec.encode(parser.decode(abc, self.steps_per_quarter).piece)
