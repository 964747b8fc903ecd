"""The engine of n-gram models: it draws what its counts say, and falls back where they say
nothing.
"""

import math
from collections import Counter

import numpy as np
import pytest

from seqforge.core.config import ModelConfig, RunConfig
from seqforge.core.data.constraint import Constraint
from seqforge.core.model.checkpoint import Checkpoint, ModelCard
from seqforge.core.model.ngram_counting import count_ngrams
from seqforge.core.sampling.ngram_engine import NgramEngine, cpu_engine
from seqforge.core.sampling.params import SamplerParams
from seqforge.core.sampling.sampler import Sampler
from tests.core.sampling.tiny import STRATEGIES

SYMBOLS = tuple("abcdefg")
RECORDS = ["abacabad", "abacef", "bac", "fade"]


def model_of(folder, records=RECORDS, order=2, smoothing="none"):
    """A model that has counted some records."""
    ids = [0]
    for record in records:
        ids += [SYMBOLS.index(symbol) + 1 for symbol in record] + [0]
    settings = ModelConfig(cell="ngram", order=order, smoothing=smoothing)
    arrays = count_ngrams(
        np.array(ids, np.uint8), len(SYMBOLS) + 1, order, smoothed=smoothing != "none",
        folder=folder,
    )  # fmt: skip
    card = ModelCard(
        seqforge_version="0", name="toy", config=RunConfig(domain="text", model=settings),
        symbols=SYMBOLS,
    )  # fmt: skip
    return Checkpoint(card, arrays)


def ids_of(text):
    return np.array([SYMBOLS.index(symbol) + 1 for symbol in text], np.int64)


def shares(engine, context):
    """The probabilities of what comes after a context, where there are any."""
    state = engine.begin(1)
    engine.read(state, ids_of(context))
    found = np.exp(state.logits[0].astype(float))
    return {("$", *SYMBOLS)[i]: round(float(p), 6) for i, p in enumerate(found) if p > 0}


def test_unsmoothed_it_is_counts_over_totals(tmp_path):
    engine = cpu_engine(model_of(tmp_path))
    assert isinstance(engine, NgramEngine)
    assert shares(engine, "") == {"a": 0.5, "b": 0.25, "f": 0.25}
    assert shares(engine, "ab") == {"a": 1.0}
    assert shares(engine, "aba") == {"c": 0.75, "d": 0.25}


def test_a_context_never_seen_falls_back_to_the_end_of_it_and_says_so(tmp_path):
    engine = NgramEngine.of(model_of(tmp_path))
    assert shares(engine, "gf") == shares(NgramEngine.of(model_of(tmp_path, order=1)), "f")
    assert shares(engine, "gg") == shares(NgramEngine.of(model_of(tmp_path, order=0)), "")
    assert engine.fallback(ids_of("aba")) is None
    assert "its last 2 symbols; what comes next goes by the last symbol alone" in str(
        engine.fallback(ids_of("gf"))
    )
    assert "how often symbols come at all" in str(engine.fallback(ids_of("gg")))
    assert "a record that begins so" in str(engine.fallback(ids_of("g")))


def test_scores_do_not_fall_back(tmp_path):
    """What was never seen after its whole context costs infinitely many bits."""
    sampler = Sampler(model_of(tmp_path))
    assert sampler.score("abac").tolist() == pytest.approx([1, 0, 0, -math.log2(3 / 4)])
    assert sampler.score("ga").tolist() == [math.inf, math.inf]
    smoothed = Sampler(model_of(tmp_path, smoothing="kneser-ney"))
    assert np.isfinite(smoothed.score("ga")).all()


def test_rows_read_beside_each_other_as_alone(tmp_path):
    engine = NgramEngine.of(model_of(tmp_path, order=3, smoothing="kneser-ney"))
    state = engine.begin(3)
    for symbols in zip("aba", "fad", "bad", strict=True):
        engine.step(state, ids_of("".join(symbols)))
    for row, text in enumerate(("aba", "fad", "bad")):
        alone = engine.begin(1)
        engine.read(alone, ids_of(text))
        assert (state.logits[row] == alone.logits[0]).all()
        assert (engine.rows(state, np.array([row])).logits == alone.logits).all()
        other = engine.begin(3)
        engine.put(other, 1, alone)
        assert (other.history[1] == state.history[row]).all()
        assert (other.logits[1] == state.logits[row]).all()


def test_drawn_symbols_are_as_frequent_as_probable(tmp_path):
    sampler = Sampler(model_of(tmp_path))
    options = SamplerParams(length=3, prime="aba", seed=5)
    drawn = Counter(sample.drawn[0] for sample in sampler.draw(3000, options))
    assert drawn.keys() == {"c", "d"}
    assert drawn["c"] / 3000 == pytest.approx(3 / 4, abs=0.04)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_unsmoothed_nothing_new_is_drawn_whatever_the_filters(tmp_path, strategy):
    sampler = Sampler(model_of(tmp_path, order=1))
    seen = {record[i : i + 2] for record in RECORDS for i in range(len(record) - 1)}
    options = SamplerParams.of({"length": 30, "seed": 2, **STRATEGIES[strategy]}, 30)
    for sample in sampler.draw(20, options):
        assert {a + b for a, b in zip(sample.drawn, sample.drawn[1:], strict=False)} <= seen


def test_where_only_the_end_was_seen_and_is_held_back_a_shorter_context_goes_on(tmp_path):
    sampler = Sampler(model_of(tmp_path, ["ab"], order=2))
    options = SamplerParams(length=40, exact_length=True, seed=1)
    (sample,) = sampler.draw(1, options)
    assert len(sample.symbols) == 40
    assert set(sample.symbols) == {"a", "b"}
    assert sample.symbols.startswith("ab")


def test_a_grammar_that_wants_what_was_never_seen_gets_it(tmp_path):
    """Only g is allowed, of which nothing was counted: all symbols become alike."""
    allowed = np.zeros((1, len(SYMBOLS) + 1), bool)
    allowed[0, -1] = True
    grammar = Constraint(allowed, np.zeros(allowed.shape, np.int32))
    sampler = Sampler(model_of(tmp_path), grammar)
    (sample,) = sampler.draw(1, SamplerParams(length=5, seed=1))
    assert sample.symbols == "ggggg"


def test_a_sample_is_the_same_whatever_is_drawn_beside_it(tmp_path):
    model, options = model_of(tmp_path, order=2), SamplerParams(length=30, seed=7)
    many = list(Sampler(model, rows=4, threads=2).draw(12, options))
    assert list(Sampler(model).draw(1, options, first=9)) == many[8:9]
    stream = Sampler(model).stream(options, 9)
    assert "".join(stream) == many[8].drawn


def test_a_suffix_that_was_never_seen_is_still_reached(tmp_path):
    sampler = Sampler(model_of(tmp_path))
    options = SamplerParams(length=4, exact_length=True, prime="ab", suffix="gg", seed=1)
    (sample,) = sampler.draw(1, options)
    assert sample.symbols.startswith("ab")
    assert sample.symbols.endswith("gg")


def test_a_search_finds_the_likeliest_record(tmp_path):
    from seqforge.core.sampling.beam import beam_search

    sampler = Sampler(model_of(tmp_path, ["abc", "abc", "d"], order=2))
    found = beam_search(sampler.plan(SamplerParams(length=9)), 3, 3)
    assert [one.symbols for one in found] == ["abc", "d"]
