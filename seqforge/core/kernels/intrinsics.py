"""Arrays and numbers in, what Python has no words for out: matrix products, the gates of cells and
operations on bits, for kernels to call.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import written_by
from seqforge.core.kernels.llvm import F32, F64, I32, I64, POINTER, REGISTERS, WIDTH, Code, i64
from seqforge.core.kernels.ops import CELLS, Matrix, Product
from seqforge.core.kernels.values import FLOAT, FLOAT32, INT, UINT, Array, Number

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
    hidden: Number, *held: Array,
) -> None:  # fmt: skip
    b, kind = code.builder, CELLS[cell]
    with code.loop(0, hidden.value, WIDTH) as column:
        first = b.add(pre_at.value, column)
        places = [b.add(first, b.mul(hidden.value, i64(n))) for n in range(kind.layout.blocks)]
        here = b.add(at.value, column)
        blocks = [code.load(pre.pointer, place) for place in places]
        found, now, out = kind.forward(blocks, code.load(kept.pointer, here))
        if held:
            scale, shift = (code.load(array.pointer, column) for array in held)
            now = now * scale + shift
            out = kind.output(found, now)
        for vector, place in zip(found, places, strict=True):
            code.store(vector, pre.pointer, place)
        code.store(now, kept.pointer, here)
        code.store(out, h.pointer, here)


@written_by(_write_gates)
def gates(
    cell: str, pre: Floats, pre_at: int, kept: Floats, h: Floats, at: int, hidden: int
) -> None:  # fmt: skip
    """Turn a row's pre-activations, from ``pre_at`` on, into activations, and into what is kept and
    h at ``at``.
    """
    raise NotImplementedError("the formulas of cells are written once, for vectors")


@written_by(_write_gates)
def held_gates(
    cell: str, pre: Floats, pre_at: int, kept: Floats, h: Floats, at: int, hidden: int,
    scale: Floats, shift: Floats,
) -> None:  # fmt: skip
    """The same; what is kept is multiplied by ``scale`` (H,), ``shift`` (H,) added, and h follows
    from it.
    """
    raise NotImplementedError("the formulas of cells are written once, for vectors")


def _write_float_of_bits(code: Code, bits: Number) -> Number:
    return Number(FLOAT, code.builder.bitcast(bits.value, F64))


@written_by(_write_float_of_bits)
def float_of_bits(bits: int) -> float:
    """The float64 whose 64 bits these are (IEEE 754)."""
    found: float = struct.unpack("d", struct.pack("q", bits))[0]
    return found


def _write_bits_of_float(code: Code, number: Number) -> Number:
    return Number(INT, code.builder.bitcast(number.value, I64))


@written_by(_write_bits_of_float)
def bits_of_float(number: float) -> int:
    """The 64 bits of a float64 (IEEE 754)."""
    found: int = struct.unpack("q", struct.pack("d", number))[0]
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


LANES = 16
"""Sums that `dot` keeps side by side on every processor, however wide its vectors are."""


def _write_dot(
    code: Code, a: Array, a_at: Number, b: Array, b_at: Number, size: Number
) -> Number:  # fmt: skip
    builder, kind = code.builder, ir.VectorType(F32, LANES)
    sums = [ir.Constant(kind, [0.0] * LANES)]
    with code.running(0, size.value, LANES, sums) as i:
        left, right = (
            builder.load(_lanes(code, array, builder.add(at.value, i)), align=4)
            for array, at in ((a, a_at), (b, b_at))
        )
        sums[0] = builder.fadd(sums[0], builder.fmul(left, right))
    total, width = sums[0], LANES
    while width > 1:  # the upper half on the lower, always in this order
        width //= 2
        places = [[start + lane for lane in range(width)] for start in (0, width)]
        halves = [
            builder.shuffle_vector(total, ir.Constant(total.type, ir.Undefined), _places(chosen))
            for chosen in places
        ]
        total = builder.fadd(*halves)
    return Number(FLOAT32, builder.extract_element(total, ir.Constant(I32, 0)))


def _lanes(code: Code, array: Array, index: Any) -> Any:
    place = code.at(array.pointer, F32, index)
    return code.builder.bitcast(place, ir.VectorType(F32, LANES).as_pointer())


def _places(chosen: list[int]) -> Any:
    return ir.Constant(ir.VectorType(I32, len(chosen)), chosen)


@written_by(_write_dot)
def dot(a: Floats, a_at: int, b: Floats, b_at: int, size: int) -> np.float32:
    """The inner product of so many float32 numbers from two places on; a multiple of 16.

    The same bits on every processor: 16 sums, then their halves added until one is left.
    """
    sums = np.zeros(LANES, np.float32)
    for i in range(0, size, LANES):
        sums += a[a_at + i :][:LANES] * b[b_at + i :][:LANES]
    while len(sums) > 1:
        sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
    return np.float32(sums[0])


def _write_add_scaled(
    code: Code, target: Array, target_at: Number, scale: Number, source: Array, source_at: Number,
    size: Number,
) -> None:  # fmt: skip
    builder, kind = code.builder, ir.VectorType(F32, LANES)
    none = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(none, scale.value, ir.Constant(I32, 0))
    spread = builder.shuffle_vector(first, none, _places([0] * LANES))
    with code.loop(0, size.value, LANES) as i:
        place = _lanes(code, target, builder.add(target_at.value, i))
        added = builder.load(_lanes(code, source, builder.add(source_at.value, i)), align=4)
        total = builder.fadd(builder.load(place, align=4), builder.fmul(spread, added))
        builder.store(total, place, align=4)


@written_by(_write_add_scaled)
def add_scaled(
    target: Floats, target_at: int, scale: np.float32, source: Floats, source_at: int, size: int
) -> None:  # fmt: skip
    """``target += scale * source`` for so many float32 numbers; a multiple of 16."""
    target[target_at : target_at + size] += scale * source[source_at : source_at + size]


def _write_popcount(code: Code, bits: Number) -> Number:
    return Number(INT, code.builder.ctpop(bits.value))


@written_by(_write_popcount)
def popcount(bits: int) -> int:
    """How many of the 64 bits are set."""
    return (int(bits) & (2**64 - 1)).bit_count()


def _write_prefetch(code: Code, array: Array, index: Number) -> None:
    kinds = [POINTER, I32, I32, I32]
    called = code.builder.module.declare_intrinsic(
        "llvm.prefetch", [POINTER], ir.FunctionType(ir.VoidType(), kinds)
    )
    place = code.builder.gep(array.pointer, [index.value])
    said = [ir.Constant(I32, number) for number in (0, 3, 1)]  # read, keep in all caches, data
    code.builder.call(called, [code.builder.bitcast(place, POINTER), *said])


@written_by(_write_prefetch)
def prefetch(array: NDArray[Any], index: int) -> None:
    """Ask for the line of memory that holds an element; nothing changes."""


_CELLS = 8
"""Numbers (uint16) that `find_equal` and `find_least` look at."""


def _cells(code: Code, table: Array, at: Number) -> Any:
    place = code.builder.gep(table.pointer, [at.value])
    kind = ir.VectorType(ir.IntType(16), _CELLS)
    return code.builder.load(code.builder.bitcast(place, kind.as_pointer()), align=2)


def _first_true(code: Code, flags: Any) -> Number:
    b = code.builder
    bits = b.zext(b.bitcast(flags, ir.IntType(_CELLS)), I64)
    marked = b.or_(bits, ir.Constant(I64, 1 << _CELLS))
    return Number(INT, b.cttz(marked, ir.Constant(ir.IntType(1), 1)))


def _spread(code: Code, number: Any) -> Any:
    """The same 16 bits in every cell."""
    b, kind = code.builder, ir.VectorType(ir.IntType(16), _CELLS)
    narrow = b.trunc(number, ir.IntType(16)) if number.type == I64 else number
    first = b.insert_element(ir.Constant(kind, ir.Undefined), narrow, ir.Constant(I32, 0))
    return b.shuffle_vector(first, ir.Constant(kind, ir.Undefined), _places([0] * _CELLS))


def _write_find_equal(code: Code, table: Array, at: Number, wanted: Number) -> Number:
    cells = _cells(code, table, at)
    return _first_true(code, code.builder.icmp_unsigned("==", cells, _spread(code, wanted.value)))


@written_by(_write_find_equal)
def find_equal(table: NDArray[np.uint16], at: int, wanted: int) -> int:
    """The place (0 to 7) of the first of 8 numbers from ``at`` on that is the one wanted; or 8."""
    cells = table[at : at + _CELLS].tolist()
    return cells.index(wanted) if wanted in cells else _CELLS


def _write_find_least(code: Code, table: Array, at: Number) -> Number:
    b, cells = code.builder, _cells(code, table, at)
    least = cells
    for step in (4, 2, 1):
        turned = _places([(lane + step) % _CELLS for lane in range(_CELLS)])
        other = b.shuffle_vector(least, ir.Constant(least.type, ir.Undefined), turned)
        least = b.select(b.icmp_unsigned("<", least, other), least, other)
    return _first_true(code, b.icmp_unsigned("==", cells, least))


@written_by(_write_find_least)
def find_least(table: NDArray[np.uint16], at: int) -> int:
    """The place (0 to 7) of the first of the least of 8 numbers from ``at`` on."""
    return int(table[at : at + _CELLS].argmin())
