"""A number of bases and a memory budget in, the arrays of a genome's memory out: what the kernels
read and write.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

ORDERS = (1, 2, 3, 4, 6, 8, 9, 10, 11, 12)
"""Orders whose contexts index their counts directly."""
PATTERNS = (
    "1" * 13, "1" * 14, "1" * 16, "1" * 18, "1" * 20, "1" * 22, "1" * 24,
    "0" + "1" * 12, "00" + "1" * 12, "11111111" + "0" + "111111", "1111" + "0000" + "11111111",
    "0000" + "1" * 12, "11" + "00" + "111111" + "00" + "111111", "0000" + "1" * 13,
    "111" + "0" + "11111" + "0" + "111111",
)  # fmt: skip
"""Contexts that are hashed, the last base first: 1 for a base that counts, 0 for a hole."""
SLOW = 2
"""The first so many of them forget nothing; the others halve what did not come."""
PLAIN = 7
"""The first so many of them are without holes."""
SEEDS = (10, 11, 12, 16, 24)
"""Lengths of what two places have in common before one is taken for a repeat of the other."""
KEPT = 4
"""Occurrences of a seed that are known."""
FAST = ((1, 50.0), (2, 40.0), (3, 30.0), (4, 25.0), (6, 12.0), (8, 6.0), (11, 3.0))
"""Orders of models of the bases nearby, and after how many symbols of a context they forget."""

ZONED = (4, 6, 8, 9, 10)
"""Orders counted apart for each share of G and C around."""
ZONES = 16
"""2^4."""
WINDOW = 512
"""Bases whose G and C are counted."""
DIRECT, SLOTS, SEEDINGS, NEARBY = len(ORDERS), len(PATTERNS), len(SEEDS), len(FAST)
APART = len(ZONED)
"""How many there are of each."""
SPAN = 32
"""Bases in a register of the last ones, and in a word of packed ones."""
BEFORE = 64
"""Bases (A) that stand before the first one, so that each has as many before it."""
RANKED = SLOTS + 2
"""Experts whose counts are looked up by rank: hashed contexts, and orders 11 and 12."""
STATES = 16 * 8 * 6
"""Of the counts of a context, highest first."""
POOL = 16
"""Repeats followed at a time."""
SHOWN = 6
"""Those of them, the surest first, that are experts by themselves."""
NETWORK = DIRECT + RANKED + SHOWN + 1 + NEARBY + APART
EXPERTS = NETWORK + 2
WIDTH = -(-EXPERTS // 16) * 16
"""Experts, padded for `dot`."""
WAYS = 3
"""Ways to mix the same experts: alone, with a network, with another one too."""


class Counts(NamedTuple):
    """What followed each context, on both strands."""

    orders: Ints
    """(D,)."""
    begins: Ints
    """(D,): where each order begins in ``direct``."""
    bits: Ints
    """(D,): of the number of contexts that have counts of their own."""
    direct: NDArray[np.uint16]
    """Four counts a context."""
    zone_orders: Ints
    zone_begins: Ints
    zone_bits: Ints
    zoned: NDArray[np.uint16]
    """The same for orders that are counted apart in each zone."""
    masks: NDArray[np.uint64]
    """(H,): two bits a base that counts."""
    spans: Ints
    """(H,)."""
    slots: NDArray[np.uint32]
    """(H, 2^B): four counts of six bits and eight check bits."""
    shift: int
    """64 - B."""
    seeds: Ints
    """(S,)."""
    heads: NDArray[np.int32]
    """(S, 2^P, KEPT): the places behind the last occurrences of a seed, the newest first."""
    head_shift: int


class Learnt(NamedTuple):
    """What adapts besides counts: probabilities of ranks and of repeats, models nearby."""

    ranks: Floats
    """(R, STATES, 4): how often the first, second ... of a state came."""
    rank_counts: NDArray[np.uint16]
    """(R, STATES)."""
    hits: Floats
    """(2, REPEAT_STATES): how often a repeat's symbol came, forward and inverted."""
    fast_orders: Ints
    fast_begins: Ints
    fast_bits: Ints
    fast_rates: NDArray[np.float64]
    fast: Floats
    """Four probabilities a context."""


REPEAT_STATES = 16 + 10 * 16 * 4

SETS = (1, 44, 256, 135, 99, 81, WIDTH * 7, 256, 256, 256, STATES + 1, STATES + 1, 65)
"""Rows of each weight set: all, repeats, last bases, counts reached, order reached, long contexts,
best expert, composition, periodicity, bits of late, order 12, order 16, the network."""
MEMBERS = len(SETS) + 1
"""What the last mixture mixes: each weight set, and a hidden layer."""
HIDDEN = 8
"""Cells of the hidden layer."""
FINALS = (44, 135, 81)
"""Rows of the last mixtures, whose mean is taken: repeats, counts reached, long contexts."""


class Mixer(NamedTuple):
    """Weights of each way to mix."""

    begins: Ints
    """(M,): the first row of each set."""
    weights: Floats
    """(WAYS, rows * WIDTH)."""
    final: NDArray[np.float64]
    """(WAYS, rows of all last mixtures, MEMBERS)."""
    hidden: Floats
    """(WAYS, HIDDEN * WIDTH): what each cell makes of the experts, the same for each base."""
    cells: NDArray[np.float64]
    """(WAYS, 2, HIDDEN): the cells' biases, and what they add."""
    visits: Ints
    """(WAYS, rows): bases learnt from."""


class Row(NamedTuple):
    """Where a reader stands."""

    words: NDArray[np.uint64]
    """The last 32 bases; the same on the other strand; matches with 1, 2 and 3 bases before."""
    places: Ints
    """(POOL,): the base that each repeat followed predicts from; -1 for none."""
    steps: Ints
    """(POOL,): 1 forward, -1 inverted."""
    misses: Ints
    """(POOL,): the last 32 bases, 1 for a miss."""
    runs: Ints
    """(POOL,): hits since the last miss."""
    rich: Ints
    """(1,): G and C among the last 512 bases."""
    late: Ints
    """(WAYS, 3): what the last 16 and the last 128 bases cost, and the place in costs."""
    costs: Ints
    """(WAYS, 128): of the last bases, in 1/16 bits."""
    gains: NDArray[np.float64]
    """(EXPERTS,): how much better than chance each expert was of late, in nats."""


class Room(NamedTuple):
    """Scratch of one base."""

    ratios: NDArray[np.float64]
    """(4 * WIDTH,): four times the probabilities of the experts."""
    inputs: Floats
    """(4 * WIDTH,): their logarithms."""
    networks: Floats
    """(4, 2): the same of the networks; of the inputs they are those of the way at hand alone."""
    states: Ints
    """(R,): of ranked experts, -1 for none."""
    ranked: Ints
    """(R, 4): symbols, the most frequent first."""
    totals: Ints
    """(R,)."""
    guesses: Ints
    """(POOL,): the symbol of each repeat."""
    repeat_states: Ints
    """(POOL,)."""
    trust: NDArray[np.float64]
    """(POOL,): the probability of each repeat."""
    order: Ints
    """(POOL,): repeats, the surest first."""
    chosen: Ints
    """(M + 3,): rows of the weight sets, then of the last mixtures."""
    used: Ints
    """(M,): the same, but the row of all bases where one is new."""
    scores: NDArray[np.float64]
    """(MEMBERS * 4,)."""
    inner: NDArray[np.float64]
    """(MEMBERS * 4,): probabilities of each weight set and of the hidden layer."""
    logs: NDArray[np.float64]
    """(MEMBERS * 4,)."""
    hidden: NDArray[np.float64]
    """(HIDDEN * 4,): the cells of each base."""
    last: NDArray[np.float64]
    """(3 * 4,): the outcome of each last mixture."""
    chances: NDArray[np.float64]
    """(4,): the outcome of the way that was mixed last."""
    outcomes: NDArray[np.float64]
    """(WAYS, 4): the outcomes."""


_MOST_SLOT_BITS, _MOST_HEAD_BITS, _LEAST_BITS = 24, 22, 12


def _begins(bits: list[int]) -> Ints:
    """Where tables of 2^bits contexts, four numbers each, begin in a common one."""
    return np.cumsum([0, *(4 << b for b in bits[:-1])])


def _total(bits: list[int]) -> int:
    return sum(4 << b for b in bits)


def _pattern_mask(pattern: str) -> int:
    return sum(3 << 2 * place for place, used in enumerate(pattern) if used == "1")


def _enough(contexts: int, most: int) -> int:
    """Bits of a number of places that is no less than a number of contexts, within limits."""
    return min(max((contexts - 1).bit_length(), _LEAST_BITS), most)


def _table_bits(bases: int) -> tuple[list[int], list[int], list[int]]:
    """Bits of the tables of orders, of orders by zone and of models nearby, for so many bases."""
    most = _enough(2 * bases, 64)
    return (
        [min(2 * order, most) for order in ORDERS],
        [min(2 * order + 4, most) for order in ZONED],
        [min(2 * order, most) for order, _ in FAST],
    )


def _shared_bits(bases: int, left: int) -> tuple[int, int]:
    """Bits of the hashed tables and of the heads of seeds, in so many bytes where possible."""
    slots, heads = _enough(2 * bases, _MOST_SLOT_BITS), _enough(bases, _MOST_HEAD_BITS)
    while max(slots, heads) > _LEAST_BITS:
        of_slots, of_heads = 4 * SLOTS << slots, 4 * SEEDINGS * KEPT << heads
        if of_slots + of_heads <= left:
            break
        if of_slots > of_heads:
            slots -= 1
        else:
            heads -= 1
    return slots, heads


def counts_for(bases: int, budget: int) -> Counts:
    """Empty counts for about so many bases, in about so many bytes at most."""
    direct, zoned, nearby = _table_bits(bases)
    left = budget - 2 * _total(direct) - 2 * _total(zoned) - 4 * _total(nearby)
    slots, heads = _shared_bits(bases, left)
    return Counts(
        np.array(ORDERS), _begins(direct), np.array(direct), np.zeros(_total(direct), np.uint16),
        np.array(ZONED), _begins(zoned), np.array(zoned), np.zeros(_total(zoned), np.uint16),
        np.array([_pattern_mask(p) for p in PATTERNS], np.uint64),
        np.array([len(p) for p in PATTERNS]),
        np.zeros((SLOTS, 1 << slots), np.uint32), 64 - slots,
        np.array(SEEDS), np.zeros((SEEDINGS, 1 << heads, KEPT), np.int32), 64 - heads,
    )  # fmt: skip


def new_learnt(bases: int) -> Learnt:
    """Before anything was learnt, for about so many bases."""
    _, _, nearby = _table_bits(bases)
    ranks = np.empty((RANKED, STATES, 4), np.float32)
    ranks[:] = (0.5, 0.2, 0.15, 0.15)
    return Learnt(
        ranks, np.zeros((RANKED, STATES), np.uint16), np.full((2, REPEAT_STATES), 0.8, np.float32),
        np.array([order for order, _ in FAST]), _begins(nearby), np.array(nearby),
        np.array([1 / length for _, length in FAST]),
        np.full(_total(nearby), 0.25, np.float32),
    )  # fmt: skip


def new_mixer() -> Mixer:
    """Before anything was learnt."""
    row = np.zeros(WIDTH, np.float32)
    row[:NETWORK] = 0.1
    row[: len(ORDERS) + RANKED] = 0.15
    row[NETWORK] = 0.3
    weights = np.tile(row, (WAYS, sum(SETS)))
    final = np.full((WAYS, sum(FINALS), MEMBERS), 1 / MEMBERS)
    draw = np.random.default_rng(0)
    hidden = np.zeros((HIDDEN, WIDTH), np.float32)
    hidden[:, :EXPERTS] = draw.uniform(-0.5, 0.5, (HIDDEN, EXPERTS))
    cells = np.zeros((2, HIDDEN))
    cells[1] = draw.uniform(-0.05, 0.05, HIDDEN)
    return Mixer(
        np.cumsum([0, *SETS[:-1]]), weights, final, np.tile(hidden.ravel(), (WAYS, 1)),
        np.tile(cells, (WAYS, 1, 1)), np.zeros((WAYS, sum(SETS)), np.int64),
    )  # fmt: skip


def new_row() -> Row:
    """Behind nothing but A."""
    words = np.array([0, (1 << 2 * SPAN) - 1, 0, 0, 0], np.uint64)
    nothing = np.zeros((3, POOL), np.int64)
    return Row(
        words, np.full(POOL, -1), np.ones(POOL, np.int64), nothing[0], nothing[1],
        np.zeros(1, np.int64), np.zeros((WAYS, 3), np.int64), np.zeros((WAYS, 128), np.int64),
        np.zeros(EXPERTS),
    )  # fmt: skip


def new_room() -> Room:
    """Scratch."""
    sets, members = len(SETS), 4 * MEMBERS
    return Room(
        np.ones(4 * WIDTH), np.zeros(4 * WIDTH, np.float32), np.zeros((4, 2), np.float32),
        np.zeros(RANKED, np.int64),
        np.zeros((RANKED, 4), np.int64), np.zeros(RANKED, np.int64), np.zeros(POOL, np.int64),
        np.zeros(POOL, np.int64), np.zeros(POOL), np.zeros(POOL, np.int64),
        np.zeros(sets + len(FINALS), np.int64), np.zeros(sets, np.int64), np.zeros(members),
        np.zeros(members), np.zeros(members), np.zeros(4 * HIDDEN), np.zeros(4 * len(FINALS)),
        np.zeros(4), np.zeros((WAYS, 4)),
    )  # fmt: skip
