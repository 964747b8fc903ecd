"""The recurrent model against plain statements of itself."""

import numpy as np
import pytest
import torch

from seqforge.core.config import ModelConfig
from seqforge.core.data.batches import BatchWindow
from seqforge.core.model.char_rnn import CharRNN, check_memory, model_from_arrays
from seqforge.core.sampling.engine import KernelEngine
from seqforge.core.sampling.packed_weights import pack_model
from seqforge.core.sampling.sampling_kernel import zero_state
from seqforge.core.training.lanes import Lanes
from seqforge.errors import CheckpointError, ConfigError

CELLS = ["lstm", "gru", "rnn"]


@pytest.mark.parametrize(("hidden", "weights"), [(64, 79_460), (100, 181_700)])
def test_weights_are_as_many_as_in_the_program_this_one_descends_from(hidden, weights):
    """Two LSTM layers, a vocabulary of 100 with the end symbol, an embedding as wide as them."""
    assert CharRNN(100, cell="lstm", hidden_size=hidden, num_layers=2).num_parameters() == weights


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 3])
def test_the_sampler_computes_what_the_trainer_does(cell, layers):
    """The sampling kernel, step by step, against the kernels of training."""
    torch.manual_seed(1)
    model = CharRNN(11, cell=cell, hidden_size=13, num_layers=layers, embedding_size=7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    ids = np.random.default_rng(2).integers(0, 11, (5, 40))

    wanted, _ = model(torch.from_numpy(ids))

    engine = KernelEngine(pack_model(cell, model.arrays()))
    state = zero_state(engine.network, 5)
    for position in range(40):
        engine.step(state, np.ascontiguousarray(ids[:, position]))
        np.testing.assert_allclose(
            state.logits[:, :11],
            wanted[:, position].detach().numpy(),
            atol=2e-4 if cell == "rnn" else 2e-5,
        )


@pytest.mark.parametrize("cell", CELLS)
def test_carried_state_equals_one_long_pass(cell):
    torch.manual_seed(0)
    model = CharRNN(9, cell=cell, hidden_size=16, num_layers=2)
    ids = torch.randint(0, 9, (3, 50))

    whole, _ = model(ids)
    first, state = model(ids[:, :17])
    second, _ = model(ids[:, 17:], state)

    torch.testing.assert_close(torch.cat([first, second], 1), whole)


def test_the_forget_gate_begins_open_and_every_gate_is_orthogonal():
    layer = CharRNN(5, hidden_size=8).layers[0]
    bias = layer.bias_ih_l0 + layer.bias_hh_l0

    assert bias.detach().tolist() == [0.0] * 8 + [1.0] * 8 + [0.0] * 16
    for gate in layer.weight_hh_l0.detach().chunk(4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(8), atol=1e-5, rtol=0)


def window_of(rows, length, seed=0):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 12, (rows, length + 1))
    return BatchWindow(ids[:, :-1], ids[:, 1:], rng.random(rows) < 0.5)


@pytest.mark.parametrize("lanes", [2, 3])
def test_lanes_are_the_same_mathematics_as_one_batch(lanes):
    torch.manual_seed(0)
    model = CharRNN(12, hidden_size=20, num_layers=2)
    split, whole = Lanes(model, lanes, 7, "fp32"), Lanes(model, 1, 7, "fp32")
    for step in range(3):  # the carried state has to agree as well
        window = window_of(7, 15, step)
        loss, gradients = split.gradients(window, 0, step)
        wanted_loss, wanted = whole.gradients(window, 0, step)

        assert loss == pytest.approx(wanted_loss, abs=1e-5)
        for ours, theirs in zip(gradients, wanted, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)
    split.close()
    whole.close()


def test_lanes_give_the_same_bytes_every_time_even_with_dropout():
    torch.manual_seed(0)
    model = CharRNN(12, hidden_size=20, num_layers=2, dropout=0.4)
    found = []
    for _ in range(4):
        lanes = Lanes(model, 2, 8, "fp32")
        _, gradients = lanes.gradients(window_of(8, 30), 3, 5)
        found.append([gradient.numpy().tobytes() for gradient in gradients])
        lanes.close()
    assert found[0] == found[1] == found[2] == found[3]


def test_dropout_keeps_the_mean_and_falls_away_without_noise():
    model = CharRNN(5, hidden_size=2000, dropout=0.3)
    ones = torch.ones(1, 50, 2000)

    dropped = model.drop(ones, torch.Generator().manual_seed(0))

    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.01)
    assert model.drop(ones, None) is ones


def test_weights_that_do_not_fit_are_refused():
    arrays = CharRNN(5, hidden_size=8).arrays()
    with pytest.raises(CheckpointError, match="do not fit"):
        model_from_arrays(6, ModelConfig(hidden_size=8), arrays, "x.safetensors")


def test_a_network_larger_than_the_machine_is_refused_before_it_is_made():
    check_memory(100, ModelConfig())
    with pytest.raises(ConfigError, match=r"weights and their gradients take .* a smaller"):
        check_memory(100, ModelConfig(hidden_size=16384, num_layers=100))
