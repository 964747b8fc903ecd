"""Elements of ABC voices in, notes out: repeats and endings unfolded, overlays played."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import NamedTuple

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

_MOST_ELEMENTS = 50_000  # after unfolding
_MOST_TIMES = 16


class SoundingElement(NamedTuple):
    """A note, a chord, or (without pitches) a rest."""

    length: float
    """In whole notes."""
    pitches: tuple[int, ...]
    tied: tuple[int, ...] = ()
    """Pitches tied to the next element."""
    grace: tuple[int, ...] = ()
    """Pitches of preceding grace notes."""
    names: tuple[tuple[str, int], ...] = ()
    """Written letter and alteration of each pitch."""


class BarLine(NamedTuple):
    """A bar line."""

    closes: int
    """Colons that close a repeat: the number of extra passes; 0: none."""
    opens: int
    """Colons that open a repeat."""
    double: bool
    endings: tuple[int, ...]
    """Passes of the ending that begins here; empty: no ending."""


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


class Overlay(NamedTuple):
    """A voice overlay: the following elements sound together with earlier ones."""

    bars: int
    """Bar lines to go back; 0 begins a group, -1 ends one."""


Element = SoundingElement | BarLine | TimeChange | KeyChange | TempoChange | Overlay


@dataclass
class Section:
    """A part of a tune with its repeat: a body and its endings."""

    body: list[Element] = field(default_factory=list)
    endings: list[tuple[tuple[int, ...], list[Element]]] = field(default_factory=list)
    """Passes and elements of each ending."""
    times: int = 1
    opened: int = 0
    """Colons of the opening repeat sign; 0: none."""

    def passes(self) -> Iterator[list[Element]]:
        """The elements of each pass, in playing order."""
        for turn in range(1, self.times + 1):
            yield self.body
            if self.times == 1:  # no repeat: everything is played once as written
                yield from (elements for _, elements in self.endings)
                return
            found = [elements for passes, elements in self.endings if turn in passes]
            if not found and turn == 1:
                found = [elements for _, elements in self.endings]
            yield from found[:1]


def played(elements: Sequence[Element]) -> list[Element]:
    """Elements as written in, elements in playing order out."""
    parts = (part for section in sections(elements) for part in section.passes())
    return list(islice((element for part in parts for element in part), _MOST_ELEMENTS))


def sections(elements: Sequence[Element]) -> list[Section]:
    """Elements as written in, sections out, cut at repeats."""
    cutter = _Cutter()
    for element, following in zip(elements, _endings_ahead(elements), strict=True):
        cutter.take(element, following)
    return cutter.end()


def _endings_ahead(elements: Sequence[Element]) -> list[tuple[int, ...]]:
    """For each element, the passes of an ending that begins before the next sound."""
    out: list[tuple[int, ...]] = []
    ahead: tuple[int, ...] = ()
    for element in reversed(elements):
        out.append(ahead)
        if type(element) is BarLine:
            ahead = element.endings or (() if element.opens else ahead)
        elif ahead and type(element) is SoundingElement:
            ahead = ()
    return out[::-1]


class _Cutter:
    """Cuts a stream of elements into sections."""

    def __init__(self) -> None:
        self._done: list[Section] = []
        self._section = Section()
        self._begun: set[int] = set()  # passes that have an ending
        self._colons = 0  # of the closing repeat signs
        self._target = self._section.body

    def take(self, element: Element, following: tuple[int, ...]) -> None:
        """Add an element; ``following``: passes of an ending that begins after it."""
        self._target.append(element)
        if type(element) is not BarLine:
            return
        section = self._section
        begun = self._begun
        closes = element.closes or int(element.opens > 0 < section.opened)  # |: lacks its :|
        if closes:
            self._colons = max(self._colons, closes, section.opened)
        goes_on = closes and not element.opens and section.endings
        if element.endings and (closes or not begun.issuperset(element.endings)):
            if closes and not section.endings:  # :|2 after an unmarked first ending
                section.endings.append(((1,), []))
            self._begin_ending(element.endings)
        elif goes_on and following and not begun.issuperset(following):
            pass  # the next ending begins before any sound
        elif (
            closes
            or element.opens
            or element.endings
            or (element.double and (not section.opened or section.endings))
        ):
            self._close(element.opens)
            if element.endings:
                self._begin_ending(element.endings)

    def _begin_ending(self, passes: tuple[int, ...]) -> None:
        self._target = []
        self._begun.update(passes)
        self._section.endings.append((passes, self._target))

    def end(self) -> list[Section]:
        """All sections, as written."""
        self._close(0)
        return self._done

    def _close(self, opens: int) -> None:
        section = self._section
        last = max(self._begun, default=1)
        if self._colons:
            section.times = min(max(self._colons + 1, last), _MOST_TIMES)
        elif len(section.endings) > 1:
            section.times = last
        self._done.append(section)
        self._section = Section(opened=opens)
        self._begun = set()
        self._colons = 0
        self._target = self._section.body


VELOCITY = 80
_GRACE = 1 / 32  # whole notes; taken from the main note, at most half of it


def perform(voices: Sequence[Sequence[Element]], steps_per_quarter: int, skipped: int) -> Decoded:
    """Elements of all voices in, the piece and its bar counts out.

    Args:
        voices: Time and key signatures come from the first.
        steps_per_quarter: The grid.
        skipped: Number of characters that could not be parsed.
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


def placed(elements: Sequence[Element], steps_per_quarter: int) -> Iterator[tuple[int, int]]:
    """Elements of a voice in written order in, the first step and the end of each out."""
    performer = _Performer(4 * steps_per_quarter)
    for element in elements:
        before = performer.end
        performer.take(element)
        yield before, performer.end


def _bars(elements: Sequence[Element]) -> tuple[int, int, float]:
    """Elements in; full bars, bars and the length of the pick-up in whole notes out.

    Next to a double bar or repeat a bar may be short (because of a pick-up), but not long.
    """
    full = bars = overlaid = 0
    pickup = length = longest = 0.0
    time: TimeChange | None = None
    at_edge = first = True
    for element in elements:
        if isinstance(element, TimeChange):
            time = element
        elif isinstance(element, SoundingElement):
            length += element.length
        elif isinstance(element, Overlay):
            longest, length, overlaid = max(longest, length), 0.0, element.bars
        elif isinstance(element, BarLine):
            overlaid -= overlaid > 0
            if overlaid:  # an overlay of several bars, which are counted already
                continue
            length, longest = max(length, longest), 0.0
            edge = bool(element.closes or element.opens or element.double or element.endings)
            if length == 0:  # a repeated bar line, such as at the beginning of the next line
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
    """State of the overlays of one voice."""

    def __init__(self) -> None:
        self.number = 0  # 0 is the voice itself
        self.ties: dict[int, dict[int, int]] = {}  # by layer, while another one is read
        self.furthest = 0.0  # whole notes
        self.group: float | None = None  # where (& began
        self.bars_left = 0  # bar lines until the end of the overlay
        self.starts = deque([0.0], maxlen=16)  # beginnings of the last bars


class _Performer:
    """Plays the elements of one voice into notes."""

    def __init__(self, steps_per_whole: int) -> None:
        self._whole = steps_per_whole
        self._now = 0.0  # whole notes
        self._tied: dict[int, int] = {}  # pitch: index of the note it continues
        self._layers = _Layers()
        self.notes: list[Note] = []
        self.tempos: list[Tempo] = []
        self.keys: list[KeySignature] = []
        self._time: TimeChange | None = None
        self._bars: list[tuple[int, TimeChange | None]] = [(0, None)]  # beginning of each

    def take(self, element: Element) -> None:
        if type(element) is SoundingElement:
            if self._now * 4 < MOST_QUARTERS:
                self._sound(element)
            return
        if isinstance(element, Overlay):
            self._overlay(element)
            return
        if isinstance(element, BarLine) and not self._ends_bar():
            return
        step = nearest_step(self._now * self._whole)
        if isinstance(element, TimeChange):
            self._time = element
        if isinstance(element, TimeChange | BarLine):
            if self._bars[-1][0] == step:
                self._bars.pop()
            self._bars.append((step, self._time))
        elif isinstance(element, KeyChange):
            self.keys.append(KeySignature(step, *element))
        elif isinstance(element, TempoChange):
            self.tempos.append(Tempo(step, element.microseconds))

    def _overlay(self, overlay: Overlay) -> None:
        """Go back to the overlay's beginning, or on after the longest layer."""
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
        """Whether a bar line belongs to the voice itself, not to an overlay."""
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
        """End of the elements played so far, in steps."""
        return nearest_step(self._now * self._whole)

    def times(self) -> list[TimeSignature]:
        """Time signatures that place the bar lines as written.

        An irregular bar has its own time signature. Exceptions: the pick-up, the last bar, and two
        bars that add up to one, such as the end of a part and the pick-up of the next.
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

    def _sound(self, sound: SoundingElement) -> None:
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
        """Start and end in whole notes in; first step and duration (at least 1) out."""
        first = nearest_step(start * self._whole)
        return first, nearest_step(end * self._whole) - first or 1
