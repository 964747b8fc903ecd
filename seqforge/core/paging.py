"""Long arrays that lie in files: read block by block, and their pages given back."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 20

Scalar = TypeVar("Scalar", bound=np.generic)


def in_blocks(
    array: NDArray[Scalar], size: int = _BLOCK, overlap: int = 0
) -> Iterator[NDArray[Scalar]]:
    """All of an array (N,) in blocks of ``size``, each with ``overlap`` symbols of the next.

    Where it is memory-mapped, the pages of each block are given back behind it.
    """
    for start in range(0, len(array), size):
        yield array[start : start + size + overlap]
        give_back(array)


def give_back(array: NDArray[Any]) -> None:
    """Tell the system that the pages of a memory map are not needed now; they can be read again.

    Without this a file that is read once through lies in memory whole. Nothing happens where the
    array is no memory map, or the system (Windows) takes pages back by itself alone.
    """
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
