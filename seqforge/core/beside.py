"""Files that a command writes beside the one that was named: what is there must be seqforge's."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from seqforge.base.files import open_own
from seqforge.core.domain import Domain
from seqforge.core.table import COLUMNS
from seqforge.errors import RunError

_HEAD = 1 << 18  # bytes in which a file says who wrote it
_SOFTWARE = b"<software>seqforge "  # as MusicXML says it


def check_table(path: Path) -> None:
    """See that a table of samples may be written.

    Raises:
        RunError: If something else is there.
    """
    _check(path, ("\t".join(COLUMNS).encode() + b"\n",), at_start=True)


def check_own_files(domain: Domain, path: Path, count: int) -> None:
    """See that all files of samples that have files of their own may be written.

    Args:
        domain: Whose they are.
        path: What their names come from; with one sample the file of this very name is named.
        count: Of samples; with more than one they are numbered.

    Raises:
        RunError: If something else has one of the names.
    """
    marks = (f"seqforge {domain.name}: ".encode(), _SOFTWARE)
    named = path.name if count == 1 else None
    for name in _own_names(domain, path.stem, count, os.listdir(path.parent)):
        if name != named:
            _check(path.with_name(name), marks)


def _own_names(domain: Domain, stem: str, count: int, there: Iterable[str]) -> Iterator[str]:
    """Of the names in a folder those that will be written."""
    endings = [f".{name}" for name in getattr(domain, "formats", ())] or [domain.suffix]
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
