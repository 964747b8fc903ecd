"""Attention over past states: against a plain statement of it, step by step, and what it can do."""

import numpy as np
import pytest
import torch

from seqforge.core.config import ModelConfig
from seqforge.core.data.batches import BatchWindow
from seqforge.core.kernels.compiler import interpreted
from seqforge.core.model.attention import PastAttention
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.checkpoint import weight_shapes
from seqforge.core.model.prepared import CompiledModel, TorchModel
from seqforge.core.sampling.engine import KernelEngine
from seqforge.core.sampling.packed_weights import pack_model
from seqforge.core.sampling.sampling_kernel import _find, zero_state
from seqforge.core.training.lanes import Lanes

SYMBOLS, ROWS = 9, 3


def bent(cell="gru", window=6, hidden=10):
    torch.manual_seed(1)
    made = CharRNN(SYMBOLS, cell=cell, hidden_size=hidden, num_layers=2, attention=window)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.4)
    return made


def symbols(steps, rows=ROWS):
    return torch.from_numpy(np.random.default_rng(2).integers(0, SYMBOLS, (steps, rows)))


def tops(model, ids):
    """States (T, B, H) of the top layer, which attention does not change."""
    attention, output = model.attention, model.output
    model.attention, model.output = None, torch.nn.Identity()
    with torch.no_grad():
        found, _ = TorchModel(model, "fp32", None).run(ids, model.zero_state(ids.shape[1]))
    model.attention, model.output = attention, output
    return found.double().numpy()


def looked_back(states, query, mix, position):
    """States (T, H) of a row, step by step: a score for each of the w before, zeros at first."""
    window, hidden = len(position), states.shape[1]
    past, found = [np.zeros(hidden)] * window, []
    for state in states:
        scores = np.array([(query @ state) @ one for one in past]) / np.sqrt(hidden) + position
        weights = np.exp(scores - scores.max())
        weights /= weights.sum()
        found.append(state + mix @ sum(w * one for w, one in zip(weights, past, strict=True)))
        past = [*past[1:], state]
    return np.array(found)


def logits_of(model, states):
    """The statement's logits (T, B, V) of states (T, B, H)."""
    arrays = {name: np.float64(array) for name, array in model.arrays().items()}
    own = [arrays[f"attention.{name}"] for name in ("query", "mix", "position")]
    out = np.stack([looked_back(row, *own) for row in states.swapaxes(0, 1)], 1)
    return out @ arrays["output.weight"].T + arrays["output.bias"]


@pytest.mark.parametrize("made", ["compiled", "torch"])
@pytest.mark.parametrize(("cell", "window", "steps"), [
    ("lstm", 6, 20), ("mut1", 1, 9), ("mingru", 30, 12), ("rnn", 20, 150),
])  # fmt: skip
def test_it_follows_the_plain_statement(cell, window, steps, made):
    model, ids = bent(cell, window), symbols(steps)
    wanted = logits_of(model, tops(model, ids))
    network = TorchModel(model, "fp32", None)
    if made == "compiled":
        network = CompiledModel(model, False, False, True, None)
    logits, _ = network.run(ids, model.zero_state(ROWS))
    np.testing.assert_allclose(logits.detach().numpy(), wanted, atol=2e-5)


@pytest.mark.parametrize(("cell", "window", "hidden"), [("lstm", 6, 10), ("mut1", 1, 70)])
def test_the_sampler_follows_it(cell, window, hidden):
    model, ids = bent(cell, window, hidden), symbols(40)
    with torch.no_grad():
        model.layers[0].weight_hh_l0.mul_(0.2)  # a wide layer of such weights is chaotic
        model.layers[1].weight_hh_l0.mul_(0.2)
    engine = KernelEngine(pack_model(cell, model.arrays()))
    seen = engine.trace(engine.begin(ROWS), ids.numpy())
    begun = torch.cat([torch.zeros(1, ROWS, dtype=torch.int64), ids])  # the end symbol first
    wanted = logits_of(model, tops(model, begun))[:-1]
    np.testing.assert_allclose(seen.logits, wanted, atol=5e-5)


@pytest.mark.parametrize("pieces", [(1,) * 23, (2, 3, 18), (15, 8), (5, 1, 17)])
def test_windows_shorter_than_that_of_attention_come_to_the_same(pieces):
    model, ids = bent(window=7), symbols(23)
    network = CompiledModel(model, False, False, True, None)
    whole, end = network.run(ids, model.zero_state(ROWS))
    state, found = model.zero_state(ROWS), []
    for piece in ids.split(pieces):
        logits, state = network.run(piece, state)
        found.append(logits)
    torch.testing.assert_close(torch.cat(found), whole, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(state[-1][0], end[-1][0])


def test_bfloat16_is_near():
    model, ids = bent("lstm", 5), symbols(30)
    exact, near = (
        CompiledModel(model, bf16, False, True, None).run(ids, model.zero_state(ROWS))[0]
        for bf16 in (False, True)
    )
    assert 0 < (exact - near).abs().max() < 0.1


def test_gradients_are_those_of_differences():
    """Of the attention's weights and the output's, by differences of the statement in float64."""
    model, ids = bent(window=5), symbols(12)
    targets, states = ids.roll(1, 0), tops(model, ids)

    def loss():
        logits = logits_of(model, states)
        shifted = logits - logits.max(-1, keepdims=True)
        log_probs = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
        return -np.take_along_axis(log_probs, targets.numpy()[..., None], -1).mean()

    named = {n: p for n, p in model.named_parameters() if n.startswith(("attention", "output"))}
    assert len(named) == 5
    logits, _ = CompiledModel(model, False, True, True, None).run(ids, model.zero_state(ROWS))
    cost = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    generator = torch.Generator().manual_seed(3)
    gradients = torch.autograd.grad(cost, list(named.values()))
    for (name, parameter), gradient in zip(named.items(), gradients, strict=True):
        direction = torch.randint(0, 2, parameter.shape, generator=generator) * 2e-3 - 1e-3
        before, ends = parameter.detach().clone(), []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.copy_(before + sign * direction)
            ends.append(loss())
        with torch.no_grad():
            parameter.copy_(before)
        slope = (ends[0] - ends[1]) / 2
        assert float((gradient * direction).sum()) == pytest.approx(slope, rel=2e-3, abs=2e-7), name


def test_kernels_and_torch_have_the_same_gradients_of_all_weights():
    model, ids = bent("lstm", 5), symbols(70)
    found = []
    for network in (CompiledModel(model, False, True, False, None),
                    TorchModel(model, "fp32", None)):  # fmt: skip
        logits, after = network.run(ids, model.zero_state(ROWS))
        again, _ = network.run(ids, [tuple(p.detach() for p in layer) for layer in after])
        cost = torch.nn.functional.cross_entropy(again.flatten(0, 1), ids.flatten())
        of_leaves = torch.autograd.grad(cost + logits.square().mean(), network.leaves)
        found.append(network.parameter_gradients(of_leaves))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def test_a_row_has_the_same_bytes_whatever_is_beside_it():
    model, ids = bent("lstm", 5, 40), symbols(30, 7).numpy()
    engine = KernelEngine(pack_model("lstm", model.arrays()))
    together = engine.trace(engine.begin(7), ids).logits
    for row in range(7):
        alone = engine.trace(engine.begin(1), np.ascontiguousarray(ids[:, row : row + 1])).logits
        assert alone[:, 0].tobytes() == np.ascontiguousarray(together[:, row]).tobytes()


def test_a_row_taken_along_keeps_what_it_has_read():
    """Rows that have read unlike many symbols, side by side: their rings stand at other places."""
    engine = KernelEngine(pack_model("gru", bent(window=5).arrays()))
    first, second = engine.begin(1), engine.begin(2)
    engine.read(first, np.array([1, 2, 3]))
    engine.put(second, 1, first)
    both = engine.rows(second, np.array([1, 0, 1]))
    rest = np.array([4, 5, 6, 7, 8, 1, 2])
    found, alone = engine.read(both, rest), engine.read(first, rest)
    assert found[0].tobytes() == found[2].tobytes() == alone[0].tobytes()
    assert found[1].tobytes() == engine.read(engine.begin(1), rest)[0].tobytes()


def test_the_kernel_does_what_python_would_do():
    engine = KernelEngine(pack_model("gru", bent(window=4).arrays()))
    states = [zero_state(engine.network, 1) for _ in range(2)]
    for state in states:
        rng = np.random.default_rng(1)
        state.looks[:], state.past[:] = (
            rng.normal(size=state.looks.shape),
            rng.normal(size=state.past.shape),
        )
        state.oldest[:] = 3
    _find(engine.network, states[0], 0)
    with interpreted():
        _find(engine.network, states[1], 0)
    np.testing.assert_allclose(states[0].looks, states[1].looks, atol=1e-5)


def test_a_row_that_begins_anew_has_nothing_behind_it():
    model = bent(window=20)
    lanes = Lanes(model, 1, 2, "fp32")
    ids = np.random.default_rng(0).integers(0, SYMBOLS, (2, 17))
    for resets in ([False, False], [True, False]):
        window = BatchWindow(ids[:, :-1], ids[:, 1:], np.array(resets))
        lanes.gradients(window, 0, 0)
    fresh, carried = lanes.states[0][-1][0]
    lanes.close()
    assert fresh[:4].abs().max() == 0 < fresh[4:].abs().min()
    assert carried.abs().min() > 0


def test_it_begins_as_the_bare_cell():
    torch.manual_seed(0)
    bare = CharRNN(SYMBOLS, hidden_size=12)
    torch.manual_seed(0)
    looking = CharRNN(SYMBOLS, hidden_size=12, attention=8)
    ids = symbols(30).T
    assert torch.equal(bare(ids)[0], looking(ids)[0])


def test_its_weights_are_those_that_a_file_is_checked_for():
    model = CharRNN(SYMBOLS, hidden_size=12, attention=8)
    shapes = weight_shapes(SYMBOLS, ModelConfig(hidden_size=12, attention=8))
    assert {name: tuple(a.shape) for name, a in model.arrays().items()} == shapes
    assert PastAttention(12, 8).zero_state(3)[0].shape == (3, 8, 12)


LAG, SHORT = 30, 10


def bits_of_copying(attention, steps=400):
    """Bits a symbol of random sequences that repeat every 30 symbols, after training on windows of
    10: the cell's gradients reach back no further than its window.
    """
    torch.manual_seed(0)
    model = CharRNN(8, cell="gru", hidden_size=32, attention=attention)
    lanes, rng = Lanes(model, 1, 16, "fp32"), np.random.default_rng(0)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    ids = rng.integers(0, 8, (16, LAG))
    losses = []
    for step in range(steps):
        if step % 12 == 0:
            ids = rng.integers(0, 8, (16, LAG))
        begin = step % 3 * SHORT
        places = (np.arange(SHORT + 1) + begin) % LAG
        resets = np.full(16, step % 12 == 0)
        window = BatchWindow(ids[:, places[:-1]], ids[:, places[1:]], resets)
        loss, gradients = lanes.gradients(window, 0, step)
        for parameter, gradient in zip(model.parameters(), gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        if step % 12 >= 4:  # the second time and later
            losses.append(loss)
    lanes.close()
    return np.mean(losses[-24:]) / np.log(2)


def test_it_copies_over_a_distance_that_the_bare_cell_does_not_hold():
    bare, looking = bits_of_copying(0), bits_of_copying(LAG + 2)
    assert bare > 2.5, "of three bits"
    assert looking < 1
