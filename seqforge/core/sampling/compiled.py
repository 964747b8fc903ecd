"""Compiling the sampling kernel once a machine: functions kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

from seqforge.core.files import cache_root

_PACKAGE = Path(__file__).parent.parent
_SOURCES = (
    *(_PACKAGE / "kernels" / f"{name}.py" for name in ("vectors", "products", "pointwise")),
    *(Path(__file__).parent / f"{name}.py"
      for name in ("intrinsics", "uniform", "weighing", "network", "streams")),
)  # fmt: skip

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
        compiled: Function = numba.njit(
            nogil=True, error_model="numpy", cache=folder is not None
        )(function)  # fmt: skip
    finally:
        numba.config.CACHE_DIR = before
    return compiled


def is_kept() -> bool:
    """Whether the kernel was compiled before on this machine, and need not be again."""
    folder = _folder()
    return folder is not None and any(folder.rglob("*.nbi"))


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
