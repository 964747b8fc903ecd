"""What a disk must hold: the files as of their last fsync, the names as of their folder's.

A command that is watched leaves in a shadow folder what it had fsynced. When it is dead, a tree is
made anew of that as a loss of power may have left it: POSIX promises no more than that, and file
systems keep more of it. What was there before the command is taken to be on the disk.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import stat
import struct
from collections.abc import Callable
from pathlib import Path

MODES = ("names lost", "names kept", "zeros", "mixed")
"""What becomes of names that were not synced: they are lost, or are there with nothing, or with
zeros, behind them; or some one and some the other."""

Entries = dict[str, tuple[str, bool]]
"""Of a folder: what each name stands for, and whether that is a folder."""

_BORN = 0x800  # STATX_BTIME
_NO_FOLLOW = 0x100  # AT_SYMLINK_NOFOLLOW
_HERE = -100  # AT_FDCWD
_LIBRARY = ctypes.CDLL(None)


def identity(path: Path) -> str:
    """What a name stands for: its inode and its time of birth, for inodes are used again."""
    found = ctypes.create_string_buffer(256)
    _LIBRARY.statx(_HERE, os.fsencode(path), _NO_FOLLOW, _BORN, found)
    seconds, nanoseconds = struct.unpack_from("=qI", found, 80)
    return f"{os.lstat(path).st_ino}-{seconds}-{nanoseconds}"


class Disk:
    """The shadow of what was fsynced."""

    def __init__(self, shadow: Path) -> None:
        self.files, self.folders = shadow / "files", shadow / "folders"

    def begin(self, root: Path) -> None:
        """Take a tree to be on the disk as it stands."""
        self.files.mkdir(parents=True)
        self.folders.mkdir()
        for place, _, names in os.walk(root):
            self._note_folder(Path(place))
            for name in names:
                self._note_file(Path(place, name))

    def watch(self) -> None:
        """Note what this process fsyncs from now on."""
        real = os.fsync

        def fsync(descriptor: int | object) -> None:
            real(descriptor)
            number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
            found, place = os.fstat(number), Path(os.readlink(f"/proc/self/fd/{number}"))
            if stat.S_ISDIR(found.st_mode):
                self._note_folder(place)
            elif stat.S_ISREG(found.st_mode):
                self._note_file(place)

        os.fsync = fsync

    def _note_folder(self, place: Path) -> None:
        entries = json.dumps(entries_of(place))
        self._replace(self.folders / identity(place), entries.encode())

    def _note_file(self, place: Path) -> None:
        self._replace(self.files / identity(place), place.read_bytes())

    @staticmethod
    def _replace(path: Path, data: bytes) -> None:
        partial = path.with_suffix(".partial")
        partial.write_bytes(data)
        partial.replace(path)


def entries_of(folder: Path) -> Entries:
    """What a folder holds now."""
    with os.scandir(folder) as items:
        return {
            item.name: (identity(Path(item.path)), item.is_dir(follow_symlinks=False))
            for item in items
        }


def after_power_cut(root: Path, disk: Disk, to: Path, mode: str, seed: int = 0) -> None:
    """Make in ``to`` what a loss of power may have left of the tree at ``root``."""
    draw = random.Random(seed)
    there = {identity(root): root} | {identity(path): path for path in root.rglob("*")}

    def entries(which: str) -> Entries:
        synced = disk.folders / which
        old: Entries = json.loads(synced.read_text()) if synced.exists() else {}
        now = entries_of(there[which]) if which in there else {}
        if mode == "names lost":
            return old
        if mode != "mixed":
            return now
        both = {name: draw.choice([old, now]) for name in sorted({*old, *now})}
        return {name: side[name] for name, side in both.items() if name in side}

    def content(which: str) -> bytes:
        synced = disk.files / which
        if synced.exists():
            return synced.read_bytes()
        size = there[which].stat().st_size if which in there else 0
        return bytes(size if mode == "zeros" or (mode == "mixed" and draw.random() < 0.5) else 0)

    _write(identity(root), to, entries, content)


def _write(
    which: str, to: Path, entries: Callable[[str], Entries], content: Callable[[str], bytes]
) -> None:
    to.mkdir()
    for name, (inside, is_folder) in sorted(entries(which).items()):
        if is_folder:
            _write(inside, to / name, entries, content)
        else:
            (to / name).write_bytes(content(inside))
