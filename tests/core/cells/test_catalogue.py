"""Every cell against its paper's equations, written out gate by gate in float64."""

import numpy as np
import pytest
import torch

from seqforge.core.cells.catalogue import CATALOGUE, cell_names, cell_type, package_of
from seqforge.core.cells.equations import CellType
from seqforge.core.cells.weights import gate_arrays
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.prepared import CompiledModel, TorchModel
from seqforge.core.sampling.engine import KernelEngine
from seqforge.core.sampling.packed_weights import pack_model
from seqforge.errors import ConfigError

SYMBOLS, HIDDEN, ROWS, STEPS = 7, 5, 3, 6


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Layer:
    """The weights of a layer, by gate and by what they are multiplied with."""

    def __init__(self, model, number):
        begin = f"layer_{number}/"
        arrays = {n: np.float64(a) for n, a in gate_arrays(model.cell, model.arrays())}
        self.of = {n.removeprefix(begin): a for n, a in arrays.items() if n.startswith(begin)}

    def x(self, gate, x):
        """W x + b."""
        bias = self.of.get(f"{gate}/bias_ih", 0)
        return x @ self.of[f"{gate}/weight_ih"].T + bias

    def h(self, gate, h):
        """U h; another source than the first is named gate-2, gate-3, ..."""
        return h @ self.of[f"{gate}/weight_hh"].T

    def both(self, gate, x, h):
        return self.x(gate, x) + self.h(gate, h)

    def p(self, gate):
        return self.of[f"{gate}/diagonal"]


def lstm_of_greff(layer, x, h, c, leave_out="", peepholes=True):
    """Section II of Greff et al. 2017, and what its variants leave out (appendix)."""

    def peep(gate, c):
        return layer.p(gate) * c if peepholes else 0

    z = layer.both("g", x, h)
    z = z if leave_out == "NIAF" else np.tanh(z)
    i = 1 if leave_out == "NIG" else sigmoid(layer.both("i", x, h) + peep("i", c))
    if leave_out == "CIFG":
        f = 1 - i
    else:
        f = 1 if leave_out == "NFG" else sigmoid(layer.both("f", x, h) + peep("f", c))
    c = z * i + c * f
    o = 1 if leave_out == "NOG" else sigmoid(layer.both("o", x, h) + peep("o", c))
    return (c if leave_out == "NOAF" else np.tanh(c)) * o, c


def greff(leave_out):
    return lambda layer, x, h, c: lstm_of_greff(layer, x, h, c, leave_out)


def without_peepholes(leave_out):
    return lambda layer, x, h, c: lstm_of_greff(layer, x, h, c, leave_out, peepholes=False)


def lstm_of_torch(layer, x, h, c):
    """`torch.nn.LSTM`."""

    def gate(name):
        return layer.both(name, x, h) + layer.of[f"{name}/bias_hh"]

    c = sigmoid(gate("forget")) * c + sigmoid(gate("input")) * np.tanh(gate("cell"))
    return sigmoid(gate("output")) * np.tanh(c), c


def gru_of_torch(layer, x, h):
    """`torch.nn.GRU`."""
    r, z = (sigmoid(layer.both(g, x, h) + layer.of[f"{g}/bias_hh"]) for g in ("reset", "update"))
    n = np.tanh(layer.x("new", x) + r * (layer.h("new", h) + layer.of["new/bias_hh"]))
    return ((1 - z) * n + z * h,)


def rnn_of_torch(layer, x, h):
    return (np.tanh(layer.both("hidden", x, h) + layer.of["hidden/bias_hh"]),)


def irnn(layer, x, h):
    """Section 3 of Le et al. 2015."""
    return (np.maximum(layer.both("hidden", x, h), 0),)


def full_gate_recurrence(layer, x, h, c, i, f, o):
    """FGR of Greff et al. 2017: nine more matrices."""

    def gates(name):
        return sum(layer.h(f"{name}-{n}", before) for n, before in ((2, i), (3, f), (4, o)))

    i_now = sigmoid(layer.both("i", x, h) + gates("i") + layer.p("i") * c)
    f_now = sigmoid(layer.both("f", x, h) + gates("f") + layer.p("f") * c)
    c = np.tanh(layer.both("g", x, h)) * i_now + c * f_now
    o_now = sigmoid(layer.both("o", x, h) + gates("o") + layer.p("o") * c)
    return np.tanh(c) * o_now, c, i_now, f_now, o_now


def full_peephole(layer, x, h, c):
    """Gates of [C, h, x]: the lecture's own."""
    i, f, o = (sigmoid(layer.both(g, x, h) + layer.h(f"{g}-2", c)) for g in "ifo")
    c = f * c + i * np.tanh(layer.both("g", x, h))
    return o * np.tanh(c), c


def gru_of_jozefowicz(layer, x, h):
    """Section 2.2 of Jozefowicz et al. 2015."""
    r, z = sigmoid(layer.both("r", x, h)), sigmoid(layer.both("z", x, h))
    new = np.tanh(layer.x("n", x) + layer.h("n-2", r * h))
    return (z * h + (1 - z) * new,)


def mut1(layer, x, h):
    """Section 3.4 of the same; a bare x is W x."""
    z, r = sigmoid(layer.x("z", x)), sigmoid(layer.both("r", x, h))
    inner = layer.h("n-2", r * h) + layer.of["n/bias_ih"] + np.tanh(layer.x("x", x))
    return (np.tanh(inner) * z + h * (1 - z),)


def mut2(layer, x, h):
    z = sigmoid(layer.both("z", x, h))
    r = sigmoid(layer.x("x", x) + layer.h("r", h) + layer.of["r/bias_ih"])
    return (np.tanh(layer.h("n-2", r * h) + layer.x("n", x)) * z + h * (1 - z),)


def mut3(layer, x, h):
    z = sigmoid(layer.x("z", x) + layer.h("z-2", np.tanh(h)))
    r = sigmoid(layer.both("r", x, h))
    return (np.tanh(layer.h("n-3", r * h) + layer.x("n", x)) * z + h * (1 - z),)


def min_gru(layer, x, h):
    """Section 3.1 of Feng et al. 2024."""
    z = sigmoid(layer.x("z", x))
    return ((1 - z) * h + z * layer.x("n", x),)


def min_gru_gated(layer, x, _, c):
    """The same, seen through an LSTM's output gate and tanh."""
    (c,) = min_gru(layer, x, c)
    return sigmoid(layer.x("o", x)) * np.tanh(c), c


def sru(layer, x, _, c):
    """Section 3 of Lei et al. 2018, with g = tanh as in its first version; a bare x is W x."""
    f, r = (sigmoid(layer.x(g, x) + layer.p(g) * c) for g in "fr")
    c = f * c + (1 - f) * layer.x("c", x)
    return r * np.tanh(c) + (1 - r) * layer.x("x", x), c


def min_lstm(layer, x, h):
    """Section 3.2 of the same."""
    f, i = sigmoid(layer.x("f", x)), sigmoid(layer.x("i", x))
    return (f / (f + i) * h + i / (f + i) * layer.x("g", x),)


PAPERS = {
    "lstm": lstm_of_torch, "gru": gru_of_torch, "rnn": rnn_of_torch, "irnn": irnn,
    "lstm-peephole": greff(""), "lstm-nig": greff("NIG"), "lstm-nfg": greff("NFG"),
    "lstm-nog": greff("NOG"), "lstm-niaf": greff("NIAF"), "lstm-noaf": greff("NOAF"),
    "lstm-cifg": greff("CIFG"), "lstm-np": without_peepholes(""),
    "lstm-fgr": full_gate_recurrence, "jozefowicz-lstm-f": without_peepholes("NFG"),
    "jozefowicz-lstm-i": without_peepholes("NIG"), "jozefowicz-lstm-o": without_peepholes("NOG"),
    "jozefowicz-lstm": without_peepholes(""),
    "jozefowicz-lstm-b": without_peepholes(""), "jozefowicz-gru": gru_of_jozefowicz, "mut1": mut1,
    "mut2": mut2, "mut3": mut3, "lstm-recitation": full_peephole, "mingru": min_gru,
    "mingru-gated": min_gru_gated, "minlstm": min_lstm, "sru": sru,
}  # fmt: skip


KINDS = {"lstm", "gru", "rnn", "irnn", "lstm-fgr", "mut2", "mut3", "lstm-niaf", "minlstm"}
"""Those that have, together, all that an equation can have: compiled in every run of the tests."""


def bent(cell):
    """Two layers of a cell, with weights that bend it."""
    torch.manual_seed(1)
    made = CharRNN(SYMBOLS, cell=cell, hidden_size=HIDDEN, num_layers=2, embedding_size=4)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.4)
    return made


@pytest.fixture(
    params=[pytest.param(n, marks=[] if n in KINDS else pytest.mark.slow) for n in CATALOGUE]
)
def model(request):
    """One of every kind; of every cell in the slow tests."""
    return bent(request.param)


@pytest.fixture
def ids():
    return torch.from_numpy(np.random.default_rng(2).integers(0, SYMBOLS, (STEPS, ROWS)))


def written_out(model, ids):
    """Logits (T, B, V) by the paper's equations."""
    arrays = model.arrays()
    layers = [Layer(model, number) for number in range(2)]
    states = [[np.zeros((ids.shape[1], HIDDEN)) for _ in CATALOGUE[model.cell].states]
              for _ in layers]  # fmt: skip
    found = []
    for symbols in ids.numpy():
        x = np.float64(arrays["embedding.weight"])[symbols]
        for number, layer in enumerate(layers):
            states[number] = PAPERS[model.cell](layer, x, *states[number])
            x = states[number][0]
        found.append(x @ np.float64(arrays["output.weight"]).T + arrays["output.bias"])
    return np.array(found)


def close(a, b, within=1e-5):
    """Numbers of any size within a share of the largest."""
    a, b = np.asarray(a), np.asarray(b)
    np.testing.assert_allclose(a, b, atol=within * max(1, np.abs(b).max()), rtol=0)


def test_training_kernels_follow_the_paper(model, ids):
    logits, _ = CompiledModel(model, False, False, True, None).run(ids, model.zero_state(ROWS))
    close(logits.detach().numpy(), written_out(model, ids))


@pytest.mark.parametrize("cell", CATALOGUE)
def test_torch_layers_follow_the_paper(cell, ids):
    model = bent(cell)
    logits, _ = TorchModel(model, "fp32", None).run(ids, model.zero_state(ROWS))
    close(logits.detach().numpy(), written_out(model, ids))


def test_sampling_kernels_follow_the_paper(model, ids):
    engine = KernelEngine(pack_model(model.cell, model.arrays()))
    seen = engine.trace(engine.begin(ROWS), ids.numpy(), gates=True)
    begun = torch.cat([torch.zeros(1, ROWS, dtype=torch.int64), ids])  # the end symbol comes first
    close(seen.logits, written_out(model, begun)[:-1])
    assert np.isfinite(seen.gates).all()


def test_gradients_are_those_of_differences(model, ids):
    """Along a random direction, against a difference of the loss in float64 (Rademacher)."""
    targets = ids.roll(1, 0)

    def loss(logits):
        shifted = logits - logits.max(-1, keepdims=True)
        log_probs = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
        return -np.take_along_axis(log_probs, targets.numpy()[..., None], -1).mean()

    network = CompiledModel(model, False, True, True, None)
    logits, _ = network.run(ids, model.zero_state(ROWS))
    cost = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    gradients = torch.autograd.grad(cost, list(model.parameters()))
    generator = torch.Generator().manual_seed(3)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        direction = torch.randint(0, 2, parameter.shape, generator=generator) * 2.0 - 1
        direction *= 1e-3
        before, ends = parameter.detach().clone(), []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.copy_(before + sign * direction)
            ends.append(loss(written_out(model, ids)))
        with torch.no_grad():
            parameter.copy_(before)
        slope = (ends[0] - ends[1]) / 2
        assert float((gradient * direction).sum()) == pytest.approx(slope, rel=2e-3, abs=2e-6)


def test_kernels_and_torch_have_the_same_gradients(model, ids):
    found = []
    for network in (CompiledModel(model, False, True, True, None), TorchModel(model, "fp32", None)):
        logits, after = network.run(ids, model.zero_state(ROWS))
        again, _ = network.run(ids, [tuple(p.detach() for p in layer) for layer in after])
        cost = torch.nn.functional.cross_entropy(again.flatten(0, 1), ids.flatten())
        found.append(torch.autograd.grad(cost + logits.mean(), list(model.parameters())))
    for ours, theirs in zip(*found, strict=True):
        close(ours, theirs, within=1e-5)


def test_a_held_unit_stays_and_h_follows(model, ids):
    engine = KernelEngine(pack_model(model.cell, model.arrays())).held({(1, 2): 0.5})
    seen = engine.trace(engine.begin(ROWS), ids.numpy())
    assert (seen.kept[:, 1, :, 2] == 0.5).all()
    if CATALOGUE[model.cell].states == ("h",):
        assert (seen.hidden[:, 1, :, 2] == 0.5).all()


def test_every_cell_has_its_paper():
    assert set(PAPERS) == set(CATALOGUE)
    assert all(cell.source and cell.title for cell in CATALOGUE.values())


def test_an_unknown_cell_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean lstm-cifg"):
        cell_type("lstm-cfig")


def test_a_block_asked_for_twice_is_refused():
    def step(net, x, h):
        return (net("n", x, h) + net("n", x),)

    with pytest.raises(ValueError, match="twice"):
        _ = CellType("twice", "", "", ("h",), step).equations


def test_ours_are_of_no_other_package():
    assert not any(map(package_of, CATALOGUE))
    assert cell_names()[: len(CATALOGUE)] == list(CATALOGUE)


def test_cells_whose_gates_see_the_input_alone_are_read_in_parallel():
    joined = {n: cell_type(n).equations.recurrence for n in CATALOGUE}
    found = {n: cell_type(n).states[scan.state] for n, scan in joined.items() if scan}
    assert found == {"mingru": "h", "mingru-gated": "c", "minlstm": "h"}


def test_a_state_that_hangs_on_another_before_is_read_step_by_step():
    def step(net, x, h, c):
        after = net("f", x).sigmoid() * c + net("g", x)
        return after * h, after

    kind = CellType("x", "", "", ("h", "c"), step)
    assert kind.equations.recurrence is None
