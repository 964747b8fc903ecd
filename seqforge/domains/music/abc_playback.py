"""The elements of each voice of ABC, in the order written, to notes in the order played."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from seqforge.domains.music.abc_repeats import (
    Bar,
    Element,
    KeyChange,
    Overlay,
    Sound,
    TempoChange,
    TimeChange,
    played,
)
from seqforge.domains.music.notes import (
    MOST_QUARTERS,
    Decoded,
    KeySignature,
    Note,
    Piece,
    Tempo,
    TimeSignature,
    nearest_step,
    normalised,
    pickup_metre,
)

VELOCITY = 80
_GRACE = 1 / 32  # whole notes; taken from the note that is graced, half of it at most


def perform(voices: Sequence[Sequence[Element]], steps_per_quarter: int, skipped: int) -> Decoded:
    """The notes of what is written, repeats and endings played out, and how its bars add up.

    Args:
        voices: The first of them says what the metre and the key are.
        steps_per_quarter: The grid.
        skipped: Characters that meant nothing.
    """
    performers = [_Performer(4 * steps_per_quarter) for _ in voices]
    full = bars = 0
    for performer, elements in zip(performers, voices, strict=True):
        for element in played(elements):
            performer.take(element)
        counted = _bars(elements)
        full, bars = full + counted[0], bars + counted[1]
    first = performers[0]
    piece = Piece(
        tuple(note for performer in performers for note in performer.notes),
        steps_per_quarter,
        tuple(tempo for performer in reversed(performers) for tempo in performer.tempos),
        tuple(first.times()),
        tuple(first.keys),
        nearest_step(_bars(voices[0])[2] * 4 * steps_per_quarter),
    )
    end = max(performer.end for performer in performers)
    return Decoded(normalised(piece), bars, full, skipped, end)


def _bars(elements: Sequence[Element]) -> tuple[int, int, float]:
    """Full bars, bars, and the length of the pick-up in whole notes.

    A bar beside a double or repeat bar may be short, as a pick-up makes it; it must not be long.
    """
    full = bars = overlaid = 0
    pickup = length = longest = 0.0
    time: TimeChange | None = None
    at_edge = first = True
    for element in elements:
        if isinstance(element, TimeChange):
            time = element
        elif isinstance(element, Sound):
            length += element.length
        elif isinstance(element, Overlay):
            longest, length, overlaid = max(longest, length), 0.0, element.bars
        elif isinstance(element, Bar):
            overlaid -= overlaid > 0
            if overlaid:  # of several bars, which were counted where they stood first
                continue
            length, longest = max(length, longest), 0.0
            edge = bool(element.closes or element.opens or element.double or element.endings)
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


class _Layers:
    """What sounds at the same time in one voice."""

    def __init__(self) -> None:
        self.number = 0  # 0 is the voice itself
        self.ties: dict[int, dict[int, int]] = {}  # those of each layer, while another is written
        self.furthest = 0.0  # whole notes
        self.group: float | None = None  # where (& began
        self.bars_left = 0  # bar lines up to the end of an overlay
        self.starts = deque([0.0], maxlen=16)  # where the last bars began


class _Performer:
    """Lays sounds one after the other in time."""

    def __init__(self, steps_per_whole: int) -> None:
        self._whole = steps_per_whole
        self._now = 0.0  # whole notes
        self._tied: dict[int, int] = {}  # pitch: the note it goes on from
        self._layers = _Layers()
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
        if isinstance(element, Overlay):
            self._overlay(element)
            return
        if isinstance(element, Bar) and not self._ends_bar():
            return
        step = nearest_step(self._now * self._whole)
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

    def _overlay(self, overlay: Overlay) -> None:
        """Go back in time, or on from where the longest of what sounds together ends."""
        layers = self._layers
        if overlay.bars < 0:
            self._end_overlay()
        elif overlay.bars == 0:
            self._end_overlay()
            layers.group = self._now
        else:
            layers.furthest = max(layers.furthest, self._now)
            layers.ties[layers.number] = self._tied
            layers.number += 1
            starts = layers.starts
            back = starts[-min(overlay.bars, len(starts))]
            layers.bars_left = overlay.bars
            self._now = back if layers.group is None else layers.group
            step = nearest_step(self._now * self._whole)
            ties = layers.ties.get(layers.number, {})
            self._tied = {
                pitch: number for pitch, number in ties.items()
                if self.notes[number].start + self.notes[number].duration == step
            }  # fmt: skip

    def _ends_bar(self) -> bool:
        """Whether a bar line is the first at its place: it may be one of an overlay."""
        layers = self._layers
        if layers.number:
            layers.bars_left -= 1
            if layers.bars_left > 0 or layers.group is not None:
                return False
            self._end_overlay()
        layers.starts.append(self._now)
        return True

    def _end_overlay(self) -> None:
        layers = self._layers
        if layers.number:
            layers.ties[layers.number] = self._tied
            self._tied = layers.ties.pop(0, {})
            self._now = max(layers.furthest, self._now)
        layers.number, layers.furthest, layers.group = 0, 0.0, None

    @property
    def end(self) -> int:
        """The step at which all that was taken ends."""
        return nearest_step(self._now * self._whole)

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
            self._tied = {}
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
                until = nearest_step(end * self._whole)
                self.notes[number] = note._replace(duration=max(1, until - note.start))
            if pitch in sound.tied:
                tied[pitch] = number
        self._tied = tied

    def _steps(self, start: float, end: float) -> tuple[int, int]:
        """First step and duration, at least one."""
        first = nearest_step(start * self._whole)
        return first, nearest_step(end * self._whole) - first or 1
