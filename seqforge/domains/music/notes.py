"""The note model that every format shares: notes on a grid, tempos, metres and keys of a piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor
from operator import attrgetter
from typing import NamedTuple, Protocol, TypeVar

DRUMS = 128
"""The program of a percussion part; General MIDI gives it channel 10 and no program number."""
STEPS_PER_QUARTER = 24
DEFAULT_TEMPO = 500_000
"""Microseconds per quarter: 120 quarters a minute, MIDI's default."""
FASTEST_TEMPO, SLOWEST_TEMPO = 150_000, 3_000_000
"""The tempos of pieces, in microseconds per quarter: 400 and 20 quarters a minute."""
MOST_QUARTERS = 20_000
"""Nothing is placed later than this: over an hour at any tempo, and readable everywhere."""


def tempo_of(quarters: float | Fraction) -> int:
    """Quarters a minute in, microseconds per quarter out, within the slowest and fastest tempo."""
    return round(60e6 / min(max(quarters, 60e6 / SLOWEST_TEMPO), 60e6 / FASTEST_TEMPO))


class Note(NamedTuple):
    """A sounding note."""

    pitch: int
    """0-127, 60 is middle C."""
    velocity: int
    """1-127."""
    start: int
    """In steps from the beginning."""
    duration: int
    """In steps, at least 1."""
    program: int = 0
    """General MIDI instrument 0-127, or `DRUMS`."""


_DURATION = attrgetter("duration")


class Tempo(NamedTuple):
    """From ``step`` on a quarter lasts so many microseconds."""

    step: int
    microseconds: int


class TimeSignature(NamedTuple):
    """From ``step`` on, which begins a bar."""

    step: int
    numerator: int
    denominator: int


class BarSign(NamedTuple):
    """A bar line that is no plain one."""

    step: int
    closes: bool
    """Whether a repeat ends here."""
    opens: bool
    """Whether one begins."""
    double: bool
    ending: str
    """Passes of the ending that begins here, such as ``1,3``; or empty."""


class KeySignature(NamedTuple):
    """From ``step`` on; ``sharps`` is -7 (seven flats) to 7."""

    step: int
    sharps: int
    minor: bool


_Change = TypeVar("_Change", Tempo, TimeSignature, KeySignature)


@dataclass(frozen=True)
class Piece:
    """Notes, with tempos, metres and keys."""

    notes: tuple[Note, ...] = ()
    steps_per_quarter: int = STEPS_PER_QUARTER
    tempos: tuple[Tempo, ...] = ()
    time_signatures: tuple[TimeSignature, ...] = ()
    key_signatures: tuple[KeySignature, ...] = ()
    pickup: int = 0
    """Steps before the first full bar; 0 without a pick-up."""

    @property
    def end(self) -> int:
        """The step where the last note ends."""
        return max((note.start + note.duration for note in self.notes), default=0)


@dataclass(frozen=True)
class Decoded:
    """A decoded text, and how well it keeps the rules of its code."""

    piece: Piece
    bars: int = 0
    """Bars ended by a bar line."""
    full_bars: int = 0
    """Bars as long as the time signature."""
    skipped: int = 0
    """Characters without meaning, skipped."""
    end: int = 0
    """The last step, rests included; a note of the events code may end later."""


class MusicOptions(Protocol):
    """The options that say what symbols stand for, and the notes that they do: `MusicDomain`."""

    @property
    def code(self) -> str:
        """``abc`` or ``events``."""

    @property
    def steps_per_quarter(self) -> int:
        """The grid of the events code."""

    @property
    def key(self) -> str:
        """``C`` where everything read is moved to the tonic C."""

    @property
    def encoding(self) -> str:
        """What ABC files are written in; empty for what they say, else UTF-8."""

    def decode(self, symbols: str) -> Decoded:
        """The notes that symbols stand for; any symbols."""


def nearest_step(steps: float) -> int:
    """A position between two steps in, the nearest step out; halves are rounded up.

    Music that is moved by whole steps is then the same; `round` would take the even of two.
    """
    return floor(steps + 0.5 + 1e-6)


def normalised(piece: Piece) -> Piece:
    """A piece in, the piece as MIDI can represent it out.

    Notes in order of (start, program, pitch); of two with the same three the longer stays; a note
    ends where the next of its pitch begins. Changes that change nothing are dropped, and so are
    those after the last onset. A first bar in a metre of its own may be the pick-up, see
    `implied_pickup`.
    """
    last = max((note.start for note in piece.notes), default=0)
    times = _changes(piece.time_signatures, TimeSignature(0, 4, 4), last)
    pickup = piece.pickup
    if pickup_metre(pickup, piece.steps_per_quarter) is None or not _fits(piece, times, last):
        pickup = implied_pickup(times, piece.notes, piece.steps_per_quarter)
        if pickup:
            times = (times[1]._replace(step=0), *times[2:])
    return replace(
        piece,
        notes=_without_overlaps(piece.notes),
        tempos=_changes(piece.tempos, Tempo(0, DEFAULT_TEMPO), last),
        time_signatures=times,
        key_signatures=_changes(piece.key_signatures, None, last),
        pickup=pickup,
    )


def _fits(piece: Piece, times: tuple[TimeSignature, ...], last: int) -> bool:
    """Whether the pick-up is shorter than a bar, and over before the music and the metre are."""
    metre_ends = times[1].step if len(times) > 1 else last + 1
    bar = bar_length(times[0], piece.steps_per_quarter)
    return piece.pickup < min(last + 1, metre_ends, bar)


def implied_pickup(
    times: Sequence[TimeSignature], notes: Iterable[Note], steps_per_quarter: int
) -> int:
    """Steps of a first bar that is a pick-up; 0 for none.

    MIDI has no word for one: notation programs give it a metre of its own. A bar that is more than
    half of the next, whose metre comes back, or in which no note begins is a bar like any other.
    """
    if len(times) < 2 or times[0][1:] in [time[1:] for time in times[1:]]:
        return 0
    length = bar_length(times[0], steps_per_quarter)
    if times[1].step != length or 2 * length > bar_length(times[1], steps_per_quarter):
        return 0
    return times[1].step if any(note.start < length for note in notes) else 0


def count_cut(notes: Iterable[Note], piece: Piece) -> int:
    """How many notes of a piece in normal form are shorter than in ``notes``, of which it is."""
    notes = list(notes)
    if sum(map(_DURATION, notes)) == sum(map(_DURATION, piece.notes)):
        return 0  # none is shorter, and none was left out
    longest: dict[tuple[int, int, int], int] = {}
    for note in notes:
        place = (note.start, note.program, note.pitch)
        longest[place] = max(note.duration, longest.get(place, 0))
    return sum(
        note.duration < longest[note.start, note.program, note.pitch] for note in piece.notes
    )


def pickup_metre(pickup: int, steps_per_quarter: int) -> tuple[int, int] | None:
    """The time signature of a bar as long as the pick-up; None where there is none."""
    for denominator in (4, 8, 16, 32, 64):
        numerator, rest = divmod(pickup * denominator, 4 * steps_per_quarter)
        if not rest and 1 <= numerator <= 32:
            return numerator, denominator
    return None


def _without_overlaps(notes: Iterable[Note]) -> tuple[Note, ...]:
    longest: dict[tuple[int, int, int], Note] = {}
    for note in notes:
        place = (note.start, note.program, note.pitch)
        if place not in longest or longest[place].duration < note.duration:
            longest[place] = note
    kept: list[Note] = []
    sounding: dict[tuple[int, int], int] = {}
    for place in sorted(longest):
        note = longest[place]
        before = sounding.get(place[1:])
        if before is not None and kept[before].start + kept[before].duration > note.start:
            kept[before] = kept[before]._replace(duration=note.start - kept[before].start)
        sounding[place[1:]] = len(kept)
        kept.append(note)
    return tuple(kept)


def _changes(changes: Iterable[_Change], first: _Change | None, last: int) -> tuple[_Change, ...]:
    at = {} if first is None else {0: first}
    at.update({change.step: change for change in changes if change.step <= last})
    kept: list[_Change] = []
    for step in sorted(at):
        if not kept or kept[-1][1:] != at[step][1:]:
            kept.append(at[step])
    return tuple(kept)


def bar_length(signature: TimeSignature, steps_per_quarter: int) -> float:
    """Steps of a bar, at least one; no whole number where the grid is coarse (3/64)."""
    return max(1.0, signature.numerator * 4 * steps_per_quarter / signature.denominator)


def bar_lines(piece: Piece, end: int) -> Iterator[tuple[int, TimeSignature]]:
    """Steps in [0, end) at which bars begin, each with its time signature; 0 is always first."""
    signatures = piece.time_signatures or (TimeSignature(0, 4, 4),)
    stops = [signature.step for signature in signatures[1:]] + [end]
    for signature, stop in zip(signatures, stops, strict=True):
        start = signature.step
        if start == 0 and piece.pickup and end > 0:
            yield 0, signature
            start = piece.pickup
        length = bar_length(signature, piece.steps_per_quarter)
        number = 0
        while (step := start + int(number * length)) < min(stop, end):
            yield step, signature
            number += 1


def cut_at(piece: Piece, end: int) -> Piece:
    """The piece up to a step: sounding notes are cut there, later ones left out."""
    notes = tuple(
        note._replace(duration=min(note.duration, end - note.start))
        for note in piece.notes
        if note.start < end
    )
    return replace(piece, notes=notes)


def bars_between(piece: Piece, start: int, end: int) -> int:
    """Bars that begin in [start, end), without the pick-up."""
    found = sum(step >= start for step, _ in bar_lines(piece, end))
    return found - (start == 0 and piece.pickup > 0 and end > 0)


def resampled(piece: Piece, steps_per_quarter: int) -> Piece:
    """The piece on another grid, each time at the nearest step."""

    def moved(step: int) -> int:
        return (2 * step * steps_per_quarter + old) // (2 * old)

    old = piece.steps_per_quarter
    notes = [
        note._replace(
            start=moved(note.start),
            duration=max(1, moved(note.start + note.duration) - moved(note.start)),
        )
        for note in piece.notes
    ]
    return Piece(
        tuple(notes),
        steps_per_quarter,
        tuple(tempo._replace(step=moved(tempo.step)) for tempo in piece.tempos),
        tuple(time._replace(step=moved(time.step)) for time in piece.time_signatures),
        tuple(key._replace(step=moved(key.step)) for key in piece.key_signatures),
        moved(piece.pickup),
    )


def skyline(notes: Iterable[Note]) -> list[Note]:
    """The melody: the highest note at each onset, without percussion, cut at the next.

    A lower note that begins while a higher one sounds is accompaniment and is left out as well.
    """
    highest: dict[int, Note] = {}
    for note in notes:
        if note.program != DRUMS and (
            note.start not in highest or highest[note.start].pitch < note.pitch
        ):
            highest[note.start] = note
    melody: list[Note] = []
    for start in sorted(highest):
        note = highest[start]
        if melody and (before := melody[-1]).start + before.duration > start:
            if note.pitch < before.pitch and note.start + note.duration <= (
                before.start + before.duration
            ):
                continue
            melody[-1] = before._replace(duration=start - before.start)
        melody.append(note)
    return melody
