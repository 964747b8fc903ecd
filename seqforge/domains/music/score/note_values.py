"""Quantized notes in, note values out: split at beats, tied, in triplets, beamed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from seqforge.domains.music.score.quantize import QUARTER, SHORTEST, Bar, Span, halvings

_NAMES = ("breve", "whole", "half", "quarter", "eighth", "16th", "32nd", "64th")
_VALUES = {8 * QUARTER >> place: (name, 0) for place, name in enumerate(_NAMES)}
_VALUES |= {steps * 3 // 2: (name, 1) for steps, (name, _) in _VALUES.items() if steps > SHORTEST}
_FLAGS = {"eighth": 1, "16th": 2, "32nd": 3, "64th": 4}

Level = Callable[[int], int]


@dataclass(frozen=True)
class StaffNote:
    """Pitches with one onset and one end, in steps of the score."""

    start: int
    end: int
    pitches: tuple[int, ...]
    given: bool = False
    """Whether it belongs to the prime."""


@dataclass
class NoteValue:
    """A written sign: a note, a chord or a rest."""

    start: int
    steps: int
    """Its duration."""
    name: str = ""
    """``quarter`` and so on; empty for a whole-bar rest."""
    dots: int = 0
    sound: StaffNote | None = None
    """Its notes; None for a rest."""
    from_before: bool = False
    """Tied to the sign before."""
    goes_on: bool = False
    """Tied to the next sign."""
    in_triplet: bool = False
    triplet_ends: tuple[str, ...] = ()
    """``start`` and ``stop`` of a bracket."""
    beams: list[str] = field(default_factory=list)
    """What each beam does here, the eighth's first."""

    @property
    def end(self) -> int:
        """The step where it ends."""
        return self.start + self.steps

    @property
    def flags(self) -> int:
        """Number of flags or beams; 0 for a rest."""
        return _FLAGS.get(self.name, 0) if self.sound else 0


def note_values_of(sounds: Sequence[StaffNote], bar: Bar, spans: Iterable[Span]) -> list[NoteValue]:
    """Notes of a voice in a bar in, its note values out.

    Args:
        sounds: Those that sound in the bar, in order, none over another.
        bar: Where they are.
        spans: How it is divided; only triplets matter.

    Returns:
        Signs from the beginning of the bar to its end, silence as rests.
    """
    parts = _parts(sounds, bar)
    if all(sound is None for _, _, sound in parts):
        return [NoteValue(bar.start, bar.length)]
    edges = {place for start, end, _ in parts for place in (start, end)}
    triplets = [s for s in spans if s.triplet and any(s.start < edge < s.end for edge in edges)]
    cuts = sorted({place for span in triplets for place in (span.start, span.end)})
    values: list[NoteValue] = []
    for start, end, sound in parts:
        stops = [start, *(cut for cut in cuts if start < cut < end), end]
        for begin, stop in pairwise(stops):
            inside = next((s for s in triplets if s.start <= begin < s.end), None)
            values += _written(begin, stop, sound, bar, inside)
    for value in values:
        if value.sound:
            value.from_before = value.start > value.sound.start
            value.goes_on = value.end < value.sound.end
    for span in triplets:
        inside_it = [value for value in values if span.start <= value.start < span.end]
        inside_it[0].triplet_ends += ("start",)
        inside_it[-1].triplet_ends += ("stop",)
    _beam(values, bar)
    return values


def _parts(sounds: Sequence[StaffNote], bar: Bar) -> list[tuple[int, int, StaffNote | None]]:
    parts: list[tuple[int, int, StaffNote | None]] = []
    now = bar.start
    for sound in sounds:
        start, end = max(sound.start, bar.start), min(sound.end, bar.end)
        if start > now:
            parts.append((now, start, None))
        parts.append((start, end, sound))
        now = end
    if now < bar.end:
        parts.append((now, bar.end, None))
    return parts


def _written(
    start: int, end: int, sound: StaffNote | None, bar: Bar, triplet: Span | None
) -> list[NoteValue]:
    if triplet is None:
        pieces = _cut(start, end, bar.level, sound is None)
        return [_value(begin, stop - begin, stop - begin, sound) for begin, stop in pieces]
    base = triplet.start  # on paper three stand where two sound
    third = triplet.length // 2

    def level(place: int) -> int:
        return 0 if place % (3 * third) == 0 else halvings(place, third, 1)

    pieces = _cut((start - base) * 3 // 2, (end - base) * 3 // 2, level, sound is None)
    values = [
        _value(base + begin * 2 // 3, (stop - begin) * 2 // 3, stop - begin, sound)
        for begin, stop in pieces
    ]
    for value in values:
        value.in_triplet = True
    return values


def _value(start: int, steps: int, on_paper: int, sound: StaffNote | None) -> NoteValue:
    name, dots = _VALUES[on_paper]
    return NoteValue(start, steps, name, dots, sound)


def _cut(start: int, end: int, level: Level, is_rest: bool) -> list[tuple[int, int]]:
    """Lengths that note values have, with no beat hidden.

    A note may cross a place that is one level stronger than where it begins or ends (an eighth, a
    quarter, an eighth), a rest none that is stronger.
    """
    first = start - start % SHORTEST + SHORTEST
    inner = [(level(place), place) for place in range(first, end, SHORTEST)]
    strongest = min((at for at, _ in inner), default=None)
    if end - start in _VALUES:
        weaker = max(level(start), level(end))
        if strongest is None or weaker <= strongest + (not is_rest):
            return [(start, end)]
    places = [place for at, place in inner if at == strongest]
    place = places[-1] if level(start) <= level(end) else places[0]
    return _cut(start, place, level, is_rest) + _cut(place, end, level, is_rest)


def _beam(values: list[NoteValue], bar: Bar) -> None:
    for start, end in _beam_groups(values, bar):
        run: list[NoteValue] = []
        for value in values:
            if start <= value.start < end:
                if value.flags:
                    run.append(value)
                    continue
                _join(run, bar)
                run = []
        _join(run, bar)


def _beam_groups(values: list[NoteValue], bar: Bar) -> list[tuple[int, int]]:
    """Beats; two of them where they make half a bar of nothing but eighths."""
    groups = list(bar.beats())
    if bar.denominator >= 8:
        return groups
    joined: list[tuple[int, int]] = []
    for start, end in groups:
        inside = [v for v in values if joined and joined[-1][0] <= v.start < end]
        if (
            joined
            and joined[-1][1] - joined[-1][0] == QUARTER
            and (end - bar.start + bar.offset) % (2 * QUARTER) == 0
            and bar.full % (2 * QUARTER) == 0
            and all((v.name, v.dots, v.in_triplet) == ("eighth", 0, False) for v in inside)
            and all(v.sound for v in inside)
        ):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _join(run: list[NoteValue], bar: Bar) -> None:
    """Beams over a run of notes with flags; one alone keeps its flags."""
    if len(run) < 2:
        return
    for number in range(1, max(value.flags for value in run) + 1):
        place = 0
        while place < len(run):
            stop = place
            while stop < len(run) and run[stop].flags >= number:
                stop += 1
            for at in range(place, stop):
                run[at].beams.append(_does(run, at, place, stop, bar))
            place = max(stop, place + 1)


def _does(run: list[NoteValue], at: int, first: int, stop: int, bar: Bar) -> str:
    if stop - first > 1:
        return "begin" if at == first else "end" if at == stop - 1 else "continue"
    if at == 0 or at == len(run) - 1:
        return "forward hook" if at == 0 else "backward hook"
    stronger = bar.level(run[at].start) <= bar.level(run[at].end)
    return "forward hook" if stronger else "backward hook"
