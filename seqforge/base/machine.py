"""The machine: CPU cores, device and memory; blocks of memory-mapped arrays, whose pages are
released.
"""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from seqforge.base.atomic_files import disk_errors
from seqforge.errors import ConfigError

if TYPE_CHECKING:
    import torch

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores() -> int:
    """Number of cores the process may use: its affinity and its control group's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = _CGROUP_QUOTA.read_text().split()
        limit = max(1, round(int(quota) / int(period)))
    except (OSError, ValueError):  # no control groups, or no quota: "max"
        limit = cores or 1
    return max(1, min(cores or 1, limit))


def choose_device(wanted: str) -> torch.device:
    """``auto | cpu | cuda | mps`` in, the torch device out; ``auto`` takes a GPU if there is one.

    Raises:
        ConfigError: If the device asked for is not there.
    """
    import torch

    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        # Apple's GPU is slower than its CPU for recurrent layers this small: only when asked for.
        wanted = "cuda" if there["cuda"] else "cpu"
    if not there[wanted]:
        raise ConfigError(f"training.device: this machine has no {wanted}; give --device cpu")
    return torch.device(wanted)


def peak_memory_mb() -> float | None:
    """Peak resident memory of the process, in megabytes (10^6 bytes)."""
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6  # bytes there, kB here


def physical_memory() -> int | None:
    """Bytes of physical memory, where the system tells."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def trim_memory() -> None:
    """Return freed memory to the system (glibc keeps it).

    Else what one stage no longer uses would lie beside what the next one needs.
    """
    if sys.platform == "linux":
        import ctypes

        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


_BLOCK = 1 << 20

Scalar = TypeVar("Scalar", bound=np.generic)


def in_blocks(
    array: NDArray[Scalar], size: int = _BLOCK, overlap: int = 0
) -> Iterator[NDArray[Scalar]]:
    """An array (N,) in, blocks of ``size`` with an overlap of ``overlap`` out; pages behind are
    released.

    Where it is memory-mapped, the pages of each block are given back behind it.
    """
    for start in range(0, len(array), size):
        yield array[start : start + size + overlap]
        release_pages(array)


def mapped(folder: Path, blocks: Iterable[NDArray[Any]], dtype: DTypeLike) -> NDArray[Any]:
    """Blocks in, their array in a temporary file of ``folder`` out, memory-mapped.

    The file is written first, so that a full disk is an error.

    Raises:
        RunError: If the disk is full.
    """
    with disk_errors(folder), TemporaryFile(dir=folder) as stream:
        for block in blocks:
            stream.write(np.ascontiguousarray(block, dtype).data)
        return np.asarray(np.memmap(stream, dtype, "r+"))


class GrowingArray:
    """An array in a temporary file that is added to, then memory-mapped."""

    def __init__(self, folder: Path, dtype: DTypeLike) -> None:
        with disk_errors(folder):
            self._stream = TemporaryFile(dir=folder)  # noqa: SIM115  # closed by `done`
        self._folder, self._dtype, self.size = folder, np.dtype(dtype), 0

    def add(self, block: NDArray[Any]) -> None:
        """Put a block behind the others.

        Raises:
            RunError: If the disk is full.
        """
        with disk_errors(self._folder):
            self._stream.write(np.ascontiguousarray(block, self._dtype).data)
        self.size += len(block)

    def done(self) -> NDArray[Any]:
        """The array; nothing is added any more.

        Raises:
            RunError: If the disk is full.
        """
        with disk_errors(self._folder), self._stream as stream:
            stream.flush()
            if not self.size:
                return np.empty(0, self._dtype)
            return np.asarray(np.memmap(stream, self._dtype, "r+"))


def release_pages(array: NDArray[Any]) -> None:
    """Release the pages of a memory map; they can be read again.

    Without this a file that is read once through lies in memory whole. Nothing happens where the
    array is no memory map, or the system (Windows) takes pages back by itself alone.
    """
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
