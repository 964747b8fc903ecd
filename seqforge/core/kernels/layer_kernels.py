"""The shape of a recurrent layer in, its compiled forward and backward passes out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from seqforge.core.kernels.compiler import compile_function
from seqforge.core.kernels.llvm import (
    BF16,
    F32,
    HAS_BF16,
    I16,
    I64,
    WIDTH,
    Code,
    Vector,
    Writer,
    i64,
)
from seqforge.core.kernels.ops import CELLS, Cell, Matrix, Product

PRODUCT_KINDS = (False, True) if HAS_BF16 else (False,)
"""Whether products may be of bfloat16 numbers on this processor."""


@dataclass(frozen=True)
class Shape:
    """What a kernel is made for."""

    cell: str
    hidden: int
    """Width of the layer, padded."""
    inputs: int | None
    """Width of the layer's input, padded; None: the input is a symbol, looked up in a table."""
    bf16: bool


@lru_cache(maxsize=64)
def kernels(shape: Shape) -> Kernels:
    """The compiled functions of a shape; made once."""
    return Kernels(shape)


class Kernels:
    """Forward and backward of one layer over a window."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._lock = threading.Lock()
        self._functions: dict[str, Callable[..., None]] = {}
        self._cell: Cell = CELLS[shape.cell]
        layout = self._cell.layout
        self.columns = layout.blocks * shape.hidden
        self.from_input = len(layout.from_input) * shape.hidden
        self.from_state = len(layout.from_state) * shape.hidden
        self.state_column = layout.first_from_state * shape.hidden
        self._kind = BF16 if shape.bf16 else F32
        self._element = I16 if shape.bf16 else F32

    @property
    def forward(self) -> Callable[..., None]:
        """``(start, ids, x, w_in, w_state, h, kept, act, pre, steps, rows)``; see `_forward`."""
        return self._compiled("forward", 9, self._forward)

    @property
    def backward(self) -> Callable[..., None]:
        """``(ids, act, kept, dout, w_in, w_state, dpre, dx, dstart, dh, dkept, steps, rows)``."""
        return self._compiled("backward", 11, self._backward)

    def _compiled(self, name: str, pointers: int, write: Writer) -> Callable[..., None]:
        """The function, compiled when it is first asked for, by whichever lane asks first."""
        with self._lock:
            if name not in self._functions:
                called = f"{self.shape.cell}_{name}"
                self._functions[name] = compile_function(called, pointers, 2, write)
            return self._functions[name]

    def _forward(
        self, code: Code, start: Any, ids: Any, x: Any, w_in: Any, w_state: Any,
        h: Any, kept: Any, act: Any, pre: Any, steps: Any, rows: Any,
    ) -> None:  # fmt: skip
        """Code of a window.

        start: (1, N) biases, or (V, N) the table; ids: (T, B); x: (T, B, I); h and kept:
        (T + 1, B, H), the first given, the rest written; act: (T, B, N), written; pre: (B, N),
        scratch. h, x and act are of the kernel's kind, the others float32.
        """
        b, shape = code.builder, self.shape
        hidden, into = i64(shape.hidden), Matrix(pre, i64(self.columns))
        with code.loop(0, steps) as t:
            first = b.mul(t, rows)
            self._start_rows(code, start, ids, pre, first, rows)
            if shape.inputs is not None:
                Product(self.from_input, shape.inputs, self._kind, add=True).write(
                    code, self._rows(code, x, first, shape.inputs), w_in, into, rows
                )
            Product(self.from_state, shape.hidden, self._kind, add=True).write(
                code, self._rows(code, h, first, shape.hidden), w_state,
                replace(into, pointer=code.at(pre, F32, self.state_column)), rows,
            )  # fmt: skip
            with code.loop(0, rows) as row, code.loop(0, shape.hidden, WIDTH) as column:
                here = b.add(b.mul(b.add(first, row), hidden), column)
                after = b.add(here, b.mul(rows, hidden))
                blocks = self._blocks(code, pre, b.mul(row, i64(self.columns)), column, F32)
                found, now, out = self._cell.forward(blocks, code.load(kept, here))
                base = b.mul(b.add(first, row), i64(self.columns))
                for n, vector in enumerate(found):
                    code.store(vector, act, self._place(code, base, n, column), self._kind)
                code.store(now, kept, after)
                code.store(out, h, after, self._kind)

    def _rows(self, code: Code, array: Any, first: Any, width: int) -> Matrix:
        """The rows of an array of the kernel's kind from row ``first`` on."""
        place = code.builder.mul(first, i64(width))
        return Matrix(code.at(array, self._element, place), i64(width))

    def _start_rows(
        self, code: Code, start: Any, ids: Any, pre: Any, first: Any, rows: Any
    ) -> None:
        """Put the biases, or each symbol's row of the table, into the pre-activations."""
        b = code.builder
        with code.loop(0, rows) as row:
            source = self._start_at(code, ids, b.add(first, row))
            target = b.mul(row, i64(self.columns))
            with code.loop(0, self.columns, WIDTH) as column:
                code.store(code.load(start, b.add(source, column)), pre, b.add(target, column))

    def _start_at(self, code: Code, ids: Any, index: Any) -> Any:
        if self.shape.inputs is not None:
            return i64(0)
        symbol = code.builder.load(code.at(ids, I64, index))
        return code.builder.mul(symbol, i64(self.columns))

    def _blocks(self, code: Code, array: Any, base: Any, column: Any, kind: Any) -> list[Vector]:
        count = self._cell.layout.blocks
        return [code.load(array, self._place(code, base, n, column), kind) for n in range(count)]

    def _place(self, code: Code, base: Any, block: int, column: Any) -> Any:
        b = code.builder
        return b.add(base, b.add(column, i64(block * self.shape.hidden)))

    def _backward(
        self, code: Code, ids: Any, act: Any, kept: Any, dout: Any, w_in: Any, w_state: Any,
        dpre: Any, dx: Any, dstart: Any, dh: Any, dkept: Any, steps: Any, rows: Any,
    ) -> None:  # fmt: skip
        """Code of a window, last step first.

        dout: (T, B, H), dpre: (T, B, N) and dx: (T, B, I) of the kernel's kind; dstart as start,
        added to; dh and dkept: (B, H) zeros at the call. The weights are packed the other way.
        """
        b, shape = code.builder, self.shape
        keeps_h = self._cell.layout.keeps == "hidden"
        with code.loop(0, steps) as done:
            t = b.sub(b.sub(steps, i64(1)), done)
            first = b.mul(t, rows)
            with code.loop(0, rows) as row:
                self._backward_row(code, ids, act, kept, dout, dpre, dstart, dh, dkept,
                                   b.add(first, row), row, rows)  # fmt: skip
            left = self._rows(code, dpre, first, self.columns)
            if shape.inputs is not None:
                Product(shape.inputs, self.from_input, self._kind, self._kind).write(
                    code, left, w_in, self._rows(code, dx, first, shape.inputs), rows
                )
            left = replace(left, pointer=code.at(left.pointer, self._element, self.state_column))
            Product(shape.hidden, self.from_state, self._kind, add=keeps_h).write(
                code, left, w_state, Matrix(dh, i64(shape.hidden)), rows
            )

    def _backward_row(
        self, code: Code, ids: Any, act: Any, kept: Any, dout: Any, dpre: Any, dstart: Any,
        dh: Any, dkept: Any, index: Any, row: Any, rows: Any,
    ) -> None:  # fmt: skip
        b, hidden = code.builder, i64(self.shape.hidden)
        source = self._start_at(code, ids, index)
        base = b.mul(index, i64(self.columns))
        with code.loop(0, self.shape.hidden, WIDTH) as column:
            carried = b.add(b.mul(row, hidden), column)
            here = b.add(b.mul(index, hidden), column)
            after = b.add(here, b.mul(rows, hidden))
            gradient = code.load(dout, here, self._kind) + code.load(dh, carried)
            found, direct = self._cell.backward(
                self._blocks(code, act, base, column, self._kind),
                code.load(kept, here), code.load(kept, after), gradient,
                code.load(dkept, carried),
            )  # fmt: skip
            for n, vector in enumerate(found):
                code.store(vector, dpre, self._place(code, base, n, column), self._kind)
                place = self._place(code, source, n, column)
                code.store(code.load(dstart, place) + vector, dstart, place)
            keeps_h = self._cell.layout.keeps == "hidden"
            code.store(direct, dh if keeps_h else dkept, carried)
