"""What can be wrong with a store of searches, each in a sentence that says what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqforge.errors import RunError

_PRIMARY = 0xFF  # an extended code's last byte is the plain one
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
_FORBIDDEN = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite may say of the store at ``path`` into one sentence.

    Raises:
        RunError: For a store that is locked, damaged, or on a disk that is full or refuses.
    """
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter for names in its schema
        raise RunError(f"{path}: {_sentence(error)}") from error


def damaged(path: Path, key: str, what: str) -> RunError:
    """The error for a row that does not hold what was written into it."""
    return RunError(
        f"{path}: cannot be used as a store of searches (the search {key[:12]} is damaged: "
        f"{what}); move it away or give another --out"
    )


def _sentence(error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY
    if code in _LOCKED:
        return (
            f"is locked by another program ({error}); close what has it open, and run again to "
            "go on"
        )
    if code == sqlite3.SQLITE_FULL:
        return f"the disk is full ({error}); free some space and run again to go on"
    if code in _FORBIDDEN:
        return f"cannot be opened or written ({error}); look at its rights, or give another --out"
    if code in _DAMAGED or isinstance(error, sqlite3.DataError):
        return (
            f"cannot be used as a store of searches, it is damaged ({error}); move it away or "
            "give another --out"
        )
    return f"cannot be read or written ({error}); look at the disk and run again to go on"
