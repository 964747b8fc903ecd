"""Functions in, compiled functions out: the numba kernel, cached on disk by its sources; and the
intrinsics that numba lacks.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import numba
from llvmlite import ir
from numba import types
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.extending import intrinsic

from seqforge.base.atomic_files import write_atomically
from seqforge.base.folders import cache_root
from seqforge.core.kernels.llvm import F32, I64, REGISTERS, WIDTH, Code, i64
from seqforge.core.kernels.ops import CELLS, Matrix, Product
from seqforge.errors import RunError

_PACKAGE = Path(__file__).parent.parent
_SOURCES = (
    *(_PACKAGE / "kernels" / f"{name}.py" for name in ("llvm", "ops")),
    *(Path(__file__).parent / f"{name}.py"
      for name in ("numba_cache", "logit_filters", "numba_kernel")),
)  # fmt: skip

_DIGEST = hashlib.sha256().digest_size


class _Kept(FunctionCache):  # type: ignore[misc]  # numba has no types
    """What was compiled, on a disk that may be full and in files that may be damaged."""

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        super().__init__(function)
        self._cache_file = _Whole(str(folder), self._impl.filename_base, source_stamp=None)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # whatever unpickling what another numba wrote leads to
            self._try(self.flush)
            return None

    def holds_any(self) -> bool:
        """Whether something good was kept, for this processor and these sources."""
        try:
            return bool(self._cache_file.whole)
        except Exception:  # as above
            return False

    def save_overload(self, sig: Any, data: Any) -> None:
        self._try(lambda: super(_Kept, self).save_overload(sig, data))

    def _try(self, write: Callable[[], None]) -> None:
        with suppress(OSError, EOFError, UnpicklingError, RunError):
            write()


_ENTRIES: dict[str, _Kept] = {}
_ALWAYS = ("step_rows", "run_streams")  # what every sample needs
Function = TypeVar("Function", bound=Callable[..., Any])


def inner(function: Function) -> Function:
    """Compile a function that others of the kernel call."""
    compiled: Function = numba.njit(nogil=True, error_model="numpy")(function)
    return compiled


def entry(function: Function) -> Function:
    """Compile a function that Python calls; what was compiled is kept for the next process.

    numba looks at the place and the time of the function's file to see whether what it kept is
    still good. The folder here is named by the text of all files that go into the kernel, so that
    every installation of one version shares it.
    """
    folder = _folder()
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder or "")
    try:
        compiled = numba.njit(nogil=True, error_model="numpy")(function)
        if folder is not None:
            compiled._cache = _Kept(function, folder)  # as `cache=True` does with its own class
            _ENTRIES[function.__name__] = compiled._cache
    finally:
        numba.config.CACHE_DIR = before
    found: Function = compiled
    return found


class _Whole(IndexDataCacheFile):  # type: ignore[misc]  # numba has no types
    """numba's files of one function, each with a digest behind it that is looked at first.

    Half a file, or one with a flipped bit, would else be unpickled, and its code be run: that ends
    the process. Unpickling stops before what lies behind, so numba reads the files as they are.
    """

    def _load_index(self) -> Any:
        return super()._load_index() if _is_whole(self._index_path) else {}

    def _load_data(self, name: str) -> Any:
        if not _is_whole(self._data_path(name)):
            raise OSError("is damaged")  # which numba takes for a missing one
        return super()._load_data(name)

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        written = io.BytesIO()
        yield written
        data = written.getvalue()
        write_atomically(Path(filepath), data + hashlib.sha256(data).digest())

    @property
    def whole(self) -> bool:
        """Whether something was kept, all of it as it was."""
        names = self._load_index().values()
        return bool(names) and all(_is_whole(self._data_path(name)) for name in names)


def _is_whole(path: str) -> bool:
    try:
        data = Path(path).read_bytes()
    except OSError:
        return False
    return hashlib.sha256(data[:-_DIGEST]).digest() == data[-_DIGEST:]


def is_kept() -> bool:
    """Whether what every sample needs was compiled before, and need not be again."""
    return all(name in _ENTRIES and _ENTRIES[name].holds_any() for name in _ALWAYS)


def can_be_kept() -> bool:
    """Whether what is compiled now will be there for the next process."""
    return _folder() is not None


@cache
def _folder() -> Path | None:
    """Where compiled functions are kept; None where nothing can be."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in _SOURCES)).hexdigest()
    folder = cache_root() / "kernel" / digest[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


ACROSS = 4 if REGISTERS == 32 else 2
"""Vectors across a tile of the result, whatever the model."""
TILE = ACROSS * WIDTH
"""Columns of a packed matrix are a multiple of this."""

Signature = tuple[Any, Callable[..., Any]]


def _data(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    return context.make_array(kind)(context, builder, array).data


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
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

    @intrinsic  # type: ignore[untyped-decorator]  # numba has no types
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


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def float_of_bits(_: Any, bits: Any) -> Signature:
    """The float64 whose 64 bits these are (IEEE 754)."""

    def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), write


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def high_product(_: Any, a: Any, b: Any) -> Signature:
    """The upper 64 bits of the 128-bit product of two uint64."""

    def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        wide = ir.IntType(128)
        a, b = (builder.zext(number, wide) for number in args)
        high = builder.lshr(builder.mul(a, b), ir.Constant(wide, 64))
        return builder.trunc(high, I64)

    return types.uint64(types.uint64, types.uint64), write
