"""The names of gates are those of the gates."""

import numpy as np
import pytest
import torch

from seqforge.core.cells.catalogue import CATALOGUE
from seqforge.core.cells.weights import gate_arrays, gate_names
from seqforge.core.model.char_rnn import CharRNN


def gate(model, wanted):
    """The bias of a gate, as a view that can be written to."""
    weights = {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}
    (found,) = [part for name, part in gate_arrays(model.cell, weights) if name == wanted]
    return found


def states(model):
    """Hidden states of a layer after each of a few symbols, (T, H)."""
    ids = torch.tensor([[1, 2, 3, 1, 2]])
    state, seen = None, []
    with torch.no_grad():
        for i in range(ids.shape[1]):
            _, state = model(ids[:, i : i + 1], state)
            seen.append(state[0][0][0].numpy().copy())
    return np.array(seen)


@pytest.mark.parametrize("cell", CATALOGUE)
def test_every_weight_has_one_name_and_keeps_its_values(cell):
    model = CharRNN(5, cell=cell, hidden_size=3, num_layers=2, embedding_size=4)
    parts = dict(gate_arrays(cell, model.arrays()))

    assert sum(part.size for part in parts.values()) == model.num_parameters()
    assert parts[f"layer_0/{gate_names(cell)[0]}/weight_ih"].shape == (3, 4)
    assert {"embedding/weight", "output/weight", "output/bias"} < set(parts)


def test_the_input_gate_of_an_lstm_shut_nothing_comes_in():
    model = CharRNN(4, hidden_size=3)
    gate(model, "layer_0/input/bias_ih")[:] = -1e4
    assert np.abs(states(model)).max() < 1e-6


def test_the_forget_gate_of_an_lstm_begins_open():
    model = CharRNN(4, hidden_size=3)
    assert (gate(model, "layer_0/forget/bias_ih") == 1).all()


def test_the_output_gate_of_an_lstm_shut_nothing_goes_out():
    model = CharRNN(4, hidden_size=3)
    gate(model, "layer_0/output/bias_ih")[:] = -1e4
    assert np.abs(states(model)).max() < 1e-6


def test_the_cell_of_an_lstm_at_its_limit_counts_the_steps():
    """Gates open and the new cell at 1: c = 1, 2, 3 ..., and h = tanh(c)."""
    model = CharRNN(4, hidden_size=3)
    for name in ("input", "forget", "cell", "output"):
        gate(model, f"layer_0/{name}/bias_ih")[:] = 1e4
    assert states(model)[:, 0] == pytest.approx(np.tanh(np.arange(1, 6)), abs=1e-6)


def test_the_update_gate_of_a_gru_open_keeps_the_state():
    """h = (1 - z) n + z h, in torch's sense of update."""
    model = CharRNN(4, cell="gru", hidden_size=3)
    gate(model, "layer_0/update/bias_ih")[:] = 1e4
    assert (states(model) == 0).all()


def test_the_reset_gate_of_a_gru_shut_hides_what_the_new_state_recalls():
    """With r = 0 the recurrent weights of the new state do not matter."""
    model = CharRNN(4, cell="gru", hidden_size=3)
    gate(model, "layer_0/reset/bias_ih")[:] = -1e4
    before = states(model)
    gate(model, "layer_0/new/weight_hh")[:] = 7.0
    np.testing.assert_allclose(
        states(model), before, atol=1e-6
    )  # the kernel's gate is shut to 3e-8
