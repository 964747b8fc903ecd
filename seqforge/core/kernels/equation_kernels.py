"""The equations of a cell and a layer's shape in, compiled forward and backward passes out.

The derivatives are worked out from the equations. `layer_kernels` has the same passes for the cells
whose gates are written by hand.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

from seqforge.core.cells.catalogue import cell_type
from seqforge.core.cells.equations import Source
from seqforge.core.cells.symbols import Symbol, evaluated, gradients
from seqforge.core.kernels.compiler import compile_function
from seqforge.core.kernels.layer_kernels import Shape
from seqforge.core.kernels.llvm import BF16, F32, I16, I64, WIDTH, Code, Vector, Writer, i64
from seqforge.core.kernels.ops import Matrix, Product


@lru_cache(maxsize=64)
def equation_kernels(shape: Shape) -> EquationKernels:
    """The compiled functions of a shape; made once."""
    return EquationKernels(shape)


class EquationKernels:
    """Forward and backward of one layer over a window.

    Arrays: T steps, B rows, H units, N = blocks * H columns, S states, G sources that are not h. h,
    x, act, sources, dout, dact and dx are of the kernel's kind, the others float32.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.equations = equations = cell_type(shape.cell).equations
        self._lock = threading.Lock()
        self._functions: dict[str, Callable[..., None]] = {}
        self.columns = len(equations.blocks) * shape.hidden
        self.from_input = self.columns_of(equations.from_input)
        self.computed = [s for s in equations.sources if s.value is not equations.states[0]]
        """Sources that are not h."""

    def columns_of(self, blocks: Sequence[int]) -> slice:
        """Columns of blocks that stand together."""
        return slice(blocks[0] * self.shape.hidden, (blocks[-1] + 1) * self.shape.hidden)

    @property
    def forward(self) -> Callable[..., None]:
        """``(start, ids, x, w_in, w_state, diagonals, h, kept, act, sources, pre, steps, rows)``.

        start: (1, N) biases, or (V, N) the table; ids: (T, B); x: (T, B, I); w_state: the packed
        weights of each source, one after the other; diagonals: (D, H); h: (T + 1, B, H) and kept:
        (T + 1, S, B, H), the first given, the rest written; act: (T, B, N), the blocks, and
        sources: (G, T, B, H), written; pre: (B, N), scratch.
        """

        def write(code: Code, *arguments: Any) -> None:
            names = ("start", "ids", "x", "w_in", "w_state", "diagonals", "h", "kept", "act",
                     "sources", "pre", "steps", "rows")  # fmt: skip
            _Forward(self, code, dict(zip(names, arguments, strict=True))).write()

        return self._compiled("forward", 11, write)

    @property
    def backward(self) -> Callable[..., None]:
        """``(ids, act, kept, dout, w_in, w_state, diagonals, dact, dx, dstart, ddiagonals, dstates,
        dpre, dsource, steps, rows)``.

        dout: (T, B, H); dact: (T, B, N) and dx: (T, B, I), written; dstart as start and ddiagonals
        as diagonals, added to; dstates: (S, B, H) zeros at the call; dpre: (B, N) and dsource: (B,
        H), scratch. The weights are packed the other way.
        """

        def write(code: Code, *arguments: Any) -> None:
            names = ("ids", "act", "kept", "dout", "w_in", "w_state", "diagonals", "dact", "dx",
                     "dstart", "ddiagonals", "dstates", "dpre", "dsource", "steps",
                     "rows")  # fmt: skip
            _Backward(self, code, dict(zip(names, arguments, strict=True))).write()

        return self._compiled("backward", 14, write)

    def _compiled(self, name: str, pointers: int, write: Writer) -> Callable[..., None]:
        with self._lock:
            if name not in self._functions:
                called = f"{self.shape.cell}_{name}".replace("-", "_")
                self._functions[name] = compile_function(called, pointers, 2, write)
            return self._functions[name]


class _Place(NamedTuple):
    """A vector of a row, of its first block."""

    row: Any
    column: Any


class _Pass:
    """The code of a pass while it is written: where the numbers of its arrays are."""

    def __init__(self, kernels: EquationKernels, code: Code, arguments: dict[str, Any]) -> None:
        self.kernels, self.code, self.arrays = kernels, code, arguments
        self.equations, self.shape = kernels.equations, kernels.shape
        self.kind = BF16 if self.shape.bf16 else F32
        self.element = I16 if self.shape.bf16 else F32
        self.steps, self.rows = arguments["steps"], arguments["rows"]
        self.step: Any = None
        """Of the loop over steps."""
        self.first: Any = None
        """Its first row, counted from the beginning of the window."""

    @contextmanager
    def places(self) -> Iterator[_Place]:
        """A loop over every row, and its units a vector at a time."""
        code = self.code
        with code.loop(0, self.rows) as row, code.loop(0, self.shape.hidden, WIDTH) as column:
            yield _Place(row, column)

    def at(self, index: Any, at: _Place, width: int | None = None, block: int = 0) -> Any:
        """Where a vector is in row ``index`` of so many numbers (H) a row."""
        b, hidden = self.code.builder, self.shape.hidden
        column = b.add(at.column, i64(block * hidden))
        return b.add(b.mul(index, i64(width or hidden)), column)

    def state_at(self, step: Any, state: int, at: _Place) -> Any:
        """Where a vector of a state before a step is in ``kept``."""
        b = self.code.builder
        number = b.add(b.mul(step, i64(len(self.equations.states))), i64(state))
        return self.at(b.add(b.mul(number, self.rows), at.row), at)

    def here(self, at: _Place) -> Any:
        """The row, counted from the beginning of the window."""
        return self.code.builder.add(self.first, at.row)

    def matrix(self, name: str, width: int, column: int = 0, base: Any = None) -> Matrix:
        """This step's rows of an array of the kernel's kind, from a column on."""
        b = self.code.builder
        first = self.first if base is None else base
        place = b.add(b.mul(first, i64(width)), i64(column))
        return Matrix(self.code.at(self.arrays[name], self.element, place), i64(width))

    def start_at(self, index: Any) -> Any:
        """Where the start of a row's blocks is: the biases, or its symbol's row of the table."""
        if self.shape.inputs is not None:
            return i64(0)
        b, ids = self.code.builder, self.arrays["ids"]
        return b.mul(b.load(self.code.at(ids, I64, index)), i64(self.kernels.columns))

    def leaves(self, at: _Place, blocks: str, index: Any, kind: Any) -> dict[Symbol, Vector]:
        """Blocks of an array, the states before and the diagonals, as vectors."""
        code, parts, columns = self.code, self.equations, self.kernels.columns
        found = {
            leaf: code.load(self.arrays[blocks], self.at(index, at, columns, block), kind)
            for block, leaf in enumerate(parts.leaves)
        }
        for number, leaf in enumerate(parts.states):
            found[leaf] = code.load(self.arrays["kept"], self.state_at(self.step, number, at))
        for number, leaf in enumerate(parts.diagonal_leaves):
            found[leaf] = code.load(self.arrays["diagonals"], self.at(i64(number), at))
        return found


class _Forward(_Pass):
    """A step at a time: products of what is known, until all blocks and then the states are."""

    def write(self) -> None:
        b = self.code.builder
        with self.code.loop(0, self.steps) as self.step:
            self.first = b.mul(self.step, self.rows)
            self._begin()
            if self.shape.inputs is not None:
                left = self.matrix("x", self.shape.inputs)
                self._product(self.kernels.from_input, self.shape.inputs, left, self.arrays["w_in"])
            packed = self.arrays["w_state"]
            for source in self.equations.sources:
                columns = self.kernels.columns_of(source.blocks)
                self._product(columns, self.shape.hidden, self._source(source), packed)
                size = (columns.stop - columns.start) * self.shape.hidden
                packed = self.code.at(packed, self.element, size)
            with self.places() as at:
                self._states(at)

    def _begin(self) -> None:
        """Put the biases, or each symbol's row of the table, into the blocks."""
        code, b = self.code, self.code.builder
        with code.loop(0, self.rows) as row:
            source = self.start_at(b.add(self.first, row))
            target = b.mul(row, i64(self.kernels.columns))
            with code.loop(0, self.kernels.columns, WIDTH) as column:
                vector = code.load(self.arrays["start"], b.add(source, column))
                code.store(vector, self.arrays["pre"], b.add(target, column))

    def _product(self, columns: slice, inner: int, left: Matrix, packed: Any) -> None:
        """Add a product to blocks."""
        into = Matrix(
            self.code.at(self.arrays["pre"], F32, columns.start), i64(self.kernels.columns)
        )
        Product(columns.stop - columns.start, inner, self.kind, add=True).write(
            self.code, left, packed, into, self.rows
        )

    def _source(self, source: Source) -> Matrix:
        """A source's rows at this step; worked out and kept, if it is not h."""
        if source not in self.kernels.computed:
            return self.matrix("h", self.shape.hidden)
        b, number = self.code.builder, self.kernels.computed.index(source)
        base = b.add(b.mul(b.mul(i64(number), self.steps), self.rows), self.first)
        with self.places() as at:
            (value,) = evaluated([source.value], self.leaves(at, "pre", at.row, F32))
            place = self.at(b.add(base, at.row), at)
            self.code.store(value, self.arrays["sources"], place, self.kind)
        return self.matrix("sources", self.shape.hidden, base=base)

    def _states(self, at: _Place) -> None:
        """All blocks are known: keep them, and the states after."""
        code, b, known = self.code, self.code.builder, self.leaves(at, "pre", at.row, F32)
        after = evaluated(self.equations.after, known)
        for block, leaf in enumerate(self.equations.leaves):
            place = self.at(self.here(at), at, self.kernels.columns, block)
            code.store(known[leaf], self.arrays["act"], place, self.kind)
        for state, vector in enumerate(after):
            place = self.state_at(b.add(self.step, i64(1)), state, at)
            code.store(vector, self.arrays["kept"], place)
        place = self.at(b.add(self.here(at), self.rows), at)
        code.store(after[0], self.arrays["h"], place, self.kind)


class _Backward(_Pass):
    """Last step first: from the states after to the blocks, and from them to what fed them."""

    def write(self) -> None:
        b = self.code.builder
        with self.code.loop(0, self.steps) as done:
            self.step = b.sub(b.sub(self.steps, i64(1)), done)
            self.first = b.mul(self.step, self.rows)
            with self.places() as at:
                self._from_states(at)
            packed = self._packed()
            for source in reversed(self.kernels.computed):
                self._through(source, packed[source])
            with self.places() as at:
                self._round(range(len(self.equations.blocks)), at)
                self._add_to_start(at)
            if self.shape.inputs is not None:
                self._product(self.kernels.from_input, self.shape.inputs, self.arrays["w_in"],
                              self.matrix("dx", self.shape.inputs), self.kind)  # fmt: skip
            if self.equations.reads_h:
                source = self.equations.sources[0]
                into = Matrix(self.arrays["dstates"], i64(self.shape.hidden))
                columns = self.kernels.columns_of(source.blocks)
                self._product(columns, self.shape.hidden, packed[source], into, add=True)

    def _packed(self) -> dict[Source, Any]:
        """Where the weights of each source begin."""
        found, packed = {}, self.arrays["w_state"]
        for source in self.equations.sources:
            found[source] = packed
            size = len(source.blocks) * self.shape.hidden * self.shape.hidden
            packed = self.code.at(packed, self.element, size)
        return found

    def _product(
        self, columns: slice, inner: int, packed: Any, into: Matrix, kind: Any = F32,
        add: bool = False,
    ) -> None:  # fmt: skip
        """From the gradients of blocks to the gradient of what feeds them."""
        left = self.matrix("dact", self.kernels.columns, columns.start)
        Product(inner, columns.stop - columns.start, self.kind, kind, add).write(
            self.code, left, packed, into, self.rows
        )

    def _from_states(self, at: _Place) -> None:
        """The states after in, first gradients of the blocks and the states before out."""
        code = self.code
        places = [self._dstate_at(state, at) for state in range(len(self.equations.states))]
        seeds = [code.load(self.arrays["dstates"], place) for place in places]
        seeds[0] = seeds[0] + code.load(self.arrays["dout"], self.at(self.here(at), at), self.kind)
        zero = code.constant(0.0)
        for place in places:
            code.store(zero, self.arrays["dstates"], place)
        for block in range(len(self.equations.blocks)):
            code.store(zero, self.arrays["dpre"], self.at(at.row, at, self.kernels.columns, block))
        self._add(self.equations.after, seeds, at)

    def _through(self, source: Source, packed: Any) -> None:
        """A source's blocks in, what it is made of out."""
        with self.places() as at:
            self._round(source.blocks, at)
        into = Matrix(self.arrays["dsource"], i64(self.shape.hidden))
        columns = self.kernels.columns_of(source.blocks)
        self._product(columns, self.shape.hidden, packed, into)
        with self.places() as at:
            seed = self.code.load(self.arrays["dsource"], self.at(at.row, at))
            self._add([source.value], [seed], at)

    def _add(self, roots: Sequence[Symbol], seeds: Sequence[Vector], at: _Place) -> None:
        """Add gradients of roots to those of blocks, states and diagonals."""
        parts, code = self.equations, self.code
        symbols = [Symbol(f"gradient {number}") for number in range(len(roots))]
        known = self.leaves(at, "act", self.here(at), self.kind)
        wanted = [*parts.leaves, *parts.states, *parts.diagonal_leaves]
        found = gradients(roots, symbols, wanted)
        there = [(leaf, symbol) for leaf, symbol in zip(wanted, found, strict=True) if symbol]
        known |= dict(zip(symbols, seeds, strict=True))
        values = evaluated([symbol for _, symbol in there], known)
        for (leaf, _), vector in zip(there, values, strict=True):
            name, place = self._gradient_at(leaf, at)
            code.store(code.load(self.arrays[name], place) + vector, self.arrays[name], place)

    def _gradient_at(self, leaf: Symbol, at: _Place) -> tuple[str, Any]:
        """The array and the place of a leaf's gradient."""
        parts = self.equations
        if leaf in parts.leaves:
            block = parts.leaves.index(leaf)
            return "dpre", self.at(at.row, at, self.kernels.columns, block)
        if leaf in parts.states:
            return "dstates", self._dstate_at(parts.states.index(leaf), at)
        return "ddiagonals", self.at(i64(parts.diagonal_leaves.index(leaf)), at)

    def _dstate_at(self, state: int, at: _Place) -> Any:
        b = self.code.builder
        return self.at(b.add(b.mul(i64(state), self.rows), at.row), at)

    def _round(self, blocks: Sequence[int], at: _Place) -> None:
        """Gradients of blocks that are whole, in the kernel's kind."""
        columns = self.kernels.columns
        for block in blocks:
            vector = self.code.load(self.arrays["dpre"], self.at(at.row, at, columns, block))
            place = self.at(self.here(at), at, columns, block)
            self.code.store(vector, self.arrays["dact"], place, self.kind)

    def _add_to_start(self, at: _Place) -> None:
        b, code, columns = self.code.builder, self.code, self.kernels.columns
        source = self.start_at(self.here(at))
        for block in range(len(self.equations.blocks)):
            vector = code.load(self.arrays["dpre"], self.at(at.row, at, columns, block))
            place = b.add(source, b.add(at.column, i64(block * self.shape.hidden)))
            total = code.load(self.arrays["dstart"], place) + vector
            code.store(total, self.arrays["dstart"], place)
