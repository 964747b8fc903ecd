"""A path that a person named in, the place where its bytes go out.

A link is followed to what it names, so that the link stays; a pipe, a device or an open descriptor
(`/dev/stdout`, `/dev/fd/3`, what `>(gzip > x.gz)` stands for) is written to as it is.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from seqforge.errors import ConfigError, RunError

STDOUT = Path("-")
_MOST_LINKS = 40
_DESCRIPTORS = ("/dev/fd", "/proc/self/fd", "/proc/thread-self/fd")


@dataclass(frozen=True)
class Target:
    """Where the bytes go of a file that a person named."""

    named: Path
    path: Path
    """Behind all links; not there yet, a regular file, or what is written to as it is."""
    direct: bool = False
    """Whether it is written to as it is: nothing stands beside it, and nothing is gone on with."""
    descriptor: int | None = None
    """Of this process, where the name stands for one."""

    def open(self) -> BinaryIO:
        """A direct one, to be written from where it stands.

        Raises:
            OSError: If it cannot be.
        """
        if self.descriptor is not None:
            if self.descriptor == 1:
                sys.stdout.flush()
            return os.fdopen(os.dup(self.descriptor), "wb")
        return os.fdopen(os.open(self.path, os.O_WRONLY | getattr(os, "O_NOCTTY", 0)), "wb")


def target_of(named: Path) -> Target:
    """Where the bytes go.

    Raises:
        ConfigError: For a folder, a place in no folder, a circle of links, and a file that is
            protected.
        RunError: For a link that somebody else laid in a folder that is open to all.
    """
    path = named
    for _ in range(_MOST_LINKS):
        descriptor = _descriptor(path)
        if descriptor is not None:
            return Target(named, path, True, descriptor)
        try:
            found = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            _check_parent(named, path)
            return Target(named, path)
        except OSError as error:
            raise ConfigError(f"{named}: cannot be written ({error.strerror or error})") from error
        if not stat.S_ISLNK(found.st_mode):
            if stat.S_ISDIR(found.st_mode):
                raise ConfigError(f"{named}: is a folder; name a file in it with --out")
            if stat.S_ISREG(found.st_mode):
                _check_right(named, path, found.st_uid)
            return Target(named, path, not stat.S_ISREG(found.st_mode))
        _check_link(named, path, found.st_uid)
        path = path.parent / path.readlink()
    raise ConfigError(f"{named}: is a circle of links; name a file with --out")


def refuse_inputs(written: Sequence[Path], inputs: Sequence[Path]) -> None:
    """See that no input is written over.

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
    """See that what is to be a folder is no stream.

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
        raise ConfigError(f"{named}: is protected from being written; give another --out")
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
        raise RunError(f"{named}: is a link that another user laid there; give another --out")


def _is_sticky(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_ISVTX)
