"""A folder that a person named in, the right to write certain files there out.

What a command left there is noted in the cache, each file with its size and sum. What is there and
is not among them, or was changed since, is a person's: the command does nothing then. While a
command works (and after a kill) ``.seqforge.json`` in the folder has the note, and the names that
it may use, all of them free or seqforge's own when it began.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from seqforge.base.files import disk_errors, open_own, sweep, sync_folder, write_atomically
from seqforge.base.locks import held_folder
from seqforge.base.sums import sum_of
from seqforge.core.files import cache_root, make_folder
from seqforge.errors import RunError

NOTE = ".seqforge.json"

Marks = dict[str, list[int]]
"""Size and CRC-32 of each file, by its name."""


@contextmanager
def working_in(
    folder: Path, names: str, replaced: Callable[[str], None], timed: Collection[str] = ()
) -> Iterator[None]:
    """Hold a folder that is there, and know that no file of a person's has one of the names.

    Args:
        folder: Where files are to be written.
        names: A regular expression of all their names.
        replaced: Told in the end, in a sentence, which files of an earlier command are others now.
        timed: Those that hold the time, and so are others whenever they are written.

    Raises:
        RunError: If another seqforge works there, a file is not seqforge's, or the disk refuses.
    """
    with held_folder(folder):
        sweep(folder)
        note, own = _read(folder), re.compile(names, re.DOTALL)
        there = _marks(folder, own)
        _check(folder, there, note)
        begun = _Note(note.files, note.working | {names})
        _write(folder, begun)
        try:
            yield
        except BaseException:
            if _marks(folder, own) == there:  # it came to nothing
                _write(folder, note)
            raise
        now = _marks(folder, own)
        rest = {name: mark for name, mark in note.files.items() if name not in there}
        _write(folder, _Note(rest | now, note.working - {names}))
        others = sorted(
            name
            for name in there.keys() & note.files.keys() - {*timed}
            if note.files[name] != now.get(name)
        )
        if others:
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            replaced(f"{folder / others[0]}{more}: of an earlier command, replaced")


@dataclass(frozen=True)
class _Note:
    files: Marks = field(default_factory=dict)
    working: frozenset[str] = frozenset()

    def has(self, name: str, mark: Sequence[int]) -> bool:
        """Whether a file is as seqforge left it."""
        if any(re.fullmatch(names, name, re.DOTALL) for names in self.working):
            return True
        return self.files.get(name) == mark


def _marks(folder: Path, own: re.Pattern[str]) -> Marks:
    """Of all that has one of the names; what is no regular file has a mark that none is."""
    found: Marks = {}
    with disk_errors(folder), os.scandir(folder) as items:
        for item in items:
            if own.fullmatch(item.name):
                plain = item.is_file(follow_symlinks=False)
                found[item.name] = sum_of(Path(item.path)) if plain else []
    return found


def _check(folder: Path, there: Marks, note: _Note) -> None:
    for name, mark in sorted(there.items()):
        if not mark or not note.has(name, mark):
            raise RunError(
                f"{folder / name}: would be written over, and it is not as seqforge left it, or "
                "none of its files; move it, or give another --out"
            )


def _read(folder: Path) -> _Note:
    """What is noted in the folder, else in the cache; one that is damaged there counts for none."""
    try:
        return _note_of(folder / NOTE)
    except FileNotFoundError:
        pass
    except (*_DAMAGED, OSError):
        raise RunError(
            f"{folder / NOTE}: cannot be read, so that nobody knows whose the files beside it are; "
            "remove it, or give another --out"
        ) from None
    try:
        return _note_of(_kept(folder))
    except (*_DAMAGED, OSError, RunError):
        return _Note()


_DAMAGED = (ValueError, LookupError, TypeError, AttributeError, RecursionError, re.error)


def _note_of(path: Path) -> _Note:
    with open_own(path) as stream:
        found: Any = json.loads(stream.read())
    files = {str(name): [int(size), int(crc)] for name, (size, crc) in found["files"].items()}
    return _Note(files, frozenset(names for names in found["working"] if re.compile(names)))


def _kept(folder: Path) -> Path:
    digest = sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
    return cache_root() / "outputs" / f"{digest}.json"


def _write(folder: Path, note: _Note) -> None:
    """Keep a note: in the folder while a command works, in the cache when all is done."""
    said = {"files": dict(sorted(note.files.items())), "working": sorted(note.working)}
    data = json.dumps(said).encode()
    if note.working:
        write_atomically(folder / NOTE, data)
        return
    kept = _kept(folder)
    if note.files or kept.exists():
        try:
            make_folder(kept.parent)
            write_atomically(kept, data)
        except RunError:  # then it stays where it is read first
            with suppress(RunError):  # or what the command wrote there when it began
                write_atomically(folder / NOTE, data)
            return
    with disk_errors(folder / NOTE):
        (folder / NOTE).unlink(missing_ok=True)
    sync_folder(folder)
