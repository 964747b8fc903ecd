"""A folder in; out the folder made, its checksums, and the right to write named files in it.
Also the cache folder, SHA-256 of a file, JSON documents, numbered file names.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import platformdirs

from seqforge.base.atomic_files import disk_errors, open_own, sweep, sync_folder, write_atomically
from seqforge.base.file_locks import held_folder
from seqforge.base.paths import spooled
from seqforge.errors import RunError

_BLOCK = 1 << 20
_OWN = "sum"

Checksums = dict[str, list[int]]
"""Size and CRC-32 of each file, by name."""


def checksums_of(folder: Path, besides: str) -> Checksums:
    """Checksums of all files of a folder with an ending, except one."""
    return {
        path.name: sum_of(path)
        for path in sorted(folder.iterdir())
        if path.suffix and path.name != besides and path.is_file()
    }


def damage(folder: Path, index: str) -> str | None:
    """Damage to a folder, in words, by the checksums in its sealed JSON file; None if intact.

    None where every byte is as it was: a loss of power may leave a file of the right size, and
    zeros in it.
    """
    try:
        sums = unsealed(json.loads((folder / index).read_text(encoding="utf-8")))["files"]
        return changed(folder, sums)
    except OSError as error:
        return f"{Path(error.filename or index).name}: {error.strerror or error}"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return f"{index} cannot be read"


def changed(folder: Path, sums: Mapping[str, Any]) -> str | None:
    """The first file that differs from its checksum, and how; None if none does.

    Raises:
        OSError: If a file cannot be read.
    """
    for name, (size, crc) in sums.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != size:
            return f"{name} has {path.stat().st_size:,} bytes of {size:,}"
        if sum_of(path) != [size, crc]:
            return f"{name} has changed"
    return None


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON document in, the same with its own checksum out."""
    return {**document, _OWN: _own_sum(document)}


def unsealed(document: Any) -> dict[str, Any]:
    """A sealed document in, the document out; one without a checksum is accepted.

    Raises:
        ValueError: If it is no document, or not any more as it was.
    """
    if not isinstance(document, dict):
        raise ValueError("holds no JSON object")
    rest = {key: value for key, value in document.items() if key != _OWN}
    if _OWN in document and document[_OWN] != _own_sum(rest):
        raise ValueError("has changed since it was written")
    return rest


def _own_sum(document: Mapping[str, Any]) -> int:
    kept = json.loads(json.dumps(document))  # a key that is a number comes back as a text
    return zlib.crc32(json.dumps(kept, sort_keys=True).encode())


def sum_of(path: Path) -> list[int]:
    """Size and CRC-32 of a file."""
    size = crc = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            size += len(block)
            crc = zlib.crc32(block, crc)
    return [size, crc]


__all__ = [
    "NOTE", "Checksums", "Marks", "cache_root", "changed", "checksums_of", "claimed_folder",
    "damage", "disk_errors", "folder_for", "make_folder", "numbered", "sealed", "sha256_of",
    "sum_of", "unsealed", "write_atomically", "write_json",
]  # fmt: skip

_HASH_BLOCK = 1 << 20


def numbered(path: Path, number: int, suffix: str) -> Path:
    """The path of a per-sample file: ``t-001.mid`` beside ``t.mid``."""
    return path.with_name(f"{path.stem}-{number:03}{suffix}")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document atomically; NaN is refused."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, text.encode())


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; the path may be a pipe."""
    digest = hashlib.sha256()
    with spooled(path).open("rb") as stream:
        while block := stream.read(_HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def cache_root() -> Path:
    """The cache folder: ``SEQFORGE_CACHE``, else the user's cache."""
    named = os.environ.get("SEQFORGE_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("seqforge")


def make_folder(path: Path) -> Path:
    """The folder, created if missing.

    Raises:
        RunError: If a file stands there or the folder cannot be made.
    """
    if path.exists() and not path.is_dir():
        raise RunError(f"{path}: is a file, and a folder is needed there; choose another --out")
    if path.is_symlink() and not path.exists():
        raise RunError(f"{path}: is a link that leads nowhere; choose another --out")
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    for folder in made:  # what lies in it is lost with its name
        sync_folder(folder.parent)
    return path


@contextmanager
def folder_for(path: Path) -> Iterator[Path]:
    """The folder, created if missing; created folders that stay empty are removed.

    Raises:
        RunError: As `make_folder`.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        make_folder(path)  # Ctrl-C may come while the disk is waited for
        yield path
    finally:
        with suppress(OSError):  # holds something by now
            for folder in missing:
                folder.rmdir()


NOTE = ".seqforge.json"

Marks = dict[str, list[int]]
"""Size and CRC-32 of each file, by name."""


@contextmanager
def claimed_folder(
    folder: Path, names: str, replaced: Callable[[str], None], timed: Collection[str] = ()
) -> Iterator[None]:
    """Lock an existing folder and make sure that no file of the user's has one of these names.

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
        begun = _FolderNote(note.files, note.working | {names})
        _write(folder, begun)
        try:
            yield
        except BaseException:
            if _marks(folder, own) == there:  # it came to nothing
                _write(folder, note)
            raise
        now = _marks(folder, own)
        rest = {name: mark for name, mark in note.files.items() if name not in there}
        _write(folder, _FolderNote(rest | now, note.working - {names}))
        others = sorted(
            name
            for name in there.keys() & note.files.keys() - {*timed}
            if note.files[name] != now.get(name)
        )
        if others:
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            replaced(f"{folder / others[0]}{more}: of an earlier command, replaced")


@dataclass(frozen=True)
class _FolderNote:
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


def _check(folder: Path, there: Marks, note: _FolderNote) -> None:
    for name, mark in sorted(there.items()):
        if not mark or not note.has(name, mark):
            raise RunError(
                f"{folder / name}: would be overwritten, but it was changed, or not written by "
                "seqforge; move it, or give another --out"
            )


def _read(folder: Path) -> _FolderNote:
    """What is noted in the folder, else in the cache; one that is damaged there counts for none."""
    try:
        return _note_of(folder / NOTE)
    except FileNotFoundError:
        pass
    except (*_DAMAGED, OSError):
        raise RunError(
            f"{folder / NOTE}: cannot be read, so the owner of the files beside it is unknown; "
            "remove it, or give another --out"
        ) from None
    try:
        return _note_of(_kept(folder))
    except (*_DAMAGED, OSError, RunError):
        return _FolderNote()


_DAMAGED = (ValueError, LookupError, TypeError, AttributeError, RecursionError, re.error)


def _note_of(path: Path) -> _FolderNote:
    with open_own(path) as stream:
        found: Any = json.loads(stream.read())
    files = {str(name): [int(size), int(crc)] for name, (size, crc) in found["files"].items()}
    return _FolderNote(files, frozenset(names for names in found["working"] if re.compile(names)))


def _kept(folder: Path) -> Path:
    digest = sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
    return cache_root() / "outputs" / f"{digest}.json"


def _write(folder: Path, note: _FolderNote) -> None:
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
