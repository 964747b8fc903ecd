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
    read_back,
    read_on,
    richer,
    zone_of,
)
from seqforge.domains.genome.memory.experts import (
    ask_nearby,
    choose_rows,
    first_nearby,
    give_networks,
    keep_networks,
    read_direct,
    read_fast,
    read_slots,
    read_zoned,
    show_networks,
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
def ask_experts(
    bases: Bases, counts: Counts, learnt: Learnt, row: Row, room: Room,
    networks: NDArray[np.float64], t: int,
) -> int:  # fmt: skip
    """Let each expert say what comes next; returns how many repeats are followed."""
    found = read_repeats(bases, learnt, row, room)
    read_direct(counts, row.words[0], room)
    read_slots(counts, learnt, row.words[0], room)
    show_repeats(room, found)
    read_fast(learnt, row.words[0], room)
    read_zoned(counts, row.words[0], int(row.rich[0]), room)
    show_networks(room, networks, t)
    take_logarithms(room)
    keep_networks(room)
    return found


@kernel
def mix_way(mixer: Mixer, row: Row, room: Room, found: int, way: int) -> None:
    """Mix what the experts said in one way."""
    give_networks(room, way)
    choose_rows(row, room, found, mixer, way)
    mix(mixer, way, room)
    for s in range(4):
        room.outcomes[way, s] = room.chances[s]


@kernel
def predict(
    bases: Bases, counts: Counts, learnt: Learnt, mixer: Mixer, row: Row, room: Room,
    networks: NDArray[np.float64], way: int,
) -> None:  # fmt: skip
    """Fill in the chances of the base after the last one, mixed in one way; ``networks``
    (N, 1, 4)."""
    found = ask_experts(bases, counts, learnt, row, room, networks, 0)
    mix_way(mixer, row, room, found, way)


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
        first = first_nearby(learnt, a, h)
        for s in range(4):
            goal = 0.97 if s == symbol else 0.01
            now = float(learnt.fast[first + s])
            learnt.fast[first + s] = now + learnt.fast_rates[a] * (goal - now)


@kernel
def note_late(row: Row, room: Room, way: int, symbol: int) -> None:
    """What the last bases cost."""
    cost = int(min(-logarithm(room.outcomes[way, symbol]) * _BITS_16, 96.0))
    late, costs = row.late[way], row.costs[way]
    place = int(late[2])
    late[0] += cost - costs[(place + 112) % 128]
    late[1] += cost - costs[place]
    costs[place] = cost
    late[2] = (place + 1) % 128


@kernel
def note_gains(row: Row, room: Room, symbol: int) -> None:
    """How much better than chance each expert was."""
    for k in range(EXPERTS):
        row.gains[k] += _GAIN_RATE * (float(room.inputs[symbol * WIDTH + k]) - row.gains[k])


@kernel
def note_base(row: Row, bases: Bases, i: int) -> None:
    """The registers and the composition with base i read."""
    base = int(bases[i])
    row.rich[0] = richer(int(row.rich[0]), bases, i)
    for lag in range(1, 4):
        same = np.uint64(int(base == int(bases[i - lag])))
        row.words[1 + lag] = (row.words[1 + lag] << 1) | same
    row.words[0], row.words[1] = read_on(row.words[0], base), read_back(row.words[1], base)


@kernel
def _learn(
    bases: Bases, i: int, counts: Counts, learnt: Learnt, row: Row, room: Room
) -> None:  # fmt: skip
    symbol, h = int(bases[i]), row.words[0]
    _learn_ranks(learnt, room, symbol)
    _learn_fast(learnt, h, symbol)
    count_one(counts, bases, i, h, read_back(row.words[1], symbol), int(row.rich[0]))
    h = read_on(h, symbol)
    for b in range(SEEDINGS):
        note_seed(counts, b, h, i + 1)


@kernel
def _mix_ways(
    mixer: Mixer, row: Row, room: Room, found: int, first: int, stop: int, symbol: int, adapt: bool
) -> None:  # fmt: skip
    """Mix in the ways from ``first`` to before ``stop``; their weights learn."""
    for way in range(first, stop):
        mix_way(mixer, row, room, found, way)
        if adapt:
            learn_weights(mixer, way, room, symbol)
    for way in range(first, stop):
        note_late(row, room, way, symbol)
    note_gains(row, room, symbol)


@kernel
def read(
    bases: Bases, packed: Packed, begin: int, counts: Counts, learnt: Learnt, mixer: Mixer,
    row: Row, room: Room, networks: NDArray[np.float64], first: int, stop: int, adapt: bool,
    chances: NDArray[np.float64],
) -> None:  # fmt: skip
    """Read the bases from ``begin`` on; fills in the distributions (ways, T, 4) that each was given
    in the ways from ``first`` to before ``stop``; ``networks`` (N, T, 4), a way has as many as its
    number."""
    for i in range(begin, len(bases)):
        symbol = int(bases[i])
        found = ask_experts(bases, counts, learnt, row, room, networks, i - begin)
        _mix_ways(mixer, row, room, found, first, stop, symbol, adapt)
        for way in range(first, stop):
            for s in range(4):
                chances[way - first, i - begin, s] = room.outcomes[way, s]
        follow_repeats(i, symbol, adapt, learnt, row, room)
        if adapt:
            _learn(bases, i, counts, learnt, row, room)
        note_base(row, bases, i)
        if i + 1 < len(bases):
            ahead = int(bases[i + 1])
            h, r = read_on(row.words[0], ahead), read_back(row.words[1], ahead)
            ask(counts, h, r, zone_of(int(row.rich[0])))
            ask_nearby(learnt, h)
        find_repeats(packed, i + 1, counts, row)


@kernel
def note_bases(row: Row, bases: Bases, begin: int) -> None:
    """The registers with the bases from ``begin`` on read."""
    for i in range(begin, len(bases)):
        note_base(row, bases, i)
