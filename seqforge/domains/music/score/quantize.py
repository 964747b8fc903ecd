"""Notes in, bars and divided beats out: onsets and ends at the nearest places that notation has."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from seqforge.domains.music.notes import Piece, TimeSignature

QUARTER = 96
"""Steps of a quarter in scores: a sixty-fourth is 6, a sixteenth of a triplet 16."""
SHORTEST = 6
WEAKEST = 20
"""Level of a position on no binary division."""


@dataclass(frozen=True)
class Bar:
    """A bar of a score."""

    start: int
    length: int
    numerator: int
    denominator: int
    offset: int = 0
    """Its first position within a full bar: a pick-up is the end of one."""

    @property
    def end(self) -> int:
        """The step where the next bar begins."""
        return self.start + self.length

    @property
    def full(self) -> int:
        """Steps of a full bar of its metre."""
        return self.numerator * 4 * QUARTER // self.denominator

    def level(self, step: int) -> int:
        """Metrical level of a step: 0 for a bar line, higher for weaker positions."""
        if step == self.end:
            return 0
        return _level(self.numerator, self.denominator, step - self.start + self.offset)

    def windows(self) -> Iterator[tuple[int, int]]:
        """(start, end) of the parts in which onsets are quantized: quarters, or shorter beats."""
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
    """A piece in, its bars and one more out.

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


def split_at(bars: Iterable[Bar], steps: Iterable[int]) -> list[Bar]:
    """Bars in, the same out, but that one is two where a step is inside it."""
    cuts = sorted(step for step in set(steps) if step % SHORTEST == 0)
    found: list[Bar] = []
    for bar in bars:
        for cut in (cut for cut in cuts if bar.start < cut < bar.end):
            found.append(replace(bar, length=cut - bar.start))
            bar = replace(bar, start=cut, length=bar.end - cut, offset=bar.offset + cut - bar.start)
        found.append(bar)
    return found


def in_metre(bars: Sequence[Bar], ends: Container[int]) -> list[Bar]:
    """Bars in, out with those in the metre around them that are short before one of ``ends``."""
    found = list(bars)
    for number in range(1, len(bars) - 1):
        bar, before, after = found[number], found[number - 1], bars[number + 1]
        metre = before.numerator, before.denominator
        if (after.numerator, after.denominator) == metre and (
            bar.end in ends and bar.length < before.full
        ):
            found[number] = replace(bar, numerator=metre[0], denominator=metre[1])
    return found


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


SIXTEENTH = QUARTER // 4
_HALF = QUARTER // 2
_PENALTY = {24: 0.0, 32: 4.0, 12: 10.0, 16: 12.0, 6: 20.0, 64: 6.0}
"""How much worse than sixteenths each size of step reads, in steps that a note is moved; where
nothing has to be moved it only decides between equals."""


class Span(NamedTuple):
    """A stretch with one division."""

    start: int
    end: int
    size: int
    """Notes begin and end at multiples of it."""
    triplet: bool = False
    """Three in the time of two."""

    @property
    def length(self) -> int:
        """Steps."""
        return self.end - self.start


class Divisions:
    """The spans of a piece or a voice, in order."""

    def __init__(self, spans: list[Span]) -> None:
        self.spans = spans
        self._starts = [span.start for span in spans]

    def within(self, start: int, end: int) -> list[Span]:
        """The spans that lie in a stretch."""
        return self.spans[bisect_left(self._starts, start) : bisect_left(self._starts, end)]

    def nearest(self, step: int) -> int:
        """The position nearest to a step."""
        span = self.spans[max(0, bisect_right(self._starts, step) - 1)]
        place = span.start + span.size * round((step - span.start) / span.size)
        return min(place, span.end)

    def onset(self, step: int, stop: int) -> int:
        """The place nearest to a step that lies before ``stop``, a bar line."""
        place = self.nearest(step)
        if place < stop:
            return place
        span = self.spans[max(0, bisect_right(self._starts, step) - 1)]
        return max(span.start, place - span.size)

    def next_after(self, step: int) -> int:
        """The first place after a step."""
        span = self.spans[max(0, bisect_right(self._starts, step) - 1)]
        return min(span.start + span.size * ((step - span.start) // span.size + 1), span.end)


def quantize_beats(
    onsets: Sequence[int],
    bars: Sequence[Bar],
    ends: Container[int] = (),
    triplets: Container[int] = (),
) -> Divisions:
    """Onsets in, the best-fitting division of each beat out.

    Args:
        onsets: Ascending.
        bars: They reach past the last onset.
        ends: Where notes end; one on a beat forbids a triplet across it.
        triplets: Where beats begin that are triplets in another voice; they are here too where
            notes end at thirds of them.
    """
    spans: list[Span] = []
    for bar in bars:
        inside = onsets[bisect_left(onsets, bar.start) : bisect_left(onsets, bar.end)]
        if not inside:
            spans.append(Span(bar.start, bar.end, _plain(bar.length)))
            continue
        windows = list(bar.windows())
        while windows:
            start, end = windows.pop(0)
            if windows and end not in ends and _is_wide_triplet(inside, start, bar):
                end = windows.pop(0)[1]
                spans.append(Span(start, end, 2 * QUARTER // 3, triplet=True))
            elif start in triplets and _ends_in_thirds(inside, ends, start, end):
                spans.append(Span(start, end, QUARTER // 3, triplet=True))
            else:
                spans += _best([o for o in inside if start <= o < end], start, end)
    return Divisions(spans)


def triplet_beats(onsets: Sequence[int], bars: Sequence[Bar]) -> frozenset[int]:
    """Where the quarters begin that all notes of a part together divide in three."""
    spans = quantize_beats(onsets, bars).spans
    return frozenset(s.start for s in spans if s.triplet and s.length == QUARTER)


def _ends_in_thirds(onsets: Sequence[int], ends: Container[int], start: int, end: int) -> bool:
    third = QUARTER // 3
    exact = all((onset - start) % third == 0 for onset in onsets if start <= onset < end)
    return exact and (start + third in ends or start + 2 * third in ends)


def _plain(length: int) -> int:
    return next(size for size in (24, 12, 6) if length % size == 0)


def _is_wide_triplet(inside: Sequence[int], start: int, bar: Bar) -> bool:
    """Whether two quarters hold a triplet of quarters."""
    end = start + 2 * QUARTER
    at_half = (start - bar.start + bar.offset) % (2 * QUARTER) == 0
    if bar.denominator > 4 or not at_half or end > bar.end:
        return False
    places = {onset - start for onset in inside if start <= onset < end}
    return {64, 128} <= places <= {0, 64, 128}


def _best(onsets: list[int], start: int, end: int) -> list[Span]:
    ways = list(_ways(onsets, start, end))
    return min(ways, key=lambda way: sum(_cost(onsets, span) for span in way))


def _ways(onsets: list[int], start: int, end: int) -> Iterator[list[Span]]:
    """The ways to divide a window: in eighth triplets, or each half as its notes lie."""
    if end - start == QUARTER:
        halves = [(start, start + _HALF), (start + _HALF, end)]
        yield [span for half in halves for span in _best(_inside(onsets, *half), *half)]
        yield [Span(start, end, QUARTER // 3, triplet=True)]
        if start + _HALF not in onsets:  # with a note there, it is two triplets of sixteenths
            yield [Span(start, end, QUARTER // 6, triplet=True)]
        return
    sizes = [size for size in (24, 12, 6) if (end - start) % size == 0][:2]
    for size in sizes:
        yield [Span(start, end, size)]
    if end - start == _HALF:
        yield [Span(start, end, _HALF // 3, triplet=True)]


def _inside(onsets: list[int], start: int, end: int) -> list[int]:
    return [onset for onset in onsets if start <= onset < end]


def _cost(onsets: list[int], span: Span) -> float:
    inside = _inside(onsets, span.start, span.end)
    places = [span.size * round((onset - span.start) / span.size) for onset in inside]
    moved = sum(
        abs(onset - span.start - place) for onset, place in zip(inside, places, strict=True)
    )
    penalty = _PENALTY[span.size]
    return moved + penalty if moved else penalty / 100
