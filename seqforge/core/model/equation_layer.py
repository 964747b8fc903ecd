"""A cell's name and sizes in, a layer of it out that runs on torch tensors, on any device.

It is what GPUs run, and what the compiled kernels are compared with.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from seqforge.core.cells.catalogue import cell_type
from seqforge.core.cells.equations import Recurrence
from seqforge.core.cells.symbols import Symbol, evaluated
from seqforge.core.cells.weights import layer_shapes

States = tuple[Tensor, ...]


class EquationLayer(nn.Module):
    """A layer of H units; the shapes of its weights are in `Equations`."""

    def __init__(self, cell: str, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.cell, self.hidden_size = cell, hidden_size
        self.parts = cell_type(cell).equations
        for name, shape in layer_shapes(cell, input_size, hidden_size).items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)))

    def _weight(self, name: str) -> Tensor:
        return self.get_parameter(f"{name}_l0")

    def run(self, x: Tensor, state: States, w_hh: Tensor | None = None) -> tuple[Tensor, States]:
        """A window (T, B, I) and the states before it in, h (T, B, H) and the states after out.

        Args:
            x: The window.
            state: One (B, H) for each of the cell's.
            w_hh: Weights of states to use instead of the layer's own.
        """
        of_x = linear(x, self._weight("weight_ih"))
        if self.parts.recurrence is not None:
            return self._joined(self.parts.recurrence, of_x, state)
        outputs = []
        for inputs in of_x:
            state = tuple(evaluated(self.parts.after, self.known(inputs, state, w_hh)))
            outputs.append(state[0])
        return torch.stack(outputs), state

    def _joined(self, scan: Recurrence, of_x: Tensor, state: States) -> tuple[Tensor, States]:
        """A window read in parallel: the state whose steps are joined, then what hangs on it."""
        known = self._leaves(of_x, state)
        a, b = evaluated([scan.a, scan.b], known)
        known[self.parts.after[scan.state]] = linear_recurrence(
            a.float(), b.float(), state[scan.state]
        )
        every = evaluated(self.parts.after, known)
        return every[0], tuple(part[-1] for part in every)

    def known(self, of_x: Tensor, state: States, w_hh: Tensor | None = None) -> dict[Symbol, Any]:
        """All blocks of a step, by the symbols of the equations.

        Args:
            of_x: What the input gives to its blocks, (B, X * H).
            state: The states before.
            w_hh: See `run`.
        """
        known, hidden = self._leaves(of_x, state), self.hidden_size
        used = 0
        for source in self.parts.sources:
            (value,) = evaluated([source.value], known)
            weights = self._weight("weight_hh") if w_hh is None else w_hh
            rows = len(source.blocks) * hidden
            found = linear(value, weights[used : used + rows])
            used += rows
            for block, part in zip(source.blocks, chunked(found, hidden), strict=True):
                leaf = self.parts.leaves[block]
                known[leaf] = known[leaf] + part
        return known

    def activations(self, x: Tensor, state: States) -> Tensor:
        """Input (R, I) and the states before in, activations (R, blocks, H) out."""
        known = self.known(linear(x, self._weight("weight_ih")), state)
        return torch.stack(evaluated(self.parts.activations, known), 1)

    def _leaves(self, of_x: Tensor, state: States) -> dict[Symbol, Any]:
        """Biases and the input's share of the blocks; states; diagonals."""
        parts, hidden = self.parts, self.hidden_size
        blocks: list[Tensor] = list(chunked(self._weight("bias_ih"), hidden))
        for number, part in zip(parts.from_input, chunked(of_x, hidden), strict=True):
            blocks[number] = blocks[number] + part
        known: dict[Symbol, Any] = dict(zip(parts.leaves, blocks, strict=True))
        known |= dict(zip(parts.states, state, strict=True))
        diagonals = self._weight("diagonal") if parts.diagonals else ()
        return known | dict(zip(parts.diagonal_leaves, diagonals, strict=True))


def chunked(x: Tensor, size: int) -> tuple[Tensor, ...]:
    """The parts of the last dimension, of so many numbers each."""
    return x.chunk(x.shape[-1] // size, -1)


def linear_recurrence(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """``h[t] = a[t] * h[t - 1] + b[t]`` of (T, B, H) from h (B, H) on, in log2(T) parallel rounds.

    The scan of Hillis and Steele 1986: each round joins pairs of neighbouring stretches.
    """
    b, step = torch.cat([b[:1] + a[:1] * h, b[1:]]), 1
    while step < len(a):
        b = torch.cat([b[:step], b[step:] + a[step:] * b[:-step]])
        a = torch.cat([a[:step], a[step:] * a[:-step]])
        step *= 2
    return b
