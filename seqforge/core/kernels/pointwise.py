"""What each cell does between its matrix products, element by element, forwards and backwards.

A cell's pre-activations lie in blocks of H columns. Where the blocks that the input feeds and the
blocks that the carried state feeds are each one run of columns, each needs one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from seqforge.core.kernels.vectors import Vector


@dataclass(frozen=True)
class Layout:
    """The blocks of a cell; torch's names and order are in `torch.nn.LSTM` and `torch.nn.GRU`."""

    blocks: int
    from_input: tuple[int, ...]
    """For each block that the input feeds, in order, torch's number of that gate."""
    from_state: tuple[int, ...]
    first_from_state: int
    """Block at which those fed by the carried state begin; those of the input begin at 0."""
    keeps: str
    """What is kept in float32 from step to step: ``cell`` (LSTM's c) or ``hidden`` (h)."""


class Cell(Protocol):
    """One kind of cell."""

    layout: Layout

    def forward(self, pre: list[Vector], kept: Vector) -> tuple[list[Vector], Vector, Vector]:
        """Pre-activations and what was kept to: activations, what is kept now, h."""

    def backward(
        self, act: list[Vector], kept: Vector, now: Vector, dh: Vector, dkept: Vector
    ) -> tuple[list[Vector], Vector]:
        """Gradients of the pre-activations, and what goes back to the step before directly.

        ``kept`` is from before the step, ``now`` from after it. For a cell that keeps h the
        second is part of its gradient; for the LSTM it is the whole gradient of c.
        """


class LSTM:
    """Hochreiter and Schmidhuber 1997, with forget gates (Gers et al. 2000)."""

    layout = Layout(4, (0, 1, 2, 3), (0, 1, 2, 3), 0, "cell")

    def forward(self, pre: list[Vector], kept: Vector) -> tuple[list[Vector], Vector, Vector]:
        """See `Cell.forward`."""
        i, f, o = (pre[n].sigmoid() for n in (0, 1, 3))
        g = pre[2].tanh()
        c = f * kept + i * g
        return [i, f, g, o], c, o * c.tanh()

    def backward(
        self, act: list[Vector], kept: Vector, now: Vector, dh: Vector, dkept: Vector
    ) -> tuple[list[Vector], Vector]:
        """See `Cell.backward`."""
        i, f, g, o = act
        tanh_c = now.tanh()
        dc = dh * o * (1.0 - tanh_c * tanh_c) + dkept
        di = dc * g * i * (1.0 - i)
        df = dc * kept * f * (1.0 - f)
        dg = dc * i * (1.0 - g * g)
        do = dh * tanh_c * o * (1.0 - o)
        return [di, df, dg, do], dc * f


class GRU:
    """Cho et al. 2014, in the form of cuDNN and torch: reset after the matrix product.

    Blocks: new (input's part), reset, update, new (state's part).
    """

    layout = Layout(4, (2, 0, 1), (0, 1, 2), 1, "hidden")

    def forward(self, pre: list[Vector], kept: Vector) -> tuple[list[Vector], Vector, Vector]:
        """See `Cell.forward`."""
        r, z = pre[1].sigmoid(), pre[2].sigmoid()
        n = (pre[0] + r * pre[3]).tanh()
        h = n + z * (kept - n)
        return [n, r, z, pre[3]], h, h

    def backward(
        self, act: list[Vector], kept: Vector, now: Vector, dh: Vector, dkept: Vector
    ) -> tuple[list[Vector], Vector]:
        """See `Cell.backward`."""
        n, r, z, state_part = act
        dn = dh * (1.0 - z) * (1.0 - n * n)
        dr = dn * state_part * r * (1.0 - r)
        dz = dh * (kept - n) * z * (1.0 - z)
        return [dn, dr, dz, dn * r], dh * z


class RNN:
    """The plain recurrent network with tanh (Elman 1990)."""

    layout = Layout(1, (0,), (0,), 0, "hidden")

    def forward(self, pre: list[Vector], kept: Vector) -> tuple[list[Vector], Vector, Vector]:
        """See `Cell.forward`."""
        h = pre[0].tanh()
        return [h], h, h

    def backward(
        self, act: list[Vector], kept: Vector, now: Vector, dh: Vector, dkept: Vector
    ) -> tuple[list[Vector], Vector]:
        """See `Cell.backward`."""
        return [dh * (1.0 - act[0] * act[0])], dh * 0.0


CELLS: dict[str, Cell] = {"lstm": LSTM(), "gru": GRU(), "rnn": RNN()}
