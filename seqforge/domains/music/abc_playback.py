"""ABC elements in the order written to notes in the order played."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from seqforge.domains.music.notes import (
    MOST_QUARTERS,
    Decoded,
    KeySignature,
    Note,
    Piece,
    Tempo,
    TimeSignature,
    normalised,
    pickup_metre,
)

VELOCITY = 80
_GRACE = 1 / 32  # whole notes; taken from the note that is graced, half of it at most
_MOST_ELEMENTS = 50_000  # played out


class Sound(NamedTuple):
    """A note, a chord, or (without pitches) a rest."""

    length: float
    """In whole notes."""
    pitches: tuple[int, ...]
    tied: bool = False
    """To the next of the same pitch."""
    grace: tuple[int, ...] = ()
    """Pitches of the grace notes before it."""


class Bar(NamedTuple):
    """A bar line."""

    closes: bool
    """Ends what is repeated."""
    opens: bool
    """Begins it."""
    double: bool
    endings: tuple[int, ...]
    """The passes for which what follows is played; empty for all."""


class TimeChange(NamedTuple):
    """A time signature."""

    numerator: int
    denominator: int


class KeyChange(NamedTuple):
    """A key signature."""

    sharps: int
    minor: bool


class TempoChange(NamedTuple):
    """Microseconds per quarter."""

    microseconds: int


Element = Sound | Bar | TimeChange | KeyChange | TempoChange


def perform(elements: Sequence[Element], steps_per_quarter: int, skipped: int) -> Decoded:
    """The notes of what is written, repeats and endings played out, and how its bars add up."""
    performer = _Performer(4 * steps_per_quarter)
    for element in played(elements):
        performer.take(element)
    full, bars, pickup = _bars(elements)
    piece = Piece(
        tuple(performer.notes),
        steps_per_quarter,
        tuple(performer.tempos),
        tuple(performer.times()),
        tuple(performer.keys),
        round(pickup * 4 * steps_per_quarter),
    )
    return Decoded(normalised(piece), bars, full, skipped)


def played(elements: Sequence[Element]) -> list[Element]:
    """Elements in the order in which they sound."""
    out: list[Element] = []
    place = start = 0  # where we are, and where a repeat goes back to
    turn, in_ending, repeated, opened = 1, False, False, False
    while place < len(elements) and len(out) < _MOST_ELEMENTS:
        element = elements[place]
        place += 1
        out.append(element)
        if type(element) is not Bar:  # isinstance takes four times as long
            continue
        is_next_ending = in_ending and turn + 1 in element.endings and turn not in element.endings
        closes = element.closes or (element.opens and opened)  # |: after |: lacks its :|
        if (closes or is_next_ending) and turn < _turns(elements, start, place):
            place, turn, in_ending, repeated = start, turn + 1, False, True
            continue
        if closes and element.endings and turn > 1 and turn not in element.endings:
            place = _after_ending(elements, place)  # of an earlier turn than this, the last
        # :| without a |: of its own goes back to the last double bar since a repeat (4.8)
        ends_section = (
            element.double
            and repeated
            and not element.endings
            and ((turn == 1 and not opened) or in_ending)
        )
        if closes or element.opens or ends_section:
            start, turn, in_ending, opened = place, 1, False, element.opens
        if element.endings:
            in_ending = turn in element.endings
            if not in_ending and (other := _ending(elements, place, turn)):
                place, in_ending = other, True
            elif not in_ending and turn > 1:
                place = _after_ending(elements, place)
    return out


def _turns(elements: Sequence[Element], start: int, place: int) -> int:
    """How often the section from ``start`` is played: twice, or as often as it has endings."""
    most = 2
    for index, element in enumerate(elements[start:], start):
        if isinstance(element, Bar):
            most = max([most, *element.endings])
            if index >= place and (element.opens or (element.double and not element.endings)):
                break
    return most


def _ending(elements: Sequence[Element], place: int, turn: int) -> int | None:
    """Where the ending for this turn begins; None where there is none in this section."""
    for index in range(place, len(elements)):
        element = elements[index]
        if isinstance(element, Bar):
            if turn in element.endings:
                return index + 1
            if element.opens:
                return None
    return None


def _after_ending(elements: Sequence[Element], place: int) -> int:
    """Behind the bar line that ends the ending which begins at ``place``."""
    for index in range(place, len(elements)):
        element = elements[index]
        if isinstance(element, Bar) and (element.closes or element.opens or element.double):
            return index + 1
    return len(elements)


def _bars(elements: Sequence[Element]) -> tuple[int, int, float]:
    """Full bars, bars, and the length of the pick-up in whole notes.

    A bar beside a double or repeat bar may be short, as a pick-up makes it; it must not be long.
    """
    full = bars = 0
    pickup = length = 0.0
    time: TimeChange | None = None
    at_edge = first = True
    for element in elements:
        if isinstance(element, TimeChange):
            time = element
        elif isinstance(element, Sound):
            length += element.length
        elif isinstance(element, Bar):
            edge = element.closes or element.opens or element.double or bool(element.endings)
            if length == 0:  # a second bar line, as at the beginning of the next line
                at_edge |= edge
                continue
            wanted = time.numerator / time.denominator if time else 1.0
            is_short = length < wanted - 1e-6
            if first and is_short:
                pickup = length
            bars += 1
            full += abs(length - wanted) < 1e-6 or (is_short and (edge or at_edge))
            length, at_edge, first = 0.0, edge, False
    return full, bars, pickup


class _Performer:
    """Lays sounds one after the other in time."""

    def __init__(self, steps_per_whole: int) -> None:
        self._whole = steps_per_whole
        self._now = 0.0  # whole notes
        self._tied: dict[int, int] = {}  # pitch: the note it goes on from
        self.notes: list[Note] = []
        self.tempos: list[Tempo] = []
        self.keys: list[KeySignature] = []
        self._time: TimeChange | None = None
        self._bars: list[tuple[int, TimeChange | None]] = [(0, None)]  # where each begins

    def take(self, element: Element) -> None:
        if type(element) is Sound:
            if self._now * 4 < MOST_QUARTERS:
                self._sound(element)
            return
        step = round(self._now * self._whole)
        if isinstance(element, TimeChange):
            self._time = element
        if isinstance(element, TimeChange | Bar):
            if self._bars[-1][0] == step:
                self._bars.pop()
            self._bars.append((step, self._time))
        elif isinstance(element, KeyChange):
            self.keys.append(KeySignature(step, *element))
        elif isinstance(element, TempoChange):
            self.tempos.append(Tempo(step, element.microseconds))

    def times(self) -> list[TimeSignature]:
        """The time signatures, such that bar lines fall where they are written.

        A bar too short or too long has a time signature of its own, but for the pick-up, the last
        bar, and two that make one together, as do the end of a part and the pick-up of the next.
        """
        found: list[TimeSignature] = []
        number = 0
        while number < len(self._bars):
            start, time = self._bars[number]
            ends = [step for step, _ in self._bars[number + 1 : number + 3]]
            number += 1
            if time is None:
                continue
            wanted = time.numerator * self._whole / time.denominator
            own = None
            if ends and ends[-1] - start == wanted and len(ends) == 2:
                number += self._bars[number][1] == time
            elif len(ends) == 2 and ends[0] - start != wanted and (start or ends[0] > wanted):
                own = pickup_metre(ends[0] - start, self._whole // 4)
            found.append(TimeSignature(start, *(own or time)))
        return found

    def _sound(self, sound: Sound) -> None:
        start = self._now
        end = self._now = start + sound.length
        if sound.grace:
            each = min(_GRACE, sound.length / 2 / len(sound.grace))
            times = [start + i * each for i in range(len(sound.grace) + 1)]
            for pitch, (begin, stop) in zip(sound.grace, pairwise(times), strict=True):
                self.notes.append(Note(pitch, VELOCITY, *self._steps(begin, stop)))
            start = times[-1]
        if not sound.pitches:
            return
        first, duration = self._steps(start, end)
        tied: dict[int, int] = {}
        for pitch in sound.pitches:
            number = self._tied.get(pitch)
            if number is None:
                number = len(self.notes)
                self.notes.append(Note(pitch, VELOCITY, first, duration))
            else:
                note = self.notes[number]
                until = round(end * self._whole)
                self.notes[number] = note._replace(duration=max(1, until - note.start))
            if sound.tied:
                tied[pitch] = number
        self._tied = tied

    def _steps(self, start: float, end: float) -> tuple[int, int]:
        """First step and duration, at least one."""
        first = round(start * self._whole)
        return first, round(end * self._whole) - first or 1
