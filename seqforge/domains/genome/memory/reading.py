"""Bases in, the distribution of each out: predicted, then learnt from, one after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.elementary import logarithm
from seqforge.domains.genome.memory.counting import (
    Bases,
    ask,
    count_one,
    note_seed,
    place_of,
    read_back,
    read_on,
    richer,
)
from seqforge.domains.genome.memory.experts import (
    choose_rows,
    read_direct,
    read_fast,
    read_slots,
    read_zoned,
    show_network,
    show_repeats,
    take_logarithms,
)
from seqforge.domains.genome.memory.mixing import learn_weights, mix
from seqforge.domains.genome.memory.repeats import (
    Packed,
    find_repeats,
    follow_repeats,
    read_repeats,
)
from seqforge.domains.genome.memory.tables import (
    EXPERTS,
    NEARBY,
    RANKED,
    SEEDINGS,
    WIDTH,
    Counts,
    Learnt,
    Mixer,
    Room,
    Row,
)

_RANK_RATE = 0.006
_LEAST_SHARE = 0.002
_GAIN_RATE = 0.04
_BITS_16 = 16.0 * 1.4426950408889634


@kernel
def predict(
    bases: Bases, counts: Counts, learnt: Learnt, mixer: Mixer, row: Row, room: Room,
    network: NDArray[np.float64], t: int,
) -> None:  # fmt: skip
    """Fill in the chances of the base after the last one; ``network`` (T, 4) or (0, 4)."""
    found = read_repeats(bases, learnt, row, room)
    read_direct(counts, row.words[0], room)
    read_slots(counts, learnt, row.words[0], room)
    show_repeats(room, found)
    read_fast(learnt, row.words[0], room)
    read_zoned(counts, row.words[0], int(row.sums[0]), room)
    show_network(room, network, t)
    take_logarithms(room)
    mode = min(len(network), 1)
    choose_rows(row, room, found, mixer, mode)
    mix(mixer, mode, room)


@kernel
def _learn_ranks(learnt: Learnt, room: Room, symbol: int) -> None:
    for a in range(RANKED):
        state = room.states[a]
        if state >= 0:
            seen = int(learnt.rank_counts[a, state])
            rate = max(1.0 / (float(seen) + 2.0), _RANK_RATE)
            learnt.rank_counts[a, state] = min(seen + 1, 1000)
            for rank in range(4):
                share = float(learnt.ranks[a, state, rank])
                right = float(int(room.ranked[a, rank] == symbol))
                share = max(share + rate * (right - share), _LEAST_SHARE)
                learnt.ranks[a, state, rank] = share


@kernel
def _learn_fast(learnt: Learnt, h: np.uint64, symbol: int) -> None:
    for a in range(NEARBY):
        first = int(learnt.fast_begins[a]) + 4 * place_of(h, int(learnt.fast_orders[a]))
        for s in range(4):
            goal = 0.97 if s == symbol else 0.01
            now = float(learnt.fast[first + s])
            learnt.fast[first + s] = now + learnt.fast_rates[a] * (goal - now)


@kernel
def _note_late(row: Row, room: Room, bases: Bases, i: int, symbol: int) -> None:
    """Composition, costs, matches nearby and the experts' gains."""
    cost = int(min(-logarithm(room.chances[symbol]) * _BITS_16, 96.0))
    place = int(row.sums[3])
    row.sums[1] += cost - row.costs[(place + 112) % 128]
    row.sums[2] += cost - row.costs[place]
    row.costs[place] = cost
    row.sums[3] = (place + 1) % 128
    for k in range(EXPERTS):
        row.gains[k] += _GAIN_RATE * (float(room.inputs[symbol * WIDTH + k]) - row.gains[k])


@kernel
def note_base(row: Row, bases: Bases, i: int) -> None:
    """The registers and the composition with base i read."""
    base = int(bases[i])
    row.sums[0] = richer(int(row.sums[0]), bases, i)
    for lag in range(1, 4):
        same = np.uint64(int(base == int(bases[i - lag])))
        row.words[1 + lag] = (row.words[1 + lag] << 1) | same
    row.words[0], row.words[1] = read_on(row.words[0], base), read_back(row.words[1], base)


@kernel
def _learn(
    bases: Bases, i: int, counts: Counts, learnt: Learnt, mixer: Mixer, row: Row, room: Room,
    mode: int,
) -> None:  # fmt: skip
    symbol, h = int(bases[i]), row.words[0]
    learn_weights(mixer, mode, room, symbol)
    _learn_ranks(learnt, room, symbol)
    _learn_fast(learnt, h, symbol)
    count_one(counts, bases, i, h, read_back(row.words[1], symbol), int(row.sums[0]))
    h = read_on(h, symbol)
    for b in range(SEEDINGS):
        note_seed(counts, b, h, i + 1)


@kernel
def read(
    bases: Bases, packed: Packed, begin: int, counts: Counts, learnt: Learnt, mixer: Mixer,
    row: Row, room: Room, network: NDArray[np.float64], adapt: bool, chances: NDArray[np.float64],
) -> None:  # fmt: skip
    """Read the bases from ``begin`` on; fills in the distribution (T, 4) that each was given."""
    for i in range(begin, len(bases)):
        symbol = int(bases[i])
        predict(bases, counts, learnt, mixer, row, room, network, i - begin)
        for s in range(4):
            chances[i - begin, s] = room.chances[s]
        follow_repeats(i, symbol, adapt, learnt, row, room)
        _note_late(row, room, bases, i, symbol)
        if adapt:
            _learn(bases, i, counts, learnt, mixer, row, room, min(len(network), 1))
        note_base(row, bases, i)
        if i + 1 < len(bases):
            ahead = int(bases[i + 1])
            ask(counts, read_on(row.words[0], ahead), read_back(row.words[1], ahead))
        find_repeats(packed, i + 1, counts, row)


@kernel
def note_bases(row: Row, bases: Bases, begin: int) -> None:
    """The registers with the bases from ``begin`` on read."""
    for i in range(begin, len(bases)):
        note_base(row, bases, i)
