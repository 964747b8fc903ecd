"""Marks in the bars of a score to the order in which the bars are played.

Repeats, numbered endings, da capo, dal segno, to coda and fine, as the sound elements of MusicXML
4.0 say them. After a jump back repeats are not played again and the last ending is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

MOST_PLAYED = 20_000
"""Bars, repeats played out."""


@dataclass
class Marks:
    """What stands at one bar."""

    opens: bool = False
    """A repeat begins with it."""
    closes: int = 0
    """How often what ends with it is played; 0 where no repeat ends."""
    ending: tuple[int, ...] = ()
    """The passes for which an ending that begins here is played."""
    ends_ending: bool = False
    segno: bool = False
    coda: bool = False
    """Where jumps lead to, at its beginning."""
    to_coda: bool = False
    da_capo: bool = False
    dal_segno: bool = False
    fine: bool = False
    """What happens at its end."""

    def add(self, other: Marks) -> None:
        """Take what another part says of the same bar."""
        self.closes = max(self.closes, other.closes)
        self.ending = self.ending or other.ending
        for name in ("opens", "ends_ending", "segno", "coda", "to_coda", "da_capo", "dal_segno",
                     "fine"):  # fmt: skip
            setattr(self, name, getattr(self, name) or getattr(other, name))


def playing_order(bars: Sequence[Marks]) -> list[int]:
    """The numbers of the bars as they are played, at most `MOST_PLAYED` + 1 of them."""
    return _Player(bars).play()


class _Player:
    """Goes through the bars."""

    def __init__(self, bars: Sequence[Marks]) -> None:
        codas = [place for place, bar in enumerate(bars) if bar.coda]
        if len(codas) > 1 and not any(bar.to_coda for bar in bars):  # the first says where from
            first = replace(bars[codas[0]], coda=False, to_coda=True)
            bars = [*bars[: codas[0]], first, *bars[codas[0] + 1 :]]
        self._bars = bars
        self._endings = _endings(bars)
        self._start, self._turn = 0, 1  # of what is repeated
        self._jumped = False

    def play(self) -> list[int]:
        """All bars, in order."""
        order: list[int] = []
        place = 0
        while place < len(self._bars) and len(order) <= MOST_PLAYED:
            bar = self._bars[place]
            if bar.opens and place != self._start:
                self._start, self._turn = place, 1
            if bar.ending and not self._takes(place):
                place = self._endings[place][0] + 1
                continue
            order.append(place)
            if bar.fine and self._jumped:
                break
            place = self._after(place)
        return order

    def _takes(self, place: int) -> bool:
        most = self._endings[place][1]
        numbers = self._bars[place].ending
        return (max(numbers) == most) if self._jumped else self._turn in numbers

    def _after(self, place: int) -> int:
        """Where playing goes on after a bar."""
        bar = self._bars[place]
        coda = self._next_coda(place) if bar.to_coda and self._jumped else None
        if coda is not None:
            return coda
        if bar.closes and not self._jumped:
            if self._turn < max(bar.closes, self._most_endings(place)):
                self._turn += 1
                return self._start
            self._start, self._turn = place + 1, 1
        elif bar.ends_ending:
            self._start, self._turn = place + 1, 1
        if (bar.da_capo or bar.dal_segno) and not self._jumped:
            self._jumped = True
            self._start = 0
            return self._segno(place) if bar.dal_segno else 0
        return place + 1

    def _most_endings(self, place: int) -> int:
        """The highest number of the endings of which one ends with this bar; 0 for none."""
        return next((most for last, most in self._endings.values() if last == place), 0)

    def _next_coda(self, place: int) -> int | None:
        after = [n for n in range(place + 1, len(self._bars)) if self._bars[n].coda]
        return after[0] if after else None

    def _segno(self, place: int) -> int:
        return max((n for n in range(place + 1) if self._bars[n].segno), default=0)


def _endings(bars: Sequence[Marks]) -> dict[int, tuple[int, int]]:
    """For each bar at which an ending begins, its last bar, and the highest number of its group."""
    last: dict[int, int] = {}
    begun: int | None = None
    for place, bar in enumerate(bars):
        if bar.ending:
            begun = place
        if begun is not None:
            last[begun] = place
            following = bars[place + 1] if place + 1 < len(bars) else Marks(opens=True)
            if bar.ends_ending or bar.closes or following.ending or following.opens:
                begun = None
    groups: dict[int, tuple[int, int]] = {}
    for start in reversed(last):  # endings that follow one another belong together
        most = max(bars[start].ending)
        after = groups.get(last[start] + 1)
        groups[start] = (last[start], max(most, after[1]) if after else most)
    return groups
