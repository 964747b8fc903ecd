"""Arrays and numbers in, what Python has no words for out: matrix products, the gates of cells and
operations on bits, for kernels to call.
"""

from __future__ import annotations

import struct

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import written_by
from seqforge.core.kernels.llvm import F32, F64, I64, REGISTERS, WIDTH, Code, i64
from seqforge.core.kernels.ops import CELLS, Matrix, Product
from seqforge.core.kernels.values import FLOAT, UINT, Array, Number

Floats = NDArray[np.float32]

ACROSS = 4 if REGISTERS == 32 else 2
"""Vectors across a tile of the result, whatever the model."""
TILE = ACROSS * WIDTH
"""Columns of a packed matrix are a multiple of this."""


def _write_product(
    code: Code, left: Array, left_at: Number, width: Number, packed: Array, packed_at: Number,
    result: Array, result_at: Number, stride: Number, columns: Number, rows: Number,
) -> None:  # fmt: skip
    left_from, packed_from, result_from = (
        code.at(array.pointer, F32, at.value)
        for array, at in ((left, left_at), (packed, packed_at), (result, result_at))
    )
    Product(columns.value, width.value, F32, add=True, across=ACROSS).write(
        code, Matrix(left_from, width.value), packed_from, Matrix(result_from, stride.value),
        rows.value,
    )  # fmt: skip


@written_by(_write_product)
def product(
    left: Floats, left_at: int, width: int, packed: Floats, packed_at: int, result: Floats,
    result_at: int, stride: int, columns: int, rows: int,
) -> None:  # fmt: skip
    """``result += left @ packed`` for float32 rows, each sum in the order of ``left``'s columns.

    ``left`` (rows, width) begins at element ``left_at`` of its array; ``result`` likewise, its
    rows ``stride`` apart. The sum of a row is the same whatever the number of rows.
    """
    tiles = packed.reshape(-1)[packed_at : packed_at + columns * width]
    matrix = tiles.reshape(-1, width, TILE).transpose(1, 0, 2).reshape(width, columns)
    read, flat = left.reshape(-1), result.reshape(-1)
    for row in range(rows):
        numbers = read[left_at + row * width : left_at + (row + 1) * width]
        flat[result_at + row * stride :][:columns] += numbers @ matrix


def _write_gates(
    code: Code, cell: str, pre: Array, pre_at: Number, kept: Array, h: Array, at: Number,
    hidden: Number,
) -> None:  # fmt: skip
    b, kind = code.builder, CELLS[cell]
    with code.loop(0, hidden.value, WIDTH) as column:
        first = b.add(pre_at.value, column)
        blocks = [
            code.load(pre.pointer, b.add(first, b.mul(hidden.value, i64(n))))
            for n in range(kind.layout.blocks)
        ]
        here = b.add(at.value, column)
        _, now, out = kind.forward(blocks, code.load(kept.pointer, here))
        code.store(now, kept.pointer, here)
        code.store(out, h.pointer, here)


@written_by(_write_gates)
def gates(
    cell: str, pre: Floats, pre_at: int, kept: Floats, h: Floats, at: int, hidden: int
) -> None:  # fmt: skip
    """Turn a row's pre-activations, from ``pre_at`` on, into what is kept and h at ``at``."""
    raise NotImplementedError("the formulas of cells are written once, for vectors")


def _write_float_of_bits(code: Code, bits: Number) -> Number:
    return Number(FLOAT, code.builder.bitcast(bits.value, F64))


@written_by(_write_float_of_bits)
def float_of_bits(bits: int) -> float:
    """The float64 whose 64 bits these are (IEEE 754)."""
    found: float = struct.unpack("d", struct.pack("q", bits))[0]
    return found


def _write_high_product(code: Code, a: Number, b: Number) -> Number:
    wide, builder = ir.IntType(128), code.builder
    factors = [builder.zext(number.value, wide) for number in (a, b)]
    high = builder.lshr(builder.mul(*factors), ir.Constant(wide, 64))
    return Number(UINT, builder.trunc(high, I64))


@written_by(_write_high_product)
def high_product(a: np.uint64, b: np.uint64) -> np.uint64:
    """The upper 64 bits of the 128-bit product of two uint64."""
    return np.uint64(int(a) * int(b) >> 64)
