"""A grammar is kept by both engines, in streams, fillings and searches; what it took is told."""

import numpy as np
import pytest

from seqforge.core.data.constraint import Constraint
from seqforge.core.sampling.beam import beam_search
from seqforge.core.sampling.params import SamplerParams
from seqforge.core.sampling.sampler import Sampler
from seqforge.core.sampling.torch_engine import TorchEngine

from .plain import drawn_by_hand
from .tiny import STRATEGIES, checkpoint, grammar, log_probs

ENGINES = {"kernel": lambda model: None, "torch": lambda model: TorchEngine(model, "cpu")}


def walk(constraint, ids, place=0):
    """The states before each id and after the last."""
    places = [place]
    for symbol in ids:
        places.append(int(constraint.following[places[-1], symbol]))
    return places


def ids_of(model, sample):
    ids = model.card.vocabulary.encode(sample.symbols).tolist()
    return ids[: sample.prime_length], [*ids[sample.prime_length :], *([0] if sample.ended else [])]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", STRATEGIES)
def test_nothing_is_drawn_that_the_grammar_forbids_after_the_prime(name, engine):
    """A prime may hold what the grammar does not allow: it leads on all the same."""
    model, constraint = checkpoint(seed=5), grammar()
    sampler = Sampler(model, constraint, engine=ENGINES[engine](model), threads=1)
    options = SamplerParams(length=40, prime="abcdefg", **STRATEGIES[name])
    for sample in sampler.draw(30, options):
        prime, drawn = ids_of(model, sample)
        places = walk(constraint, prime)
        for place, symbol in zip(walk(constraint, drawn, places[-1]), drawn, strict=False):
            assert constraint.allowed[place, symbol]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("records", [1, 3])
def test_the_removed_mass_is_the_mean_of_what_the_grammar_forbids(engine, records):
    """By torch's probabilities, at temperature 1 and before any strategy."""
    model, constraint = checkpoint(seed=5, end=-1.0), grammar()
    sampler = Sampler(model, constraint, engine=ENGINES[engine](model), threads=1)
    options = SamplerParams(length=40, prime="abc", top_k=2, temperature=3, records=records)
    prime, before = model.card.vocabulary.encode("abc").tolist(), []
    for sample in sampler.draw(8, options):
        if (sample.number - 1) % records == 0:
            before = []
        _, drawn = ids_of(model, sample)
        places = walk(constraint, [*prime, *before, *drawn])[len(prime) + len(before) : -1]
        chances = np.exp(log_probs(model, [*prime, *before, *drawn])[len(prime) + len(before) : -1])
        removed = [
            p[~constraint.allowed[place]].sum() for p, place in zip(chances, places, strict=True)
        ]
        logs = np.log(chances[np.arange(len(drawn)), drawn])
        before += drawn
        if drawn:
            assert sample.removed_mass == pytest.approx(np.mean(removed), abs=1e-6)
            assert sample.mean_log_prob == pytest.approx(np.mean(logs), abs=1e-5)


def test_without_a_grammar_nothing_is_said_of_a_removed_mass():
    (sample,) = Sampler(checkpoint()).draw(1, SamplerParams(length=5, exact_length=True))
    assert sample.removed_mass is None


@pytest.mark.parametrize("name", ["plain", "repetition", "all"])
def test_samples_in_a_grammar_equal_those_drawn_step_by_step(name):
    model, constraint = checkpoint(seed=5, cell="gru"), grammar()
    options = SamplerParams(length=50, exact_length=True, prime="gab", **STRATEGIES[name])
    for number, sample in enumerate(Sampler(model, constraint).draw(6, options), 1):
        ids = drawn_by_hand(model, options, number, 50, constraint)
        assert sample.drawn == model.card.vocabulary.decode(ids)


@pytest.mark.parametrize("engine", ENGINES)
def test_where_only_the_end_is_allowed_an_exact_length_is_kept_all_the_same(engine):
    """The grammar allows a, then only the end; the end is held back, so that it gives way."""
    allowed, following = np.zeros((2, 8), bool), np.zeros((2, 8), np.int32)
    allowed[0, 1] = allowed[1, 0] = True
    following[0, 1] = following[1, :] = 1
    model = checkpoint()
    sampler = Sampler(model, Constraint(allowed, following), engine=ENGINES[engine](model))
    for sample in sampler.draw(9, SamplerParams(length=12, exact_length=True)):
        assert len(sample.symbols) == 12
        assert sample.symbols[0] == "a"
        assert not sample.ended
        assert 0 < sample.removed_mass < 1
    for sample in sampler.draw(9, SamplerParams(length=12)):
        assert (sample.symbols, sample.ended) == ("a", True)
    beam = beam_search(sampler.plan(SamplerParams(length=3, exact_length=True)), 4, 4)
    assert {len(sample.symbols) for sample in beam} == {3}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_least_length_holds_the_end_back_until_then(engine):
    model = checkpoint(seed=3)
    sampler = Sampler(model, engine=ENGINES[engine](model), threads=1)
    free = list(sampler.draw(40, SamplerParams(length=80, prime="ab")))
    held = list(sampler.draw(40, SamplerParams(length=80, prime="ab", min_length=15)))

    assert {len(sample.drawn) >= 15 for sample in free} == {True, False}
    assert min(len(sample.drawn) for sample in held) == 15
    assert any(sample.ended for sample in held)
    records = SamplerParams(length=80, min_length=15, records=3)
    assert min(len(sample.drawn) for sample in sampler.draw(9, records)) >= 15
    beam = beam_search(sampler.plan(SamplerParams(length=9, min_length=4)), 4, 4)
    assert min(len(sample.drawn) for sample in beam) >= 4


@pytest.mark.parametrize("engine", ENGINES)
def test_the_unknown_symbol_is_never_drawn_but_where_the_prime_holds_it(engine):
    model = checkpoint(symbols=(*"abc", "�"), unknown=True)
    sampler = Sampler(model, engine=ENGINES[engine](model), threads=1)
    for temperature in (0.0, 1.0, np.inf):
        options = SamplerParams(length=60, prime="a?b", temperature=temperature)
        drawn = "".join(sample.drawn for sample in sampler.draw(20, options))
        assert "�" not in drawn
    assert "�" not in "".join(
        sample.drawn for sample in beam_search(sampler.plan(SamplerParams(length=5)), 50, 50)
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_fillings_and_searches_keep_to_the_grammar(engine):
    model, constraint = checkpoint(seed=5), grammar()
    sampler = Sampler(model, constraint, engine=ENGINES[engine](model), threads=1)
    options = SamplerParams(length=9, exact_length=True, prime="ab", suffix="a", candidates=200)
    for sample in sampler.draw(5, options):
        places = walk(constraint, model.card.vocabulary.encode(sample.symbols))[2:]
        ids = model.card.vocabulary.encode(sample.symbols[2:])
        assert all(constraint.allowed[p, i] for p, i in zip(places, ids, strict=False))
        assert (sample.symbols[:2], sample.symbols[-1], len(sample.symbols)) == ("ab", "a", 12)
    for sample in beam_search(sampler.plan(SamplerParams(length=9, prime="ab")), 20, 20):
        prime, drawn = ids_of(model, sample)
        places = walk(constraint, drawn, walk(constraint, prime)[-1])
        assert all(constraint.allowed[p, i] for p, i in zip(places, drawn, strict=False))


@pytest.mark.parametrize(
    ("allowed", "following", "message"),
    [
        (np.ones((2, 3), bool), np.zeros((2, 4), int), "same|both"),
        (np.eye(2, 3, k=5, dtype=bool), np.zeros((2, 3), int), "allows nothing"),
        (np.ones((2, 3), bool), np.full((2, 3), 2), "does not exist"),
    ],
)  # fmt: skip
def test_a_grammar_that_leads_nowhere_is_refused(allowed, following, message):
    with pytest.raises(ValueError, match=message):
        Constraint(allowed, following)


def test_a_grammar_of_another_vocabulary_is_refused():
    with pytest.raises(ValueError, match="vocabulary"):
        Sampler(checkpoint(), grammar(size=5))
