"""A trace says what scoring says and what the network is; its units are those of a plain pass."""

import math

import numpy as np
import pytest

from seqforge.core.inspection.trace import TOP, pieces, trace
from seqforge.core.sampling.engine import KernelEngine
from seqforge.core.sampling.torch_engine import TorchEngine
from tests.core.sampling.test_torch_engine import CALM, MODELS
from tests.core.sampling.tiny import checkpoint, log_probs


def traced(model, *records, engine=None, gates=True):
    cell = model.card.config.model.cell
    return trace(engine or KernelEngine.of(model), records, cell, gates=gates)


def drawn_ids(model, count, seed=0):
    return np.random.default_rng(seed).integers(1, len(model.card.vocabulary), count)


@pytest.mark.parametrize("name", MODELS)
def test_bits_entropy_and_the_likeliest_are_those_of_the_predictions(name):
    model = checkpoint(seed=8, **CALM, **MODELS[name])
    ids = drawn_ids(model, 200)
    wanted = log_probs(model, ids.tolist())[:-1]

    found = traced(model, ids)

    np.testing.assert_allclose(found.bits, -wanted[np.arange(200), ids] / math.log(2), atol=1e-5)
    nats = -(np.exp(wanted) * wanted).sum(1)
    np.testing.assert_allclose(found.entropy, nats / math.log(2), atol=1e-5)
    width = min(TOP, wanted.shape[1])
    best = -np.sort(-np.exp(wanted), axis=1)[:, :width]
    np.testing.assert_allclose(found.top_probabilities, best, atol=1e-3)
    np.testing.assert_allclose(
        np.take_along_axis(np.exp(wanted), found.top_ids.astype(int), 1), best, atol=1e-4
    )


@pytest.mark.parametrize("name", MODELS)
def test_both_engines_find_the_same_units_and_gates(name):
    model = checkpoint(seed=8, **CALM, **MODELS[name])
    ids = drawn_ids(model, 150)

    ours, theirs = (
        traced(model, ids, engine=engine)
        for engine in (KernelEngine.of(model), TorchEngine(model, "cpu"))
    )

    for part in ("hidden", "cell", "gates"):
        one, other = getattr(ours, part), getattr(theirs, part)
        assert (one is None) == (other is None)
        if one is not None:
            assert one.shape == other.shape
            np.testing.assert_allclose(one, other, atol=2e-3)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_gates_make_the_states(cell):
    """h and c follow from the activations by the equations of the cell."""
    model = checkpoint(seed=3, cell=cell, **CALM)
    found = traced(model, drawn_ids(model, 60))
    before = np.concatenate([np.zeros_like(found.hidden[:1]), found.hidden[:-1]]).astype(float)
    gate = {name: found.gates[:, :, i].astype(float) for i, name in enumerate(found.gate_names)}
    if cell == "lstm":
        c_before = np.concatenate([np.zeros_like(found.cell[:1]), found.cell[:-1]]).astype(float)
        c = gate["forget"] * c_before + gate["input"] * gate["cell"]
        wanted = gate["output"] * np.tanh(c)
        np.testing.assert_allclose(found.cell[1:], c[1:], atol=5e-3)
    elif cell == "gru":
        wanted = (1 - gate["update"]) * gate["new"] + gate["update"] * before
    else:
        wanted = gate["hidden"]

    # The first symbol comes after the end symbol, whose state is not in the trace.
    np.testing.assert_allclose(found.hidden[1:], wanted[1:], atol=3e-3)


def test_records_are_read_one_by_one_in_pieces_side_by_side():
    model = checkpoint(seed=5, cell="gru", **CALM)
    records = [drawn_ids(model, n, seed=n) for n in (9000, 1, 300, 4097)]

    found = traced(model, *records, gates=False)

    assert found.lengths == (9000, 1, 300, 4097)
    engine = KernelEngine.of(model)
    wanted = np.concatenate([-engine.read(engine.begin(1), ids)[0] for ids in records])
    np.testing.assert_allclose(found.bits, wanted / math.log(2), atol=1e-4)


def test_every_symbol_lies_in_one_piece():
    found = sorted(pieces([9000, 0, 1, 4096, 4097]), key=lambda piece: piece.at)

    assert [piece.at for piece in found[1:]] == np.cumsum(
        [piece.stop - piece.start for piece in found]
    )[:-1].tolist()
    assert sum(piece.stop - piece.start for piece in found) == 9000 + 1 + 4096 + 4097
    assert all(piece.context == max(0, piece.start - 512) for piece in found)


def test_what_is_large_lies_in_files_that_go_with_it(monkeypatch):
    monkeypatch.setattr("seqforge.core.inspection.trace._IN_MEMORY", 1000)
    model = checkpoint(seed=5, **CALM)
    ids = drawn_ids(model, 5000)

    small, found = traced(model, ids[:5]), traced(model, ids)

    assert isinstance(found.hidden, np.memmap)
    np.testing.assert_array_equal(found.hidden[:5], small.hidden)
    folder = found._folder.name
    del found
    import gc
    import os

    gc.collect()
    assert not os.path.exists(folder)


def test_of_nothing_there_is_an_empty_trace():
    model = checkpoint()

    assert len(traced(model)) == len(traced(model, np.zeros(0, int))) == 0
