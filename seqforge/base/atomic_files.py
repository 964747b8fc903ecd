"""Bytes or TOML in, files out: written atomically (temporary name, fsync, rename), never half.
Also TOML files read into tables, and values turned into what JSON can hold.
"""

from __future__ import annotations

import errno
import math
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from seqforge.errors import ConfigError, RunError

if sys.platform != "win32":
    import fcntl

NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
"""Flag of `os.open` that refuses links."""
_TEMPORARY = re.compile(r"\.seqforge-[0-9a-f]{16}\.partial")
_SCARCE = {errno.ENOSPC, errno.EDQUOT}
_ACCESS_LIST = "system.posix_acl_access"
_ANYONE, _OWNER = 0o666, 0o600  # the umask takes from the first what it says


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn disk errors into one sentence.

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


def write_atomically(path: Path, data: bytes, private: bool = False) -> None:
    """Bytes in, a file out: readers see the old file or all of the new one, also after a power cut.

    Args:
        path: A file that stands there is replaced and its mode and owner stay; a link is replaced,
            and what it led to stays as it is.
        data: All of it.
        private: Whether its owner alone may read it, whatever the mode was.

    Raises:
        RunError: If the disk refuses; what stood at ``path`` before still stands.
    """
    with disk_errors(path), replacing(path, private) as stream:
        stream.write(data)


@contextmanager
def replacing(path: Path, private: bool = False) -> Iterator[BinaryIO]:
    """A stream whose content replaces ``path`` at the end, as in `write_atomically`.

    An error inside leaves ``path`` as it was. The disk's errors are left to `disk_errors`.
    """
    temporary, stream = _own_file(path.parent, private or path.exists())
    try:
        with stream:
            if not private:
                take_after(stream.fileno(), path)
            yield stream
            put_in_place(stream, temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def put_in_place(stream: BinaryIO, temporary: Path, path: Path) -> None:
    """Close a file that is whole and give it its name; a power cut then leaves this or the old."""
    sync(stream)
    stream.close()
    temporary.replace(path)
    sync_folder(path.parent)


def sync(stream: BinaryIO) -> None:
    """Sync a stream to disk."""
    stream.flush()
    os.fsync(stream.fileno())


def sync_all(folder: Path) -> None:
    """Sync all files of a folder, and the folder."""
    for path in folder.iterdir():
        with path.open("r+b") as stream:
            sync(stream)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Sync the names in a folder, where the system can."""
    if sys.platform == "win32":
        return
    with suppress(OSError):  # some file systems refuse, and hold the names anyway
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove temporary files of killed commands, but not those being written."""
    if sys.platform == "win32":
        return
    with suppress(OSError), os.scandir(folder) as items:
        left = [Path(item.path) for item in items if _TEMPORARY.fullmatch(item.name)]
        for path in left:
            _remove_left_over(path)


def _own_file(folder: Path, private: bool) -> tuple[Path, BinaryIO]:
    """A new locked temporary file, which `sweep` of another process leaves alone."""
    while True:
        path = folder / f".seqforge-{secrets.token_hex(8)}.partial"
        stream = open_new(path, private)
        if sys.platform != "win32":
            with suppress(OSError):  # a file system without locks
                fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(stream.fileno()).st_nlink:
            return path, stream
        stream.close()  # swept between its making and its holding


def open_new(path: Path, private: bool = False) -> BinaryIO:
    """Create a file for reading and writing.

    Raises:
        OSError: If anything stands there, also a link that leads nowhere.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | NO_FOLLOW
    return os.fdopen(os.open(path, flags, _OWNER if private else _ANYONE), "w+b")


def open_to_append(path: Path) -> BinaryIO:
    """Open a file for appending, created if missing.

    Raises:
        OSError: If it cannot be; for a link too.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | NO_FOLLOW
    return os.fdopen(os.open(path, flags, _ANYONE), "ab")


def open_own(path: Path, writing: bool = False) -> BinaryIO:
    """Open a file that an earlier command of this user may have created.

    Raises:
        FileNotFoundError: If there is none.
        RunError: If it cannot be one: a link, a pipe, another user's, a file with other names.
    """
    flags = (os.O_RDWR if writing else os.O_RDONLY) | NO_FOLLOW | getattr(os, "O_NONBLOCK", 0)
    try:
        stream = os.fdopen(os.open(path, flags), "r+b" if writing else "rb")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _strange(path) from error
    found = os.fstat(stream.fileno())
    theirs = sys.platform != "win32" and found.st_uid != os.geteuid()
    if theirs or not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        stream.close()
        raise _strange(path)
    return stream


def _strange(path: Path) -> RunError:
    return RunError(f"{path}: is not a file that seqforge wrote; move it, or give another --out")


def is_private(path: Path) -> bool:
    """Whether only its owner may read a file; its companions are then private too."""
    try:
        return not path.stat().st_mode & 0o077
    except OSError:
        return False


def take_after(descriptor: int, path: Path) -> None:
    """Give a new file the mode and owner of the file it replaces."""
    if sys.platform == "win32":
        return
    try:
        old = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(old.st_mode):
        return
    with suppress(OSError):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
    if sys.platform == "linux":
        with suppress(OSError):  # most files have no list, and their mode says it all
            os.setxattr(descriptor, _ACCESS_LIST, os.getxattr(path, _ACCESS_LIST))


def _remove_left_over(path: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | NO_FOLLOW)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                return
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails where it is written
            path.unlink()
        finally:
            os.close(descriptor)


def as_json(value: Any) -> Any:
    """A value in, a JSON value out: infinity becomes ``"inf"``, NaN null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else f"{value}"
    if isinstance(value, Mapping):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(one) for one in value]
    if isinstance(value, Set):  # in an order that is not another one in every process
        return sorted((as_json(one) for one in value), key=repr)
    return value if value is None or isinstance(value, str | int | float) else str(value)


_MOST = 256_000_000  # bytes; the config of a run lists all its files


def read_toml(path: Path, what: str = "a recipe") -> dict[str, Any]:
    """A TOML file in, its tables out.

    Args:
        path: A plain file.
        what: What it is to be, for messages.

    Raises:
        ConfigError: If it is missing or is not TOML; names the line.
    """
    import tomllib

    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST + 1)
        if len(data) > _MOST:
            raise ConfigError(f"{path}: is too large for {what}; is it another kind of file?")
        return tomllib.loads(data.decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read as {what} ({error.strerror or error})"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: cannot be read as {what}: byte 0x{error.object[error.start]:02x} at offset "
            f"{error.start} is not UTF-8, and a text file in TOML is wanted"
        ) from error
    except RecursionError as error:
        raise ConfigError(f"{path}: is not TOML: tables or lists are nested too deep") from error
    except ValueError as error:  # tomllib's own, and numbers of thousands of digits
        raise ConfigError(f"{path}: is not TOML: {str(error).partition(';')[0]}") from error
