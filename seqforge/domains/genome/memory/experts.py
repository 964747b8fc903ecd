"""Contexts in, what each expert says of the next base out, and the rows of weights to mix with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.elementary import logarithm
from seqforge.core.kernels.intrinsics import popcount, prefetch
from seqforge.domains.genome.memory.counting import (
    context_of,
    field_sum,
    first_in_zone,
    first_of,
    folded,
    of_order,
    zone_of,
)
from seqforge.domains.genome.memory.tables import (
    APART,
    DIRECT,
    EXPERTS,
    FINALS,
    NEARBY,
    NETWORK,
    PLAIN,
    RANKED,
    SETS,
    SHOWN,
    SLOTS,
    WIDTH,
    Counts,
    Learnt,
    Mixer,
    Room,
    Row,
)

FAST_FROM = DIRECT + RANKED + SHOWN + 1
ZONED_FROM = FAST_FROM + NEARBY
M = len(SETS)
_LEAST_RATIO = 1e-4
_EVEN = np.uint64(0x555555555555)


@kernel
def _say(room: Room, expert: int, symbol: int, probability: float) -> None:
    room.ratios[symbol * WIDTH + expert] = 4.0 * probability


@kernel
def _say_nothing(room: Room, expert: int) -> None:
    for s in range(4):
        room.ratios[s * WIDTH + expert] = 1.0


@kernel
def _say_counts(
    room: Room, expert: int, table: NDArray[np.uint16], first: int, more: float
) -> None:  # fmt: skip
    total = 4.0 * more
    for s in range(4):
        total += float(int(table[first + s]))
    for s in range(4):
        _say(room, expert, s, (float(int(table[first + s])) + more) / total)


@kernel
def read_direct(counts: Counts, h: np.uint64, room: Room) -> None:
    """Orders with counts of their own: (n + a) / (N + 4a)."""
    for a in range(DIRECT):
        order = int(counts.orders[a])
        first = first_of(counts, a, of_order(h, order))
        more = 1.0 if order < 11 else 0.4 if order < 12 else 0.2
        _say_counts(room, a, counts.direct, first, more)


@kernel
def _level(count: int) -> int:
    """The highest count of a context in 16 steps."""
    if count < 12:
        return count
    return 12 + int(count >= 20) + int(count >= 32) + int(count >= 60)


@kernel
def _state(first: int, second: int, rest: int) -> int:
    """The counts of a context, highest first, as a number below `STATES`."""
    middle = second if second < 5 else 5 + int(second >= 9) + int(second >= 18)
    low = rest if rest < 4 else 4 + int(rest >= 9)
    return (_level(first) * 8 + middle) * 6 + low


@kernel
def _rank(room: Room, a: int, c0: int, c1: int, c2: int, c3: int) -> int:
    """Put the symbols of four counts in order, the most frequent first; returns their state."""
    k0, k1, k2, k3 = c0 << 2 | 3, c1 << 2 | 2, c2 << 2 | 1, c3 << 2
    k0, k1 = max(k0, k1), min(k0, k1)
    k2, k3 = max(k2, k3), min(k2, k3)
    k0, k2 = max(k0, k2), min(k0, k2)
    k1, k3 = max(k1, k3), min(k1, k3)
    k1, k2 = max(k1, k2), min(k1, k2)
    room.ranked[a, 0], room.ranked[a, 1] = 3 - (k0 & 3), 3 - (k1 & 3)
    room.ranked[a, 2], room.ranked[a, 3] = 3 - (k2 & 3), 3 - (k3 & 3)
    return _state(k0 >> 2, k1 >> 2, (k2 >> 2) + (k3 >> 2))


@kernel
def _read_ranked(learnt: Learnt, room: Room, a: int, total: int) -> None:
    """Say what became of counts like these before."""
    room.totals[a] = total
    if total == 0:
        room.states[a] = -1
        _say_nothing(room, DIRECT + a)
        return
    state = room.states[a]
    for rank in range(4):
        _say(room, DIRECT + a, room.ranked[a, rank], float(learnt.ranks[a, state, rank]))


@kernel
def read_slots(counts: Counts, learnt: Learnt, h: np.uint64, room: Room) -> None:
    """Hashed contexts, and orders 11 and 12 by rank."""
    for a in range(SLOTS):
        z = context_of(h, counts, a)
        word = int(counts.slots[a, int(z >> np.uint64(counts.shift))])
        fields = word & 0xFFFFFF if word >> 24 == int(z & np.uint64(255)) else 0
        room.states[a] = _rank(
            room, a, fields & 63, fields >> 6 & 63, fields >> 12 & 63, fields >> 18
        )
        _read_ranked(learnt, room, a, field_sum(fields))
    for a in range(SLOTS, RANKED):
        which = DIRECT - RANKED + a
        first = first_of(counts, which, of_order(h, int(counts.orders[which])))
        total = 0
        for s in range(4):
            total += int(counts.direct[first + s])
        room.states[a] = _rank(
            room, a, min(int(counts.direct[first]), 63), min(int(counts.direct[first + 1]), 63),
            min(int(counts.direct[first + 2]), 63), min(int(counts.direct[first + 3]), 63),
        )  # fmt: skip
        _read_ranked(learnt, room, a, total)


@kernel
def show_repeats(room: Room, found: int) -> None:
    """The surest repeats as an expert each, and all together as one: odds multiplied."""
    for n in range(SHOWN):
        expert = DIRECT + RANKED + n
        if n < found:
            trust = room.trust[room.order[n]]
            for s in range(4):
                _say(room, expert, s, (1.0 - trust) / 3.0)
            _say(room, expert, room.guesses[room.order[n]], trust)
        else:
            _say_nothing(room, expert)
    for s in range(4):
        room.chances[s] = 1.0
    for n in range(found):
        trust = room.trust[room.order[n]]
        room.chances[room.guesses[room.order[n]]] *= max(1.0, 3.0 * trust / (1.0 - trust))
    total = room.chances[0] + room.chances[1] + room.chances[2] + room.chances[3]
    for s in range(4):
        _say(room, DIRECT + RANKED + SHOWN, s, room.chances[s] / total)


@kernel
def first_nearby(learnt: Learnt, a: int, h: np.uint64) -> int:
    """Where the a-th model of the bases nearby keeps its probabilities."""
    order = int(learnt.fast_orders[a])
    place = folded(of_order(h, order), int(learnt.fast_bits[a]), 2 * order)
    return int(learnt.fast_begins[a]) + 4 * place


@kernel
def ask_nearby(learnt: Learnt, h: np.uint64) -> None:
    """Ask for the line of memory that the largest of them will need."""
    prefetch(learnt.fast, first_nearby(learnt, NEARBY - 1, h))


@kernel
def read_fast(learnt: Learnt, h: np.uint64, room: Room) -> None:
    """Models of the bases nearby."""
    for a in range(NEARBY):
        first = first_nearby(learnt, a, h)
        for s in range(4):
            _say(room, FAST_FROM + a, s, float(learnt.fast[first + s]))


@kernel
def read_zoned(counts: Counts, h: np.uint64, rich: int, room: Room) -> None:
    """Orders counted apart for each zone of G and C."""
    for a in range(APART):
        context = of_order(h, int(counts.zone_orders[a]))
        first = first_in_zone(counts, a, zone_of(rich), context)
        _say_counts(room, ZONED_FROM + a, counts.zoned, first, 1.0)


@kernel
def take_logarithms(room: Room) -> None:
    """The experts' ratios as inputs of the mixer."""
    for k in range(4 * WIDTH):
        room.inputs[k] = logarithm(max(room.ratios[k], _LEAST_RATIO))


@kernel
def _octave(count: int, most: int) -> int:
    """How many bits a count has, at most so many."""
    bits = 0
    while count >> bits > 0 and bits < most:
        bits += 1
    return bits


@kernel
def _step(value: int, most: int) -> int:
    found: int = min(max(value, 0), most)
    return found


@kernel
def _repeat_row(room: Room, found: int) -> int:
    """How sure the surest repeat is, and how many others say the same."""
    if found == 0:
        return 0
    trust, guess = room.trust[room.order[0]], room.guesses[room.order[0]]
    level = int(trust >= 0.4) + int(trust >= 0.55) + int(trust >= 0.7) + int(trust >= 0.8)
    level += int(trust >= 0.88) + int(trust >= 0.94) + int(trust >= 0.97)
    level += int(trust >= 0.985) + int(trust >= 0.993)
    others = 0
    for n in range(1, found):
        others += int(room.guesses[room.order[n]] == guess)
    return (1 + level) * 4 + min(others, 3)


@kernel
def _counts_row(room: Room) -> int:
    """How often orders 12, 16 and 20 were seen."""
    twelve, sixteen, twenty = (
        int(room.totals[SLOTS + 1]), int(room.totals[2]), int(room.totals[4]),
    )  # fmt: skip
    low = min(twelve, 2) + int(twelve >= 3) + int(twelve >= 5) + int(twelve >= 9)
    low += int(twelve >= 17) + int(twelve >= 40) + int(twelve >= 100)
    middle = min(sixteen, 3) + int(sixteen >= 8)
    return (low * 5 + middle) * 3 + min(twenty, 2)


@kernel
def _order_row(room: Room) -> int:
    """How often order 11 was seen, and which of the longer ones at all."""
    top = 0
    for a in range(PLAIN):
        if room.states[a] >= 0:
            top = a + 1
    return _octave(room.totals[SLOTS], 10) * 9 + top


@kernel
def _best_row(row: Row, way: int) -> int:
    """Which expert was best of late, and by how much."""
    best = 0
    for k in range(1, NETWORK + way):
        if row.gains[k] > row.gains[best]:
            best = k
    gain = row.gains[best]
    level = int(gain >= 0.02) + int(gain >= 0.05) + int(gain >= 0.1) + int(gain >= 0.2)
    return best * 7 + level + int(gain >= 0.4) + int(gain >= 0.8)


@kernel
def _composition_row(row: Row) -> int:
    """G and C among the last 24 and the last 512 bases."""
    h = row.words[0]
    near = popcount(int((h ^ (h >> 1)) & _EVEN))
    return _step(near * 16 // 24, 15) * 16 + _step(row.rich[0] * 48 // 512 - 12, 15)


@kernel
def _period_row(row: Row) -> int:
    """Bases that equal the one, two and three before, among the last 48."""
    near = (1 << 48) - 1
    one = popcount(int(row.words[2]) & near)
    two = popcount(int(row.words[3]) & near)
    three = popcount(int(row.words[4]) & near)
    return _step((2 * three - one - two) * 10 // 48 + 6, 15) * 16 + _step(one // 3, 15)


@kernel
def _late_row(row: Row, way: int) -> int:
    """Bits of the last 16 and of the last 128 bases."""
    near = _step((row.late[way, 0] - 16 * 24) * 5 // 64, 15)
    far = _step((row.late[way, 1] * 10 - 128 * 256) * 3 // (128 * 16), 15)
    return near * 16 + far


@kernel
def _network_row(room: Room) -> int:
    """How sure the network is, and whether orders 12 and 11 say the same; 64 without one."""
    best = 0
    for s in range(4):
        if room.ratios[s * WIDTH + NETWORK] > room.ratios[best * WIDTH + NETWORK]:
            best = s
    level = _step(int(room.ratios[best * WIDTH + NETWORK] * 10.0) - 12, 15)
    twelve = int(room.ranked[SLOTS + 1, 0] == best)
    return level * 4 + twelve * 2 + int(room.ranked[SLOTS, 0] == best)


@kernel
def choose_rows(row: Row, room: Room, found: int, mixer: Mixer, way: int) -> None:
    """Which row of each weight set mixes the experts; the first row of all where it is new."""
    chosen, last = room.chosen, int(row.words[0] & np.uint64(255))
    chosen[0] = 0
    chosen[1] = _repeat_row(room, found)
    chosen[2] = last
    chosen[3] = _counts_row(room)
    chosen[4] = _order_row(room)
    chosen[5] = min(room.totals[2], 8) * 9 + min(room.totals[1], 8)
    chosen[6] = _best_row(row, way)
    chosen[7] = _composition_row(row)
    chosen[8] = _period_row(row)
    chosen[9] = _late_row(row, way)
    chosen[10] = room.states[SLOTS + 1] + 1
    chosen[11] = room.states[2] + 1
    chosen[12] = _network_row(room) if way > 0 else 64
    chosen[M], chosen[M + 1], chosen[M + 2] = (
        chosen[1], FINALS[0] + chosen[3], FINALS[0] + FINALS[1] + chosen[5],
    )  # fmt: skip
    for m in range(M):
        chosen[m] += mixer.begins[m]
        room.used[m] = chosen[m] if mixer.visits[way, chosen[m]] > 0 else 0


@kernel
def show_networks(room: Room, networks: NDArray[np.float64], t: int) -> None:
    """The networks' probabilities (N, T, 4), as far as there are any."""
    for n in range(EXPERTS - NETWORK):
        for s in range(4):
            ratio = 4.0 * networks[n, t, s] if n < len(networks) else 1.0
            room.ratios[s * WIDTH + NETWORK + n] = ratio


@kernel
def keep_networks(room: Room) -> None:
    """Keep what the networks say apart from the inputs."""
    for s in range(4):
        for n in range(EXPERTS - NETWORK):
            room.networks[s, n] = float(room.inputs[s * WIDTH + NETWORK + n])


@kernel
def give_networks(room: Room, way: int) -> None:
    """Let the inputs be those of a way to mix: it has so many networks."""
    for s in range(4):
        for n in range(EXPERTS - NETWORK):
            given = float(room.networks[s, n]) if n < way else 0.0
            room.inputs[s * WIDTH + NETWORK + n] = given
