"""Units that are held stay at their values, and all else follows as in a plain pass."""

import numpy as np
import pytest
import torch

from seqforge.core.model.cells import activations, zero_state
from seqforge.core.model.char_rnn import model_from_arrays
from seqforge.core.sampling.engine import KernelEngine

from .test_torch_engine import CALM
from .tiny import checkpoint


def plain_held(model, ids, held):
    """Logits (T, V) after each symbol, a step at a time in torch, with units put to values."""
    card = model.card
    network = model_from_arrays(len(card.vocabulary), card.config.model, model.weights, "toy")
    cell, layers = card.config.model.cell, network.recurrent_layers()
    states = [zero_state(cell, 1, network.hidden_size, network.output.bias) for _ in layers]
    logits = []
    for symbol in [0, *ids]:
        x = network.embedding(torch.tensor([symbol]))
        for number, layer in enumerate(layers):
            x, states[number] = step(cell, layer, x, states[number], number, held)
        logits.append(network.output(x)[0])
    return torch.stack(logits).detach().numpy()


def step(cell, layer, x, state, number, held):
    act = activations(cell, layer, x, state)[0]
    if cell == "lstm":
        kept = act[1] * state[1][0] + act[0] * act[2]
    elif cell == "gru":
        kept = (1 - act[2]) * act[0] + act[2] * state[0][0]
    else:
        kept = act[0]
    kept = kept.clone()
    for (of_layer, unit), value in held.items():
        if of_layer == number:
            kept[unit] = value
    h = (act[3] * kept.tanh() if cell == "lstm" else kept)[None]
    return h, (h, kept[None]) if cell == "lstm" else (h,)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize(
    "held", [{(0, 3): 0.5}, {(1, 23): -1.0, (1, 0): 0.0}, {(0, 1): 2.0, (1, 1): 1}]
)
def test_what_follows_from_held_units_is_that_of_a_plain_pass(cell, held):
    model = checkpoint(seed=4, cell=cell, **CALM)
    ids = np.random.default_rng(1).integers(1, 8, 50)

    engine = KernelEngine.of(model).held(held)
    found = engine.trace(engine.begin(1), ids[:, None])

    wanted = plain_held(model, ids, held)
    np.testing.assert_allclose(found.logits[:, 0], wanted[:-1], atol=1e-4)
    for (layer, unit), value in held.items():
        np.testing.assert_array_equal(found.kept[:, layer, 0, unit], np.float32(value))


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_holding_nothing_changes_no_bit(cell):
    model = checkpoint(seed=4, cell=cell)
    ids = np.random.default_rng(1).integers(1, 8, (50, 3))
    free = KernelEngine.of(model)
    held = free.held({})

    ours, theirs = (e.trace(e.begin(3), ids, gates=True) for e in (held, free))

    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("unit", [(2, 0), (-1, 0), (0, 24), (0, -1)])
def test_a_unit_that_is_not_there_is_refused(unit):
    with pytest.raises(
        ValueError, match=r"there is no unit .*: layers are 0 to 1, and units 0 to 23"
    ):
        KernelEngine.of(checkpoint()).held({unit: 0.0})
