"""Compiling the sampling kernel once a machine: functions kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache

from seqforge.core.files import cache_root

_PACKAGE = Path(__file__).parent.parent
_SOURCES = (
    *(_PACKAGE / "kernels" / f"{name}.py" for name in ("vectors", "products", "pointwise")),
    *(Path(__file__).parent / f"{name}.py"
      for name in ("intrinsics", "uniform", "weighing", "network", "streams")),
)  # fmt: skip

_ENTRIES: dict[str, _Kept] = {}
_ALWAYS = ("step_rows", "run_streams")  # what every sample needs
Function = TypeVar("Function", bound=Callable[..., Any])


def inner(function: Function) -> Function:
    """Compile a function that others of the kernel call."""
    compiled: Function = numba.njit(nogil=True, error_model="numpy")(function)
    return compiled


def entry(function: Function) -> Function:
    """Compile a function that Python calls; what was compiled is kept for the next process.

    numba looks at the file of the function alone to see whether what it kept is still good. The
    folder here is named by the text of all files that go into the kernel.
    """
    folder = _folder()
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder or "")
    try:
        compiled = numba.njit(nogil=True, error_model="numpy")(function)
        if folder is not None:
            compiled._cache = _Kept(function)  # as `cache=True` does with its own class
            _ENTRIES[function.__name__] = compiled._cache
    finally:
        numba.config.CACHE_DIR = before
    found: Function = compiled
    return found


class _Kept(FunctionCache):  # type: ignore[misc]
    """What was compiled, on a disk that may be full and in files that may be damaged."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # whatever unpickling half a file leads to
            self._try(self.flush)
            return None

    def holds_any(self) -> bool:
        """Whether something good was kept, for this processor and these sources."""
        try:
            return bool(self._cache_file._load_index())
        except Exception:  # as above
            return False

    def save_overload(self, sig: Any, data: Any) -> None:
        self._try(lambda: super(_Kept, self).save_overload(sig, data))

    def _try(self, write: Callable[[], None]) -> None:
        with suppress(OSError, EOFError, UnpicklingError):
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
