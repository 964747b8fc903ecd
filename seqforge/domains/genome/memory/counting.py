"""Bases in, counts of what followed each context out, on both strands in one pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.intrinsics import prefetch
from seqforge.domains.genome.memory.tables import (
    APART,
    KEPT,
    SEEDINGS,
    SLOTS,
    SLOW,
    SPAN,
    WINDOW,
    ZONES,
    Counts,
)

Bases = NDArray[np.uint8]

_TOP = 2 * SPAN - 2
_MIX, _MIX_MORE, _APART = (
    np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93), np.uint64(0xA0761D6478BD642F),
)  # fmt: skip
_MOST = 65000
_FIELDS, _ODD, _HALF = 0xFFFFFF, 0x041041, 0x7DF7DF
_AHEAD = 12
"""Bases between asking for a line of memory and using it."""
_SEED_TABLE = 99


@kernel
def read_on(h: np.uint64, base: int) -> np.uint64:
    """The register of the last bases with one more; the last one is lowest."""
    return (h << 2) | np.uint64(base)


@kernel
def read_back(r: np.uint64, base: int) -> np.uint64:
    """The same of the other strand: the complement of the last base is highest."""
    return (r >> 2) | (np.uint64(3 - base) << _TOP)


@kernel
def hashed(context: np.uint64, table: int) -> np.uint64:
    """64 bits of a context: the upper ones are a place, the lowest are checked."""
    z = (context + np.uint64(table + 1) * _APART) * _MIX
    z = (z ^ (z >> 29)) * _MIX_MORE
    return z ^ (z >> 32)


@kernel
def context_of(h: np.uint64, counts: Counts, table: int) -> np.uint64:
    """The hash of a context on the strand that is read."""
    return hashed(h & counts.masks[table], table)


@kernel
def context_behind(r: np.uint64, counts: Counts, table: int) -> np.uint64:
    """The hash of the context on the other strand, whose next base is the complement of the one
    that lies a span before."""
    r >>= np.uint64(2 * (SPAN - int(counts.spans[table])))
    return hashed(r & counts.masks[table], table)


@kernel
def folded(context: np.uint64, bits: int, wanted: int) -> int:
    """The place of a context of so many wanted bits in a table of so many bits; several share one
    where it has fewer."""
    if bits < wanted:
        return int(hashed(context, wanted) >> np.uint64(64 - bits))
    return int(context)


@kernel
def of_order(h: np.uint64, order: int) -> np.uint64:
    """The last so many bases."""
    return h & np.uint64((1 << 2 * order) - 1)


@kernel
def behind(r: np.uint64, order: int) -> np.uint64:
    """The same on the other strand."""
    return r >> np.uint64(2 * (SPAN - order))


@kernel
def first_of(counts: Counts, a: int, context: np.uint64) -> int:
    """Where the counts of a context of the a-th order begin."""
    order = int(counts.orders[a])
    return int(counts.begins[a]) + 4 * folded(context, int(counts.bits[a]), 2 * order)


@kernel
def first_in_zone(counts: Counts, a: int, zone: int, context: np.uint64) -> int:
    """The same for an order that is counted apart in each zone."""
    wanted = 2 * int(counts.zone_orders[a])
    both = context | np.uint64(zone << wanted)
    return int(counts.zone_begins[a]) + 4 * folded(both, int(counts.zone_bits[a]), wanted + 4)


@kernel
def add_direct(direct: NDArray[np.uint16], first: int, symbol: int) -> None:
    """One more of a symbol behind a context whose counts begin at ``first``."""
    now = int(direct[first + symbol]) + 1
    direct[first + symbol] = now
    if now >= _MOST:
        for s in range(4):
            direct[first + s] = int(direct[first + s]) >> 1


@kernel
def zone_of(rich: int) -> int:
    """The zone of so many G and C among the last bases."""
    return min(max(rich * 48 // WINDOW - 12, 0), ZONES - 1)


@kernel
def richer(rich: int, bases: Bases, i: int) -> int:
    """G and C among the last bases with base i read."""
    base = int(bases[i])
    rich += int(base == 1) + int(base == 2)
    if i >= WINDOW:
        gone = int(bases[i - WINDOW])
        rich -= int(gone == 1) + int(gone == 2)
    return rich


@kernel
def field_sum(word: int) -> int:
    """The sum of a slot's four counts."""
    return (word & 63) + (word >> 6 & 63) + (word >> 12 & 63) + (word >> 18 & 63)


@kernel
def bumped(fields: int, symbol: int, forgets: bool) -> int:
    """Four counts of six bits with one more of a symbol; the others are halved, rounded up."""
    place = 6 * symbol
    mine = fields >> place & 63
    if forgets:
        others = fields ^ mine << place
        fields = ((others >> 1) & _HALF) + (others & _ODD) | mine << place
    if mine == 63:
        return (fields >> 1) & _HALF
    return fields + (1 << place)


@kernel
def add_slot(
    slots: NDArray[np.uint32], table: int, shift: int, z: np.uint64, symbol: int
) -> None:  # fmt: skip
    """One more of a symbol behind a hashed context; another context's counts are halved until
    they are few enough to be replaced."""
    place, check = int(z >> np.uint64(shift)), int(z & np.uint64(255))
    word = int(slots[table, place])
    fields = word & _FIELDS
    if word >> 24 == check and fields != 0:
        slots[table, place] = check << 24 | bumped(fields, symbol, table >= SLOW)
    elif field_sum(fields) > 2:
        slots[table, place] = word >> 24 << 24 | (fields >> 1) & _HALF
    else:
        slots[table, place] = check << 24 | 1 << 6 * symbol


@kernel
def seed_place(h: np.uint64, length: int, shift: int) -> int:
    """Where the head of a seed stands; ``h`` holds it lowest."""
    seed = h & np.uint64((1 << 2 * length) - 1)
    return int(hashed(seed, _SEED_TABLE) >> np.uint64(shift))


@kernel
def _count_direct(
    counts: Counts, a: int, bases: Bases, begin: int, h: np.uint64, r: np.uint64
) -> None:  # fmt: skip
    order = int(counts.orders[a])
    for i in range(begin, len(bases)):
        base = int(bases[i])
        add_direct(counts.direct, first_of(counts, a, of_order(h, order)), base)
        h, r = read_on(h, base), read_back(r, base)
        other = 3 - int(bases[i - order])
        add_direct(counts.direct, first_of(counts, a, behind(r, order)), other)


@kernel
def _count_zoned(
    counts: Counts, a: int, bases: Bases, begin: int, h: np.uint64, r: np.uint64, rich: int
) -> None:  # fmt: skip
    order = int(counts.zone_orders[a])
    for i in range(begin, len(bases)):
        base = int(bases[i])
        first = first_in_zone(counts, a, zone_of(rich), of_order(h, order))
        add_direct(counts.zoned, first, base)
        h, r, rich = read_on(h, base), read_back(r, base), richer(rich, bases, i)
        first = first_in_zone(counts, a, zone_of(rich), behind(r, order))
        add_direct(counts.zoned, first, 3 - int(bases[i - order]))


@kernel
def _ask_slot(counts: Counts, table: int, z: np.uint64) -> None:
    prefetch(counts.slots[table], int(z >> np.uint64(counts.shift)))


@kernel
def _count_slots(
    counts: Counts, a: int, bases: Bases, begin: int, h: np.uint64, r: np.uint64
) -> None:  # fmt: skip
    far, far_behind, span = h, r, int(counts.spans[a])
    for i in range(begin, len(bases) + _AHEAD):
        if i < len(bases):
            far, far_behind = read_on(far, int(bases[i])), read_back(far_behind, int(bases[i]))
            _ask_slot(counts, a, context_of(far, counts, a))
            _ask_slot(counts, a, context_behind(far_behind, counts, a))
        now = i - _AHEAD
        if now >= begin:
            base = int(bases[now])
            add_slot(counts.slots, a, counts.shift, context_of(h, counts, a), base)
            h, r = read_on(h, base), read_back(r, base)
            z = context_behind(r, counts, a)
            add_slot(counts.slots, a, counts.shift, z, 3 - int(bases[now - span]))


@kernel
def note_seed(counts: Counts, b: int, h: np.uint64, place: int) -> None:
    """The bases before a place are an occurrence of a seed."""
    known = counts.heads[b]
    at = seed_place(h, int(counts.seeds[b]), counts.head_shift)
    for k in range(KEPT - 1, 0, -1):
        known[at, k] = int(known[at, k - 1])
    known[at, 0] = place


@kernel
def _note_seeds(counts: Counts, bases: Bases, begin: int, h: np.uint64) -> None:
    for i in range(begin, len(bases)):
        h = read_on(h, int(bases[i]))
        for b in range(SEEDINGS):
            note_seed(counts, b, h, i + 1)


@kernel
def count(
    counts: Counts, bases: Bases, begin: int, h: np.uint64, r: np.uint64, rich: int
) -> None:  # fmt: skip
    """Count the bases from ``begin`` on, one table after the other.

    ``h`` and ``r`` are the registers of the bases before, on both strands.
    """
    for a in range(len(counts.orders)):
        _count_direct(counts, a, bases, begin, h, r)
    for a in range(APART):
        _count_zoned(counts, a, bases, begin, h, r, rich)
    for a in range(SLOTS):
        _count_slots(counts, a, bases, begin, h, r)
    _note_seeds(counts, bases, begin, h)


@kernel
def count_one(
    counts: Counts, bases: Bases, i: int, h: np.uint64, r: np.uint64, rich: int
) -> None:  # fmt: skip
    """Count base i in all tables; ``h`` holds the bases before it, ``r`` those up to it."""
    base = int(bases[i])
    for a in range(len(counts.orders)):
        order = int(counts.orders[a])
        add_direct(counts.direct, first_of(counts, a, of_order(h, order)), base)
        other = 3 - int(bases[i - order])
        add_direct(counts.direct, first_of(counts, a, behind(r, order)), other)
    zone, after = zone_of(rich), zone_of(richer(rich, bases, i))
    for a in range(APART):
        order = int(counts.zone_orders[a])
        first = first_in_zone(counts, a, zone, of_order(h, order))
        add_direct(counts.zoned, first, base)
        first = first_in_zone(counts, a, after, behind(r, order))
        add_direct(counts.zoned, first, 3 - int(bases[i - order]))
    for a in range(SLOTS):
        add_slot(counts.slots, a, counts.shift, context_of(h, counts, a), base)
        other = 3 - int(bases[i - int(counts.spans[a])])
        add_slot(counts.slots, a, counts.shift, context_behind(r, counts, a), other)


@kernel
def ask(counts: Counts, h: np.uint64, r: np.uint64, zone: int) -> None:
    """Ask for the lines of memory that the contexts of a base will need; ``zone`` is the one at
    hand, and mostly that of the base."""
    for a in range(SLOTS):
        _ask_slot(counts, a, context_of(h, counts, a))
        _ask_slot(counts, a, context_behind(r, counts, a))
    for a in range(7, len(counts.orders)):
        order = int(counts.orders[a])
        prefetch(counts.direct, first_of(counts, a, of_order(h, order)))
        prefetch(counts.direct, first_of(counts, a, behind(r, order)))
    for a in range(2, APART):
        order = int(counts.zone_orders[a])
        prefetch(counts.zoned, first_in_zone(counts, a, zone, of_order(h, order)))
        prefetch(counts.zoned, first_in_zone(counts, a, zone, behind(r, order)))
    for b in range(SEEDINGS):
        length = int(counts.seeds[b])
        prefetch(counts.heads[b], KEPT * seed_place(h, length, counts.head_shift))
        back = behind(r, length)
        prefetch(counts.heads[b], KEPT * seed_place(back, length, counts.head_shift))
