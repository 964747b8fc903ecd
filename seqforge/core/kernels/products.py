"""The matrix product inside the recurrent kernels: a small left side against packed weights.

A step of a recurrent layer multiplies a few dozen rows by a weight matrix. A library call spends
most of such a short time on preparing itself; here the weights are laid out once a window, and
each tile of the result stays in registers while the sum runs. Sums always run in the same order,
whatever the number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from llvmlite import ir
from torch import Tensor

from seqforge.core.kernels.vectors import (
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

    @property
    def rows(self) -> int:
        """Rows of a tile."""
        return _rows(self.across)


def _rows(across: int) -> int:
    """Rows that fit: the sums, a row of weights and one number need registers."""
    return min(_MOST_ROWS, (REGISTERS - 1 - across) // across)


def padded(size: int) -> int:
    """The next multiple of the vector width."""
    return -(-size // WIDTH) * WIDTH


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
class Product:
    """Code for ``result[r, :] = start[r, :] + left[r, :] @ packed``."""

    columns: int
    inner: int
    left_kind: Any
    """F32 or BF16: the kind of ``left`` and of the packed weights."""
    result_kind: Any = F32
    add: bool = False
    """Whether to add to what stands in the result; else start from zero."""

    def write(
        self, code: Code, left: Any, left_stride: Any, packed: Any,
        result: Any, result_stride: Any, rows: Any,
    ) -> None:  # fmt: skip
        """Write the code; strides in elements, ``rows`` an i64 value."""
        tiling, b = Tiling(self.columns), code.builder
        width = tiling.across * WIDTH
        whole = b.mul(b.sdiv(rows, i64(tiling.rows)), i64(tiling.rows))
        with code.loop(0, self.columns // width) as tile:
            element = F32 if self.left_kind is F32 else I16
            weights = code.at(packed, element, b.mul(tile, i64(width * self._padded_inner)))
            column = b.mul(tile, i64(width))

            def block(row: Any, height: int, weights: Any = weights, column: Any = column) -> None:
                at = b.add(b.mul(row, result_stride), column)
                first = code.at(left, element, b.mul(row, left_stride))
                self._tile(code, height, tiling.across, first, left_stride, weights,
                           result, at, result_stride)  # fmt: skip

            with code.loop(0, whole, tiling.rows) as row:
                block(row, tiling.rows)
            self._rest(code, whole, rows, tiling.rows, block)

    @property
    def _padded_inner(self) -> int:
        return self.inner + (self.inner % 2 if self.left_kind is BF16 else 0)

    def _rest(self, code: Code, whole: Any, rows: Any, most: int, block: Any) -> None:
        """The rows that are too few for a tile: a tile of just their height."""
        b = code.builder
        left_over = b.sub(rows, whole)
        done = b.append_basic_block("rows_done")
        switch = b.switch(left_over, done)
        for height in range(1, most):
            case = b.append_basic_block(f"rows_{height}")
            switch.add_case(i64(height), case)
            b.position_at_end(case)
            block(whole, height)
            b.branch(done)
        b.position_at_end(done)

    def _tile(
        self, code: Code, height: int, across: int, left: Any, left_stride: Any,
        weights: Any, result: Any, at: Any, result_stride: Any,
    ) -> None:  # fmt: skip
        b = code.builder
        places = [b.add(at, b.mul(i64(row), result_stride)) for row in range(height)]
        sums = [
            [
                code.load(result, b.add(place, i64(n * WIDTH))).value
                if self.add
                else code.constant(0.0).value
                for n in range(across)
            ]
            for place in places
        ]
        before = b.block
        head, body, done = (b.append_basic_block(name) for name in ("sum", "sum_body", "sum_done"))
        b.branch(head)
        b.position_at_end(head)
        step = 2 if self.left_kind is BF16 else 1
        k = b.phi(ir.IntType(64))
        k.add_incoming(i64(0), before)
        running = [[b.phi(vector_of(F32)) for _ in row] for row in sums]
        for phis, starts in zip(running, sums, strict=True):
            for phi, start in zip(phis, starts, strict=True):
                phi.add_incoming(start, before)
        b.cbranch(b.icmp_signed("<", k, i64(self._padded_inner)), body, done)
        b.position_at_end(body)
        row_of_weights = [
            self._weights(
                code, weights, b.mul(b.add(b.mul(k, i64(across)), i64(n * step)), i64(WIDTH))
            )
            for n in range(across)
        ]
        for row, phis in enumerate(running):
            spread = self._spread(code, left, b.add(b.mul(i64(row), left_stride), k))
            for phi, weight in zip(phis, row_of_weights, strict=True):
                phi.add_incoming(self._multiply_add(code, phi, spread, weight), body)
        k.add_incoming(b.add(k, i64(step)), body)
        b.branch(head)
        b.position_at_end(done)
        for place, phis in zip(places, running, strict=True):
            for n, phi in enumerate(phis):
                code.store(
                    Vector(code, phi), result, b.add(place, i64(n * WIDTH)), self.result_kind
                )

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
