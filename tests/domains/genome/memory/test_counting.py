"""Counts behind contexts, on both strands, against a slow plain count."""

from collections import Counter
from functools import cache

import numpy as np
import pytest

from seqforge.domains.genome.memory.counting import (
    context_of,
    count,
    count_one,
    read_back,
    read_on,
    richer,
)
from seqforge.domains.genome.memory.tables import (
    BEFORE,
    ORDERS,
    PATTERNS,
    counts_for,
    new_learnt,
    new_row,
)

GENOME = np.concatenate([np.zeros(BEFORE), np.random.default_rng(0).integers(0, 4, 1500)])
GENOME = GENOME.astype(np.uint8)


def register(context):
    """The last bases as a number, the last one lowest."""
    return np.uint64(int("".join(map(str, context)), 4))


def plain_counts(order):
    """How often each base followed each context, on both strands."""
    found = Counter()
    for i in range(BEFORE, len(GENOME)):
        window = GENOME[i - order : i + 1]
        found[(*window.tolist(),)] += 1
        found[(*(3 - window[::-1]).tolist(),)] += 1
    return found


@cache
def counted():
    counts, row = counts_for(1 << 23, 500_000_000), new_row()
    count(counts, GENOME, BEFORE, row.words[0], row.words[1], 0)
    return counts


@pytest.mark.parametrize("order", ORDERS)
def test_direct_counts_are_those_of_both_strands(order):
    counts, place = counted(), ORDERS.index(order)
    begin = counts.begins[place]

    for (*context, base), times in plain_counts(order).items():
        found = counts.direct[begin + 4 * int(register(context)) + base]
        assert found == times


@pytest.mark.parametrize("table", range(len(PATTERNS)))
def test_hashed_contexts_know_what_followed_them(table):
    """The last base seen behind a context of 16 and more bases is among its counts, unless other
    contexts want the place."""
    counts, hits = counted(), 0
    places = range(BEFORE, len(GENOME))
    for i in places:
        z = int(context_of(register(GENOME[i - 32 : i]), counts, table))
        word = int(counts.slots[table, z >> counts.shift])
        hits += word >> 24 == z & 255 and (word >> 6 * int(GENOME[i])) & 63 > 0
    assert hits > 0.9 * len(places)


def test_tables_are_as_large_as_the_genome_wants_within_the_budget():
    sizes = [
        sum(np.asarray(part).nbytes for part in (*counts_for(bases, budget), *new_learnt(bases)))
        for bases, budget in ((10**5, 10**9), (2 * 10**6, 10**9), (10**8, 10**9))
    ]

    assert sizes[0] < 60_000_000
    assert sizes[0] < sizes[1] < sizes[2] < 1.01e9


def test_a_small_genomes_contexts_share_places():
    """Nothing is lost: each base is counted on both strands in each order."""
    counts, row = counts_for(300, 0), new_row()
    count(counts, GENOME, BEFORE, row.words[0], row.words[1], 0)

    assert counts.bits[-1] < 2 * ORDERS[-1]
    ends = [*counts.begins[1:], len(counts.direct)]
    for begin, end in zip(counts.begins, ends, strict=True):
        assert counts.direct[begin:end].sum() == 2 * (len(GENOME) - BEFORE)


def test_one_base_after_the_other_counts_what_all_at_once_count():
    whole, single, row = counts_for(1500, 0), counts_for(1500, 0), new_row()
    h, r, rich = row.words[0], row.words[1], 0
    count(whole, GENOME, BEFORE, h, r, rich)
    for i in range(BEFORE, len(GENOME)):
        behind = read_back(r, int(GENOME[i]))
        count_one(single, GENOME, i, h, behind, rich)
        h, r, rich = read_on(h, int(GENOME[i])), behind, richer(rich, GENOME, i)

    np.testing.assert_array_equal(single.direct, whole.direct)
    np.testing.assert_array_equal(single.zoned, whole.zoned)
    np.testing.assert_array_equal(single.slots, whole.slots)
