"""What the machine offers: cores, device; and how much memory was used at most."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from seqforge.errors import ConfigError

if TYPE_CHECKING:
    import torch

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores() -> int:
    """Cores this process may really use: its affinity, and the quota of its control group."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = _CGROUP_QUOTA.read_text().split()
        limit = max(1, round(int(quota) / int(period)))
    except (OSError, ValueError):  # no control groups, or no quota: "max"
        limit = cores or 1
    return max(1, min(cores or 1, limit))


def choose_device(wanted: str) -> torch.device:
    """The torch device of ``auto | cpu | cuda | mps``; ``auto`` takes a GPU where there is one.

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
    """Most resident memory this process has had, in megabytes (10^6 bytes)."""
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6  # bytes there, kB here


def physical_memory() -> int | None:
    """Bytes of memory that the machine has, where the system tells."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def trim_memory() -> None:
    """Give what was freed back to the system, where the C library keeps it (glibc).

    Else what one stage no longer uses would lie beside what the next one needs.
    """
    if sys.platform == "linux":
        import ctypes

        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
