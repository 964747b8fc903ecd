"""The state of a batch of rows in, the state after one step of a layer out: any cell's equations,
for sampling kernels to call.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.cells.catalogue import cell_type
from seqforge.core.cells.equations import CellType
from seqforge.core.cells.symbols import Symbol, evaluated
from seqforge.core.kernels.compiler import written_by
from seqforge.core.kernels.intrinsics import ACROSS, TILE, Floats
from seqforge.core.kernels.llvm import F32, I64, WIDTH, Code, Vector, i64
from seqforge.core.kernels.ops import Matrix, Product
from seqforge.core.kernels.values import Array, Number


def kept_parts(cell: CellType) -> list[int]:
    """Which states lie side by side in what a row keeps: all but h, or h if there is no other."""
    return list(range(1, len(cell.states))) or [0]


class _Step:
    """The code of a step while it is written."""

    def __init__(
        self, code: Code, cell: str, pre: Array, kept: Array, h: Array, hidden: Number,
        stride: Number, diagonals: Any,
    ) -> None:  # fmt: skip
        self.code, self.cell, self.parts = code, cell_type(cell), cell_type(cell).equations
        self.pre, self.kept, self.h = pre.pointer, kept.pointer, h.pointer
        self.hidden, self.stride, self.diagonals = hidden.value, stride.value, diagonals

    def block_at(self, row: Any, column: Any, block: int) -> Any:
        b = self.code.builder
        first = b.add(b.mul(row, self.stride), b.mul(self.hidden, i64(block)))
        return b.add(first, column)

    def state_at(self, row: Any, column: Any, state: int) -> tuple[Any, Any]:
        """The array, and the place in it, of a state."""
        b, kept = self.code.builder, kept_parts(self.cell)
        if state == 0:
            return self.h, b.add(b.mul(row, self.hidden), column)
        number = b.add(b.mul(row, i64(len(kept))), i64(kept.index(state)))
        return self.kept, b.add(b.mul(number, self.hidden), column)

    def leaves(self, row: Any, column: Any) -> dict[Symbol, Vector]:
        code, b = self.code, self.code.builder
        found = {
            leaf: code.load(self.pre, self.block_at(row, column, block))
            for block, leaf in enumerate(self.parts.leaves)
        }
        for state, leaf in enumerate(self.parts.states):
            found[leaf] = code.load(*self.state_at(row, column, state))
        for number, leaf in enumerate(self.parts.diagonal_leaves):
            place = b.add(b.mul(self.hidden, i64(number)), column)
            found[leaf] = code.load(self.diagonals, place)
        return found

    def finish(self, row: Any, column: Any, held: tuple[Array, ...]) -> None:
        """Blocks to activations, and to the states after."""
        code, known = self.code, self.leaves(row, column)
        if held:
            carried = self.parts.after[self.cell.carried]
            scale, shift = (code.load(array.pointer, column) for array in held)
            known[carried] = evaluated([carried], known)[0] * scale + shift
        roots = [*self.parts.after, *self.parts.activations]
        values = evaluated(roots, known)
        states = values[: len(self.parts.states)]
        for state, vector in enumerate(states):
            code.store(vector, *self.state_at(row, column, state))
        if len(states) == 1:
            code.store(states[0], self.kept, self.state_at(row, column, 0)[1])
        for block, vector in enumerate(values[len(states) :]):
            code.store(vector, self.pre, self.block_at(row, column, block))


def _write_step(
    code: Code, cell: str, weights: Array, parts: Array, pre: Array, kept: Array, h: Array,
    source: Array, hidden: Number, stride: Number, rows: Number, *held: Array,
) -> None:  # fmt: skip
    b = code.builder

    def part(number: int) -> Any:
        return code.at(weights.pointer, F32, b.load(code.at(parts.pointer, I64, number)))

    step = _Step(code, cell, pre, kept, h, hidden, stride, part(2))
    for number, one in enumerate(step.parts.sources):
        left = h.pointer
        if one.value is not step.parts.states[0]:
            left = source.pointer
            with code.loop(0, rows.value) as row, code.loop(0, hidden.value, WIDTH) as column:
                (value,) = evaluated([one.value], step.leaves(row, column))
                code.store(value, left, b.add(b.mul(row, hidden.value), column))
        into = Matrix(
            code.at(pre.pointer, F32, b.mul(hidden.value, i64(one.blocks[0]))), stride.value
        )
        size = b.mul(hidden.value, i64(len(one.blocks)))
        tiles = b.sdiv(b.add(size, i64(TILE - 1)), i64(TILE))
        Product(b.mul(tiles, i64(TILE)), hidden.value, F32, add=True, across=ACROSS).write(
            code, Matrix(left, hidden.value), part(3 + number), into, rows.value
        )
    with code.loop(0, rows.value) as row, code.loop(0, hidden.value, WIDTH) as column:
        step.finish(row, column, held)


@written_by(_write_step)
def equation_step(
    cell: str, weights: Floats, parts: NDArray[np.int64], pre: Floats, kept: Floats, h: Floats,
    source: Floats, hidden: int, stride: int, rows: int,
) -> None:  # fmt: skip
    """From blocks with the input's share, ``pre`` (rows, stride), to the states after.

    ``parts``: where in ``weights`` the diagonals (at 2) and the packed weights of each source (from
    3 on) begin. ``kept`` (rows, parts of `kept_parts` * hidden) and ``h`` (rows, hidden) change;
    ``source`` (rows, hidden) is scratch.
    """
    raise NotImplementedError("the equations of cells are written once, for vectors")


@written_by(_write_step)
def held_equation_step(
    cell: str, weights: Floats, parts: NDArray[np.int64], pre: Floats, kept: Floats, h: Floats,
    source: Floats, hidden: int, stride: int, rows: int, scale: Floats, shift: Floats,
) -> None:  # fmt: skip
    """The same; what units hold is multiplied by ``scale`` (H,), ``shift`` (H,) added."""
    raise NotImplementedError("the equations of cells are written once, for vectors")
