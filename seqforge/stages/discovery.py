"""From what the user named to files: folders walked, pipes kept, patterns filled in.

What cannot be an input is listed with its reason; it ends nothing, unless it was named and is not
there at all.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from filecmp import cmp
from itertools import count
from pathlib import Path

from seqforge.base.paths import MISSING, Walk, expanded, is_utf8, path_shown, status_of, walk
from seqforge.base.spooling import STDIN, is_piped, is_stdin, spool
from seqforge.core.domain import Domain
from seqforge.core.ingest import Ingested
from seqforge.core.opening import suffix_inside
from seqforge.errors import InputError
from seqforge.orders import Order
from seqforge.runs import STDIN_KEPT, RunFolder

_AGAINST = "search.against"


@dataclass
class Found:
    """What was named, as files."""

    files: list[Path] = field(default_factory=list)
    unread: list[Ingested] = field(default_factory=list)
    """Lines of ``ingest.tsv`` of what cannot be read."""
    notes: list[str] = field(default_factory=list)
    """What was left out of folders, in sentences."""


def find_files(named: Sequence[str], domain: Domain, kept: Path, resumed: bool) -> Found:
    """The files that names stand for, in order.

    Args:
        named: Files, folders, patterns, pipes, or ``-`` for what comes on standard input.
        domain: Says which files of a folder are meant.
        kept: A folder that keeps what comes through pipes.
        resumed: Whether what is kept there is to be taken again.

    Raises:
        InputError: If something named is not there, or a folder has no file of the right kind.
    """
    if sum(map(is_stdin, named)) > 1:
        raise InputError("- is standard input, which can be read but once; name it once")
    found = Found()
    for place, name in enumerate(named):
        if is_piped(name):
            found.files.append(_kept_pipe(name, place, domain, kept, resumed))
        else:
            for path in _paths(name):
                expand(path, domain, found)
    return found


def _paths(name: str) -> list[Path]:
    path = Path(name)
    if not isinstance(status_of(path), str):
        return [path.absolute() if str(path) == STDIN else path]
    return expanded(name) or [path]


def expand(path: Path, domain: Domain, found: Found) -> None:
    """Add a file, or the files of the domain's kind under a folder in order of their names.

    Raises:
        InputError: If there is nothing there.
    """
    status = status_of(path)
    if isinstance(status, str):
        if status == MISSING:
            raise InputError(f"{path_shown(path)}: {status}{_hint(path)}")
        found.unread.append(refused(path, status))
    elif not is_utf8(path):
        found.unread.append(refused(path, "its name is not UTF-8; rename it"))
    elif not path.is_dir():
        found.files.append(path)
    else:
        _expand_folder(path, domain, found)


def _hint(path: Path) -> str:
    if any(mark in str(path) for mark in "*?["):
        return ", and no file fits this pattern"
    return ""


def refused(path: Path, reason: str) -> Ingested:
    """The line of a file that is not read."""
    shown = path_shown(path)
    return Ingested(shown, "refused", f"{shown}: {reason}", 0, 0)


def _expand_folder(folder: Path, domain: Domain, found: Found) -> None:
    under, wanted = walk(folder), domain.suffixes
    files, others = list[Path](), list[Path]()
    for path in sorted(under.files):
        (files if not wanted or suffix_inside(path) in wanted else others).append(path)
    if not files and not under.unread:
        raise InputError(_nothing(folder, domain, under, others))
    found.unread += [refused(path, reason) for path, reason in sorted(under.unread)]
    for path in files:
        if is_utf8(path):
            found.files.append(path)
        else:
            found.unread.append(refused(path, "its name is not UTF-8; rename it"))
    if others:
        kinds = ", ".join(sorted({suffix_inside(path) or "no ending" for path in others}))
        found.notes.append(
            f"{folder}: {len(others):,} files of other kinds left out ({path_shown(kinds)})"
        )


def _nothing(folder: Path, domain: Domain, under: Walk, others: Sequence[Path]) -> str:
    kinds = ", ".join(domain.suffixes) or "any kind"
    said = f"{path_shown(folder)}: no file for {domain.name} in this folder ({kinds})"
    if under.hidden and not others:
        said += f"; {under.hidden:,} hidden files or folders in it do not count: name them"
    return said


def kept_libraries(order: Order, folder: RunFolder) -> Order:
    """The order with libraries that come through pipes as files in the run folder."""
    settings = dict(order.settings or {})
    named = settings.get(_AGAINST)
    if not isinstance(named, list | tuple) or not any(map(is_piped, named)):
        return order
    paths = []
    for place, name in enumerate(named, 1):
        path = Path(name)
        if is_piped(name):
            begun = folder.recipe().config().search.against if folder.worked else ()
            path = _kept(name, folder.path.absolute(), f"-against-{place}", ".fa", begun)
        paths.append(str(path))
    return replace(order, settings={**settings, _AGAINST: paths})


def _kept_pipe(name: str, place: int, domain: Domain, kept: Path, resumed: bool) -> Path:
    """What comes through a pipe, as a file in the run folder: it comes but once."""
    number = "" if name == STDIN else f"-{place + 1}"
    # The ending of a domain whose files are of several kinds would say more than is known.
    suffix = "" if domain.file_per_sample else domain.suffix
    begun = RunFolder(kept).inputs() if resumed else ()
    return _kept(name, kept, number, suffix, [str(path) for path, _ in begun])


def _kept(name: str, folder: Path, number: str, suffix: str, begun: Sequence[str]) -> Path:
    """The file that keeps what comes through a pipe; none that is there is written over.

    ``begun`` are the files that a run goes on with: what came when it began is gone by now.
    """
    there = []
    for more in count():
        path = folder / f"{STDIN_KEPT}{number}{'+' * more}{suffix}"
        if not os.path.lexists(path):
            break
        if path.is_file() and str(path.absolute()) in begun:
            return path
        there.append(path)
    spool(name, path)
    for other in there:  # what a killed command kept of the same is taken again
        if not other.is_symlink() and other.is_file() and cmp(other, path, shallow=False):
            path.unlink()
            return other
    return path
