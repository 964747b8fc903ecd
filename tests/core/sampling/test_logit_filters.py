"""Uniform numbers against numpy's, each strategy against a slow plain statement of it."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seqforge.core.data.vocabulary import Vocabulary
from seqforge.core.sampling.logit_filters import (
    draw_symbol,
    exponential,
    filter_logits,
    philox_uniform,
    scratch,
)
from seqforge.core.sampling.params import SamplerParams
from seqforge.core.sampling.request import filter_params
from seqforge.core.sampling.sampler import Sampler
from seqforge.core.sampling.sampling_kernel import Grammar, closed_batch, draw_column

from .plain import OnTheEdge, chances, drawn_by_hand, log_softmax, numbers, pick
from .tiny import STRATEGIES, checkpoint

ROWS = 64
FREE = Grammar(np.zeros((0, 12), bool), np.zeros((0, 12), np.int32))


def uniforms(seed, stream, positions):
    return np.array([philox_uniform(seed, stream, int(p)) for p in positions])


def weights_of(scores, temperature, rules):
    room = scratch(len(scores))
    room.scores[:] = scores
    filter_logits(len(scores), temperature, rules, room)
    return room.chances


def chosen(weights, number):
    return draw_symbol(weights, len(weights), number)


def exponentials(numbers):
    return np.array([exponential(float(x)) for x in numbers])


@given(
    st.integers(0, 2**63 - 1), st.integers(0, 2**46),
    st.lists(st.integers(0, 2**40), min_size=1, max_size=8),
)  # fmt: skip
@example(0, 0, [0, 1, 2, 3, 4, 5, 6, 7])
@example(2**63 - 1, 2**46, [0, 3, 4, 2**40])
def test_a_uniform_number_is_numpys_philox_at_every_position(seed, stream, positions):
    found = uniforms(np.uint64(seed), np.uint64(stream), np.array(positions))

    key = np.array([seed, stream], np.uint64)
    for position, number in zip(positions, found, strict=True):
        ahead = np.random.Philox(key=key, counter=[position // 4, 0, 0, 0])
        assert number == np.random.Generator(ahead).random(4)[position % 4]
    ahead = uniforms(np.uint64(seed), np.uint64(stream), np.arange(9))
    assert ahead.tolist() == numbers(seed, stream, 9).tolist()


def test_the_exponential_is_within_rounding_of_the_true_one():
    x = -np.concatenate([np.linspace(0, 50, 20_001), np.linspace(50, 699.9, 5_001), [0.0]])
    np.testing.assert_allclose(exponentials(x), np.exp(x), rtol=5e-16, atol=0)
    assert exponentials(np.array([-700.5, -1e300, -np.inf])).tolist() == [0, 0, 0]
    assert exponentials(np.array([0.0, -0.0])).tolist() == [1, 1]


SCORE = st.one_of(
    st.floats(-30, 5, width=32), st.sampled_from([0.0, 1.0, -2.0]), st.just(-math.inf)
)
LOGITS = st.lists(SCORE, min_size=2, max_size=12).filter(lambda row: max(row) > -math.inf)
TEMPERATURE = st.one_of(st.floats(0.05, 8), st.sampled_from([0.0, 1.0, math.inf]))
SHARE = st.one_of(st.none(), st.floats(0.05, 1))
OPTIONS = {
    "temperature": {"temperature": TEMPERATURE},
    "top-k": {"top_k": st.integers(1, 13)},
    "top-p": {"top_p": st.floats(0.01, 1)},
    "min-p": {"min_p": st.floats(0, 1)},
    "typical": {"typical_p": st.floats(0.01, 1)},
    "repetition": {"repetition_penalty": st.floats(1, 20)},
    "all": {
        "temperature": TEMPERATURE, "top_k": st.one_of(st.none(), st.integers(1, 12)),
        "top_p": SHARE, "min_p": SHARE, "typical_p": SHARE,
        "repetition_penalty": st.floats(1, 5),
    },
}  # fmt: skip


def rules_of(options, size):
    return filter_params(options, Vocabulary(tuple(chr(97 + n) for n in range(size - 1))))


@pytest.mark.parametrize("name", OPTIONS)
@settings(max_examples=150)
@given(data=st.data())
def test_draws_equal_a_plain_statement_of_the_strategy(name, data):
    """64 streams with the same logits: each draws what lists and numpy's numbers say."""
    logits, seed = data.draw(LOGITS), data.draw(st.integers(0, 2**63 - 1))
    size = len(logits)
    seen = data.draw(st.sets(st.integers(0, size - 1)))
    options = SamplerParams(seed=seed, **data.draw(st.fixed_dictionaries(OPTIONS[name])))
    try:
        wanted = chances(logits, options, seen=seen)
    except OnTheEdge:
        return
    streams = closed_batch(ROWS, size, 4, 1)
    streams.open[:], streams.limits[:], streams.ends_left[:] = True, 9, 1
    streams.numbers[:] = np.arange(ROWS)
    streams.counts[:, list(seen)] = 1
    ids = np.zeros(ROWS, np.int64)
    wide = np.tile(np.array(logits, np.float32), (ROWS, 1))
    draw_column(streams, wide, rules_of(options, size), FREE, 0, ids)

    bounds = np.cumsum(wanted)
    for stream, drawn in enumerate(ids):
        number = numbers(seed, stream, 1)[0]
        if abs(bounds - number).min() > 1e-9:
            assert drawn == pick(wanted, number)
        assert wanted[drawn] > 0


@settings(max_examples=300)
@given(LOGITS, st.fixed_dictionaries({k: v for k, v in OPTIONS["all"].items() if k[0] != "r"}))
def test_what_is_drawn_from_equals_the_plain_statement_to_rounding(logits, settings):
    options = SamplerParams(**settings)
    try:
        wanted = chances(logits, options)
    except OnTheEdge:
        return
    scores, rules = np.array(log_softmax(logits)), rules_of(options, len(logits))
    found = weights_of(scores, options.temperature, rules)

    assert (found / found.sum()).tolist() == pytest.approx(wanted, rel=1e-9, abs=1e-300)


@given(LOGITS, st.sampled_from([{}, {"top_k": 3}, {"typical_p": 0.9}, {"min_p": 0.5}]))
def test_temperature_has_exact_limits(logits, more):
    rules = rules_of(SamplerParams(**more), len(logits))
    greedy = weights_of(np.array(logits), 0.0, rules)
    even = weights_of(np.array(logits), math.inf, rules_of(SamplerParams(), len(logits)))

    assert greedy.tolist() == [float(i == np.argmax(logits)) for i in range(len(logits))]
    assert even.tolist() == [float(x > -math.inf) for x in logits]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"top_k": 2}, [0, 1]), ({"top_p": 0.5}, [0, 1]), ({"top_p": 0.51}, [0, 1, 2]),
        ({"min_p": 1.0}, [0, 1, 2, 3]), ({"typical_p": 0.5}, [0, 1]), ({"top_p": 1e-9}, [0]),
        ({"typical_p": 1e-9}, [0]), ({"top_k": 3, "top_p": 0.5}, [0, 1]),
    ],
)  # fmt: skip
def test_among_equals_the_lower_ids_are_kept(options, kept):
    """Four equal logits: a mass that is reached exactly needs no further symbol."""
    rules = rules_of(SamplerParams(**options), 4)
    for temperature in (1.0, math.inf):
        found = weights_of(np.zeros(4), temperature, rules)
        assert np.flatnonzero(found).tolist() == kept


def test_what_is_not_allowed_stays_impossible_at_every_temperature():
    rules = rules_of(SamplerParams(top_k=3, top_p=0.999, min_p=1e-9, typical_p=0.999), 4)
    for temperature in (0.0, 1e-300, 0.7, 1e300, math.inf):
        found = weights_of(np.array([1.0, -math.inf, 3.0, -math.inf]), temperature, rules)
        assert found[1] == found[3] == 0
        assert found.sum() > 0


@given(
    st.lists(st.one_of(st.floats(0, 1), st.just(0.0)), min_size=2, max_size=12),
    st.one_of(st.floats(0, 1, exclude_max=True), st.sampled_from([0.0, 1 - 2.0**-53])),
)
def test_a_symbol_of_probability_zero_is_never_drawn(weights, number):
    total = math.fsum(weights)
    if total == 0:
        return

    drawn = chosen(np.array(weights), number)

    assert weights[drawn] > 0
    assert sum(weights[:drawn]) <= number * total + 1e-12
    assert sum(weights[: drawn + 1]) >= number * total - 1e-12


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_a_sample_equals_one_drawn_step_by_step_with_lists(name, cell):
    """Windows of the penalty, primes, positions of the schedule: all counted anew at each step."""
    model = checkpoint(cell=cell, end=-1)
    options = SamplerParams(length=60, exact_length=True, prime="gabba", **STRATEGIES[name])
    samples = Sampler(model, rows=3, threads=1).draw(4, options, first=11)
    for number, sample in enumerate(samples, 11):
        ids = drawn_by_hand(model, options, number, 60)
        assert sample.drawn == model.card.vocabulary.decode(ids)


@pytest.mark.parametrize("window", [1, 2, 7, 64, 1000])
def test_the_penalty_looks_back_so_many_symbols_and_no_more(window):
    model = checkpoint(seed=2, scale=1.0)
    options = SamplerParams(
        length=150, exact_length=True, prime="aabbccdd", repetition_penalty=3,
        repetition_window=window,
    )  # fmt: skip
    for number, sample in enumerate(Sampler(model, threads=1).draw(3, options), 1):
        ids = drawn_by_hand(model, options, number, 150)
        assert sample.drawn == model.card.vocabulary.decode(ids)
    (plain,) = Sampler(model, threads=1).draw(1, SamplerParams(length=150, exact_length=True))
    assert plain.drawn != sample.drawn
