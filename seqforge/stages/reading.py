"""From what the user named to a corpus, read once and kept by the hash of inputs and options."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

from seqforge.base.files import sync_all, sync_folder
from seqforge.core.config import DataConfig
from seqforge.core.corpus import FORMAT, Corpus
from seqforge.core.domain import Domain, HasDefaultInput, Settles
from seqforge.core.files import cache_root, disk_errors, make_folder, sha256_of
from seqforge.core.ingest import (
    Ingested,
    NothingUsable,
    Unsplittable,
    ingest,
    read_ingest,
    write_ingest,
)  # fmt: skip
from seqforge.core.opening import plain_suffix
from seqforge.core.vocabulary import Vocabulary
from seqforge.errors import ConfigError, RunError
from seqforge.registry import load_domain, options_of, package_version
from seqforge.stages.discovery import find_files, refused

_OWN_FOLDER = re.compile(r"[0-9a-f]{32}|(reading|damaged)-\w+")
_KEPT = 20  # corpora in the cache; the oldest make room
_IN_USE_SECONDS = 2 * 24 * 3600.0  # a training refreshes its corpus at every look


@dataclass(frozen=True)
class Known:
    """The symbols of a model that a run goes on from."""

    vocabulary: Vocabulary
    extend: bool
    """Whether new ones are added to them."""


@dataclass(frozen=True)
class Inputs:
    """The files of a run, each once, and the domain that reads them."""

    files: tuple[Path, ...]
    digests: tuple[str, ...]
    domain: Domain
    notes: tuple[str, ...] = ()
    """What was left out of folders, in sentences."""
    unread: tuple[Ingested, ...] = ()
    """Files that cannot be read, and those that have the content of another."""

    def key(self, data: DataConfig, known: Known | None = None) -> str:
        """The hash of everything that the corpus depends on."""
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
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
) -> Inputs:
    """Find the files and settle the domain's options.

    Args:
        domain_name: An installed domain.
        options: Its options; what is ``auto`` among them is decided by the files.
        named: Files, folders, patterns, pipes, or ``-`` for what comes on standard input; nothing
            at all stands for the domain's own default.
        spool: A folder that keeps what comes through pipes.
        resumed: Whether what is kept of it is to be taken again.
        progress: Told of each file that is looked at.

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
    unread = (*found.unread, *unread)
    return Inputs(tuple(once), tuple(once.values()), domain, tuple(found.notes), unread)


def _once(
    files: Sequence[Path], progress: Callable[[int, int, str], None]
) -> tuple[dict[Path, str], tuple[Ingested, ...]]:
    """Each content once, with its SHA-256: what is read twice would be held out and learnt."""
    seen: dict[str, Path] = {}
    unread = []
    once = dict.fromkeys(files)
    for done, path in enumerate(once):
        progress(done, len(once), path.name)
        try:
            digest = sha256_of(path)
        except OSError as error:
            unread.append(refused(path, f"cannot be read ({error.strerror or error})"))
            continue
        if digest not in seen:
            seen[digest] = path
        else:
            unread.append(refused(path, f"has the same content as {seen[digest]}"))
    return {path: digest for digest, path in seen.items()}, tuple(unread)


def read_corpus(
    inputs: Inputs,
    data: DataConfig,
    table: Path,
    progress: Callable[[int, int, str], None],
    known: Known | None = None,
    say: Callable[[str], None] = lambda note: None,
) -> tuple[Corpus, list[Ingested]]:
    """The corpus of some inputs, from the cache where it was read before and is still whole.

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
        say(f"what was kept of this input in {folder} is damaged ({damage}); it is read again")
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
    """A corpus of the cache, marked as in use."""
    try:
        os.utime(folder)
        return Corpus(folder), read_ingest(folder / "ingest.tsv")
    except OSError as error:
        raise RunError(
            f"{folder}: was there and is gone ({error.strerror or error}); give the same command "
            "again, and the input is read again"
        ) from error


def corpus_cache() -> Path:
    """The folder of all corpora."""
    try:
        return make_folder(cache_root() / "corpora")
    except RunError as error:
        raise RunError(f"{error}; set SEQFORGE_CACHE to a folder of yours") from error


def _clear_away(folder: Path) -> None:
    """Make room for a new corpus; whoever has the old one open keeps what he has."""
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
    """Give a corpus its name once the disk holds all of it: so no power cut leaves half a one."""
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
