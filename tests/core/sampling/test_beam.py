"""Beam search against the enumeration of every sequence."""

import json
from itertools import product

import numpy as np
import pytest

from seqforge.core.sampling.beam import beam_search
from seqforge.core.sampling.params import SamplerParams
from seqforge.core.sampling.sampler import Sampler
from seqforge.core.sampling.torch_engine import TorchEngine

from .tiny import checkpoint, grammar, log_probs, log_probs_of_rows

FOUR = tuple("abcd")
ALL = 500  # of 4 symbols and lengths to 4, with and without the end, there are 341


def enumerate_all(model, length, penalty=0.0, prime="", constraint=None, end_held=False):
    """Every sequence with its score, the best first: (score, text, ended)."""
    vocabulary = model.card.vocabulary
    start, found = vocabulary.encode(prime).tolist(), []
    longest = list(product(range(1, 5), repeat=length))
    rows = log_probs_of_rows(model, [[*start, *ids] for ids in longest])[:, len(start) :]
    follows = {ids[:n]: row for ids, row in zip(longest, rows, strict=True) for n in range(length)}
    whole = [] if end_held else [(*ids, 0) for ids in follows]
    for ids in [*whole, *longest]:
        scores, place = follows[ids[:-1]], 0
        for symbol in start:
            place = constraint.following[place, symbol] if constraint else 0
        total, fits = 0.0, True
        for row, symbol in zip(scores, ids, strict=False):
            total += float(row[symbol])
            if constraint:
                fits &= bool(constraint.allowed[place, symbol])
                place = constraint.following[place, symbol]
        if fits:
            score = total / ((5 + len(ids)) / 6) ** penalty
            found.append((score, vocabulary.decode(ids), ids[-1] == 0))
    return sorted(found, reverse=True)


def model_of_four(**more):
    return checkpoint(seed=21, symbols=FOUR, hidden_size=12, sharp=3.0, **more)


@pytest.mark.parametrize("penalty", [0.0, 0.7, 2.0])
@pytest.mark.parametrize("prime", ["", "dab"])
@pytest.mark.parametrize("held", [False, True], ids=["end", "exact"])
@pytest.mark.parametrize("rules", [None, grammar(5, 3, seed=4)], ids=["free", "grammar"])
def test_a_beam_that_holds_everything_finds_what_enumeration_finds(penalty, prime, held, rules):
    model = model_of_four(cell="gru")
    sampler = Sampler(model, rules)
    options = SamplerParams(length=4, prime=prime, exact_length=held)
    wanted = enumerate_all(model, 4, penalty, prime, rules, held)

    for best in (1, 5, len(wanted)):
        found = beam_search(sampler.plan(options), ALL, best, penalty)
        assert [sample.drawn for sample in found] == [text for _, text, _ in wanted[:best]]
        assert [sample.ended for sample in found] == [ended for *_, ended in wanted[:best]]
        assert [sample.number for sample in found] == list(range(1, best + 1))
        for sample, (score, text, ended) in zip(found, wanted, strict=False):
            count = len(text) + ended
            again = sample.mean_log_prob * count / ((5 + count) / 6) ** penalty
            assert again == pytest.approx(score, abs=1e-5)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_no_width_finds_better_than_there_is_and_the_order_is_that_of_the_scores(penalty):
    model = model_of_four(end=-2.0)
    plan = Sampler(model).plan(SamplerParams(length=4))
    wanted = {(text, ended): score for score, text, ended in enumerate_all(model, 4, penalty)}
    highest = max(wanted.values())
    for width in range(1, 25):
        found = beam_search(plan, width, width, penalty)
        scores = [wanted[sample.drawn, sample.ended] for sample in found]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] <= highest
        assert len({(sample.drawn, sample.ended) for sample in found}) == len(found) <= width
    assert scores[0] == highest


@pytest.mark.parametrize("seed", range(5))
def test_a_width_of_one_is_greedy(seed):
    sampler = Sampler(checkpoint(seed=seed, sharp=3.0))
    options = SamplerParams(length=50, exact_length=True, temperature=0, prime="fed")
    (greedy,) = sampler.draw(1, options)
    (found,) = beam_search(sampler.plan(options), 1, 1)
    assert found.symbols == greedy.symbols
    assert found.mean_log_prob == pytest.approx(greedy.mean_log_prob, abs=1e-6)


def test_both_engines_find_the_same():
    model = checkpoint(seed=3, sharp=3.0)
    options = SamplerParams(length=20, prime="bag")
    ours, theirs = (
        beam_search(Sampler(model, engine=engine).plan(options), 8, 8, 0.5)
        for engine in (None, TorchEngine(model, "cpu"))
    )
    assert [s.symbols for s in ours] == [s.symbols for s in theirs]
    logs = [[s.mean_log_prob for s in found] for found in (ours, theirs)]
    np.testing.assert_allclose(*logs, atol=1e-5)


def test_a_sequence_ends_with_what_was_asked_for():
    """All that hold the stop string hold it once and at the end; the rest have full length."""
    model = model_of_four(end=-30.0)
    found = beam_search(Sampler(model).plan(SamplerParams(length=4, stop="ca")), ALL, ALL)
    texts = {sample.drawn for sample in found if not sample.ended}
    everything = ("".join(text) for text in product(FOUR, repeat=4))
    assert texts == {t[: t.find("ca") + 2] if "ca" in t else t for t in everything}
    for sample in found:
        if not sample.ended:
            ids = model.card.vocabulary.encode(sample.drawn)
            logs = log_probs(model, ids.tolist())[np.arange(len(ids)), ids]
            assert sample.mean_log_prob == pytest.approx(logs.mean(), abs=1e-5)


def test_the_removed_mass_is_the_mean_of_what_the_grammar_forbids():
    """Of every sequence within the grammar, by torch's probabilities; and json can keep it."""
    model, rules = model_of_four(), grammar(5, 3, seed=4)
    vocabulary = model.card.vocabulary
    options = SamplerParams(length=4, prime="dab")
    found = beam_search(Sampler(model, rules).plan(options), ALL, 20)
    for sample in found:
        ids = [*vocabulary.encode(sample.symbols).tolist(), *([0] if sample.ended else [])]
        chances, place, removed = np.exp(log_probs(model, ids)), 0, []
        for row, symbol in zip(chances, ids, strict=False):
            removed.append(row[~rules.allowed[place]].sum())
            place = rules.following[place, symbol]
        if ids[3:]:
            assert sample.removed_mass == pytest.approx(np.mean(removed[3:]), abs=1e-6)
        assert json.loads(json.dumps(vars(sample))) == vars(sample)
    assert len({sample.removed_mass for sample in found}) > 5
    (free,) = beam_search(Sampler(model).plan(options), 3, 1)
    assert free.removed_mass is None


@pytest.mark.parametrize(("width", "best"), [(3, 4), (3, 0), (0, 0)])
def test_more_than_is_held_cannot_be_returned(width, best):
    plan = Sampler(checkpoint()).plan(SamplerParams(length=4))
    with pytest.raises(ValueError, match=f"of {width} sequences held, {best} cannot be returned"):
        beam_search(plan, width, best)


@pytest.mark.parametrize("penalty", [-0.1, float("nan"), float("inf")])
def test_a_penalty_that_favours_what_is_short_is_refused(penalty):
    """The search ends by a bound that holds only where longer sequences lose nothing."""
    plan = Sampler(checkpoint()).plan(SamplerParams(length=4))
    with pytest.raises(ValueError, match="length_penalty must lie in"):
        beam_search(plan, 2, 2, penalty)
