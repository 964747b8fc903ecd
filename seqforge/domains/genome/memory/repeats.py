"""Bases in, places that repeat the last ones out, forward and inverted, followed through
mutations.
"""

from __future__ import annotations

import numpy as np

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.intrinsics import popcount
from seqforge.domains.genome.memory.counting import Bases, seed_place
from seqforge.domains.genome.memory.tables import (
    BEFORE,
    POOL,
    SEEDINGS,
    SPAN,
    Counts,
    Learnt,
    Room,
    Row,
)

_KEPT = 0xFFFFFFFF
_HALF = 0xFFFF
_MOST_MISSES = 8
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
def _misses_before(bases: Bases, i: int, place: int, step: int) -> int:
    """The 32 bases before base i against those before a place: a bit each, 1 for a miss."""
    word = 0
    for k in range(BEFORE):
        there = place - step * (k + 1)
        hit = False
        if there < i:
            hit = int(bases[i - 1 - k]) == _symbol_at(bases, there, step)
        word |= int(not hit) << k
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
def _consider(bases: Bases, i: int, row: Row, place: int, step: int) -> None:
    """Take up a repeat whose base at a place predicts base i, if it is new and good."""
    if place < BEFORE or place >= i:
        return
    for n in range(POOL):
        if row.places[n] == place and row.steps[n] == step:
            return
    word = _misses_before(bases, i, place, step)
    misses = popcount(word)
    if misses > _MOST_MISSES:
        return
    n = _room_for(row, misses)
    if n >= 0:
        row.places[n], row.steps[n] = place, step
        row.misses[n], row.runs[n] = word, BEFORE


@kernel
def find_repeats(bases: Bases, i: int, counts: Counts, row: Row) -> None:
    """Look for repeats of the bases before base i."""
    for b in range(SEEDINGS):
        length = int(counts.seeds[b])
        place = int(counts.heads[b, seed_place(row.words[0], length, counts.head_shift)])
        _consider(bases, i, row, place, 1)
        back = row.words[1] >> np.uint64(2 * (SPAN - length))
        place = int(counts.heads[b, seed_place(back, length, counts.head_shift)])
        _consider(bases, i, row, place - length - 1, -1)


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
