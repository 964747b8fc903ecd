"""Names, hashes and folders of files, and JSON into them; `seqforge.base.files` writes them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import platformdirs

from seqforge.base.files import disk_errors, sync_folder, write_atomically
from seqforge.base.spooling import settled
from seqforge.errors import RunError

__all__ = [
    "cache_root", "disk_errors", "folder_for", "make_folder", "numbered", "sha256_of",
    "write_atomically", "write_json",
]  # fmt: skip

_BLOCK = 1 << 20


def numbered(path: Path, number: int, suffix: str) -> Path:
    """Where a sample goes that has files of its own: ``t-001.mid`` beside ``t.mid``."""
    return path.with_name(f"{path.stem}-{number:03}{suffix}")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document, atomically; not-a-numbers are refused."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, text.encode())


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; the path may be a pipe."""
    digest = hashlib.sha256()
    with settled(path).open("rb") as stream:
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
    if path.is_symlink() and not path.exists():
        raise RunError(f"{path}: is a link that leads nowhere; choose another --out")
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    for folder in made:  # what lies in it is lost with its name
        sync_folder(folder.parent)
    return path


@contextmanager
def folder_for(path: Path) -> Iterator[Path]:
    """The folder, made where it is missing; those that were made and stay empty are taken away.

    Raises:
        RunError: As `make_folder`.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    make_folder(path)
    try:
        yield path
    finally:
        with suppress(OSError):  # holds something by now
            for folder in missing:
                folder.rmdir()
