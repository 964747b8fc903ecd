"""A window of inputs and packed weights in, outputs and gradients of a layer out, for any cell of
the catalogue: the passes of `equation_kernels` as a differentiable torch layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from seqforge.core.cells.catalogue import cell_type
from seqforge.core.kernels.equation_kernels import EquationKernels, equation_kernels
from seqforge.core.kernels.layer_kernels import Shape
from seqforge.core.kernels.ops import padded
from seqforge.core.kernels.recurrence import addresses, leaf, pack, padded_gates, widened


class EquationModule(Protocol):
    """A layer with the weights that `Equations` names."""

    hidden_size: int

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names end in ``_l0``."""


@dataclass(frozen=True)
class EquationWeights:
    """A layer's weights as its kernel reads them; differentiable with respect to the module's."""

    cell: str
    width: int
    """H, padded."""
    start: Tensor
    """(V, N), a symbol's row of the table; or (1, N), the biases."""
    w_in: Tensor | None
    """(X * H, I); None for a layer that reads symbols."""
    w_state: Tensor | None
    """(S * H, H); None for cells without such products."""
    diagonals: Tensor | None
    """(D, H)."""

    def tensors(self) -> list[Tensor]:
        """Those that are there."""
        return [t for t in (self.start, self.w_in, self.w_state, self.diagonals) if t is not None]

    def leaves(self) -> EquationWeights:
        """The same numbers, cut off from where they come from, to work out gradients for."""
        given = (self.w_in, self.w_state, self.diagonals)
        w_in, w_state, diagonals = (None if t is None else leaf(t) for t in given)
        return EquationWeights(self.cell, self.width, leaf(self.start), w_in, w_state, diagonals)

    def packed(self, bf16: bool, training: bool) -> PackedEquation:
        """Packed, for the way back too where they are trained."""
        with torch.no_grad():
            w_in = self.w_in
            inputs = None if w_in is None else w_in.shape[1]
            made = equation_kernels(Shape(self.cell, self.width, inputs, bf16))
            return PackedEquation(
                made,
                None if w_in is None else pack(w_in, bf16),
                _by_source(made, self.w_state, bf16, transposed=False),
                None if w_in is None or not training else pack(w_in.t(), bf16),
                _by_source(made, self.w_state, bf16, transposed=True) if training else None,
            )


def equation_weights(
    cell: str, layer: EquationModule, w_hh: Tensor | None, embedding: Tensor | None
) -> EquationWeights:
    """The weights of a layer laid out for the kernel.

    Args:
        cell: Its name.
        layer: Its parameters are named as in `Equations`, with ``_l0``.
        w_hh: Its weights of states, (S * H, H), or some of them dropped.
        embedding: (V, E) for the first layer: what a symbol adds to the blocks is then the same
            wherever it stands and is worked out once.
    """
    parts, hidden = cell_type(cell).equations, layer.hidden_size
    width = padded(hidden)
    weights = dict(layer.named_parameters())
    w_ih = weights["weight_ih_l0"]
    biases = pad(weights["bias_ih_l0"].view(-1, hidden), (0, width - hidden)).flatten()
    inputs = tuple(range(len(parts.from_input)))
    w_state = None
    if w_hh is not None:
        w_state = padded_gates(w_hh, tuple(range(parts.products)), hidden, width, width)
    diagonals = None
    if parts.diagonals:
        diagonals = pad(weights["diagonal_l0"], (0, width - hidden))
    if embedding is None:
        w_in = padded_gates(w_ih, inputs, hidden, width, padded(w_ih.shape[1]))
        return EquationWeights(cell, width, biases[None], w_in, w_state, diagonals)
    table = padded_gates((embedding @ w_ih.t()).t(), inputs, hidden, width, len(embedding)).t()
    before = parts.from_input[0] * width
    around = (before, len(biases) - before - table.shape[1])
    start = (pad(table, around).float() + biases).contiguous()
    return EquationWeights(cell, width, start, None, w_state, diagonals)


@dataclass(frozen=True)
class PackedEquation:
    """A layer's weights in the order in which the matrix products read them."""

    kernels: EquationKernels
    forward_in: Tensor | None
    forward_state: Tensor | None
    backward_in: Tensor | None
    backward_state: Tensor | None

    def run(
        self, x: Tensor, weights: EquationWeights, state: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Read a window.

        Args:
            x: (T, B) symbols, int64, or (T, B, I) of the kernel's kind, contiguous.
            weights: The same weights; gradients go to them.
            state: The states, each (B, H) unpadded, float32; no gradient goes to them.

        Returns:
            h of every step, (T, B, H) padded, of the kernel's kind; and the states after.
        """
        given = (x, weights.start, weights.w_in, weights.w_state, weights.diagonals, self, state)
        out, kept = _EquationWindow.apply(*given)  # type: ignore[no-untyped-call]  # torch types no apply
        hidden = state[0].shape[1]
        return out, tuple(part[:, :hidden].contiguous() for part in kept)


def _by_source(
    made: EquationKernels, w_state: Tensor | None, bf16: bool, transposed: bool
) -> Tensor | None:
    if w_state is None:
        return None
    sizes = [len(source.blocks) * made.shape.hidden for source in made.equations.sources]
    parts = [part.t() if transposed else part for part in torch.split(w_state, sizes)]
    return torch.cat([pack(part, bf16).flatten() for part in parts])


class _EquationWindow(torch.autograd.Function):
    """A layer of any cell over one window."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, start: Tensor, w_in: Tensor | None, w_state: Tensor | None,
        diagonals: Tensor | None, packed: PackedEquation, state: tuple[Tensor, ...],
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        (steps, rows), kernel = x.shape[:2], packed.kernels
        width, states = kernel.shape.hidden, len(state)
        kind = torch.bfloat16 if kernel.shape.bf16 else torch.float32
        kept = torch.empty(steps + 1, states, rows, width)
        h = torch.empty(steps + 1, rows, width, dtype=kind)
        h[0] = widened(state[0], width)
        kept[0] = torch.stack([widened(part, width) for part in state])
        act = torch.empty(steps, rows, kernel.columns, dtype=kind)
        sources = torch.empty(len(kernel.computed), steps, rows, width, dtype=kind)
        pre = torch.empty(rows, kernel.columns)
        ids, dense = (x, None) if w_in is None else (None, x)
        kernel.forward(
            *addresses(start, ids, dense, packed.forward_in, packed.forward_state, diagonals, h,
                       kept, act, sources, pre), steps, rows,
        )  # fmt: skip
        ctx.packed, ctx.start_rows, ctx.diagonals = packed, len(start), diagonals
        ctx.save_for_backward(x, h, kept, act, sources)
        last = kept[-1].clone()
        ctx.mark_non_differentiable(last)
        return h[1:], last

    @staticmethod
    def backward(ctx: Any, dout: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        x, h, kept, act, sources = ctx.saved_tensors
        packed: PackedEquation = ctx.packed
        kernel, (steps, rows) = packed.kernels, x.shape[:2]
        width, dense = kernel.shape.hidden, kernel.shape.inputs is not None
        dact = torch.empty_like(act)
        dx = torch.empty_like(x) if dense else None
        dstart = torch.zeros(ctx.start_rows, kernel.columns)
        ddiagonals = None if ctx.diagonals is None else torch.zeros_like(ctx.diagonals)
        dstates = torch.zeros(kept.shape[1], rows, width)
        dpre, dsource = torch.empty(rows, kernel.columns), torch.empty(rows, width)
        kernel.backward(
            *addresses(None if dense else x, act, kept, dout.to(act.dtype).contiguous(),
                       packed.backward_in, packed.backward_state, ctx.diagonals, dact, dx, dstart,
                       ddiagonals, dstates, dpre, dsource), steps, rows,
        )  # fmt: skip
        flat = dact.view(steps * rows, kernel.columns)
        inputs = (h[:-1], *sources)
        if not kernel.equations.reads_h:
            inputs = inputs[1:]
        products = [
            flat[:, kernel.columns_of(source.blocks)].t() @ given.reshape(steps * rows, width)
            for source, given in zip(kernel.equations.sources, inputs, strict=True)
        ]
        dw_state = torch.cat(products).float() if products else None
        dw_in = None
        if dense:
            dw_in = (flat[:, kernel.from_input].t() @ x.view(steps * rows, -1)).float()
        return dx, dstart, dw_in, dw_state, ddiagonals, None, None
