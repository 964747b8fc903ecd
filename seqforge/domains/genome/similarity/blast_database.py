"""Libraries as databases of BLAST+, made once and kept by what is in the files.

A database holds the letters that the local search sees, cleaned by the same rules, and numbers in
place of names, which may be anything; the names stand beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

from filelock import FileLock

from seqforge.base.files import sync_all, sync_folder
from seqforge.base.sums import damage, sealed, sums_of
from seqforge.core.files import cache_root, disk_errors, make_folder, sha256_of, write_json
from seqforge.core.opening import opened
from seqforge.domains.genome.similarity.library import LibrarySize, read_library
from seqforge.domains.genome.similarity.programs import program_version, run_program
from seqforge.errors import InputError

NAME = "library"
"""Of a database in its folder. BLAST+ takes a blank in a path for the end of it, so its programs
are run in the folder and given this."""

_FORMAT = 3
_DAY = 24 * 3600.0
_KEPT_DAYS, _KEPT_BYTES = 30, 20 * 10**9
_IN_USE_DAYS = 2  # a search may take that long
_LINE = 10_000
_OWN_FOLDER = re.compile(r"[0-9a-f]{32}|building-\w+")
_UNFINISHED = "building-"  # what these folders are called; kill -9 leaves them behind
_NAMES, _ABOUT, _LETTERS = "names.jsonl", "about.json", "letters.fa"


class EntryName(NamedTuple):
    """What a database's number stands for."""

    file: int
    """Which of the library's files, from 0."""
    id: str
    description: str


@dataclass(frozen=True)
class BlastDatabase:
    """A library that blastn can search."""

    folder: Path
    size: LibrarySize

    def names(self, numbers: Collection[int]) -> dict[int, EntryName]:
        """What some of its numbers stand for."""
        wanted = set(numbers)
        with (self.folder / _NAMES).open(encoding="utf-8") as lines:
            return {
                number: EntryName(*json.loads(line))
                for number, line in enumerate(lines)
                if number in wanted
            }


def blast_database(
    files: Sequence[Path],
    makeblastdb: str,
    timeout_seconds: float,
    progress: Callable[[float, float, str], None],
) -> BlastDatabase:
    """The database of a library, made now if it is not in the cache.

    Several processes may ask at once: one makes it, the others wait. One that is stopped midway
    leaves nothing that counts.

    Args:
        files: FASTA or GenBank, .gz too.
        makeblastdb: The program.
        timeout_seconds: What the program may take.
        progress: Told of the making.

    Raises:
        InputError: If the library cannot be used.
        ProgramError: If the program fails.
        RunError: If the disk refuses.
    """
    if not files:
        raise InputError("there is no library to search; name a FASTA file")
    cache = make_folder(cache_root() / "blastdb")
    folder = cache / _key(files, makeblastdb)
    with disk_errors(cache), FileLock(f"{folder}.lock"):
        if folder.is_dir() and damage(folder, _ABOUT):
            shutil.rmtree(folder)
        if not folder.is_dir():
            progress(0, 1, "making a BLAST+ database")
            building = Path(mkdtemp(prefix=_UNFINISHED, dir=cache))
            try:
                _make(building, files, makeblastdb, timeout_seconds)
                sync_all(building)  # so that no power cut leaves half a one under its name
                building.rename(folder)
                sync_folder(cache)
            finally:
                shutil.rmtree(building, ignore_errors=True)
        os.utime(folder)
    _prune(cache, folder)
    about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
    return BlastDatabase(folder, LibrarySize(about["letters"], about["sequences"]))


def _key(files: Sequence[Path], makeblastdb: str) -> str:
    said: list[object] = [_FORMAT, program_version(makeblastdb)]
    for path in files:
        with opened(path):  # says in one sentence what is wrong with it
            said.append(sha256_of(path))
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def _make(building: Path, files: Sequence[Path], makeblastdb: str, timeout_seconds: float) -> None:
    letters = number = 0
    with (
        (building / _LETTERS).open("wb") as fasta,
        (building / _NAMES).open("w", encoding="utf-8") as names,
    ):
        for which, path in enumerate(files):
            for entry in read_library([path]):
                fasta.write(b">%d\n" % number)
                for start in range(0, len(entry.bases), _LINE):
                    fasta.write(entry.bases[start : start + _LINE] + b"\n")
                names.write(json.dumps([which, entry.id, entry.description]) + "\n")
                letters, number = letters + len(entry.bases), number + 1
    command = [makeblastdb, "-in", _LETTERS, "-dbtype", "nucl", "-title", NAME, "-out", NAME]
    run_program(command, building, timeout_seconds)
    (building / _LETTERS).unlink()
    about = {"letters": letters, "sequences": number, "files": sums_of(building, besides=_ABOUT)}
    write_json(building / _ABOUT, sealed(about))


def _prune(cache: Path, mine: Path) -> None:
    """Remove databases that nobody used for long, and the oldest where they take much room."""
    now, room = time.time(), float(_KEPT_BYTES)
    for used, folder in sorted(_last_uses(cache), reverse=True):
        days = (now - used) / _DAY
        room -= sum(file.stat().st_size for file in folder.glob("*") if file.is_file())
        unused = days > _KEPT_DAYS or room < 0 or folder.name.startswith(_UNFINISHED)
        if folder != mine and days > _IN_USE_DAYS and unused:
            shutil.rmtree(folder, ignore_errors=True)
            Path(f"{folder}.lock").unlink(missing_ok=True)


def _last_uses(cache: Path) -> list[tuple[float, Path]]:
    found = []
    for folder in cache.iterdir():
        if not _OWN_FOLDER.fullmatch(folder.name):
            continue
        try:
            if folder.is_dir():
                found.append((folder.stat().st_mtime, folder))
        except OSError:  # another process has just removed it
            continue
    return found
