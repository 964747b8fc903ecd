"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs

from seqforge.errors import RunError

_BLOCK = 1 << 20
_SCARCE = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what a disk may refuse into one sentence.

    Raises:
        RunError: For a full disk, a missing right, or a file where a folder is needed.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _SCARCE:
            raise RunError(
                f"{path}: the disk is full; free some space and go on with --resume"
            ) from error
        raise RunError(f"{path}: cannot be written ({error.strerror or error})") from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside ``path``, flush to the disk, then rename into place.

    Raises:
        RunError: If the disk refuses; what stood at ``path`` before still stands.
    """
    partial = path.with_name(path.name + ".partial")
    with disk_errors(path):
        try:
            with partial.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise


def numbered(path: Path, number: int, suffix: str) -> Path:
    """Where a sample goes that has files of its own: ``t-001.mid`` beside ``t.mid``."""
    return path.with_name(f"{path.stem}-{number:03}{suffix}")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document, atomically; not-a-numbers are refused."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, text.encode())


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def cache_root() -> Path:
    """Where whatever can be made again is kept: ``SEQFORGE_CACHE``, else the user's cache."""
    named = os.environ.get("SEQFORGE_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("seqforge")


def make_folder(path: Path) -> Path:
    """The folder, made where it is missing.

    Raises:
        RunError: If a file stands there or the folder cannot be made.
    """
    if path.exists() and not path.is_dir():
        raise RunError(f"{path}: is a file, and a folder is needed there; choose another --out")
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path
