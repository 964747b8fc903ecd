"""A memory for symbols of any kind keeps the laws, and learns."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from seqforge.core.memory.symbol_memory import SymbolMemory
from tests.core.memory import laws

DRAW = np.random.default_rng(7)


def speech(length: int, vocab_size: int) -> np.ndarray:
    """Symbols with habits: a chain of order 1, phrases that come again, an end now and then."""
    chain = DRAW.dirichlet(np.full(vocab_size, 0.2), vocab_size)
    ids = [1]
    while len(ids) < length:
        if DRAW.random() < 0.05 and len(ids) > 60:
            start = int(DRAW.integers(0, len(ids) - 40))
            ids += ids[start : start + 30]
        ids.append(int(DRAW.choice(vocab_size, p=chain[ids[-1]])))
    return np.array(ids[:length], np.uint8)


SIZES = (3, 40)
IDS = {size: speech(1500, size) for size in SIZES}


def maker(size: int) -> laws.Make:
    return partial(SymbolMemory, IDS[size], size, budget=1 << 18)


@pytest.mark.parametrize("size", SIZES)
def test_pieces_give_the_bits_of_the_whole(size):
    laws.check_pieces(maker(size), IDS[size], size)


@pytest.mark.parametrize("adapt", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_what_comes_later_does_not_matter(size, adapt):
    laws.check_causality(maker(size), IDS[size], size, adapt)


@pytest.mark.parametrize("size", SIZES)
def test_several_ways_at_once_are_each_on_its_own(size):
    laws.check_together(maker(size), IDS[size], size)


@pytest.mark.parametrize("size", SIZES)
def test_probabilities_sum_to_one_and_are_those_that_are_scored(size):
    laws.check_distribution(maker(size), IDS[size][:600], size)


@pytest.mark.parametrize("size", SIZES)
def test_frozen_it_changes_nothing(size):
    laws.check_frozen(maker(size), IDS[size])


def test_saved_and_loaded_it_gives_the_same_bits():
    laws.check_saved(maker(40), IDS[40], 40)


def test_an_arithmetic_coder_needs_what_the_scores_say():
    laws.check_coding(maker(40), IDS[40][:400])


def test_interpreted_it_gives_the_same_bits():
    laws.check_interpreted(maker(40), IDS[40][:120], 40)


@pytest.mark.parametrize("size", SIZES)
def test_no_index_is_outside(size):
    ids = np.tile(IDS[size], 4)
    laws.check_bounds(partial(SymbolMemory, ids, size, budget=1 << 14), ids, size)


def test_it_learns_habits_and_follows_repeats():
    ids = IDS[40]
    counts = np.bincount(ids, minlength=40) / len(ids)
    order_0 = -(counts[counts > 0] * np.log2(counts[counts > 0])).sum()
    memory = laws.taught(maker(40), ids[:1200])
    assert laws.bits(memory.score(ids[1200:])) < 0.8 * order_0
    again = np.tile(ids[1200:1300], 4)
    assert laws.bits(memory.score(again)[-100:]) < 0.1


def test_a_network_that_knows_better_is_believed():
    ids = DRAW.integers(0, 40, 3000)
    net = laws.network_of(ids, 40)
    net[np.arange(3000), ids] += 4
    net -= np.log(np.exp(net).sum(axis=1, keepdims=True))
    memory = SymbolMemory(ids, 40, 1 << 18)
    memory.learn(ids[:500])
    memory.score(ids[500:2500], net[500:2500])
    alone = laws.bits(net[np.arange(2500, 3000), ids[2500:]])
    assert laws.bits(memory.score(ids[2500:], net[2500:])) < 1.05 * alone + 0.1
    assert laws.bits(memory.score(DRAW.integers(0, 40, 500))) > 3
