"""A sample in, its files out: transposed, at its tempo, as MIDI, ABC, MusicXML, score and sound."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from seqforge.base.folders import numbered, write_atomically
from seqforge.base.messages import Advance, unheard
from seqforge.core.output.metadata import settings_of, temperature_of
from seqforge.domains.music.abc import tune_books
from seqforge.domains.music.abc.continuation import continued
from seqforge.domains.music.abc.repair import repaired
from seqforge.domains.music.abc.writer import to_abc
from seqforge.domains.music.event_codec import BAR
from seqforge.domains.music.keys import Key, parse_key, piece_key, shifted, transposed
from seqforge.domains.music.midi.midi_file import midi_bytes
from seqforge.domains.music.notes import (
    Decoded,
    MusicOptions,
    Piece,
    Tempo,
    bars_between,
    cut_at,
    normalised,
)
from seqforge.domains.music.primer import key_of
from seqforge.domains.music.render import audio
from seqforge.domains.music.tempo_map import TempoMap
from seqforge.errors import ConfigError, RenderError

if TYPE_CHECKING:
    from seqforge.core.data.domain import Sample

Format = Literal["mid", "abc", "musicxml", "svg", "png", "wav", "ogg"]
FORMATS: tuple[Format, ...] = get_args(Format)
QUICK = FORMATS[:3]
"""Formats written with each sample; the others are made for many at once."""


class ExportOptions(MusicOptions, Protocol):
    """Interface of the output options; `MusicDomain` explains each."""

    @property
    def formats(self) -> tuple[Format, ...]:
        """Output formats of each sample."""

    @property
    def transpose(self) -> int:
        """Semitones."""

    @property
    def into_key(self) -> str:
        """A key as ABC writes it, or empty."""

    @property
    def tempo(self) -> int:
        """Microseconds a quarter, or 0."""

    @property
    def program(self) -> int:
        """Of tunes, which name none."""

    @property
    def after(self) -> str:
        """Title of the prime, or empty."""

    @property
    def soundfont(self) -> str:
        """A file, or empty."""


@dataclass(frozen=True)
class SampleExport:
    """A sample as written: in its key, at its tempo."""

    domain: ExportOptions
    sample: Sample
    heading: str = ""
    """What its score is headed with; empty for what it goes on from, or model and seed."""

    @cached_property
    def _text(self) -> tuple[str, int]:
        """The symbols as they are played, and how many of them were given; see `continuation`."""
        sample = self.sample
        if self.domain.code == "events":
            return sample.symbols, sample.prime_length
        return continued(sample.symbols, sample.prime_length, self._counts_bars)

    @property
    def _counts_bars(self) -> bool:
        """Whether so many bars were asked for, which are then so many of sound."""
        return self.sample.settings.get("bars") is not None

    @cached_property
    def _decoded(self) -> Decoded:
        found = self.domain.decode(self._text[0])
        if self._counts_bars and self._text[0].endswith(BAR):
            return replace(found, piece=cut_at(found.piece, found.end))
        return found

    @property
    def _drawn(self) -> Piece:
        return self._decoded.piece

    @property
    def end(self) -> int:
        """The step where it ends, rests included."""
        return max(self._decoded.end, self._drawn.end)

    @property
    def new_bars(self) -> int:
        """Bars that begin after the prime; without a prime all but the pick-up."""
        return bars_between(self._drawn, self.prime_end, self.end)

    @cached_property
    def semitones(self) -> int:
        """Semitones that the output is above the symbols."""
        by = self.domain.transpose
        if self.domain.into_key:
            into = parse_key(self.domain.into_key)
            by += 6 - (self._drawn_key.pitch_class + by - into.pitch_class + 6) % 12
        return by

    @property
    def _drawn_key(self) -> Key:
        if self.domain.code != "events":
            return key_of(self._text[0])
        return piece_key(self._drawn)

    @cached_property
    def piece(self) -> Piece:
        """All notes, those of the prime first."""
        piece = shifted(self._drawn, self.semitones) if self.semitones else self._drawn
        if self.domain.tempo:
            later = [tempo for tempo in piece.tempos if tempo.step]
            piece = replace(piece, tempos=(Tempo(0, self.domain.tempo), *later))
        if self.domain.program and self.domain.code != "events":
            notes = [note._replace(program=self.domain.program) for note in piece.notes]
            piece = replace(piece, notes=tuple(notes))
        return piece if piece is self._drawn else normalised(piece)

    @cached_property
    def prime_end(self) -> int:
        """The step where the prime ends; 0 without one."""
        text, given = self._text
        found = self.domain.decode(text[:given])
        return max(found.end, found.piece.end) if given else 0

    @property
    def title(self) -> str:
        """Title of the score."""
        sample = self.sample
        if self.heading:
            return self.heading
        if self.domain.after:
            return f"after {self.domain.after}, {sample.number}"
        seed = "" if sample.seed is None else f"seed {sample.seed}, "
        return f"{sample.model or 'seqforge'}, {seed}sample {sample.number}"

    @property
    def origin(self) -> str:
        """Model, seed and settings, on one line."""
        return self.heading or origin(self.sample)

    @cached_property
    def abc(self) -> str:
        """The ABC file; of events, their melody."""
        if self.domain.code == "events":
            text = to_abc(self.piece)
        else:
            text = repaired(transposed(self._text[0], self.semitones))
        file = tune_books.with_header(text, self.sample.number, self.title, self.origin)
        if self.domain.tempo:
            quarters = f"Q:1/4={round(60e6 / self.domain.tempo)}"
            file = file.replace("\nM:", f"\n{quarters}\nM:", 1)
        return file

    @cached_property
    def musicxml(self) -> str:
        """The score."""
        from seqforge.domains.music.musicxml.writer import to_musicxml

        return to_musicxml(self.piece, self.title, self.prime_end)


def write_samples(domain: ExportOptions, samples: Sequence[Sample], path: Path) -> list[Path]:
    """Samples in, their files in the domain's formats out.

    Where there are more they are numbered (``t0.8-001.mid``).
    """
    written: list[Path] = []
    performances: list[tuple[SampleExport, Path | None]] = []
    for sample in samples:
        performance = SampleExport(domain, sample)
        stem = stem_of(path, sample.number, len(samples))
        performances.append((performance, stem))
        written += write_quick(performance, stem, domain.formats)
    slow = [name for name in domain.formats if name not in QUICK]
    if slow:
        written += [file for made in render(performances, slow) for file in made.files]
    return written


def stem_of(path: Path, number: int, count: int) -> Path:
    """The path of a sample's files, without endings."""
    return numbered(path, number, "") if count > 1 else path.with_name(path.stem)


def write_quick(performance: SampleExport, stem: Path, formats: Sequence[str]) -> Iterator[Path]:
    """Write the quick formats; returns their files."""
    for name in formats:
        if name not in QUICK:
            continue
        path = stem.with_name(f"{stem.name}.{name}")
        if name == "mid":
            data = midi_bytes(performance.piece, performance.origin)
        else:
            data = (performance.abc if name == "abc" else performance.musicxml).encode()
        write_atomically(path, data)
        yield path


def parsed_formats(given: str) -> tuple[Format, ...]:
    """Formats named with commas between them, in the order of `FORMATS`.

    Raises:
        ConfigError: Names what is no format.
    """
    named = {name.strip().lower().removeprefix(".") for name in given.split(",")} - {""}
    strange = sorted(named - set(FORMATS))
    if strange or not named:
        raise ConfigError(
            f"--formats {given}: {strange[0] if strange else 'nothing'!r} is no format; there are "
            + ", ".join(FORMATS)
        )
    return tuple(name for name in FORMATS if name in named)


def origin(sample: Sample) -> str:
    """A sample's model, seed and settings on one line."""
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


_PIXELS = 1_600  # width of a score as PNG
_PLAYED_AT_ONCE = 2
_BATCH = 16  # scores that one process engraves
_SECONDS = 10.0  # that one may take


@dataclass(frozen=True)
class Rendered:
    """A sample with its engraved score and audio, if asked for."""

    performance: SampleExport
    stem: Path | None
    """Where its files are, without their endings; None where it has none."""
    files: tuple[Path, ...]
    """Those written here."""
    pages: tuple[str, ...]
    """The score, one SVG per page."""
    ogg: bytes
    """The audio; empty for silence, or if not asked for."""
    remarks: tuple[str, ...] = ()
    """Notes for the user: why there is no score, where the audio ends."""
    mp3: bytes = b""
    """The audio again, for browsers that play no OGG."""
    notes: tuple[tuple[float, tuple[str, ...]], ...] = ()
    """Where notes of the score begin, in quarters, and their ids in the pages."""


@dataclass(frozen=True)
class _Score:
    pages: tuple[str, ...] = ()
    notes: tuple[tuple[float, tuple[str, ...]], ...] = ()
    pngs: tuple[bytes, ...] = ()
    problem: str = ""


def render(
    performances: Sequence[tuple[SampleExport, Path | None]],
    formats: Sequence[str],
    for_page: int = 0,
    progress: Advance = unheard,
) -> Iterator[Rendered]:
    """Samples in, scores and audio out; files are written as they come.

    Args:
        performances: Each with where its files go, without their endings; None for no files.
        formats: svg, png, wav and ogg make files; others are not looked at.
        for_page: So many of the first have score and sound whatever the formats are.
        progress: Told how many are done.

    Raises:
        RunError: If a file cannot be written.
        ProgramError: If the domain's SoundFont cannot be played.
    """
    pictures = not {"svg", "png"}.isdisjoint(formats)
    drawn = performances[: None if pictures else for_page]
    with _threads(1) as (engraver, stopped), _threads(_PLAYED_AT_ONCE) as (player, _):
        batches = deque(
            engraver.submit(_engraved, drawn[start : start + _BATCH], formats, stopped)
            for start in range(0, len(drawn), _BATCH)
        )
        sounds = deque(
            player.submit(_played, performance, stem, formats, number < for_page)
            for number, (performance, stem) in enumerate(performances)
        )
        scores: deque[_Score] = deque()
        for number, (performance, stem) in enumerate(performances):
            count = len(performances)
            progress(number, count, f"scores and sound of {number:,} of {count:,}")
            heard = sounds.popleft().result()
            if not scores and batches:
                scores.extend(batches.popleft().result())
            score = scores.popleft() if scores else _Score()
            files = (*heard.files, *_written(score, stem, formats))
            remarks = tuple(filter(None, (score.problem, heard.cut)))
            yield Rendered(
                performance, stem, files, score.pages, heard.ogg, remarks, heard.mp3, score.notes
            )


@contextmanager
def _threads(count: int) -> Iterator[tuple[ThreadPoolExecutor, Event]]:
    """Threads that wait for processes and encoders; at a stop they begin nothing more."""
    pool, stopped = ThreadPoolExecutor(count), Event()
    try:
        yield pool, stopped
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def _engraved(
    performances: Sequence[tuple[SampleExport, Path | None]],
    formats: Sequence[str],
    stopped: Event,
) -> list[_Score]:
    """Scores, all by one process; where it fails each by its own, to know which is to blame."""
    from seqforge.domains.music.render.engraving import engraved, to_png

    scores = [] if stopped.is_set() else [performance.musicxml for performance, _ in performances]
    try:
        return [
            _Score(
                score.pages,
                score.notes,
                tuple(to_png(page, _PIXELS) for page in score.pages if stem and "png" in formats),
            )
            for (_, stem), score in zip(
                performances, engraved(scores, _SECONDS * len(scores)), strict=False
            )
        ]
    except RenderError as error:
        if len(performances) > 1:
            return [score for one in performances for score in _engraved([one], formats, stopped)]
        return [_Score(problem=f"{performances[0][0].title}: {error}")]


def _written(score: _Score, stem: Path | None, formats: Sequence[str]) -> list[Path]:
    """The files of a score: ``x.svg``, and of further pages ``x-2.svg``."""
    written: list[Path] = []
    if stem is None:
        return written
    kinds = (("svg", [page.encode() for page in score.pages]), ("png", score.pngs))
    for name, pages in kinds:
        for number, data in enumerate(pages if name in formats else (), 1):
            tail = f"-{number}" if number > 1 else ""
            path = stem.with_name(f"{stem.name}{tail}.{name}")
            write_atomically(path, data)
            written.append(path)
    return written


@dataclass(frozen=True)
class _Heard:
    files: tuple[Path, ...] = ()
    ogg: bytes = b""
    mp3: bytes = b""
    """Both for the page."""
    cut: str = ""
    """Where the sound was cut, in a sentence."""


def _played(
    performance: SampleExport, stem: Path | None, formats: Sequence[str], shown: bool
) -> _Heard:
    """The files of sound, and sound for the page."""
    if not shown and {"wav", "ogg"}.isdisjoint(formats):
        return _Heard()
    piece = performance.piece
    heard = audio.synthesize(piece, soundfont=performance.domain.soundfont)
    if heard is None:
        return _Heard()
    ogg = audio.ogg_bytes(heard) if shown or "ogg" in formats else b""
    written: list[Path] = []
    for name in ("wav", "ogg"):
        if name in formats and stem is not None:
            path = stem.with_name(f"{stem.name}.{name}")
            write_atomically(path, ogg if name == "ogg" else audio.wav_bytes(heard))
            written.append(path)
    cut = TempoMap(piece).seconds(piece.end) > audio.MOST_SECONDS
    minutes = f"{audio.MOST_SECONDS / 60:.0f} minutes"
    said = f"{performance.title}: the sound ends after {minutes}; the MIDI file has it all"
    mp3 = audio.mp3_bytes(heard) if shown else b""
    return _Heard(tuple(written), ogg if shown else b"", mp3, said if cut else "")
