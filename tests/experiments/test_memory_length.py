"""Problems are what they say, and gradients those of differences."""

import numpy as np
import pytest
import torch

from seqforge.core.cells.catalogue import CATALOGUE
from seqforge.experiments.memory_length import (
    PROBLEMS,
    MemoryLengthSettings,
    accuracy,
    conclusion,
    gradient_norms,
    run,
    sections,
    trials,
)
from seqforge.experiments.small_networks import IGNORED, Practice, fresh_network, practise


def drawn(problem, length=12, rows=40):
    batch = PROBLEMS[problem][0](np.random.default_rng(1), length, rows)
    return batch.ids.numpy(), batch.targets.numpy()


def test_letters_are_copied_behind_the_mark():
    ids, targets = drawn("copying")
    assert (ids[5:17] == 0).all()
    assert (ids[17] == 9).all()
    assert (targets[-5:] == ids[:5]).all()
    assert (targets[:-5] == IGNORED).all()
    assert (ids[-4:] == ids[:4]).all(), "each letter is read after it was told"


def test_marked_digits_are_added():
    ids, targets = drawn("adding")
    for row in range(ids.shape[1]):
        marked = [symbol - 10 for symbol in ids[:12, row] if symbol >= 10]
        assert len(marked) == 2
        assert sum(marked) == 10 * targets[-2, row] + targets[-1, row]
    assert (ids[12] == 20).all()


EVERY = [
    pytest.param(name, marks=[] if name in ("lstm", "mingru") else pytest.mark.slow)
    for name in CATALOGUE
]


@pytest.mark.parametrize("cell", EVERY)
def test_every_cell_learns_to_copy(cell):
    """A few sequences again and again: what a cell that works must be able to do."""
    batch = PROBLEMS["copying"][0](np.random.default_rng(3), 2, 8)
    model = fresh_network(cell, 10, 24, 0)
    practise(model, Practice(2000 if cell == "irnn" else 500, 5e-3), lambda: batch)
    assert accuracy(model, batch) > 0.95


def slope(model, batch, symbol):
    """The norm of the last loss's slope in a symbol's embedding, by differences in float64."""
    found = []
    for number in range(model.embedding.weight.shape[1]):
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                model.embedding.weight[symbol, number] += sign * 1e-2
                logits, _ = model(batch.ids.t())
                ends.append(-torch.log_softmax(logits[0, -1].double(), 0)[batch.targets[-1, 0]])
                model.embedding.weight[symbol, number] -= sign * 1e-2
        found.append(float(ends[0] - ends[1]) / 2e-2)
    return np.linalg.norm(found)


def test_a_gradient_is_the_slope_of_the_loss():
    """In the embedding of symbols that stand at one place alone: the fifth letter, and the mark."""
    model = fresh_network("lstm", 10, 6, 2)
    batch = PROBLEMS["copying"][0](np.random.default_rng(1), 2, 1)
    norms = gradient_norms(model, batch)
    ids = batch.ids[:, 0].tolist()
    assert norms[0] == 1
    assert len(norms) == len(ids)
    letters = [symbol for symbol in dict.fromkeys(ids) if ids.count(symbol) == 1]
    told = {symbol: norms[len(ids) - 1 - ids.index(symbol)] for symbol in letters}
    assert len(told) >= 2
    whole = {symbol: slope(model, batch, symbol) for symbol in told}
    for symbol in told:
        assert told[symbol] / told[9] == pytest.approx(whole[symbol] / whole[9], rel=0.01)


def test_a_trial_repeats_and_the_page_has_every_cell():
    settings = MemoryLengthSettings(cells=("rnn", "lstm/5"), lengths=(4,), seeds=1, steps=10)
    every = trials(settings)
    rows = [{**trial.fields, **run(trial, settings)} for trial in every]

    assert run(every[1], settings)["accuracy"] == rows[1]["accuracy"]
    assert all("lstm/5" in section.markup for section in sections(rows, settings))
    assert "copying: " in conclusion(rows, settings)
