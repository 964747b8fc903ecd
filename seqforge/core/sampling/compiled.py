"""Compiling the sampling kernel once a machine: functions kept in the user's cache folder."""

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
from numba.core.caching import FunctionCache, IndexDataCacheFile

from seqforge.base.files import write_atomically
from seqforge.core.files import cache_root
from seqforge.errors import RunError

_PACKAGE = Path(__file__).parent.parent
_SOURCES = (
    *(_PACKAGE / "kernels" / f"{name}.py" for name in ("vectors", "products", "pointwise")),
    *(Path(__file__).parent / f"{name}.py"
      for name in ("intrinsics", "uniform", "weighing", "network", "streams")),
)  # fmt: skip

_DIGEST = hashlib.sha256().digest_size
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


class _Whole(IndexDataCacheFile):  # type: ignore[misc]
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


class _Kept(FunctionCache):  # type: ignore[misc]
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
