"""What is drawn comes as often as the model says: Pearson's chi-squared at its 99.9 % point."""

import math
from collections import Counter

import numpy as np
import pytest

from seqforge.core.sampling.params import SamplerParams
from seqforge.core.sampling.sampler import Sampler
from seqforge.core.sampling.torch_engine import TorchEngine

from .plain import chances
from .tiny import STRATEGIES, checkpoint, grammar, log_probs

COUNT = 10_000
PRIME = "abca"


def survival(statistic, freedom):
    """The chance of so much or more: the recurrence of the upper incomplete gamma function."""
    half = statistic / 2
    chance = math.erfc(math.sqrt(half)) if freedom % 2 else 0.0
    for n in range(freedom % 2, freedom, 2):
        chance += math.exp(n / 2 * math.log(half) - half - math.lgamma(n / 2 + 1)) if half else 1
    return chance


def test_the_quantiles_are_those_of_the_tables():
    """NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4."""
    for freedom, tabulated in {1: 10.828, 2: 13.816, 5: 20.515, 10: 29.588, 60: 99.607}.items():
        assert survival(tabulated, freedom) == pytest.approx(0.001, rel=1e-3)


def assert_as_often(counts, wanted):
    """Observed counts against probabilities; what is expected fewer than 8 times is one cell."""
    total = sum(counts.values())
    assert math.fsum(wanted.values()) == pytest.approx(1, abs=1e-9)
    assert {what for what in counts if wanted.get(what, 0) == 0} == set()
    cells, rest = [], [0.0, 0.0]
    for what, p in wanted.items():
        if p * total >= 8:
            cells.append((counts[what], p * total))
        else:
            rest = [rest[0] + counts[what], rest[1] + p * total]
    if rest[1] >= 1:
        cells.append((rest[0], rest[1]))
    else:
        assert rest[0] <= 8
    assert len(cells) > 1 or cells[0][0] == total
    if len(cells) > 1:
        statistic = sum((seen - mean) ** 2 / mean for seen, mean in cells)
        assert survival(statistic, len(cells) - 1) > 0.001


def pairs(model, options, constraint=None):
    """The chances of what two draws after the prime make, by torch and the plain statement."""
    prime = model.card.vocabulary.encode(options.prime).tolist()
    window, place = options.repetition_window, 0
    for symbol in prime:
        place = constraint.following[place, symbol] if constraint else 0

    def after(ids, place):
        forbidden = np.flatnonzero(~constraint.allowed[place]) if constraint else ()
        return chances(
            log_probs(model, ids)[-1].tolist(), options, len(ids) - len(prime),
            set(ids[-window:]), set(forbidden),
        )  # fmt: skip

    found = {}
    for one, p in enumerate(after(prime, place)):
        if one == 0:
            found[""] = p
        elif p:
            then = constraint.following[place, one] if constraint else 0
            for other, q in enumerate(after([*prime, one], then)):
                found[model.card.vocabulary.decode([one, other]), other == 0] = p * q
    return {
        (what if isinstance(what, tuple) else (what, True)): p for what, p in found.items()
    }  # fmt: skip


def drawn_pairs(sampler, options):
    return Counter((sample.drawn, sample.ended) for sample in sampler.draw(COUNT, options))


@pytest.mark.parametrize("name", STRATEGIES)
def test_pairs_of_symbols_come_as_often_as_the_model_and_the_strategy_say(name):
    cell = ("lstm", "gru", "rnn")[len(name) % 3]
    model = checkpoint(seed=4, cell=cell)
    options = SamplerParams(length=2, prime=PRIME, seed=9, **STRATEGIES[name])

    assert_as_often(drawn_pairs(Sampler(model), options), pairs(model, options))


@pytest.mark.parametrize("name", ["plain", "all"])
def test_pairs_within_a_grammar_come_as_often_as_what_it_leaves_says(name):
    model, constraint = checkpoint(seed=4, cell="gru"), grammar()
    options = SamplerParams(length=2, prime=PRIME, seed=10, **STRATEGIES[name])

    counts = drawn_pairs(Sampler(model, constraint), options)

    assert_as_often(counts, pairs(model, options, constraint))


@pytest.mark.parametrize("name", ["plain", "all"])
def test_pairs_drawn_through_torch_come_as_often_too(name):
    model = checkpoint(seed=4, cell="lstm")
    options = SamplerParams(length=2, prime=PRIME, seed=11, **STRATEGIES[name])
    sampler = Sampler(model, engine=TorchEngine(model, "cpu"), rows=2000, threads=1)

    assert_as_often(drawn_pairs(sampler, options), pairs(model, options))


def test_the_same_count_of_another_model_is_found_out():
    """The test above can fail: a model a little different gives other frequencies."""
    options = SamplerParams(length=2, prime=PRIME, seed=9)
    counts = drawn_pairs(Sampler(checkpoint(seed=4)), options)
    with pytest.raises(AssertionError):
        assert_as_often(counts, pairs(checkpoint(seed=4, scale=1.7), options))
