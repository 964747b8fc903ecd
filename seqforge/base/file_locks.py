"""A path in, an exclusive lock on it (a file or a folder) out."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seqforge.base.atomic_files import disk_errors
from seqforge.errors import RunError

FOLDER_LOCK = ".seqforge.lock"
"""Name of the lock in a folder that a command works in."""


@contextmanager
def held(lock: Path, busy: str) -> Iterator[None]:
    """Hold a lock file, removed afterwards.

    Args:
        lock: An empty file, made where it is missing; what a killed command left is taken over.
        busy: The sentence for whoever comes second.

    Raises:
        RunError: If another process holds it, it is no lock file, or the disk refuses.
    """
    from filelock import FileLock, Timeout

    _check(lock)
    taken = FileLock(lock)
    try:
        with disk_errors(lock.parent):
            lock.parent.stat()  # FileLock would make it
            try:
                taken.acquire(timeout=0)
            except Timeout as error:
                raise RunError(busy) from error
        yield
    finally:
        if taken.is_locked:
            with suppress(OSError):  # an open file that cannot be deleted goes when it is closed
                lock.unlink()
        taken.release()


@contextmanager
def held_folder(folder: Path) -> Iterator[None]:
    """Lock an existing folder against other seqforge processes.

    Raises:
        RunError: As `held`.
    """
    busy = f"{folder}: another seqforge is working in it; wait for it, or give another --out"
    with held(folder / FOLDER_LOCK, busy):
        yield


def _check(lock: Path) -> None:
    """Refuse to use a file with content as a lock."""
    try:
        found = lock.lstat()
    except OSError:
        return  # missing; or the attempt to make it says why it cannot be
    if not stat.S_ISREG(found.st_mode) or found.st_size:
        raise RunError(f"{lock}: is not a lock of seqforge; move it, or give another --out")
