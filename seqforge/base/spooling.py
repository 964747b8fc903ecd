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

from seqforge.base.files import disk_errors, replacing
from seqforge.errors import InputError

STDIN = "-"
_STDIN_TOO = ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
_BLOCK = 1 << 20
_KEPT: dict[str, Path] = {}  # what was read, by the name under which it came
_FOLDERS: list[Path] = []
_TYPED: dict[str, str] = {}  # under which name the content of a kept file came


def is_stdin(path: Path | str) -> bool:
    """Whether a name stands for standard input, where that comes but once."""
    return str(path) == STDIN or (str(path) in _STDIN_TOO and is_piped(path))


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
    name = STDIN if is_stdin(path) else str(path)
    if name in _KEPT:
        return _KEPT[name]
    if not is_piped(path):
        home = name.startswith("~") and not path.exists()
        return _expanded(path) if home else path
    if not _FOLDERS:
        _FOLDERS.append(Path(mkdtemp(prefix="seqforge-piped-")))
        atexit.register(forget)
    kept = _FOLDERS[0] / f"{len(_KEPT) + 1}"
    spool(path, kept)
    _KEPT[name] = kept
    return kept


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # no such user
        return path


def forget() -> None:
    """Remove what was kept; the same names stand for something new afterwards."""
    for folder in _FOLDERS:
        shutil.rmtree(folder, ignore_errors=True)
    _FOLDERS.clear()
    _KEPT.clear()
    _TYPED.clear()


def as_typed(message: str) -> str:
    """A message about kept files with the names under which their content came: ``-: is empty``."""
    for kept, typed in _TYPED.items():
        message = message.replace(kept, typed)
    return message


def spool(path: Path | str, target: Path) -> None:
    """Copy all that comes through a pipe into a file of one's own.

    Raises:
        InputError: If it cannot be read, or is a device that never ends.
        RunError: If the disk refuses.
    """
    with _source(path) as stream, disk_errors(target), replacing(target, private=True) as kept:
        size = _BLOCK
        _TYPED[str(target)] = str(path)
        while size == _BLOCK:  # less comes only at the end, which a terminal says but once
            block = _block(stream, path)
            size = len(block)
            kept.write(block)


def _block(stream: BinaryIO, path: Path | str) -> bytes:
    try:
        return stream.read(_BLOCK)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give a file") from error


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
