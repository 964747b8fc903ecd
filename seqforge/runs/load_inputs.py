"""Paths and options in, a corpus out: files found, read once, cached by a hash of inputs and
options.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from filecmp import cmp
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

from seqforge.base.atomic_files import sync_all, sync_folder
from seqforge.base.folders import cache_root, disk_errors, make_folder, sha256_of
from seqforge.base.messages import Advance, unheard, unreadable
from seqforge.base.paths import (
    MISSING,
    STDIN,
    Walk,
    expanded,
    is_piped,
    is_stdin,
    is_utf8,
    path_shown,
    spool,
    status_of,
    walk,
)
from seqforge.base.textio import plain_suffix, suffix_inside
from seqforge.core.config import DataConfig
from seqforge.core.data.corpus import FORMAT, Corpus
from seqforge.core.data.domain import Domain, HasDefaultInput, Settles, SettlesCounted
from seqforge.core.data.ingest import (  # fmt: skip
    SAME_CONTENT,
    Ingested,
    NothingUsable,
    Unsplittable,
    ingest,
    read_ingest,
    write_ingest,
)
from seqforge.core.data.vocabulary import Vocabulary
from seqforge.errors import ConfigError, InputError, RunError
from seqforge.registry import load_domain, options_of, package_version
from seqforge.runs.folder import STDIN_KEPT, RunFolder
from seqforge.runs.recipes import Settings

_AGAINST = "search.against"


@dataclass
class FoundFiles:
    """Input files found by their names."""

    files: list[Path] = field(default_factory=list)
    unread: list[Ingested] = field(default_factory=list)
    """Lines of ``ingest.tsv`` for unreadable files."""
    notes: list[str] = field(default_factory=list)
    """Sentences on what was left out of folders."""


def find_files(named: Sequence[str], domain: Domain, kept: Path, resumed: bool) -> FoundFiles:
    """Names in, the files they stand for out, in order.

    Args:
        named: Files, folders, patterns, pipes, or ``-`` for what comes on standard input.
        domain: Says which files of a folder are meant.
        kept: A folder that keeps what comes through pipes.
        resumed: Whether what is kept there is to be taken again.

    Raises:
        InputError: If something named is not there, or a folder has no file of the right kind.
    """
    if sum(map(is_stdin, named)) > 1:
        raise InputError("- is standard input, which can be read only once; name it once")
    found = FoundFiles()
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


def expand(path: Path, domain: Domain, found: FoundFiles) -> None:
    """Add a file, or the domain's files under a folder, sorted by name.

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
    """The ``ingest.tsv`` line of a refused file."""
    shown = path_shown(path)
    return Ingested(shown, "refused", f"{shown}: {reason}", 0, 0)


def _expand_folder(folder: Path, domain: Domain, found: FoundFiles) -> None:
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


def kept_libraries(settings: Settings, folder: RunFolder) -> Settings:
    """Settings in, the same with piped libraries replaced by copies in the run folder out."""
    named = settings.get(_AGAINST)
    if not isinstance(named, list | tuple) or not any(map(is_piped, named)):
        return settings
    paths = []
    for place, name in enumerate(named, 1):
        path = Path(name)
        if is_piped(name):
            begun = folder.recipe().config().search.get("against", ()) if folder.worked else ()
            path = _kept(name, folder.path.absolute(), f"-against-{place}", ".fa", begun)
        paths.append(str(path))
    return {**settings, _AGAINST: paths}


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


_OWN_FOLDER = re.compile(r"[0-9a-f]{32}|(reading|damaged)-\w+")
_KEPT = 20  # corpora in the cache; the oldest make room
_IN_USE_SECONDS = 2 * 24 * 3600.0  # a training refreshes its corpus at every look


@dataclass(frozen=True)
class KnownVocabulary:
    """The symbols of a warm start's model."""

    vocabulary: Vocabulary
    extend: bool
    """Whether new symbols are added."""


@dataclass(frozen=True)
class Inputs:
    """The distinct input files of a run, and the domain that reads them."""

    files: tuple[Path, ...]
    digests: tuple[str, ...]
    domain: Domain
    notes: tuple[str, ...] = ()
    """Sentences on what was left out of folders."""
    unread: tuple[Ingested, ...] = ()
    """Unreadable files, and duplicates of others."""

    @property
    def named_digests(self) -> tuple[tuple[str, str], ...]:
        """Name and SHA-256 of each file."""
        return tuple(zip((path.name for path in self.files), self.digests, strict=True))

    def key(self, data: DataConfig, known: KnownVocabulary | None = None) -> str:
        """Hash of everything that the corpus depends on."""
        said = [
            FORMAT,
            self.domain.name,
            package_version(self.domain.name),  # another version may read files otherwise
            options_of(self.domain),
            data.model_dump(),
            self.digests,
            # An ending says how a file is to be read; its name otherwise says nothing.
            [(plain_suffix(path), path.suffix.lower()) for path in self.files],
            *([] if known is None else [asdict(known)]),
        ]
        return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()


def gather(
    domain_name: str,
    options: dict[str, object],
    named: Sequence[str],
    spool: Path,
    resumed: bool = False,
    progress: Advance = unheard,
    min_count: int = 1,
) -> Inputs:
    """Names and options in, input files and the settled domain out.

    Args:
        domain_name: An installed domain.
        options: Its options; what is ``auto`` among them is decided by the files.
        named: Files, folders, patterns, pipes, or ``-`` for what comes on standard input; nothing
            at all stands for the domain's own default.
        spool: A folder that keeps what comes through pipes.
        resumed: Whether what is kept of it is to be taken again.
        progress: Told of each file that is looked at.
        min_count: How often what has a symbol of its own occurs.

    Raises:
        InputError: If something named is not there, or a folder has no file of the right kind.
    """
    domain = load_domain(domain_name, options)
    found = find_files(named, domain, spool, resumed)
    if not named:
        if not isinstance(domain, HasDefaultInput):
            raise ConfigError(
                f"the domain {domain.name} has no input of its own; give --input PATH"
            )
        found.files = domain.default_input()
    once, unread = _once(found.files, progress)
    if isinstance(domain, Settles):
        domain = domain.settle(list(once))
    if isinstance(domain, SettlesCounted):
        domain = domain.settle_counted(list(once), min_count)
    unread = (*found.unread, *unread)
    return Inputs(tuple(once), tuple(once.values()), domain, tuple(found.notes), unread)


def _once(files: Sequence[Path], progress: Advance) -> tuple[dict[Path, str], tuple[Ingested, ...]]:
    """Distinct files with their SHA-256: a duplicate would be both held out and trained on."""
    seen: dict[str, Path] = {}
    unread = []
    once = dict.fromkeys(files)
    for done, path in enumerate(once):
        progress(done, len(once), path.name)
        try:
            digest = sha256_of(path)
        except OSError as error:
            unread.append(refused(path, unreadable(error)))
            continue
        if digest not in seen:
            seen[digest] = path
        else:
            unread.append(refused(path, f"{SAME_CONTENT} {seen[digest]}"))
    return {path: digest for digest, path in seen.items()}, tuple(unread)


def read_corpus(
    inputs: Inputs,
    data: DataConfig,
    table: Path,
    progress: Advance,
    known: KnownVocabulary | None = None,
    say: Callable[[str], None] = lambda note: None,
) -> tuple[Corpus, list[Ingested]]:
    """Inputs in, their corpus out, from the cache if it is there and intact.

    Args:
        inputs: What to read.
        data: What to hold out.
        table: Where ``ingest.tsv`` goes, even when every file is refused.
        progress: Told of each file.
        known: The symbols of a model, where there is one.
        say: Told in a sentence where the cache was damaged.

    Raises:
        InputError: If nothing could be used, it is too small, or has a symbol that is not known.
    """
    if not inputs.files:
        write_ingest(table, inputs.unread)
        raise NothingUsable(inputs.unread)
    cache = corpus_cache()
    folder = cache / inputs.key(data, known)[:32]
    if folder.exists() and (damage := Corpus.damage(folder)):
        say(f"the cached corpus of this input in {folder} is damaged ({damage}); it is read again")
        _clear_away(folder)
    if not folder.exists():
        with disk_errors(cache):
            building = Path(mkdtemp(prefix="reading-", dir=cache))
        try:
            # Nothing of it is kept open: an open file cannot be moved on every system.
            vocabulary, extend = (known.vocabulary, known.extend) if known else (None, False)
            ingest(inputs.domain, inputs.files, data, building, progress, vocabulary, extend)
            _move_into_place(building, folder)
        except Unsplittable as error:
            write_ingest(table, [*error.lines, *inputs.unread])
            raise
        finally:
            shutil.rmtree(building, ignore_errors=True)
        _prune(cache)
    corpus, kept = _opened(folder)
    lines = [
        replace(line, file=str(path), reason=line.reason.replace(line.file, str(path)))
        for line, path in zip(kept, inputs.files, strict=True)  # perhaps read in another place
    ] + list(inputs.unread)
    write_ingest(table, lines)
    return corpus, lines


def _opened(folder: Path) -> tuple[Corpus, list[Ingested]]:
    """A cached corpus, marked as in use."""
    try:
        os.utime(folder)
        return Corpus(folder), read_ingest(folder / "ingest.tsv")
    except OSError as error:
        raise RunError(
            f"{folder}: has disappeared ({error.strerror or error}); give the same command "
            "again, and the input is read again"
        ) from error


def corpus_cache() -> Path:
    """The folder of all corpora."""
    try:
        return make_folder(cache_root() / "corpora")
    except RunError as error:
        raise RunError(f"{error}; set SEQFORGE_CACHE to a folder of yours") from error


def _clear_away(folder: Path) -> None:
    """Remove an old corpus from the cache; open ones stay readable."""
    try:
        away = Path(mkdtemp(prefix="damaged-", dir=folder.parent))
        folder.rename(away / folder.name)
    except FileNotFoundError:
        return  # another process was quicker
    except OSError as error:
        raise RunError(
            f"{folder}: is damaged and cannot be replaced ({error.strerror or error}); remove it, "
            "or set SEQFORGE_CACHE to a folder of yours"
        ) from error
    shutil.rmtree(away, ignore_errors=True)


def _move_into_place(building: Path, folder: Path) -> None:
    """Rename a corpus after it is synced, so that a power cut leaves no partial one."""
    with disk_errors(building):
        sync_all(building)
    try:
        building.rename(folder)
        sync_folder(folder.parent)
    except OSError:
        if not Corpus.is_in(folder):  # else another process read the same at the same time
            raise RunError(
                f"{folder}: cannot be written; remove it or set SEQFORGE_CACHE"
            ) from None


def _prune(cache: Path) -> None:
    def age(folder: Path) -> float:
        try:
            return folder.stat().st_mtime
        except OSError:  # another process has moved it
            return float("inf")

    own = [folder for folder in cache.iterdir() if _OWN_FOLDER.fullmatch(folder.name)]
    for folder in sorted(own, key=age, reverse=True)[_KEPT:]:
        if time.time() - age(folder) > _IN_USE_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
