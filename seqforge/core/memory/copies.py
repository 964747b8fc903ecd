"""The symbols read so far in, what followed where the last ones stood before out: several copy
pointers, which outlive errors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.intrinsics import popcount
from seqforge.core.memory.contexts import Recent, hashed, symbol_back

COPIES = 3
"""Pointers."""
INPUTS = 2
"""Numbers that a pointer gives the mixer."""
_LONGEST = 400
_VERIFIED = 32
_LENGTHS, _ERRORS = 16, 16
RATE = 0.01
STATES = _LENGTHS * _ERRORS

Floats = NDArray[np.float32]


class CopyTables(NamedTuple):
    """What pointers have learnt."""

    history: NDArray[np.uint16]
    """All symbols that were learnt, and room for more."""
    read: NDArray[np.int64]
    """How many they are (1,)."""
    heads: NDArray[np.int32]
    """(COPIES, slots): the place behind the last occurrence of a hash of symbols."""
    least: NDArray[np.int64]
    """The length of the copies that each pointer looks for (COPIES,)."""
    chances: Floats
    """(COPIES, STATES): the chance that the symbol pointed to comes."""


class Pointers(NamedTuple):
    """Where the copies are."""

    places: NDArray[np.int64]
    """The places in the history that they point to; 0 for none."""
    lengths: NDArray[np.int64]
    errors: NDArray[np.int64]
    """Bits: whether the last symbols were others than those pointed to."""
    symbols: NDArray[np.int64]
    states: NDArray[np.int64]


def copy_tables(least: tuple[int, ...], bits: int) -> CopyTables:
    """Tables of nothing."""
    return CopyTables(
        np.zeros(16, np.uint16), np.zeros(1, np.int64), np.zeros((COPIES, 1 << bits), np.int32),
        np.array(least, np.int64), np.full((COPIES, STATES), 0.75, np.float32),
    )  # fmt: skip


def pointers() -> Pointers:
    """None of them points anywhere."""
    return Pointers(*np.zeros((5, COPIES), np.int64))


@kernel
def _state(length: int, errors: int) -> int:
    """A pointer's length in 16 steps, with what its last four symbols did."""
    step = length
    if length >= 8:
        step = min(8 + (length - 8) // 4, 11)
    if length >= 24:
        step = min(12 + (length - 24) // 16, 15)
    return step * _ERRORS + (errors & (_ERRORS - 1))


@kernel
def _slot_of(recent: Recent, position: int, length: int, slots: int) -> int:
    total = np.uint64(length)
    for n in range(1, length + 1):
        total = hashed(total, np.uint64(symbol_back(recent, position, n)))
    return int(total >> np.uint64(20)) & (slots - 1)


@kernel
def _agreement(history: NDArray[np.uint16], place: int, recent: Recent, position: int) -> int:
    """How many symbols before a place are the last ones."""
    length, most = 0, min(min(place, position), _VERIFIED)
    while length < most and history[place - 1 - length] == symbol_back(
        recent, position, length + 1
    ):
        length += 1
    return length


@kernel
def _look_for(
    tables: CopyTables, pointers: Pointers, recent: Recent, position: int, k: int
) -> None:
    """Let a pointer that points nowhere find a place."""
    least = tables.least[k]
    if position < least:
        return
    place = tables.heads[k, _slot_of(recent, position, least, tables.heads.shape[1])]
    if place == 0 or place >= tables.read[0]:
        return
    for other in range(COPIES):
        if pointers.places[other] == place:
            return
    length = _agreement(tables.history, place, recent, position)
    if length >= least:
        pointers.places[k], pointers.lengths[k], pointers.errors[k] = place, length, 0


@kernel
def point(tables: CopyTables, pointers: Pointers, recent: Recent, position: int) -> None:
    """Make all pointers ready for the next symbol."""
    for k in range(COPIES):
        if pointers.places[k] == 0:
            _look_for(tables, pointers, recent, position, k)
        place = pointers.places[k]
        if place > 0:
            pointers.symbols[k] = tables.history[place]
            pointers.states[k] = _state(pointers.lengths[k], pointers.errors[k])


@kernel
def move_on(tables: CopyTables, pointers: Pointers, symbol: int, adapt: bool) -> None:
    """Let pointers learn which symbol came, and point one place further."""
    for k in range(COPIES):
        if pointers.places[k] == 0:
            continue
        hit = pointers.symbols[k] == symbol
        if adapt:
            cell = float(tables.chances[k, pointers.states[k]])
            wish = 1.0 if hit else 0.0
            tables.chances[k, pointers.states[k]] = cell + (wish - cell) * RATE
        pointers.errors[k] = (pointers.errors[k] * 2 + (0 if hit else 1)) & 0xFFFF
        pointers.lengths[k] = min(pointers.lengths[k] + 1, _LONGEST) if hit else 0
        pointers.places[k] += 1
        lost = popcount(int(pointers.errors[k] & 0xFF)) > 3 or pointers.places[k] >= tables.read[0]
        if lost:
            pointers.places[k] = 0


@kernel
def remember(tables: CopyTables, recent: Recent, position: int, symbol: int) -> None:
    """Add a symbol to the history; ``position`` counts it already."""
    at = tables.read[0]
    tables.history[at] = symbol
    tables.read[0] = at + 1
    for k in range(COPIES):
        least = tables.least[k]
        if position >= least:
            tables.heads[k, _slot_of(recent, position, least, tables.heads.shape[1])] = at + 1


@kernel
def copy_inputs(
    tables: CopyTables, pointers: Pointers, codes: NDArray[np.uint64], path: np.uint64, depth: int,
    stretch: Floats, inputs: Floats, to: int,
) -> int:  # fmt: skip
    """Write what the pointers say of a decision.

    Returns what chooses the mixer's weights: 0 if none says anything, else 1 + twice the state of
    the best one, and whether it says yes.
    """
    best, chosen = -1.0, 0
    for k in range(COPIES):
        at = to + k * INPUTS
        code = codes[pointers.symbols[k]]
        alive = ((code ^ path) >> np.uint64(1)) >> np.uint64(63 - depth) == np.uint64(0)
        inputs[at], inputs[at + 1] = 0.0, 0.0
        if pointers.places[k] > 0 and alive:
            yes = (code >> np.uint64(63 - depth)) & np.uint64(1) == np.uint64(1)
            chance = float(tables.chances[k, pointers.states[k]])
            sign = 1.0 if yes else -1.0
            inputs[at] = sign * float(stretch[int(chance * 4095.999)])
            inputs[at + 1] = sign * (chance - 0.5) * 4.0
            if chance > best:
                best = chance
                chosen = 1 + 2 * min(int(chance * 24.0), 23) + (1 if yes else 0)
    return chosen


CHOICES = 49
