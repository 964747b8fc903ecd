"""Vectors in, vectors out: the matrix product and the pointwise gates of LSTM, GRU and RNN
cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from llvmlite import ir

from seqforge.core.cells.catalogue import cell_type
from seqforge.core.kernels.llvm import (
    BF16,
    F32,
    I16,
    I32,
    REGISTERS,
    WIDTH,
    Code,
    Vector,
    i64,
    vector_of,
)

_MOST_COLUMNS, _MOST_ROWS = 7, 8


@dataclass(frozen=True)
class Tiling:
    """How a product with ``columns`` result columns is cut into tiles held in registers."""

    columns: int

    @property
    def across(self) -> int:
        """Vectors across a tile: a divisor of all, so that no narrow rest is left."""
        vectors = self.columns // WIDTH
        fitting = [n for n in range(1, _MOST_COLUMNS + 1) if vectors % n == 0 and _rows(n)]
        return max(fitting, key=lambda n: n * _rows(n) / (n + _rows(n)))


def _rows(across: int) -> int:
    """Rows that fit: the sums, a row of weights and one number need registers."""
    return min(_MOST_ROWS, (REGISTERS - 1 - across) // across)


def padded(size: int) -> int:
    """The next multiple of the vector width."""
    return -(-size // WIDTH) * WIDTH


@dataclass(frozen=True)
class Matrix:
    """Rows of numbers at an address."""

    pointer: Any
    stride: Any
    """Numbers from a row to the next, an i64 value."""


@dataclass(frozen=True)
class Product:
    """Code for ``result[r, :] = start[r, :] + left[r, :] @ packed``."""

    columns: Any
    inner: Any
    """Sizes: numbers, or (for float32) i64 values that are known when the code runs."""
    left_kind: Any
    """F32 or BF16: the kind of ``left`` and of the packed weights."""
    result_kind: Any = F32
    add: bool = False
    """Whether to add to what stands in the result; else start from zero."""
    across: int | None = None
    """Vectors across a tile; None: what suits the columns."""

    @property
    def _across(self) -> int:
        return self.across or Tiling(self.columns).across

    @property
    def _element(self) -> Any:
        return F32 if self.left_kind is F32 else I16

    @property
    def _step(self) -> int:
        """How many k are summed at once."""
        return 1 if self.left_kind is F32 else 2

    @property
    def _padded_inner(self) -> Any:
        return self.inner if self._step == 1 else -(-self.inner // self._step) * self._step

    def write(self, code: Code, left: Matrix, packed: Any, result: Matrix, rows: Any) -> None:
        """Write the code for ``rows`` (i64) rows."""
        width, high, b = self._across * WIDTH, _rows(self._across), code.builder
        whole = b.mul(b.sdiv(rows, i64(high)), i64(high))
        with code.loop(0, self.columns, width) as column:
            weights = code.at(packed, self._element, b.mul(column, i64(self._padded_inner)))
            with code.loop(0, whole, high) as row:
                self._tile(code, high, row, left, weights, result, column)
            rest, first = b.sub(rows, whole), whole
            for height in (4, 2, 1):  # too few for a whole tile
                if height < high:
                    there = b.icmp_signed("!=", b.and_(rest, i64(height)), i64(0))
                    with b.if_then(there):
                        self._tile(code, height, first, left, weights, result, column)
                    first = b.add(first, b.and_(rest, i64(height)))

    def _tile(
        self, code: Code, height: int, first: Any, left: Matrix, weights: Any, result: Matrix,
        column: Any,
    ) -> None:  # fmt: skip
        """Code for ``height`` rows from ``first`` on: all sums of the tile stay in registers."""
        b, across = code.builder, self._across
        rows = [b.add(first, i64(row)) for row in range(height)]
        begins = [b.mul(row, left.stride) for row in rows]
        places = [
            b.add(b.mul(row, result.stride), b.add(column, i64(n * WIDTH)))
            for row in rows
            for n in range(across)
        ]
        zero = code.constant(0.0)
        sums = [(code.load(result.pointer, at) if self.add else zero).value for at in places]
        with code.running(0, self._padded_inner, self._step, sums) as k:
            base = b.mul(k, i64(across * WIDTH))
            of_weights = [
                self._weights(code, weights, b.add(base, i64(n * self._step * WIDTH)))
                for n in range(across)
            ]
            for row, begin in enumerate(begins):
                spread = self._spread(code, left.pointer, b.add(begin, k))
                for n, weight in enumerate(of_weights, row * across):
                    sums[n] = self._multiply_add(code, sums[n], spread, weight)
        for at, total in zip(places, sums, strict=True):
            code.store(Vector(code, total), result.pointer, at, self.result_kind)

    def _weights(self, code: Code, weights: Any, index: Any) -> Any:
        b = code.builder
        if self.left_kind is F32:
            return code.load(weights, index).value
        place = code.at(weights, I16, index)
        kind = vector_of(I16, 2 * WIDTH)
        return b.bitcast(
            b.load(b.bitcast(place, kind.as_pointer()), align=2), vector_of(BF16, 2 * WIDTH)
        )

    def _spread(self, code: Code, left: Any, index: Any) -> Any:
        """One number (one pair) of the left side in every place of a vector."""
        b = code.builder
        if self.left_kind is F32:
            single, kind = b.load(code.at(left, F32, index)), F32
        else:
            place = b.bitcast(code.at(left, I16, index), I32.as_pointer())
            single, kind = b.load(place, align=2), I32
        none = ir.Constant(vector_of(kind), ir.Undefined)
        first = b.insert_element(none, single, ir.Constant(I32, 0))
        spread = b.shuffle_vector(first, none, ir.Constant(vector_of(I32), [0] * WIDTH))
        return spread if kind is F32 else b.bitcast(spread, vector_of(BF16, 2 * WIDTH))

    def _multiply_add(self, code: Code, total: Any, spread: Any, weight: Any) -> Any:
        b = code.builder
        if self.left_kind is F32:
            product = b.fmul(spread, weight, flags=("contract",))
            return b.fadd(total, product, flags=("contract",))
        pairs = vector_of(BF16, 2 * WIDTH)
        kind = ir.FunctionType(vector_of(F32), [vector_of(F32), pairs, pairs])
        name = "llvm.x86.avx512bf16.dpbf16ps.512"
        function = b.module.globals.get(name) or ir.Function(b.module, kind, name)
        return b.call(function, [total, spread, weight])


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
    names: tuple[str, ...]
    """Of the activations, a block each; that of GRU's ``recurrent`` is the state's part of new."""


class Cell(Protocol):
    """One kind of cell."""

    layout: Layout

    def forward(self, pre: list[Vector], kept: Vector) -> tuple[list[Vector], Vector, Vector]:
        """Pre-activations and what was kept to: activations, what is kept now, h."""

    def output(self, act: list[Vector], now: Vector) -> Vector:
        """h, of the activations and what is kept now."""

    def backward(
        self, act: list[Vector], kept: Vector, now: Vector, dh: Vector, dkept: Vector
    ) -> tuple[list[Vector], Vector]:
        """Gradients of the pre-activations, and what goes back to the step before directly.

        ``kept`` is from before the step, ``now`` from after it. For a cell that keeps h the
        second is part of its gradient; for the LSTM it is the whole gradient of c.
        """


class LSTM:
    """Hochreiter and Schmidhuber 1997, with forget gates (Gers et al. 2000)."""

    layout = Layout(4, (0, 1, 2, 3), (0, 1, 2, 3), 0, "cell", ("input", "forget", "cell", "output"))

    def forward(self, pre: list[Vector], kept: Vector) -> tuple[list[Vector], Vector, Vector]:
        """See `Cell.forward`."""
        i, f, o = (pre[n].sigmoid() for n in (0, 1, 3))
        g = pre[2].tanh()
        act, c = [i, f, g, o], f * kept + i * g
        return act, c, self.output(act, c)

    def output(self, act: list[Vector], now: Vector) -> Vector:
        """See `Cell.output`."""
        return act[3] * now.tanh()

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

    layout = Layout(4, (2, 0, 1), (0, 1, 2), 1, "hidden", ("new", "reset", "update", "recurrent"))

    def forward(self, pre: list[Vector], kept: Vector) -> tuple[list[Vector], Vector, Vector]:
        """See `Cell.forward`."""
        r, z = pre[1].sigmoid(), pre[2].sigmoid()
        n = (pre[0] + r * pre[3]).tanh()
        h = n + z * (kept - n)
        return [n, r, z, pre[3]], h, h

    def output(self, act: list[Vector], now: Vector) -> Vector:
        """See `Cell.output`."""
        return now

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

    layout = Layout(1, (0,), (0,), 0, "hidden", ("hidden",))

    def forward(self, pre: list[Vector], kept: Vector) -> tuple[list[Vector], Vector, Vector]:
        """See `Cell.forward`."""
        h = pre[0].tanh()
        return [h], h, h

    def output(self, act: list[Vector], now: Vector) -> Vector:
        """See `Cell.output`."""
        return now

    def backward(
        self, act: list[Vector], kept: Vector, now: Vector, dh: Vector, dkept: Vector
    ) -> tuple[list[Vector], Vector]:
        """See `Cell.backward`."""
        return [dh * (1.0 - act[0] * act[0])], dh * 0.0


CELLS: dict[str, Cell] = {"lstm": LSTM(), "gru": GRU(), "rnn": RNN()}
"""Those written by hand; the others are made from their equations."""


def block_names(cell: str) -> tuple[str, ...]:
    """What the blocks of a cell's activations are called."""
    return CELLS[cell].layout.names if cell in CELLS else cell_type(cell).equations.blocks
