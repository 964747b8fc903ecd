"""What numba cannot say by itself: vector products, gates, and the bits of a number.

Each writes the code of `kernels` into the function that numba is compiling. Sizes are known only
when the code runs, so one compilation serves every model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from seqforge.core.kernels.pointwise import CELLS
from seqforge.core.kernels.products import Matrix, Product
from seqforge.core.kernels.vectors import F32, I64, REGISTERS, WIDTH, Code, i64

ACROSS = 4 if REGISTERS == 32 else 2
"""Vectors across a tile of the result, whatever the model."""
TILE = ACROSS * WIDTH
"""Columns of a packed matrix are a multiple of this."""

Signature = tuple[Any, Callable[..., Any]]


def _data(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    return context.make_array(kind)(context, builder, array).data


@intrinsic  # type: ignore[untyped-decorator]
def product(
    _: Any, left: Any, left_at: Any, width: Any, packed: Any, packed_at: Any, result: Any,
    result_at: Any, stride: Any, columns: Any, rows: Any,
) -> Signature:  # fmt: skip
    """``result += left @ packed`` for float32 rows, each sum in the order of ``left``'s columns.

    ``left`` (rows, width) begins at element ``left_at`` of its array; ``result`` likewise, its
    rows ``stride`` apart. The sum of a row is the same whatever the number of rows.
    """
    signature = types.void(
        left, left_at, width, packed, packed_at, result, result_at, stride, columns, rows
    )

    def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        code = Code(builder)
        left, packed, result = (
            code.at(_data(context, builder, sig.args[n], args[n]), F32, args[n + 1])
            for n in (0, 3, 5)
        )
        width, (stride, columns, rows) = args[2], args[7:]
        Product(columns, width, F32, add=True, across=ACROSS).write(
            code, Matrix(left, width), packed, Matrix(result, stride), rows
        )
        return context.get_dummy_value()

    return signature, write


def _gates(name: str) -> Any:
    cell = CELLS[name]

    @intrinsic  # type: ignore[untyped-decorator]
    def gates(_: Any, pre: Any, pre_at: Any, kept: Any, h: Any, at: Any, hidden: Any) -> Signature:
        def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            code = Code(builder)
            pre, kept, h = (_data(context, builder, sig.args[n], args[n]) for n in (0, 2, 3))
            pre_at, at, hidden = args[1], args[4], args[5]
            with code.loop(0, hidden, WIDTH) as column:
                first = builder.add(pre_at, column)
                blocks = [
                    code.load(pre, builder.add(first, builder.mul(hidden, i64(n))))
                    for n in range(cell.layout.blocks)
                ]
                here = builder.add(at, column)
                _, now, out = cell.forward(blocks, code.load(kept, here))
                code.store(now, kept, here)
                code.store(out, h, here)
            return context.get_dummy_value()

        return types.void(pre, pre_at, kept, h, at, hidden), write

    return gates


lstm_gates, gru_gates, rnn_gates = (_gates(name) for name in ("lstm", "gru", "rnn"))
"""One row's pre-activations, from element ``pre_at`` on, to what is kept and h at ``at``."""


@intrinsic  # type: ignore[untyped-decorator]
def float_of_bits(_: Any, bits: Any) -> Signature:
    """The float64 whose 64 bits these are (IEEE 754)."""

    def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), write


@intrinsic  # type: ignore[untyped-decorator]
def high_product(_: Any, a: Any, b: Any) -> Signature:
    """The upper 64 bits of the 128-bit product of two uint64."""

    def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        wide = ir.IntType(128)
        a, b = (builder.zext(number, wide) for number in args)
        high = builder.lshr(builder.mul(a, b), ir.Constant(wide, 64))
        return builder.trunc(high, I64)

    return types.uint64(types.uint64, types.uint64), write
