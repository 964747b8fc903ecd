"""Bases in, places that repeat the last ones out, forward and inverted, followed through
mutations.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.intrinsics import popcount
from seqforge.domains.genome.memory.counting import Bases, seed_place
from seqforge.domains.genome.memory.tables import (
    BEFORE,
    KEPT,
    POOL,
    SEEDINGS,
    SPAN,
    Counts,
    Learnt,
    Room,
    Row,
)

Packed = NDArray[np.uint64]
"""A history's bases, 32 a word, the first one highest."""
_LAST_EIGHT = np.uint64(0xFFFF)
_FARTHEST = 16
_EVERY = np.uint64(0x5555555555555555)
_KEPT = 0xFFFFFFFF
_HALF = 0xFFFF
_MOST_MISSES = 11
"""Of the last 16, and of the 32 before a repeat is taken up."""
_STRAIGHT = 0x3F
_LONGEST = 1 << 20
_HIT_RATE = 0.004
_LEAST_TRUST, _MOST_TRUST = 0.05, 0.9997


@kernel
def _symbol_at(bases: Bases, place: int, step: int) -> int:
    base = int(bases[place])
    return base if step > 0 else 3 - base


@kernel
def pack(bases: Bases, packed: Packed, first: int) -> None:
    """Fill in the words from ``first`` on."""
    for word in range(first, len(bases) // SPAN + 1):
        held = np.uint64(0)
        for k in range(SPAN):
            base = int(bases[word * SPAN + k]) if word * SPAN + k < len(bases) else 0
            held = (held << 2) | np.uint64(base)
        packed[word] = held


@kernel
def _window(packed: Packed, stop: int) -> np.uint64:
    """The 32 bases before a place, the last one lowest."""
    word, rest = stop // SPAN, np.uint64(2 * (stop % SPAN))
    if rest == np.uint64(0):
        return np.uint64(packed[word - 1])
    high, low = packed[word - 1] << rest, packed[word] >> (np.uint64(64) - rest)
    return np.uint64(high | low)


@kernel
def _differing(packed: Packed, i: int, row: Row, place: int, step: int) -> np.uint64:
    """The 32 bases before base i against those before a place: the lower of two bits is set for a
    miss, the last base lowest forward, and highest inverted."""
    if step > 0:
        different = row.words[0] ^ _window(packed, place)
    else:
        different = row.words[1] ^ _window(packed, place + 1 + SPAN)
    return np.uint64((different | (different >> 1)) & _EVERY)


@kernel
def _as_misses(different: np.uint64, step: int) -> int:
    """The same, a bit each, the last base lowest."""
    word = 0
    for k in range(SPAN):
        at = 2 * k if step > 0 else 2 * (SPAN - 1 - k)
        word |= int((different >> np.uint64(at)) & np.uint64(1)) << k
    return word


@kernel
def _room_for(row: Row, misses: int) -> int:
    """Which repeat to give up for one of so many misses; -1 for none."""
    worst, most = -1, misses
    for n in range(POOL):
        if row.places[n] < 0:
            return n
        if popcount(row.misses[n]) > most:
            worst, most = n, popcount(row.misses[n])
    return worst


@kernel
def _within(i: int, place: int, step: int) -> bool:
    """Whether the bases before a place, as it is read, are all known."""
    if step > 0:
        return place >= BEFORE and place < i
    return place >= BEFORE and place + 1 + SPAN <= i


@kernel
def _is_followed(row: Row, place: int, step: int) -> bool:
    followed = False
    for n in range(POOL):
        followed |= row.places[n] == place and row.steps[n] == step
    return followed


@kernel
def _consider(packed: Packed, i: int, row: Row, place: int, step: int) -> None:
    """Take up a repeat whose base at a place predicts base i, if it is new and good."""
    if not _within(i, place, step):
        return
    different = _differing(packed, i, row, place, step)
    misses = popcount(int(different))
    if misses > _MOST_MISSES or _is_followed(row, place, step):
        return
    n = _room_for(row, misses)
    if n >= 0:
        row.places[n], row.steps[n] = place, step
        row.misses[n], row.runs[n] = _as_misses(different, step), SPAN


@kernel
def _shift(packed: Packed, i: int, row: Row, n: int, place: int) -> bool:
    """Go on with a repeat at another place, if the last eight bases say so."""
    step = int(row.steps[n])
    if not _within(i, place, step):
        return False
    different = _differing(packed, i, row, place, step)
    late = different & _LAST_EIGHT if step > 0 else different >> np.uint64(48)
    if late != np.uint64(0) or _is_followed(row, place, step):
        return False
    row.places[n], row.runs[n] = place, 8
    row.misses[n] = row.misses[n] >> 8 << 8
    return True


@kernel
def _mend(packed: Packed, i: int, row: Row) -> None:
    """Where a good repeat has gone wrong of late, bases may have been lost or put in."""
    for n in range(POOL):
        misses = int(row.misses[n])
        if row.places[n] < 0 or popcount(misses & 0xFF) < 4:
            continue
        if popcount(misses >> 8 & _HALF) > 5:
            continue
        for far in range(1, _FARTHEST + 1):
            if _shift(packed, i, row, n, int(row.places[n]) + far):
                break
            if _shift(packed, i, row, n, int(row.places[n]) - far):
                break


@kernel
def find_repeats(packed: Packed, i: int, counts: Counts, row: Row) -> None:
    """Look for repeats of the bases before base i."""
    _mend(packed, i, row)
    for b in range(SEEDINGS):
        length = int(counts.seeds[b])
        at = seed_place(row.words[0], length, counts.head_shift)
        for k in range(KEPT):
            _consider(packed, i, row, int(counts.heads[b, at, k]), 1)
        back = row.words[1] >> np.uint64(2 * (SPAN - length))
        at = seed_place(back, length, counts.head_shift)
        for k in range(KEPT):
            _consider(packed, i, row, int(counts.heads[b, at, k]) - length - 1, -1)


@kernel
def _state_of(misses: int, run: int) -> int:
    """What is known of a repeat, as a number below `REPEAT_STATES`."""
    if misses == 0:
        octave = 0
        while run >> (octave + 6) > 0 and octave < 7:
            octave += 1
        return 2 * octave + (run >> (octave + 4) & 1)
    late = min(popcount(misses & _HALF), 9)
    since = popcount((misses & -misses) - 1)
    early = popcount(misses >> 16)
    level = int(early > 0) + int(early > 2) + int(early > 5)
    return 16 + (late * 16 + since % 16) * 4 + level


@kernel
def read_repeats(bases: Bases, learnt: Learnt, row: Row, room: Room) -> int:
    """What each repeat followed says, and their order, the surest first; returns how many."""
    found = 0
    for n in range(POOL):
        if row.places[n] >= 0:
            state = _state_of(row.misses[n], row.runs[n])
            room.repeat_states[n] = state
            room.guesses[n] = _symbol_at(bases, row.places[n], row.steps[n])
            trust = float(learnt.hits[int(row.steps[n] < 0), state])
            room.trust[n] = trust
            place = found
            while place > 0 and room.trust[room.order[place - 1]] < trust:
                room.order[place] = room.order[place - 1]
                place -= 1
            room.order[place] = n
            found += 1
    return found


@kernel
def follow_repeats(i: int, symbol: int, adapt: bool, learnt: Learnt, row: Row, room: Room) -> None:
    """Compare what the repeats said with base i, and go one base on; bad ones are given up."""
    for n in range(POOL):
        if row.places[n] < 0:
            continue
        hit = room.guesses[n] == symbol
        if adapt:
            trust = room.trust[n] + _HIT_RATE * (float(int(hit)) - room.trust[n])
            trust = min(max(trust, _LEAST_TRUST), _MOST_TRUST)
            learnt.hits[int(row.steps[n] < 0), room.repeat_states[n]] = trust
        row.misses[n] = (row.misses[n] << 1 | int(not hit)) & _KEPT
        row.runs[n] = min(row.runs[n] + 1, _LONGEST) if hit else 0
        row.places[n] += row.steps[n]
        bad = popcount(row.misses[n] & _HALF) > _MOST_MISSES
        bad = bad or row.misses[n] & _STRAIGHT == _STRAIGHT
        if bad or row.places[n] < BEFORE or row.places[n] > i:
            row.places[n] = -1
