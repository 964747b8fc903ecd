"""The compiled kernels against torch's own layers and plain products."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from seqforge.core.kernels.compiler import compile_function
from seqforge.core.kernels.llvm import BF16, F32, HAS_BF16, WIDTH, i64
from seqforge.core.kernels.ops import Matrix, Product
from seqforge.core.kernels.recurrence import Weights, layer_weights, pack

MODULES = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
PRECISIONS = [False, pytest.param(True, marks=pytest.mark.skipif(not HAS_BF16, reason="no bf16"))]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def elementwise(name, work):
    """A function over vectors, as one over numpy arrays."""

    def write(code, source, target, count):
        with code.loop(0, count, WIDTH) as index:
            code.store(work(code.load(source, index)), target, index)

    call = compile_function(name, 2, 1, write)

    def run(x):
        assert len(x) % WIDTH == 0
        found = np.empty_like(x)
        call(x.ctypes.data, found.ctypes.data, len(x))
        return found

    return run


def test_tanh_and_sigmoid_are_right_to_a_few_units_in_the_last_place():
    x = np.linspace(-30, 30, 16 * 20_000).astype(np.float32)
    tanh, sigmoid = (elementwise(n, lambda v, n=n: getattr(v, n)()) for n in ("tanh", "sigmoid"))

    exact = x.astype(np.float64)
    assert np.abs(tanh(x) - np.tanh(exact)).max() < 4e-7
    assert np.abs(sigmoid(x) - 1 / (1 + np.exp(-exact))).max() < 3e-7
    assert np.isnan(tanh(np.full(WIDTH, np.nan, np.float32))).all()


@pytest.mark.parametrize("bf16", PRECISIONS)
@pytest.mark.parametrize("vectors", [1, 3, 4, 7, 11])
@pytest.mark.parametrize("inner", [1, 2, 33])
def test_a_product_is_the_plain_product_and_does_not_hang_on_the_number_of_rows(
    bf16, vectors, inner
):
    """For every height of the last tile: near the plain product, and the very same bytes."""
    columns, kind = vectors * WIDTH, BF16 if bf16 else F32
    dtype = torch.bfloat16 if bf16 else torch.float32
    product = Product(columns, inner, kind, add=True)

    def write(code, left, packed, result, rows, stride):
        product.write(code, Matrix(left, stride), packed, Matrix(result, i64(columns)), rows)

    call = compile_function("product", 3, 2, write)
    torch.manual_seed(0)
    weight = torch.randn(columns, inner)
    left = torch.zeros(19, inner + inner % 2, dtype=dtype)
    left[:, :inner] = torch.randn(19, inner)
    packed = pack(weight, bf16)
    wanted = 1 + left[:, :inner].double() @ weight.to(dtype).double().t()
    found = {}
    for rows in range(1, 20):
        result = torch.ones(rows, columns)
        call(left.data_ptr(), packed.data_ptr(), result.data_ptr(), rows, left.shape[1])
        found[rows] = result

    torch.testing.assert_close(found[19].double(), wanted, atol=1e-4, rtol=1e-5)
    for rows in range(1, 20):
        assert torch.equal(found[rows], found[19][:rows])


def two_layers(cell, hidden, width, symbols, seed):
    torch.manual_seed(seed)
    first, second = MODULES[cell](width, hidden), MODULES[cell](hidden, hidden)
    embedding = nn.Parameter(torch.randn(symbols, width) * 0.5)
    return first, second, embedding


def relative_error(found, wanted):
    """Largest error of a gradient's norm; what has all but cancelled out is held to the others."""
    largest = max(tensor.norm().item() for tensor in wanted)
    pairs = zip(found, wanted, strict=True)
    return max(((a - b).norm() / (b.norm() + 0.1 * largest)).item() for a, b in pairs)


@pytest.mark.parametrize("bf16", PRECISIONS)
@pytest.mark.parametrize("cell", MODULES)
@settings(max_examples=12, deadline=None)
@given(
    hidden=st.sampled_from([1, 7, 16, 20, 64]),
    width=st.integers(1, 20),
    steps=st.integers(1, 12),
    rows=st.integers(1, 14),
    seed=st.integers(0, 99),
)
@example(hidden=1, width=1, steps=3, rows=6, seed=14)  # where bfloat16 is furthest off
def test_two_layers_are_torchs_forwards_and_backwards(bf16, cell, hidden, width, steps, rows, seed):
    """The first layer reads a table, the second the first one's output; from a given state."""
    first, second, embedding = two_layers(cell, hidden, width, 9, seed)
    ids = torch.randint(0, 9, (steps, rows))
    state = tuple(torch.randn(rows, hidden) * 0.3 for _ in range(2 if cell == "lstm" else 1))
    given_state = tuple(part[None] for part in state)
    given_state = given_state if cell == "lstm" else given_state[0]
    upstream = torch.randn(steps, rows, hidden)
    x, _ = first(embedding[ids], given_state)
    wanted_out, wanted_state = second(x, given_state)
    parameters = [embedding, *first.parameters(), *second.parameters()]
    wanted = torch.autograd.grad((wanted_out * upstream).sum(), parameters)

    x = ids
    for layer, table in ((first, embedding), (second, None)):
        weights = layer_weights(cell, layer, layer.weight_hh_l0, table)
        packed = weights.packed(bf16, training=True)
        x, after = packed.run(x, weights, state)
    out = x[..., :hidden].float()
    found = torch.autograd.grad((out * upstream).sum(), parameters)

    torch.testing.assert_close(out, wanted_out, atol=4e-2 if bf16 else 5e-6, rtol=0)
    wanted_state = wanted_state if cell == "lstm" else (wanted_state,)
    for part, theirs in zip(after, wanted_state, strict=True):
        torch.testing.assert_close(part, theirs[0], atol=4e-2 if bf16 else 5e-6, rtol=0)
    assert relative_error(found, wanted) < (0.2 if bf16 else 1e-5)


def test_what_lies_behind_the_padding_stays_zero():
    """A layer of 20 is computed as one of 32 on a wide machine: the rest must not leak in."""
    first, _, embedding = two_layers("gru", 20, 5, 4, 0)
    weights = layer_weights("gru", first, first.weight_hh_l0, embedding)
    packed = weights.packed(False, training=False)
    out, _ = packed.run(torch.randint(0, 4, (6, 3)), weights, (torch.randn(3, 20),))

    assert out.shape[2] >= 20
    assert not out[..., 20:].any()


def test_a_tensor_with_holes_is_refused():
    first, _, embedding = two_layers("lstm", 16, 5, 4, 0)
    weights = layer_weights("lstm", first, first.weight_hh_l0, embedding)
    packed = weights.packed(False, training=False)
    state = (torch.zeros(3, 16), torch.zeros(3, 16))

    with pytest.raises(ValueError, match="contiguous"):
        packed.run(torch.zeros(3, 6, dtype=torch.int64).t(), weights, state)


def test_leaves_are_the_same_numbers_cut_off_from_where_they_come_from():
    weights = Weights("rnn", torch.ones(2, requires_grad=True) * 3, None, torch.ones(2, 2))
    leaves = weights.leaves()

    assert torch.equal(leaves.start, weights.start)
    assert all(tensor.is_leaf and tensor.requires_grad for tensor in leaves.tensors())
