"""From what the user named to a corpus, read once and kept by the hash of inputs and options."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import platformdirs

from seqforge.core.config import DataConfig
from seqforge.core.corpus import FORMAT, Corpus
from seqforge.core.domain import Domain, HasDefaultInput, Settles
from seqforge.core.files import disk_errors, make_folder, sha256_of
from seqforge.core.ingest import Ingested, Unsplittable, ingest, read_ingest, write_ingest
from seqforge.core.opening import plain_suffix
from seqforge.errors import ConfigError, InputError, RunError
from seqforge.registry import load_domain, options_of, package_version

STDIN = "-"
_KEPT = 20  # corpora in the cache; the oldest make room


@dataclass(frozen=True)
class Inputs:
    """The files of a run, and the domain that reads them."""

    files: tuple[Path, ...]
    digests: tuple[str, ...]
    domain: Domain

    def key(self, data: DataConfig) -> str:
        """The hash of everything that the corpus depends on."""
        said = [
            FORMAT,
            self.domain.name,
            package_version(self.domain.name),  # another version may read files otherwise
            options_of(self.domain),
            data.model_dump(),
            self.digests,
        ]
        return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()


def gather(
    domain_name: str, options: dict[str, object], named: Sequence[str], spool: Path
) -> Inputs:
    """Find the files and settle the domain's options.

    Args:
        domain_name: An installed domain.
        options: Its options; what is ``auto`` among them is decided by the files.
        named: Files, folders, or ``-`` for what comes on standard input; nothing at all stands
            for the domain's own default.
        spool: A folder that keeps standard input.

    Raises:
        InputError: If something named is not there, or a folder has no file of the right kind.
    """
    domain = load_domain(domain_name, options)
    files: list[Path] = []
    for name in named:
        files += [_spooled_stdin(spool, domain)] if name == STDIN else expand(Path(name), domain)
    if not named:
        if not isinstance(domain, HasDefaultInput):
            raise ConfigError(
                f"the domain {domain.name} has no input of its own; give --input PATH"
            )
        files = domain.default_input()
    if isinstance(domain, Settles):
        domain = domain.settle(files)
    missing = next((path for path in files if not path.is_file()), None)
    if missing is not None:
        raise InputError(f"{missing}: there is no such file")
    return Inputs(tuple(files), tuple(sha256_of(path) for path in files), domain)


def expand(path: Path, domain: Domain) -> list[Path]:
    """A file itself, or the files of the domain's kind under a folder, in order of their names.

    Raises:
        InputError: If there is nothing there.
    """
    if not path.is_dir():
        if not path.exists():
            raise InputError(f"{path}: there is no such file or folder")
        return [path]
    wanted = domain.suffixes
    found = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
        and (not wanted or plain_suffix(file) in wanted)
    ]
    if not found:
        kinds = ", ".join(wanted) or "any kind"
        raise InputError(f"{path}: no file for {domain.name} in this folder ({kinds})")
    return found


def _spooled_stdin(folder: Path, domain: Domain) -> Path:
    path = folder / f"stdin{domain.suffix}"
    if not path.is_file():  # there when the run is resumed, and standard input is gone
        with disk_errors(path), path.open("wb") as stream:
            shutil.copyfileobj(sys.stdin.buffer, stream)
    return path


def read_corpus(
    inputs: Inputs,
    data: DataConfig,
    table: Path,
    progress: Callable[[int, int, str], None],
) -> tuple[Corpus, list[Ingested]]:
    """The corpus of some inputs, from the cache where it was read before.

    Args:
        inputs: What to read.
        data: What to hold out.
        table: Where ``ingest.tsv`` goes, even when every file is refused.
        progress: Told of each file.

    Raises:
        InputError: If nothing could be used or it is too small.
    """
    cache = corpus_cache()
    folder = cache / inputs.key(data)[:32]
    if not Corpus.is_in(folder):
        with disk_errors(cache):
            building = Path(mkdtemp(prefix="reading-", dir=cache))
        try:
            _, lines = ingest(inputs.domain, inputs.files, data, building, progress)
            _move_into_place(building, folder)
        except Unsplittable as error:
            write_ingest(table, error.lines)
            raise
        finally:
            shutil.rmtree(building, ignore_errors=True)
        _prune(cache)
    lines = read_ingest(folder / "ingest.tsv")
    write_ingest(table, lines)
    os.utime(folder)
    return Corpus(folder), lines


def corpus_cache() -> Path:
    """The folder of all corpora: ``SEQFORGE_CACHE``, else the user's cache folder."""
    named = os.environ.get("SEQFORGE_CACHE")
    root = Path(named) if named else platformdirs.user_cache_path("seqforge")
    return make_folder(root / "corpora")


def _move_into_place(building: Path, folder: Path) -> None:
    try:
        building.rename(folder)
    except OSError:
        if not Corpus.is_in(folder):  # else another process read the same at the same time
            raise RunError(
                f"{folder}: cannot be written; remove it or set SEQFORGE_CACHE"
            ) from None


def _prune(cache: Path) -> None:
    folders = sorted(cache.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for folder in folders[_KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)
