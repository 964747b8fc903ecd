"""A path as a person typed it in; out what it stands for: files found in folders, standard input
and pipes kept in temporary files, the target of an output path, the data files that ship.
"""

from __future__ import annotations

import atexit
import errno
import os
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from glob import glob
from heapq import heappop, heappush
from pathlib import Path
from tempfile import mkdtemp
from typing import BinaryIO, cast

from seqforge.base.atomic_files import disk_errors, replacing
from seqforge.base.messages import one_line, unreadable
from seqforge.errors import ConfigError, InputError, RunError

_PACKAGE = Path(__file__).parent.parent


def _shipped(name: str) -> Path:
    inside = _PACKAGE / f"_{name}"
    return inside if inside.is_dir() else _PACKAGE.parent / name


def data_folder() -> Path:
    """Small inputs that ship, with sources and licences in their README."""
    return _shipped("data")


def recipe_folder() -> Path:
    """Recipes (TOML), one an experiment."""
    return _shipped("pipelines")


def bundled_folder() -> Path:
    """Small trained models."""
    return _PACKAGE / "bundled"


MISSING = "there is no such file or folder"
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def path_shown(path: Path | str) -> str:
    r"""A path in, printable text out: bytes that are not UTF-8, and control characters, as
    ``\xe9``."""
    return one_line(os.fsencode(path).decode("utf-8", "backslashreplace"))


def is_utf8(path: Path | str) -> bool:
    """Whether a path's name is UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def status_of(path: Path | str) -> os.stat_result | str:
    """The status of a path, links followed, or why there is none."""
    try:
        return os.stat(path)
    except ValueError:
        return "has a zero byte in its name"
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "is a loop of links"
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            broken = "is a link to what is not there" if os.path.islink(path) else ""
            return broken or MISSING
        return unreadable(error)


def expanded(name: str) -> list[Path] | None:
    """A pattern (``~``, ``*.txt``) in, the paths a shell would give out.

    Returns:
        One or more paths that are there; None if it is not such a name, or nothing fits it.
    """
    home = Path(os.path.expanduser(name))
    if name.startswith("~") and os.path.lexists(home):
        return [home]
    if not any(mark in name for mark in "*?["):
        return None
    found = sorted(glob(str(home), recursive=True))
    return [Path(path) for path in found] or None


@dataclass
class Walk:
    """Files found under a folder."""

    files: list[Path] = field(default_factory=list)
    unread: list[tuple[Path, str]] = field(default_factory=list)
    """Paths that cannot be inputs, and why."""
    hidden: int = 0
    """Hidden files and folders, which are skipped."""


def walk(root: Path) -> Walk:
    """A folder in, all files under it out, unordered; linked folders once.

    Linked folders come last, so that of a folder and a link to it the folder counts.
    """
    found, seen = Walk(), set[tuple[int, int]]()
    home = Path(os.path.realpath(root))
    folders, links = [root], list[Path]()
    while folders or links:
        if folders:
            folder = folders.pop()
        else:
            folder = heappop(links)
            if reason := _not_followed(folder, home, seen):
                found.unread.append((folder, reason))
                continue
        _note(folder, seen)
        for entry in _entries(folder, found):
            if entry.name.startswith("."):
                found.hidden += 1
            elif entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                found.files.append(Path(entry.path))
            else:
                _sort_out(Path(entry.path), found, links)
    return found


def _note(folder: Path, seen: set[tuple[int, int]]) -> None:
    status = status_of(folder)
    if not isinstance(status, str):
        seen.add((status.st_dev, status.st_ino))


def _entries(folder: Path, found: Walk) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        found.unread.append((folder, unreadable(error)))


def _not_followed(link: Path, home: Path, seen: set[tuple[int, int]]) -> str:
    """Why a link to a folder is not read, or ``""``."""
    status = status_of(link)
    if isinstance(status, str):
        return status
    if (status.st_dev, status.st_ino) in seen:
        return "is a link to a folder that is read already"
    if home.is_relative_to(os.path.realpath(link)):
        return "is a link to a folder that holds this one; name that folder if it is meant"
    return ""


def _sort_out(path: Path, found: Walk, links: list[Path]) -> None:
    """A link, or what is neither file nor folder."""
    status = status_of(path)
    if isinstance(status, str):
        found.unread.append((path, status))
    elif stat.S_ISDIR(status.st_mode):
        heappush(links, path)
    elif stat.S_ISREG(status.st_mode):
        found.files.append(path)
    else:
        what = next((name for test, name in _KINDS if test(status.st_mode)), "no file")
        found.unread.append((path, f"is {what}; in a folder only files are read"))


STDIN = "-"
_STDIN_TOO = ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
_BLOCK = 1 << 20
_KEPT: dict[str, Path] = {}  # what was read, by the name under which it came
_FOLDERS: list[Path] = []
_TYPED: dict[str, str] = {}  # under which name the content of a kept file came


def is_stdin(path: Path | str) -> bool:
    """Whether a name is standard input, as a stream."""
    return str(path) == STDIN or (str(path) in _STDIN_TOO and is_piped(path))


def is_piped(path: Path | str) -> bool:
    """Whether a name is a stream that can be read only once: ``-``, a pipe, a terminal."""
    if str(path) == STDIN:
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def spooled(path: Path) -> Path:
    """A name in, a file out; a stream is copied to a file once per process.

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
    """Delete the copies of streams."""
    for folder in _FOLDERS:
        shutil.rmtree(folder, ignore_errors=True)
    _FOLDERS.clear()
    _KEPT.clear()
    _TYPED.clear()


def as_typed(message: str) -> str:
    """A message in, the same with names as typed in place of copies out: ``-: is empty``."""
    for kept, typed in _TYPED.items():
        message = message.replace(kept, typed)
    return message


def spool(path: Path | str, target: Path) -> None:
    """Copy a stream to a file.

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
        raise InputError(f"{path}: {unreadable(error)}") from error


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


STDOUT = Path("-")
_MOST_LINKS = 40
_DESCRIPTORS = ("/dev/fd", "/proc/self/fd", "/proc/thread-self/fd")


@dataclass(frozen=True)
class OutputTarget:
    """Where the bytes of an output path go."""

    named: Path
    path: Path
    """After all links: a new or regular file, or a stream."""
    direct: bool = False
    """Whether it is written directly: no companion files, no resuming."""
    descriptor: int | None = None
    """The process's own descriptor, if the name is one."""

    def open(self) -> BinaryIO:
        """Open a direct target for writing.

        Raises:
            OSError: If it cannot be.
        """
        if self.descriptor is not None:
            if self.descriptor == 1:
                sys.stdout.flush()
            return os.fdopen(os.dup(self.descriptor), "wb")
        return os.fdopen(os.open(self.path, os.O_WRONLY | getattr(os, "O_NOCTTY", 0)), "wb")


def target_of(named: Path) -> OutputTarget:
    """An output path in, its target out.

    Raises:
        ConfigError: For a folder, a place in no folder, a circle of links, and a file that is
            protected.
        RunError: For a link that somebody else laid in a folder that is open to all.
    """
    path = named
    for _ in range(_MOST_LINKS):
        descriptor = _descriptor(path)
        if descriptor is not None:
            return OutputTarget(named, path, True, descriptor)
        try:
            found = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            _check_parent(named, path)
            return OutputTarget(named, path)
        except OSError as error:
            raise ConfigError(f"{named}: cannot be written ({error.strerror or error})") from error
        if not stat.S_ISLNK(found.st_mode):
            if stat.S_ISDIR(found.st_mode):
                raise ConfigError(f"{named}: is a folder; name a file in it with --out")
            if stat.S_ISREG(found.st_mode):
                _check_right(named, path, found.st_uid)
            return OutputTarget(named, path, not stat.S_ISREG(found.st_mode))
        _check_link(named, path, found.st_uid)
        path = path.parent / path.readlink()
    raise ConfigError(f"{named}: is a loop of links; name a file with --out")


def refuse_inputs(written: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuse to overwrite an input.

    Raises:
        ConfigError: Names it.
    """
    for path in written:
        for source in inputs:
            try:
                same = path.samefile(source) and path.is_file()
            except OSError:  # one of them is not there
                same = False
            if same:
                raise ConfigError(
                    f"{path}: is an input of this command and would be written over; give another "
                    "--out"
                )


def folder_named(out: Path | None) -> None:
    """Refuse a stream where a folder is needed.

    Raises:
        ConfigError: For ``-``.
    """
    if out == STDOUT:
        raise ConfigError("--out -: several files are written, and stdout is one; name a folder")


def _descriptor(path: Path) -> int | None:
    """Which open descriptor of this process a name stands for."""
    if not (path.name.isascii() and path.name.isdecimal()) or len(path.name) > len("1234567"):
        return None
    folder = os.path.realpath(path.parent)
    ours = {os.path.realpath(name) for name in _DESCRIPTORS if os.path.isdir(name)}
    return int(path.name) if folder in ours else None


def _check_parent(named: Path, path: Path) -> None:
    if path.parent.is_dir():
        return
    leads = "" if path == named else f" leads to {path}, and"
    raise ConfigError(f"{named}:{leads} there is no folder {path.parent}; make it, or name another")


def _check_right(named: Path, path: Path, owner: int) -> None:
    """Replace no file that its owner protects, and none that the system will not let be replaced.

    That would be known only when all is drawn.
    """
    if not os.access(path, os.W_OK):
        raise ConfigError(f"{named}: is write-protected; give another --out")
    if sys.platform == "win32" or os.geteuid() == 0:
        return
    if os.geteuid() not in (owner, path.parent.stat().st_uid) and _is_sticky(path.parent):
        raise ConfigError(
            f"{named}: is another user's, in a folder where nobody else may replace it; give "
            "another --out"
        )


def _check_link(named: Path, link: Path, owner: int) -> None:
    """Follow no link in /tmp and the like that another user laid there, as the kernel does not."""
    if sys.platform == "win32" or not _is_sticky(link.parent):
        return
    folder = link.parent.stat()
    if folder.st_mode & stat.S_IWOTH and owner not in (os.geteuid(), folder.st_uid):
        raise RunError(f"{named}: is another user's link; give another --out")


def _is_sticky(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_ISVTX)
