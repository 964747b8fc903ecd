"""Filling a gap: equal to a plain re-statement, and distributed as the model's own conditional."""

from collections import Counter
from itertools import product

import numpy as np
import pytest

from seqforge.core.sampling.params import SamplerParams
from seqforge.core.sampling.sampler import Sampler
from seqforge.core.sampling.torch_engine import TorchEngine
from seqforge.errors import InputError

from .plain import numbers
from .test_sampler_constraints import walk
from .test_sampler_frequencies import assert_as_often
from .tiny import STRATEGIES, checkpoint, grammar, log_probs

SUFFIX = "dg"


def test_the_end_of_these_tests_is_allowed_in_some_states_and_not_in_others():
    rules, ids = grammar(), checkpoint().card.vocabulary.encode(SUFFIX)
    fits = [
        all(rules.allowed[p, i] for p, i in zip(walk(rules, ids, place), ids, strict=False))
        for place in range(4)
    ]
    assert set(fits) == {True, False}


def told_again(model, options, number, constraint=None):
    """The gap of a sample: candidates as samples of their own, weighed by torch."""
    vocabulary, gap = model.card.vocabulary, {**vars(options), "suffix": ""}
    sampler = Sampler(model, constraint)
    suffix = vocabulary.encode(options.suffix).tolist()
    texts, weights = [], []
    for candidate in range(options.candidates):
        (sample,) = sampler.draw(1, SamplerParams(**gap), first=number + (candidate << 40))
        ids = vocabulary.encode(sample.symbols).tolist()
        rows = log_probs(model, [*ids, *suffix])[len(ids) : -1]
        weight = float(np.exp(rows[np.arange(len(suffix)), suffix].sum()))
        if constraint is not None:
            places = walk(constraint, [*ids, *suffix])[len(ids) :]
            fits = [constraint.allowed[p, i] for p, i in zip(places, suffix, strict=False)]
            weight *= all(fits)
        texts.append(sample.drawn)
        weights.append(weight)
    assert any(weights)
    wanted = numbers(options.seed, number + (options.candidates << 40), 1)[0] * sum(weights)
    return texts[int(np.searchsorted(np.cumsum(weights), wanted, side="right"))]


@pytest.mark.parametrize("constraint", [None, grammar()], ids=["free", "grammar"])
@pytest.mark.parametrize("name", ["plain", "schedule", "repetition", "all"])
def test_a_filling_equals_its_plain_restatement(name, constraint):
    model = checkpoint(seed=7)
    options = SamplerParams(
        length=6, exact_length=True, prime="bad", suffix=SUFFIX, candidates=13, seed=3,
        **STRATEGIES[name],
    )  # fmt: skip
    found = list(Sampler(model, constraint, threads=1).draw(6, options, first=4))
    again = list(Sampler(model, constraint, threads=3).draw(9, options, first=1))[3:]
    other = Sampler(model, constraint, engine=TorchEngine(model, "cpu")).draw(6, options, first=4)

    assert found == again
    for number, (sample, theirs) in enumerate(zip(found, other, strict=True), 4):
        assert sample.drawn == theirs.drawn == told_again(model, options, number, constraint)
        assert sample.symbols == "bad" + sample.drawn + SUFFIX
        assert (sample.prime_length, sample.suffix_length, sample.number) == (3, 2, number)
        assert not sample.ended
        ids = model.card.vocabulary.encode("bad" + sample.drawn)
        logs = log_probs(model, ids.tolist())[np.arange(len(ids)), ids][3:]
        assert sample.mean_log_prob == pytest.approx(logs.mean(), abs=1e-5)


def test_many_candidates_give_the_conditional_distribution_of_the_gap():
    """p(gap | beginning, end) by enumeration of all 4^2 gaps; the end is a strong constraint."""
    model = checkpoint(seed=7, symbols=tuple("abcd"), hidden_size=8, scale=2.5, sharp=2.0)
    vocabulary = model.card.vocabulary
    prime, suffix = vocabulary.encode("ab").tolist(), vocabulary.encode("dcd").tolist()
    wanted, first = {}, {}
    for gap in product(range(1, 5), repeat=2):
        rows = log_probs(model, [*prime, *gap, *suffix])[len(prime) :]
        of_gap = sum(
            row[symbol] - np.log1p(-np.exp(row[0])) for row, symbol in zip(rows, gap, strict=False)
        )
        of_end = sum(row[symbol] for row, symbol in zip(rows[2:], suffix, strict=False))
        text = vocabulary.decode(gap)
        wanted[text], first[text] = float(np.exp(of_gap + of_end)), float(np.exp(of_gap))
    total = sum(wanted.values())
    wanted = {text: p / total for text, p in wanted.items()}
    options = SamplerParams(
        length=2, exact_length=True, prime="ab", suffix="dcd", candidates=300, seed=8
    )
    counts = Counter(sample.drawn for sample in Sampler(model).draw(1500, options))

    assert_as_often(counts, wanted)
    with pytest.raises(AssertionError):  # and it is not the distribution without the end
        assert_as_often(counts, first)


def test_one_candidate_is_plain_drawing():
    sampler = Sampler(checkpoint())
    settings = {"length": 30, "exact_length": True, "prime": "abc"}
    filled = sampler.draw(5, SamplerParams(**settings, suffix="def", candidates=1))
    plain = sampler.draw(5, SamplerParams(**settings))
    assert [s.drawn for s in filled] == [s.drawn for s in plain]


def test_an_end_that_the_grammar_never_allows_is_put_there_all_the_same():
    constraint = grammar()
    constraint.allowed[:, 7] = False
    options = SamplerParams(length=4, exact_length=True, suffix="gg", candidates=9)
    (sample,) = Sampler(checkpoint(), constraint).draw(1, options)
    assert sample.symbols[4:] == "gg"
    assert "g" not in sample.drawn


def test_a_symbol_of_the_end_that_the_model_lacks_is_named():
    options = SamplerParams(length=4, exact_length=True, suffix="ax")
    with pytest.raises(InputError, match=r"the suffix: 'x' .* at position 2 is not a symbol"):
        list(Sampler(checkpoint()).draw(1, options))


def test_a_stream_does_not_leave_the_end_out_in_silence():
    """A filling is chosen when all candidates are there: it cannot be told symbol by symbol."""
    options = SamplerParams(length=4, exact_length=True, suffix="aa")
    with pytest.raises(ValueError, match="suffix"):
        Sampler(checkpoint()).stream(options)
