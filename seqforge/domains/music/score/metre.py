"""Bars and how strong each place in them is, which decides how notes are cut and beamed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from seqforge.domains.music.notes import Piece, TimeSignature

QUARTER = 96
"""Steps of a quarter on paper: a sixty-fourth is 6, a sixteenth of a triplet 16."""
SHORTEST = 6
WEAKEST = 20
"""The level of a place that is on no binary division."""


@dataclass(frozen=True)
class Bar:
    """A bar on paper."""

    start: int
    length: int
    numerator: int
    denominator: int
    offset: int = 0
    """Where in a full bar it begins: a pick-up is the end of one."""

    @property
    def end(self) -> int:
        """The step at which the next bar begins."""
        return self.start + self.length

    @property
    def full(self) -> int:
        """Steps of a full bar of its metre."""
        return self.numerator * 4 * QUARTER // self.denominator

    def level(self, step: int) -> int:
        """How strong a step is: 0 for a bar line, more for weaker places."""
        if step == self.end:
            return 0
        return _level(self.numerator, self.denominator, step - self.start + self.offset)

    def windows(self) -> Iterator[tuple[int, int]]:
        """(start, end) of the parts that onsets are fitted in: quarters, or shorter beats."""
        size = min(QUARTER, max(4 * QUARTER // self.denominator, SHORTEST))
        yield from self._parts([size] * -(-self.full // size))

    def beats(self) -> Iterator[tuple[int, int]]:
        """(start, end) of the groups that notes are beamed in."""
        if self.denominator >= 8:
            yield from self._parts(_groups(self.numerator, self.denominator))
        else:
            yield from self._parts([QUARTER] * (self.full // QUARTER))

    def _parts(self, sizes: list[int]) -> Iterator[tuple[int, int]]:
        place = self.start - self.offset
        for size in sizes:
            start, end = max(place, self.start), min(place + size, self.end)
            if start < end:
                yield start, end
            place += size


def bars_of(piece: Piece) -> list[Bar]:
    """The bars of a piece on this grid, and one more than its notes need.

    A change of metre within a bar cuts the bar short.
    """
    times = piece.time_signatures or (TimeSignature(0, 4, 4),)
    starts = [SHORTEST * round(time.step / SHORTEST) for time in times]
    bars: list[Bar] = []
    last = piece.end
    for time, start, stop in zip(times, starts, [*starts[1:], None], strict=True):
        denominator = 1 << min(6, max(0, time.denominator.bit_length() - 1))
        length = time.numerator * 4 * QUARTER // denominator
        place = bars[-1].end if bars else start
        if not bars and piece.pickup and (pickup := _rounded(piece.pickup)) < length:
            bars.append(Bar(place, pickup, time.numerator, denominator, length - pickup))
            place += pickup
        while place <= last if stop is None else place < stop:
            end = place + length if stop is None else min(place + length, stop)
            bars.append(Bar(place, end - place, time.numerator, denominator))
            place = end
    return bars


def _rounded(step: int) -> int:
    return max(SHORTEST, SHORTEST * round(step / SHORTEST))


@lru_cache(maxsize=512)
def _groups(numerator: int, denominator: int) -> list[int]:
    """Lengths of the beats that a bar consists of."""
    unit = 4 * QUARTER // denominator
    if _is_compound(numerator, denominator):
        return [3 * unit] * (numerator // 3)
    if denominator < 8:
        return [unit] * numerator
    if numerator <= 3:
        return [numerator * unit]
    return [2 * unit] * (numerator // 2 - 1) + [(2 + numerator % 2) * unit]


def _is_compound(numerator: int, denominator: int) -> bool:
    return denominator >= 4 and numerator % 3 == 0 and numerator > 3


@lru_cache(maxsize=100_000)
def _level(numerator: int, denominator: int, place: int) -> int:
    unit = 4 * QUARTER // denominator
    full = unit * numerator
    place %= full
    if place == 0:
        return 0
    groups = _groups(numerator, denominator)
    in_pairs = len(groups) > 2 and len(groups) % 2 == 0
    group = 2 if in_pairs else int(len(groups) > 1)
    if place == sum(groups[: len(groups) // 2]) and in_pairs:
        return 1
    ends = [sum(groups[: number + 1]) for number in range(len(groups))]
    if place in ends:
        return group
    if groups[0] > unit:  # a note must not hide a beat of three: its parts are two levels weaker
        group += 2 if _is_compound(numerator, denominator) else 1
    return halvings(place, unit, group)


def halvings(place: int, unit: int, level: int) -> int:
    """The level of a place, where multiples of ``unit`` are at ``level``."""
    while place % unit:
        level += 1
        if unit % 2 or unit // 2 < SHORTEST:
            return WEAKEST
        unit //= 2
    return level
