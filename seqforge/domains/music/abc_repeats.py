"""ABC elements in the order written to sections, and to the order played.

A section is what is repeated as one, or what stands between two such. A repeat goes back to its
``|:``; without one to the beginning of the tune, the last double bar or the last end of a repeat,
whichever comes last (standard 4.8). ``::|`` ends what is played three times. Every section is found
in one pass: the time is proportional to what is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

_MOST_ELEMENTS = 50_000  # played out
_MOST_TIMES = 16


class Sound(NamedTuple):
    """A note, a chord, or (without pitches) a rest."""

    length: float
    """In whole notes."""
    pitches: tuple[int, ...]
    tied: tuple[int, ...] = ()
    """Those of the pitches that are tied to the next of the same."""
    grace: tuple[int, ...] = ()
    """Pitches of the grace notes before it."""
    names: tuple[tuple[str, int], ...] = ()
    """Letter and alteration of each pitch as it is written."""


class Bar(NamedTuple):
    """A bar line."""

    closes: int
    """Ends what is repeated so many times more; 0 where it ends nothing."""
    opens: int
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


class Overlay(NamedTuple):
    """What follows sounds together with what came before."""

    bars: int
    """How many bar lines it goes back; 0 begins a group, -1 ends one."""


Element = Sound | Bar | TimeChange | KeyChange | TempoChange | Overlay


@dataclass
class Section:
    """What is played once, or several times with an ending for each."""

    body: list[Element] = field(default_factory=list)
    endings: list[tuple[tuple[int, ...], list[Element]]] = field(default_factory=list)
    """The passes that each is for, and what is played then."""
    times: int = 1
    opened: int = 0
    """The colons of the sign that begins it; 0 where none does."""

    def passes(self) -> Iterator[list[Element]]:
        """What is played one after the other."""
        for turn in range(1, self.times + 1):
            yield self.body
            if self.times == 1:  # nothing is repeated: all of it is played, as it stands
                yield from (elements for _, elements in self.endings)
                return
            found = [elements for passes, elements in self.endings if turn in passes]
            if not found and turn == 1:
                found = [elements for _, elements in self.endings]
            yield from found[:1]


def played(elements: Sequence[Element]) -> list[Element]:
    """Elements in the order in which they sound."""
    parts = (part for section in sections(elements) for part in section.passes())
    return list(islice((element for part in parts for element in part), _MOST_ELEMENTS))


def sections(elements: Sequence[Element]) -> list[Section]:
    """What is written, cut where a repeat begins or ends."""
    cutter = _Cutter()
    for element, following in zip(elements, _endings_ahead(elements), strict=True):
        cutter.take(element, following)
    return cutter.end()


def _endings_ahead(elements: Sequence[Element]) -> list[tuple[int, ...]]:
    """For each element the passes of an ending that begins after it, before any sound."""
    out: list[tuple[int, ...]] = []
    ahead: tuple[int, ...] = ()
    for element in reversed(elements):
        out.append(ahead)
        if type(element) is Bar:
            ahead = element.endings or (() if element.opens else ahead)
        elif ahead and type(element) is Sound:
            ahead = ()
    return out[::-1]


class _Cutter:
    """Takes elements one by one; its state is the section that is being read."""

    def __init__(self) -> None:
        self._done: list[Section] = []
        self._section = Section()
        self._begun: set[int] = set()  # passes that have an ending
        self._colons = 0  # of the signs that close the section
        self._target = self._section.body

    def take(self, element: Element, following: tuple[int, ...]) -> None:
        """Read an element, after which an ending for these passes may begin."""
        self._target.append(element)
        if type(element) is not Bar:
            return
        section = self._section
        begun = self._begun
        closes = element.closes or int(element.opens > 0 < section.opened)  # |: lacks its :|
        if closes:
            self._colons = max(self._colons, closes, section.opened)
        goes_on = closes and not element.opens and section.endings
        if element.endings and (closes or not begun.issuperset(element.endings)):
            if closes and not section.endings:  # :|2 after a first ending that is not marked
                section.endings.append(((1,), []))
            self._begin_ending(element.endings)
        elif goes_on and following and not begun.issuperset(following):
            pass  # the ending is over; the next begins before any sound
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
        """All sections, in the order written."""
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
