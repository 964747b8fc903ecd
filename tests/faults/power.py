"""What a disk must hold: the files as of their last fsync, the names as of their folder's.

A command that is watched leaves in a shadow folder what it had fsynced. When it is dead, a tree is
made anew of that as a loss of power may have left it: POSIX promises no more than that, and file
systems keep more of it. What was there before the command is taken to be on the disk.
"""

from __future__ import annotations

import json
import os
import random
import stat
from collections.abc import Callable
from pathlib import Path

MODES = ("names lost", "names kept", "zeros", "mixed")
"""What becomes of names that were not synced: they are lost, or are there with nothing, or with
zeros, behind them; or some one and some the other."""

Entries = dict[str, tuple[int, bool]]
"""Of a folder: each name's inode, and whether it is a folder."""


class Disk:
    """The shadow of what was fsynced."""

    def __init__(self, shadow: Path) -> None:
        self.files, self.folders, self.kept = (shadow / n for n in ("files", "folders", "kept"))

    def begin(self, root: Path) -> None:
        """Take a tree to be on the disk as it stands."""
        for folder in (self.files, self.folders, self.kept):
            folder.mkdir(parents=True)
        for place, _, names in os.walk(root):
            self._note_folder(Path(place), os.stat(place).st_ino)
            for name in names:
                self._note_file(Path(place, name), os.lstat(Path(place, name)).st_ino)

    def watch(self) -> None:
        """Note what this process fsyncs from now on."""
        real = os.fsync

        def fsync(descriptor: int | object) -> None:
            real(descriptor)
            number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
            found, place = os.fstat(number), Path(os.readlink(f"/proc/self/fd/{number}"))
            if stat.S_ISDIR(found.st_mode):
                self._note_folder(place, found.st_ino)
            elif stat.S_ISREG(found.st_mode):
                self._note_file(place, found.st_ino)

        os.fsync = fsync

    def _note_folder(self, place: Path, inode: int) -> None:
        entries = entries_of(place)
        for name, (number, is_folder) in entries.items():
            if not is_folder:
                self._hold(place / name, number)
        self._replace(self.folders / str(inode), json.dumps(entries).encode())

    def _note_file(self, place: Path, inode: int) -> None:
        self._hold(place, inode)
        self._replace(self.files / str(inode), place.read_bytes())

    def _hold(self, place: Path, inode: int) -> None:
        """Keep the inode from being used again, for a file that has nothing to do with it."""
        try:
            os.link(place, self.kept / str(inode))
        except (FileExistsError, FileNotFoundError):
            return

    @staticmethod
    def _replace(path: Path, data: bytes) -> None:
        partial = path.with_suffix(".partial")
        partial.write_bytes(data)
        partial.replace(path)


def entries_of(folder: Path) -> Entries:
    """What a folder holds now."""
    with os.scandir(folder) as items:
        return {item.name: (item.inode(), item.is_dir(follow_symlinks=False)) for item in items}


def after_power_cut(root: Path, disk: Disk, to: Path, mode: str, seed: int = 0) -> None:
    """Make in ``to`` what a loss of power may have left of the tree at ``root``."""
    draw = random.Random(seed)
    there: dict[int, Path] = {}
    for place, folders, names in os.walk(root):
        for name in [*folders, *names]:
            there[os.lstat(Path(place, name)).st_ino] = Path(place, name)

    def entries(inode: int) -> Entries:
        synced = disk.folders / str(inode)
        old: Entries = json.loads(synced.read_text()) if synced.exists() else {}
        now = entries_of(there[inode]) if inode in there else {}
        if mode == "names lost":
            return old
        if mode != "mixed":
            return now
        both = {name: draw.choice([old, now]) for name in sorted({*old, *now})}
        return {name: side[name] for name, side in both.items() if name in side}

    def content(inode: int) -> bytes:
        synced = disk.files / str(inode)
        if synced.exists():
            return synced.read_bytes()
        size = there[inode].stat().st_size if inode in there else 0
        return bytes(size if mode == "zeros" or (mode == "mixed" and draw.random() < 0.5) else 0)

    there[root.stat().st_ino] = root
    _write(root.stat().st_ino, to, entries, content)


def _write(
    inode: int, to: Path, entries: Callable[[int], Entries], content: Callable[[int], bytes]
) -> None:
    to.mkdir()
    for name, (number, is_folder) in sorted(entries(inode).items()):
        if is_folder:
            _write(number, to / name, entries, content)
        else:
            (to / name).write_bytes(content(number))
