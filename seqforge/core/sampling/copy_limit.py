"""What a memory has read in, samples that copy no long span of it out: the symbols that would go on
with one are forbidden.

A span is as long as it has units: symbols, bases, notes. Windows of one unit more than the limit
are compared by a polynomial hash of 64 bits (Karp and Rabin 1987), rolled from symbol to symbol.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.domain import CopyUnits
from seqforge.core.kernels.compiler import bound, kernel
from seqforge.core.memory.memory import Streams
from seqforge.core.sampling.logit_filters import END
from seqforge.core.sampling.packed_weights import Floats
from seqforge.core.sampling.sampling_kernel import Grammar, Ids

LONGEST = 4096
"""Symbols of a window, a power of two; what has fewer units in so many is no span."""
_BASE = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(int(_BASE), -1, 1 << 64))
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SPARSE = 16
"""Bits of the filter for each window."""

Words = NDArray[np.uint64]


class CopyIndex(NamedTuple):
    """What windows are compared by, and those of what was read."""

    codes: Ids
    """What a symbol is compared as (V,); 0 breaks a span."""
    partners: Ids
    """The same on the other strand."""
    units: NDArray[np.bool_]
    """Which symbols count (V,)."""
    powers: Words
    """Of the base of the hash (LONGEST + 1,)."""
    windows: Words
    """The hashes, sorted."""
    bits: NDArray[np.bool_]
    """Whether there is one with these upper bits; a power of two of them."""
    shift: int
    limit: int
    """Units that a copied span may have."""
    strands: int
    """2 where a span may be copied from the other strand too."""


class CopyRows(NamedTuple):
    """The last units of each row: a span that begins with a unit and has at most the limit."""

    symbols: NDArray[np.uint16]
    """A ring (R, LONGEST)."""
    places: Ids
    """(R, 3): symbols read; the length of the span in symbols, and in units."""
    sums: Words
    """(R, 2): its hash forward, and on the other strand."""


@kernel
def _forget(index: CopyIndex, rows: CopyRows, row: int) -> None:
    rows.places[row, 1], rows.places[row, 2] = 0, 0
    rows.sums[row, 0], rows.sums[row, 1] = np.uint64(0), np.uint64(0)


@kernel
def _drop(index: CopyIndex, rows: CopyRows, row: int) -> None:
    """Take the first symbol of the span away."""
    length = rows.places[row, 1]
    symbol = int(rows.symbols[row, (rows.places[row, 0] - length) & (LONGEST - 1)])
    rows.sums[row, 0] -= np.uint64(index.codes[symbol]) * index.powers[length]
    rows.sums[row, 1] = (rows.sums[row, 1] - np.uint64(index.partners[symbol]) * _BASE) * _INVERSE
    rows.places[row, 1] = length - 1
    rows.places[row, 2] -= int(index.units[symbol])


@kernel
def _first(rows: CopyRows, row: int) -> int:
    place = rows.places[row, 0] - rows.places[row, 1]
    return int(rows.symbols[row, place & (LONGEST - 1)])


@kernel
def push(index: CopyIndex, rows: CopyRows, row: int, symbol: int) -> None:
    """Read a symbol."""
    if index.codes[symbol] == 0 or rows.places[row, 1] == LONGEST:
        _forget(index, rows, row)
    if index.units[symbol] and rows.places[row, 2] == index.limit:
        _drop(index, rows, row)
        while rows.places[row, 1] > 0 and not index.units[_first(rows, row)]:
            _drop(index, rows, row)
    length = rows.places[row, 1]
    rows.symbols[row, rows.places[row, 0] & (LONGEST - 1)] = symbol
    rows.places[row, 0] += 1
    if index.codes[symbol] != 0 and (length > 0 or index.units[symbol]):
        code, partner = np.uint64(index.codes[symbol]), np.uint64(index.partners[symbol])
        rows.sums[row, 0] = (rows.sums[row, 0] + code) * _BASE
        rows.sums[row, 1] += partner * index.powers[length + 1]
        rows.places[row, 1] = length + 1
        rows.places[row, 2] += int(index.units[symbol])


@kernel
def _mixed(value: np.uint64) -> np.uint64:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014)."""
    value = (value ^ (value >> np.uint64(30))) * _FIRST
    value = (value ^ (value >> np.uint64(27))) * _SECOND
    return value ^ (value >> np.uint64(31))


@kernel
def window_with(index: CopyIndex, rows: CopyRows, row: int, symbol: int) -> np.uint64:
    """The hash of the span with one more unit, the same on both strands."""
    code, partner = np.uint64(index.codes[symbol]), np.uint64(index.partners[symbol])
    forward = _mixed((rows.sums[row, 0] + code) * _BASE)
    if index.strands == 1:
        return forward
    other = _mixed(rows.sums[row, 1] + partner * index.powers[rows.places[row, 1] + 1])
    return min(forward, other)


@kernel
def collect(index: CopyIndex, rows: CopyRows, ids: NDArray[np.uint16], found: Words) -> int:
    """Fill in the hashes of all windows of ids (T,), up to T of them; returns how many."""
    count = 0
    for t in range(len(ids)):
        symbol = int(ids[t])
        if _is_full(index, rows, 0) and index.units[symbol] and index.codes[symbol] != 0:
            found[count] = window_with(index, rows, 0, symbol)
            count += 1
        push(index, rows, 0, symbol)
    return count


@kernel
def _is_full(index: CopyIndex, rows: CopyRows, row: int) -> bool:
    return bool(rows.places[row, 2] == index.limit and rows.places[row, 1] < LONGEST)


@kernel
def _is_known(index: CopyIndex, window: np.uint64) -> bool:
    if not index.bits[int(window >> np.uint64(index.shift))]:
        return False
    low, high = 0, len(index.windows)
    while low < high:
        middle = (low + high) // 2
        if index.windows[middle] < window:
            low = middle + 1
        else:
            high = middle
    return low < len(index.windows) and index.windows[low] == window


@kernel
def read_rows(index: CopyIndex, rows: CopyRows, ids: Ids) -> None:
    """Read a symbol in each row: ids (R,), below 0 for none."""
    for row in range(len(ids)):
        if ids[row] >= 0:
            push(index, rows, row, ids[row])


@kernel
def _forbid(
    index: CopyIndex, rows: CopyRows, row: int, grammar: Grammar, place: int, logits: Floats
) -> None:
    """Put the logits of symbols that go on with a copied span to minus infinity.

    Where nothing but the end of the record would be left that the grammar allows, none is
    forbidden.
    """
    left, governed = 0, len(grammar.allowed) > 0
    for symbol in range(len(logits)):
        known = index.units[symbol] and index.codes[symbol] != 0
        known = known and _is_known(index, window_with(index, rows, row, symbol))
        if not known and symbol != END and (not governed or grammar.allowed[place, symbol]):
            left += int(logits[symbol] > -math.inf)
    for symbol in range(len(logits)):
        known = left > 0 and index.units[symbol] and index.codes[symbol] != 0
        if known and _is_known(index, window_with(index, rows, row, symbol)):
            logits[symbol] = -math.inf


@kernel
def forbid_copies(
    index: CopyIndex, rows: CopyRows, grammar: Grammar, places: NDArray[np.int32], mixed: Floats,
    offered: Floats,
) -> None:  # fmt: skip
    """What may be drawn (R, V) of a mixture (R, V); ``places`` (R,): states of the grammar."""
    for row in range(len(offered)):
        for symbol in range(offered.shape[1]):
            offered[row, symbol] = mixed[row, symbol]
        if _is_full(index, rows, row):
            _forbid(index, rows, row, grammar, places[row], offered[row])


class CopyLimit:
    """Forbids going on with a span copied from what was read."""

    def __init__(self, history: NDArray[np.uint16], units: CopyUnits, limit: int) -> None:
        """
        Args:
            history: What was read (T,), as ids; the end symbol between records.
            units: What a span is measured in.
            limit: Most units of a copied span, 1 or above.
        """
        powers: Words = np.cumprod(np.full(LONGEST + 1, _BASE), dtype=np.uint64) * _INVERSE
        partners = units.codes if units.partners is None else units.partners
        empty = CopyIndex(
            units.codes.astype(np.int64), partners.astype(np.int64), units.counted, powers,
            np.zeros(0, np.uint64), np.zeros(2, bool), 63, limit,
            1 if units.partners is None else 2,
        )  # fmt: skip
        found = np.zeros(len(history), np.uint64)
        ids = np.ascontiguousarray(history, np.uint16)
        windows = np.unique(found[: collect(empty, copy_rows(1), ids, found)])
        size = max((_SPARSE * len(windows)).bit_length(), 1)
        bits = np.zeros(1 << size, bool)
        bits[windows >> np.uint64(64 - size)] = True
        self.index = empty._replace(windows=windows, bits=bits, shift=64 - size)

    def guard(self, streams: Streams) -> CopyGuard:
        """Rows that have read nothing."""
        return CopyGuard(self, streams, copy_rows(len(streams.ids)))


def copy_rows(count: int) -> CopyRows:
    """Rows that have read nothing."""
    return CopyRows(
        np.zeros((count, LONGEST), np.uint16), np.zeros((count, 3), np.int64),
        np.zeros((count, 2), np.uint64),
    )  # fmt: skip


class CopyGuard:
    """Rows that read beside each other under a limit: those of a memory's streams."""

    def __init__(self, limit: CopyLimit, streams: Streams, rows: CopyRows) -> None:
        self._limit, self._streams, self._rows = limit, streams, rows
        self.offered = np.zeros_like(streams.log_probs)
        """(R, V): what may be drawn."""
        self.read = bound(read_rows, limit.index, rows, streams.ids)
        """Read the symbols that the streams read."""

    def offering(self, grammar: Grammar, places: NDArray[np.int32]) -> Callable[[], None]:
        """What fills in `offered`, by the mixture and the states of a grammar (R,) of the time."""
        return bound(forbid_copies, self._limit.index, self._rows, grammar, places,
                     self._streams.log_probs, self.offered)  # fmt: skip

    def rows(self, chosen: Ids, streams: Streams) -> Self:
        """A copy of the chosen rows, for those of the streams."""
        rows = CopyRows._make(part[chosen] for part in self._rows)
        return type(self)(self._limit, streams, rows)

    def put(self, row: int, source: Self) -> None:
        """Copy the single row of others into a row."""
        pairs: Any = zip(self._rows, source._rows, strict=True)
        for mine, theirs in pairs:
            mine[row] = theirs[0]
