"""Layers that read whole sequences: both directions, sequences of different lengths, every cell."""

import pytest
import torch

from seqforge.core.cells.catalogue import cell_names
from seqforge.core.model.cells import dropped, run_layer, zero_state
from seqforge.core.model.encoder import RecurrentStack

SIZES = (5, 9, 1)


def stack_of(cell="gru", layers=2, bidirectional=True):
    torch.manual_seed(3)
    return RecurrentStack(cell, 6, 8, layers, bidirectional=bidirectional)


def plain(stack, x):
    """One sequence (T, 6), by torch's own layers, each direction by itself."""
    x = x[:, None]
    for forward, backward in zip(stack.forwards, stack.backwards, strict=True):
        zero = zero_state(stack.cell, 1, 8, x)
        there, _ = run_layer(forward, x, zero)
        back, _ = run_layer(backward, x.flip(0), zero)
        x = torch.cat([there, back.flip(0)], 2)
    return x[:, 0]


@pytest.mark.parametrize("cell", [name for name in cell_names() if name != "ngram"])
def test_sequences_of_different_lengths_are_read_as_if_alone(cell):
    stack = stack_of(cell)
    sequences = [torch.randn(size, 6) for size in SIZES]
    batch = torch.full((max(SIZES), len(SIZES), 6), 7.0)  # what stands behind an end is not read
    for row, one in enumerate(sequences):
        batch[: len(one), row] = one
    with torch.no_grad():
        found = stack(batch, torch.tensor(SIZES), "fp32", None)
        for row, one in enumerate(sequences):
            torch.testing.assert_close(found[: len(one), row], plain(stack, one), atol=2e-5, rtol=0)


def test_gradients_reach_what_comes_before_and_after():
    stack, x = stack_of(), torch.randn(7, 1, 6, requires_grad=True)
    stack(x, None, "fp32", None)[3].sum().backward()
    assert (x.grad.abs().sum((1, 2)) > 0).all(), "the fourth symbol's output knows all others"

    causal, x = stack_of(bidirectional=False), torch.randn(7, 1, 6, requires_grad=True)
    causal(x, None, "fp32", None)[3].sum().backward()
    assert (x.grad[4:] == 0).all()
    assert (x.grad[:4].abs().sum((1, 2)) > 0).all()


def test_gradients_agree_with_differences():
    stack = stack_of(layers=1)
    x, weights = torch.randn(4, 2, 6), torch.randn(4, 2, 16)
    lengths = torch.tensor([4, 2])
    inside = (torch.arange(4)[:, None] < lengths)[..., None]

    def worth(x):
        return (stack(x, lengths, "fp32", None) * weights * inside).sum()

    (gradient,) = torch.autograd.grad(worth(leaf := x.clone().requires_grad_()), leaf)
    for place in ((0, 0, 1), (2, 0, 5), (1, 1, 0), (3, 1, 2)):
        moved = [x.clone(), x.clone()]
        moved[0][place] += 1e-2
        moved[1][place] -= 1e-2
        with torch.no_grad():
            slope = (worth(moved[0]) - worth(moved[1])) / 2e-2
        torch.testing.assert_close(gradient[place], slope, atol=2e-3, rtol=2e-2)


def test_half_precision_stays_near():
    stack, x = stack_of(), torch.randn(30, 3, 6)
    with torch.no_grad():
        exact, rough = (stack(x, None, kind, None) for kind in ("fp32", "bf16"))
    assert (exact - rough).abs().max() < 0.05


def test_dropout_keeps_the_mean_and_comes_from_its_generator():
    x = torch.ones(200, 50)
    found = [dropped(x, 0.3, torch.Generator().manual_seed(5)) for _ in range(2)]
    assert torch.equal(*found)
    assert found[0].mean() == pytest.approx(1, abs=0.03)
    assert torch.equal(dropped(x, 0.3, None), x)
