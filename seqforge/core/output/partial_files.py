"""Bytes in, a file out that grows under a temporary name and can be resumed; files beside it are
overwritten only where seqforge wrote them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from seqforge.base.atomic_files import (
    as_json,
    open_new,
    open_own,
    put_in_place,
    sync,
    sync_folder,
    take_after,
)
from seqforge.base.folders import disk_errors, sealed, unsealed, write_atomically
from seqforge.core.data.domain import Domain, WritesFormats
from seqforge.core.output.metadata import COLUMNS
from seqforge.errors import RunError

_UNREADABLE = (OSError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError)
_SHOWN = 40  # characters of a setting in a message


class PartialFile:
    """``<path>.partial``, renamed to ``path`` when it is complete.

    Until then what stands at ``path`` stays; it has that file's mode from the first byte.
    """

    def __init__(
        self, path: Path, kept: int = 0, begun: bool = False, private: bool = False
    ) -> None:
        """Open it, and go on after its first ``kept`` bytes.

        Args:
            path: A regular file, or none yet.
            kept: Bytes that were there before.
            begun: Whether a note says that the partial is seqforge's; else it is made here.
            private: Whether its owner alone may read it, where no file stands at ``path`` yet.

        Raises:
            RunError: If the disk refuses, or what has the partial's name is not ours.
        """
        self.path, self.partial = path, partial_of(path)
        with disk_errors(path):
            self._stream = self._opened(begun, private or path.exists())
            try:
                take_after(self._stream.fileno(), path)
                self._stream.truncate(kept)
                self._stream.seek(kept)
            except BaseException:
                self.close()
                if not kept:  # nobody would know whose it is
                    self.partial.unlink()
                raise
        self.size = kept

    def _opened(self, begun: bool, private: bool) -> BinaryIO:
        if begun:
            with suppress(FileNotFoundError):
                return open_own(self.partial, writing=True)
        try:
            return open_new(self.partial, private)
        except FileExistsError as error:
            raise RunError(
                f"{self.partial}: is there, and no note beside it says that seqforge left it; move "
                "or delete it, or give another --out"
            ) from error

    def add(self, data: bytes) -> None:
        """Append bytes; they are on disk after `flush`."""
        with disk_errors(self.path):
            self._stream.write(data)
        self.size += len(data)

    def flush(self) -> None:
        """Sync appended bytes to disk."""
        with disk_errors(self.path):
            sync(self._stream)

    def finish(self) -> None:
        """Rename it to ``path``, replacing an older file."""
        with disk_errors(self.path):
            take_after(self._stream.fileno(), self.path)  # which may be another by now
            put_in_place(self._stream, self.partial, self.path)

    def close(self) -> None:
        """Close it and keep it as it is."""
        with suppress(OSError):  # what the disk refused was said when it refused
            self._stream.close()

    def drop(self) -> None:
        """Delete it; an older file at ``path`` stays."""
        self.close()
        with suppress(OSError):
            self.partial.unlink(missing_ok=True)


@dataclass(frozen=True)
class WriteProgress:
    """How much of some files is written."""

    done: int = 0
    """Complete samples."""
    bytes: tuple[int, ...] = ()
    """Bytes of each file that belong to them."""


class ResumeNote:
    """``<path>.partial.json``: what is being written, and how much is done."""

    def __init__(self, path: Path, settings: Mapping[str, Any], private: bool = False) -> None:
        """``settings`` are what decides the bytes; ``private``: its owner alone may read it."""
        self._private = private
        self.path, self._for = partial_of(path, ".json"), path
        self._settings: dict[str, Any] = as_json(settings)

    def read(self, again: bool = False) -> WriteProgress | None:
        """The recorded progress; None if there is none.

        Args:
            again: Whether all is begun again, so that the settings need not be the same.

        Raises:
            RunError: If there are samples of other settings, or it cannot be read.
        """
        try:
            with open_own(self.path) as stream:
                found = unsealed(json.loads(stream.read()))
            settings = dict(found["settings"])
            standing = WriteProgress(int(found["done"]), tuple(map(int, found["bytes"])))
            if min(standing.done, *standing.bytes, 0) < 0:
                raise ValueError("a number below zero")
        except FileNotFoundError:
            return None
        except _UNREADABLE as error:
            raise RunError(
                f"{self.path}: cannot be read, so that nothing can go on from it; delete it and "
                f"any {partial_of(self._for)}, and all is drawn anew"
            ) from error
        differ = _differences(settings, self._settings)
        if differ and standing.done and not again:
            kept = partial_of(self._for) if standing.bytes else self.path
            raise RunError(
                f"{self._for}: was begun with other settings ({'; '.join(differ)}); give the same, "
                f"or another --out, or delete {kept}, and all is drawn anew"
            )
        return WriteProgress(0, (0,) * len(standing.bytes)) if differ else standing

    def write(self, standing: WriteProgress) -> None:
        """Record progress, atomically."""
        said = {"settings": self._settings, "done": standing.done, "bytes": list(standing.bytes)}
        text = json.dumps(sealed(said), ensure_ascii=True, allow_nan=False)
        write_atomically(self.path, text.encode(), self._private)

    def drop(self) -> None:
        """Delete the note; if the disk refuses, leave an empty one."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def delete(self) -> None:
        """Delete the note.

        Raises:
            RunError: If the disk refuses.
        """
        with disk_errors(self.path):
            self.path.unlink(missing_ok=True)
        sync_folder(self.path.parent)  # else a power cut brings it back, and all is drawn again


def partial_of(path: Path, more: str = "") -> Path:
    """The name of the partial file of ``path``."""
    return path.with_name(f"{path.name}.partial{more}")


def _differences(begun: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    names = [*begun, *(name for name in now if name not in begun)]
    return [
        f"{name.replace('_', '-')} was {_short(begun.get(name))} and is {_short(now.get(name))}"
        for name in names
        if begun.get(name) != now.get(name)
    ]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


_HEAD = 1 << 18  # bytes in which a file says who wrote it


def check_table(path: Path) -> None:
    """Refuse to overwrite a table that seqforge did not write.

    Raises:
        RunError: If something else is there.
    """
    _check(path, ("\t".join(COLUMNS).encode() + b"\n",), at_start=True)


def check_own_files(domain: Domain, path: Path, count: int) -> None:
    """Refuse to overwrite per-sample files that seqforge did not write.

    Args:
        domain: Whose they are.
        path: What their names come from; with one sample the file of this very name is named.
        count: Of samples; with more than one they are numbered.

    Raises:
        RunError: If something else has one of the names.
    """
    marks: tuple[bytes, ...] = (f"seqforge {domain.name}: ".encode(),)
    if isinstance(domain, WritesFormats):
        marks += domain.file_marks
    named = path.name if count == 1 else None
    for name in _own_names(domain, path.stem, count, os.listdir(path.parent)):
        if name != named:
            _check(path.with_name(name), marks)


def _own_names(domain: Domain, stem: str, count: int, there: Iterable[str]) -> Iterator[str]:
    """Of the names in a folder those that will be written."""
    several = domain.endings() if isinstance(domain, WritesFormats) else ()
    endings = several or (domain.suffix,)
    number = r"-(\d{3,})" if count > 1 else "()"
    own = re.compile(f"{re.escape(stem)}{number}({'|'.join(map(re.escape, endings))})", re.DOTALL)
    for name in there:
        found = own.fullmatch(name)
        if found and (count == 1 or 1 <= int(found[1]) <= count):
            yield name


def _check(path: Path, marks: Sequence[bytes], at_start: bool = False) -> None:
    try:
        with open_own(path) as stream:
            head = stream.read(_HEAD)
    except FileNotFoundError:
        return
    except RunError:
        head = b""
    if not any(head.startswith(mark) if at_start else mark in head for mark in marks):
        raise RunError(
            f"{path}: would be written over, and seqforge did not write it; move it, or give "
            "another --out"
        )
