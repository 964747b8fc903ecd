"""The two engines: the same samples, but where a number lies on the boundary of two symbols."""

import json

import numpy as np
import pytest

from seqforge.core.sampling.engine import KernelEngine
from seqforge.core.sampling.params import SamplerParams
from seqforge.core.sampling.sampler import Sampler
from seqforge.core.sampling.torch_engine import TorchEngine

from .plain import OnTheEdge, chances, numbers
from .tiny import FEW, STRATEGIES, checkpoint, grammar, log_probs

CALM = {"scale": 1.0, "sharp": 6.0}
"""Random weights that forget small differences. Larger recurrent weights (1.5 times) make the
plain network chaotic: there both engines leave the true state by 1e-3 within 300 symbols, and two
float32 roundings of one model are two models."""
NEAR = 1e-5
"""How far apart the engines' cumulative probabilities may lie."""
MODELS = {
    "lstm": {"cell": "lstm"}, "gru": {"cell": "gru", "hidden_size": 37},
    "rnn": {"cell": "rnn", "num_layers": 2}, "deep": {"num_layers": 3, "hidden_size": 9},
    "narrow": {"embedding_size": 5}, "tied": {"tied": True, "cell": "gru"},
    "looks back": {"attention": 7}, "wide": {"attention": 40, "hidden_size": 70, "cell": "mut1"},
    "many": {"symbols": tuple(chr(0x4E00 + n) for n in range(150))},
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_the_engines_give_the_same_log_probabilities(name):
    model = checkpoint(seed=8, **CALM, **MODELS[name])
    size = len(model.card.vocabulary)
    ids = np.random.default_rng(0).integers(1, size, 300)
    wanted = log_probs(model, ids.tolist())[np.arange(300), ids]
    for engine in (KernelEngine.of(model), TorchEngine(model, "cpu")):
        found = engine.read(engine.begin(3), ids)
        assert found.shape == (3, 300)
        np.testing.assert_allclose(found, np.tile(wanted, (3, 1)), atol=5e-6)


def nearest_boundary(model, options, number, prime, drawn, edge):
    """How far the number of the draw after ``drawn`` lies from a boundary; by torch, in fp64."""
    ids = [*prime, *drawn]
    found = chances(
        log_probs(model, ids)[-1].tolist(), options, len(drawn),
        set(ids[-options.repetition_window :]), {0}, edge,
    )  # fmt: skip
    uniform = numbers(options.seed, number, len(drawn) + 1)[-1]
    return float(np.abs(np.cumsum(found) - uniform).min())


def partings(model, options, count, edge=1e-12):
    """Where the engines' samples part: number, position, distance to a boundary.

    The distance is minus one where a strategy's own threshold lies as near as ``edge``.
    """
    vocabulary = model.card.vocabulary
    prime = vocabulary.encode(options.prime).tolist()
    ours = Sampler(model, rows=count, threads=1).draw(count, options)
    theirs = Sampler(model, rows=count, threads=1, engine=TorchEngine(model, "cpu"))
    found = []
    for one, other in zip(ours, theirs.draw(count, options), strict=True):
        if one.symbols == other.symbols:
            assert one.mean_log_prob == pytest.approx(other.mean_log_prob, abs=1e-5)
            continue
        assert len(one.drawn) == len(other.drawn) == options.length
        same = next(n for n in range(options.length) if one.drawn[n] != other.drawn[n])
        drawn = vocabulary.encode(one.drawn[:same]).tolist()
        try:
            distance = nearest_boundary(model, options, one.number, prime, drawn, edge)
        except OnTheEdge:
            distance = -1.0
        found.append((one.number, same, distance))
    return found


@pytest.mark.parametrize(
    ("name", "cell"),
    [*((name, "lstm") for name in STRATEGIES), *((n, c) for n in FEW for c in ("gru", "rnn"))],
)
def test_samples_part_only_where_a_number_lies_on_a_boundary(name, cell):
    """20 streams of 500 symbols: 10,000 of each strategy, and of the other cells too."""
    model = checkpoint(9, **CALM, cell=cell)
    options = SamplerParams(length=500, exact_length=True, prime="deaf", seed=4, **STRATEGIES[name])
    found = partings(model, options, 20)
    print(json.dumps({"strategy": name, "cell": cell, "symbols": 10_000, "partings": found}))
    assert all(0 <= distance < NEAR for *_, distance in found)


@pytest.mark.slow
def test_the_rate_of_partings_over_three_million_symbols():
    """Every strategy and cell. A threshold of a strategy (a top-p, say) is a boundary too."""
    count, length, partings_in_all = 450, 200, 0
    for cell in ("lstm", "gru", "rnn"):
        model = checkpoint(12, **CALM, cell=cell)
        for name, strategy in STRATEGIES.items():
            options = SamplerParams(
                length=length, exact_length=True, prime="deaf", seed=5, **strategy
            )
            found = partings(model, options, count, edge=NEAR)
            if found:
                print(json.dumps({"strategy": name, "cell": cell, "partings": found}))
            assert all(distance < NEAR for *_, distance in found)
            partings_in_all += len(found)
    symbols = count * length * len(STRATEGIES) * 3
    print(json.dumps({"symbols": symbols, "partings": partings_in_all}))
    assert partings_in_all <= symbols * 1e-5


def test_a_boundary_is_told_from_a_number_beside_it():
    """The distance is that of the draw itself: half of all draws lie further off than this."""
    model = checkpoint(seed=9, **CALM)
    options = SamplerParams(length=80, exact_length=True, seed=4)
    (sample,) = Sampler(model).draw(1, options)
    ids = model.card.vocabulary.encode(sample.drawn).tolist()
    far = [nearest_boundary(model, options, 1, [], ids[:n], 1e-12) for n in range(80)]
    assert np.median(far) > 1e-3
    assert all(0 <= distance <= 1 for distance in far)


def test_the_torch_engine_has_rows_and_calls_that_change_nothing():
    """To the boundary cases: torch's sums may run in another order for other numbers of rows."""
    model, constraint = checkpoint(seed=9, end=-3.0, **CALM), grammar()
    options = SamplerParams(length=60, records=3, prime="bad", repetition_penalty=1.3)
    engine = TorchEngine(model, "cpu")
    wanted = [s.symbols for s in Sampler(model, constraint, threads=1).draw(20, options)]
    for rows, threads in ((1, 1), (7, 2), (64, 1)):
        sampler = Sampler(model, constraint, engine=engine, rows=rows, threads=threads)
        assert [s.symbols for s in sampler.draw(20, options)] == wanted
    stream = sampler.stream(options, 2)
    assert "bad" + "".join(stream) == "".join(s.symbols for s in stream.samples)
    assert [s.symbols for s in stream.samples] == [
        s.symbols for s in Sampler(model, constraint).draw(1, options, first=2)
    ]
