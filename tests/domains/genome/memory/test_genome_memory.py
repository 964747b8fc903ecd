"""The memory of genomes keeps the laws of memories, and knows repeats on both strands."""

import numpy as np
import pytest

from seqforge.domains.genome.memory.genome_memory import GenomeMemory
from tests.core.memory import laws

SYMBOLS = "ACGTNacgt"
SIZE = len(SYMBOLS) + 1
COMPLEMENT = np.array([0, 4, 3, 2, 1, 5, 9, 8, 7, 6], np.uint8)
BUDGET = 10_000_000


def bases(count, seed=0):
    return np.random.default_rng(seed).integers(1, 5, count).astype(np.uint8)


def mutated(ids, every):
    """The ids with every so manieth changed."""
    other = ids.copy()
    other[::every] = other[::every] % 4 + 1
    return other


def genome():
    """Repeats on both strands, a soft-masked stretch, a gap and ends: 560 symbols."""
    unit, masked = bases(120), bases(60, 1) + 5
    gap = np.full(5, 5, np.uint8)
    return np.concatenate([
        unit, [0], masked, gap, mutated(unit, 25), COMPLEMENT[unit][::-1], [0], mutated(unit, 19),
        bases(12, 2),
    ]).astype(np.uint8)  # fmt: skip


def make(warm=1000):
    return GenomeMemory.of(SYMBOLS, 1000, BUDGET, warm)


def cold():
    """One that only counts most of what it learns."""
    return make(40)


@pytest.mark.parametrize("new", [make, cold])
def test_pieces_give_the_bits_of_the_whole(new):
    laws.check_pieces(new, genome(), SIZE)


@pytest.mark.parametrize("adapt", [True, False])
def test_nothing_is_known_of_what_comes(adapt):
    laws.check_causality(make, genome(), SIZE, adapt)


def test_probabilities_sum_to_one_and_are_those_of_the_scores():
    laws.check_distribution(make, genome(), SIZE)


def test_frozen_it_changes_nothing():
    laws.check_frozen(make, genome())


def test_all_ways_at_once_are_each_on_its_own():
    laws.check_together(make, genome(), SIZE)


def test_saved_and_loaded_it_is_the_same():
    laws.check_saved(cold, genome(), SIZE)


def test_a_coder_needs_the_bits_of_the_scores():
    laws.check_coding(make, genome()[:300])


def test_plain_python_gives_the_bits_of_compiled_code():
    with np.errstate(over="ignore"):  # hashes wrap
        laws.check_interpreted(cold, genome()[200:440], SIZE)


def test_no_index_is_outside():
    laws.check_bounds(cold, np.concatenate([genome(), bases(2000), genome()[::-1]]), SIZE)


def test_a_vocabulary_may_lack_bases():
    """Here there is no T, and of the lower-case bases a alone."""
    ids = np.random.default_rng(3).integers(0, 5, 200).astype(np.uint8)
    laws.check_distribution(lambda: GenomeMemory.of("ACGa", 1000, BUDGET), ids, 5)


@pytest.mark.parametrize(
    "repeated", [lambda ids: ids, lambda ids: COMPLEMENT[ids][::-1]], ids=["forward", "inverted"]
)
def test_repeats_are_followed_through_mutations(repeated):
    """A copy with a mutation every 30 bases costs less than half of what its original did."""
    unit = bases(3000)
    memory = make(10_000)
    memory.learn(bases(3000, 5))
    first = memory.score(unit)
    second = memory.score(mutated(repeated(unit), 30))

    assert laws.bits(first) > 1.9
    assert laws.bits(second) < 0.5 * laws.bits(first)


def test_the_network_is_one_more_expert():
    """Beside a network that knows more than chance, scores are better than alone."""
    ids = bases(6000)
    net = laws.network_of(ids, SIZE)
    alone, beside = laws.taught(make, ids[:3000]), laws.taught(make, ids[:3000])

    found = laws.bits(beside.score(ids[3000:], net[3000:])[-1000:])
    given = laws.bits(net[np.arange(5000, 6000), ids[5000:]].astype(np.float64))
    assert found < min(laws.bits(alone.score(ids[3000:])[-1000:]), given)


def test_ends_cost_little_where_they_are_rare():
    memory = laws.taught(make, np.append(bases(5000), 0).astype(np.uint8))

    found = memory.score(bases(100, 4))
    assert laws.bits(found) < 2.1
    assert memory.predict()[0] == pytest.approx(np.log(1 / 5000), abs=1)
