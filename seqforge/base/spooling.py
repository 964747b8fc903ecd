"""Pipes as files: what comes on standard input or through a pipe is read once, and kept.

A name goes in (``-``, ``/dev/fd/63``, a fifo), the path of a file that can be read again comes out;
a plain file is its own. Private copies go when the program ends.
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import BinaryIO, cast

from seqforge.errors import InputError, RunError

STDIN = "-"
_BLOCK = 1 << 20
_KEPT: dict[str, Path] = {}  # what was read, by the name under which it came
_FOLDERS: list[Path] = []


def is_piped(path: Path | str) -> bool:
    """Whether a name stands for what comes but once: ``-``, a pipe, a terminal."""
    if str(path) == STDIN:
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def settled(path: Path) -> Path:
    """The file that a name stands for; what comes through a pipe is read once in a process.

    Raises:
        InputError: If the pipe cannot be read, or is a device that never ends.
    """
    name = str(path)
    if name in _KEPT:
        return _KEPT[name]
    if not is_piped(path):
        home = name.startswith("~") and not path.exists()
        return _expanded(path) if home else path
    if not _FOLDERS:
        _FOLDERS.append(Path(mkdtemp(prefix="seqforge-piped-")))
        atexit.register(_forget)
    kept = _FOLDERS[0] / f"{len(_KEPT) + 1}"
    spool(path, kept)
    _KEPT[name] = kept
    return kept


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # no such user
        return path


def _forget() -> None:
    for folder in _FOLDERS:
        shutil.rmtree(folder, ignore_errors=True)
    _FOLDERS.clear()
    _KEPT.clear()


def spool(path: Path | str, target: Path) -> None:
    """Copy all that comes through a pipe into a file of one's own.

    Raises:
        InputError: If it cannot be read, or is a device that never ends.
        RunError: If the disk refuses.
    """
    partial = target.with_name(target.name + ".partial")
    try:
        with _source(path) as stream, _new(partial) as kept:
            _copy(stream, kept, target)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _copy(stream: BinaryIO, kept: BinaryIO, target: Path) -> None:
    while True:
        try:
            block = stream.read(_BLOCK)
        except (OSError, ValueError) as error:
            raise InputError(f"the pipe cannot be read ({error}); give a file") from error
        if not block:
            return
        try:
            kept.write(block)
        except OSError as error:
            raise RunError(
                f"{target}: what comes through the pipe cannot be kept ({error.strerror}); free "
                "some space"
            ) from error


def _new(partial: Path) -> BinaryIO:
    """A new file that only its owner may read; nobody can have laid a link in its place."""
    partial.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        return open(os.open(partial, flags, 0o600), "wb")
    except OSError as error:
        raise RunError(f"{partial}: cannot be written ({error.strerror or error})") from error


def _source(path: Path | str) -> BinaryIO:
    if str(path) == STDIN:
        if sys.stdin is None or sys.stdin.closed:
            raise InputError("-: standard input is closed; pipe something in, or name a file")
        return cast("BinaryIO", _Borrowed(sys.stdin.buffer))
    try:
        status = os.stat(path)
        if stat.S_ISCHR(status.st_mode) and not _is_terminal(path):
            raise InputError(f"{path}: is a device, and a file or a pipe is wanted")
        return open(path, "rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error


def _is_terminal(path: Path | str) -> bool:
    with open(path, "rb", buffering=0) as stream:
        return stream.isatty()


class _Borrowed:
    """A stream that is not closed when its block ends."""

    def __init__(self, stream: BinaryIO) -> None:
        self.read = stream.read

    def __enter__(self) -> _Borrowed:
        return self

    def __exit__(self, *error: object) -> None:
        return None
