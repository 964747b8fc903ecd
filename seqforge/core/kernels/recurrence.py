"""A window of inputs and packed weights in, outputs and gradients of a recurrent layer out: the
compiled passes as a differentiable torch layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from seqforge.core.kernels.layer_kernels import Kernels, Shape, kernels
from seqforge.core.kernels.llvm import WIDTH
from seqforge.core.kernels.ops import CELLS, Tiling, padded


def pack(weight: Tensor, bf16: bool) -> Tensor:
    """Lay weights (N, K) out in the order in which a product reads them; N a multiple of WIDTH.

    A tile's columns lie together, for each k in turn (each pair of k for bfloat16, whose products
    are summed in pairs).
    """
    columns, inner = weight.shape
    width = Tiling(columns).across * WIDTH
    if not bf16:
        return weight.view(columns // width, width, inner).transpose(1, 2).contiguous()
    if inner % 2:
        weight = torch.nn.functional.pad(weight, (0, 1))
    pairs = weight.bfloat16().view(columns // width, width, -1, 2)
    return pairs.transpose(1, 2).contiguous()


@dataclass(frozen=True)
class Weights:
    """A layer's weights as its kernel reads them; differentiable with respect to the module's."""

    cell: str
    start: Tensor
    """(V, N), a symbol's row of the table; or (1, N), the biases."""
    w_in: Tensor | None
    """(rows fed by the input, I); None for a layer that reads symbols."""
    w_state: Tensor
    """(rows fed by the state, H)."""

    def tensors(self) -> list[Tensor]:
        """Those that are there."""
        return [t for t in (self.start, self.w_in, self.w_state) if t is not None]

    def leaves(self) -> Weights:
        """The same numbers, cut off from where they come from, to work out gradients for."""
        w_in = None if self.w_in is None else leaf(self.w_in)
        return Weights(self.cell, leaf(self.start), w_in, leaf(self.w_state))

    def packed(self, bf16: bool, training: bool) -> Packed:
        """Packed, for the way back too where they are trained."""
        with torch.no_grad():
            w_in, w_state = self.w_in, self.w_state
            inputs = None if w_in is None else w_in.shape[1]
            return Packed(
                kernels(Shape(self.cell, w_state.shape[1], inputs, bf16)),
                None if w_in is None else pack(w_in, bf16),
                pack(w_state, bf16),
                None if w_in is None or not training else pack(w_in.t(), bf16),
                pack(w_state.t(), bf16) if training else None,
            )


def leaf(weights: Tensor) -> Tensor:
    """The same numbers, cut off from where they come from."""
    return weights.detach().requires_grad_()


def layer_weights(cell: str, layer: nn.RNNBase, w_hh: Tensor, embedding: Tensor | None) -> Weights:
    """The weights of one of torch's layers laid out for the kernel.

    Args:
        cell: lstm, gru or rnn.
        layer: The layer, for all but the recurrent weights.
        w_hh: Recurrent weights, (G * H, H): the layer's own, or some of them dropped.
        embedding: (V, E) for the first layer: what a symbol adds to the pre-activations is then
            the same wherever it stands and is worked out once.
    """
    layout, hidden = CELLS[cell].layout, layer.hidden_size
    width = padded(hidden)
    parameters = dict(layer.named_parameters())
    w_ih, b_ih, b_hh = (parameters[f"{n}_l0"] for n in ("weight_ih", "bias_ih", "bias_hh"))
    biases = _biases(cell, b_ih, b_hh, hidden, width)
    w_state = padded_gates(w_hh, layout.from_state, hidden, width, width)
    if embedding is None:
        w_in = padded_gates(w_ih, layout.from_input, hidden, width, padded(w_ih.shape[1]))
        return Weights(cell, biases[None], w_in, w_state)
    gates = embedding @ w_ih.t()
    table = padded_gates(gates.t(), layout.from_input, hidden, width, len(embedding)).t()
    rest = len(biases) - table.shape[1]
    start = (pad(table, (0, rest)).float() + biases).contiguous()
    return Weights(cell, start, None, w_state)


def padded_gates(
    weight: Tensor, order: tuple[int, ...], hidden: int, width: int, inner: int
) -> Tensor:
    """Gates of (G * H, K) weights in a given order, padded to ``width`` rows each and ``inner``."""
    gates = weight.view(-1, hidden, weight.shape[1])
    if order != tuple(range(len(gates))):
        gates = gates[list(order)]
    if (width, inner) != gates.shape[1:]:
        gates = pad(gates, (0, inner - gates.shape[2], 0, width - hidden))
    return gates.reshape(len(order) * width, inner)


def _biases(cell: str, b_ih: Tensor, b_hh: Tensor, hidden: int, width: int) -> Tensor:
    """One bias a block: the sum of both where input and state feed the same block."""
    layout = CELLS[cell].layout
    from_input = b_ih.view(-1, hidden)[list(layout.from_input)]
    from_state = b_hh.view(-1, hidden)[list(layout.from_state)]
    last = layout.blocks - layout.first_from_state - len(from_state)
    total = pad(from_input, (0, 0, 0, layout.blocks - len(from_input)))
    total = total + pad(from_state, (0, 0, layout.first_from_state, last))
    return pad(total, (0, width - hidden)).flatten()


@dataclass(frozen=True)
class Packed:
    """A layer's weights in the order in which the matrix products read them."""

    kernels: Kernels
    forward_in: Tensor | None
    forward_state: Tensor
    backward_in: Tensor | None = None
    backward_state: Tensor | None = None

    def run(
        self, x: Tensor, weights: Weights, state: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Read a window.

        Args:
            x: (T, B) symbols, int64, or (T, B, I) of the kernel's kind, contiguous.
            weights: The same weights; gradients go to them.
            state: (h,) or (h, c), each (B, H) unpadded, float32; no gradient goes to it.

        Returns:
            h of every step, (T, B, H) padded, of the kernel's kind; and the state after the window.
        """
        given = (x, weights.start, weights.w_in, weights.w_state, self, state)
        out, kept = _Window.apply(*given)  # type: ignore[no-untyped-call]  # torch types no apply
        hidden = state[0].shape[1]
        if CELLS[self.kernels.shape.cell].layout.keeps == "hidden":
            return out, (kept[:, :hidden],)
        return out, (out[-1, :, :hidden].detach().to(torch.float32, copy=True), kept[:, :hidden])


class _Window(torch.autograd.Function):
    """One layer over one window."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, start: Tensor, w_in: Tensor | None, w_state: Tensor,
        packed: Packed, state: tuple[Tensor, ...],
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        kernel, (steps, rows) = packed.kernels, x.shape[:2]
        width = kernel.shape.hidden
        kind = torch.bfloat16 if kernel.shape.bf16 else torch.float32
        h = torch.empty(steps + 1, rows, width, dtype=kind)
        kept = torch.empty(steps + 1, rows, width)
        h[0] = widened(state[0], width)
        kept[0] = widened(state[-1], width)
        act = torch.empty(steps, rows, kernel.columns, dtype=kind)
        pre = torch.empty(rows, kernel.columns)
        ids, dense = (x, None) if w_in is None else (None, x)
        kernel.forward(
            *addresses(start, ids, dense, packed.forward_in, packed.forward_state, h, kept,
                        act, pre), steps, rows,
        )  # fmt: skip
        ctx.packed, ctx.start_rows = packed, len(start)
        ctx.save_for_backward(x, h, kept, act)
        last = kept[-1].clone()
        ctx.mark_non_differentiable(last)
        return h[1:], last

    @staticmethod
    def backward(ctx: Any, dout: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        x, h, kept, act = ctx.saved_tensors
        packed: Packed = ctx.packed
        kernel, (steps, rows) = packed.kernels, x.shape[:2]
        dense = kernel.shape.inputs is not None
        dpre = torch.empty_like(act)
        dx = torch.empty_like(x) if dense else None
        dstart = torch.zeros(ctx.start_rows, kernel.columns)
        dh, dkept = torch.zeros(2, rows, kernel.shape.hidden)
        dout = dout.to(act.dtype).contiguous()
        kernel.backward(
            *addresses(None if dense else x, act, kept, dout, packed.backward_in,
                        packed.backward_state, dpre, dx, dstart, dh, dkept), steps, rows,
        )  # fmt: skip
        flat = dpre.view(steps * rows, kernel.columns)
        left = flat[:, kernel.state_column : kernel.state_column + kernel.from_state]
        dw_state = left.t() @ h[:-1].view(steps * rows, -1)
        dw_in = None
        if dense:
            dw_in = (flat[:, : kernel.from_input].t() @ x.view(steps * rows, -1)).float()
        return dx, dstart, dw_in, dw_state.float(), None, None


def widened(state: Tensor, width: int) -> Tensor:
    """A state (B, H), with zeros up to a width."""
    return pad(state, (0, width - state.shape[1])) if state.shape[1] < width else state


def addresses(*tensors: Tensor | None) -> list[int | None]:
    """Where the numbers of contiguous tensors lie."""
    for tensor in tensors:
        if tensor is not None and not tensor.is_contiguous():
            raise ValueError("a kernel reads contiguous tensors only")
    return [None if tensor is None else tensor.data_ptr() for tensor in tensors]
