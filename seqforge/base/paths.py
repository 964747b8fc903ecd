"""Names of files: what a person may see of them, what they stand for, and what lies under a folder.

A folder is walked without end in sight being a danger: linked folders are read once, loops are
known, and whatever cannot be read is listed with its reason while the rest goes on.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from glob import glob
from heapq import heappop, heappush
from pathlib import Path

from seqforge.base.printable import one_line

MISSING = "there is no such file or folder"
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def path_shown(path: Path | str) -> str:
    r"""A path as it can be shown and kept: bytes that are no UTF-8, and control characters, as
    ``\xe9``."""
    return one_line(os.fsencode(path).decode("utf-8", "backslashreplace"))


def is_utf8(path: Path | str) -> bool:
    """Whether its name can be written down: as bytes it may be anything."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def status_of(path: Path | str) -> os.stat_result | str:
    """What lies at a path, links followed, or why there is nothing to see."""
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
        return f"cannot be read ({error.strerror or error})"


def expanded(name: str) -> list[Path] | None:
    """What a name stands for that is not there itself: ``~`` and ``*.txt`` as a shell reads them.

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
    """What lies under a folder."""

    files: list[Path] = field(default_factory=list)
    unread: list[tuple[Path, str]] = field(default_factory=list)
    """What can be no input, and why."""
    hidden: int = 0
    """Files and folders whose names begin with a full stop; they are left out."""


def walk(root: Path) -> Walk:
    """All files under a folder, in no order; each folder once however many links lead there.

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
        found.unread.append((folder, f"cannot be read ({error.strerror or error})"))


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
