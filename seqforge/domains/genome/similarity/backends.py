"""Queries in, search results out: the interface of all search backends, the local backend, and
partial results on disk from which a search resumes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from seqforge.base.atomic_files import disk_errors, open_new, open_own, sync, sync_folder
from seqforge.base.folders import make_folder, sha256_of
from seqforge.base.messages import Advance
from seqforge.base.paths import spooled
from seqforge.base.textio import opened
from seqforge.domains.genome.similarity.hits import Query, SearchResult, from_json, to_json
from seqforge.domains.genome.similarity.kinds import kind_of
from seqforge.domains.genome.similarity.library import in_portions, measure
from seqforge.domains.genome.similarity.local_search import search_library
from seqforge.domains.genome.similarity.parameters import LibrarySize, Residues, SearchLimits
from seqforge.domains.genome.similarity.smith_waterman import installed_backend
from seqforge.version import __version__

PORTION_CELLS = 40_000_000_000
"""Cells of alignment matrices between two saves: a few seconds of work."""
_LEAST_LETTERS = 1000  # query residues per portion, each of which reads the library once


class SearchBackend(Protocol):
    """Interface of search backends: queries against a fixed library."""

    @property
    def name(self) -> str:
        """``local``, ``blast+`` or ``ebi``."""
        ...

    @property
    def letters(self) -> Residues:
        """Residue type: nucleotides or proteins."""
        ...

    def search(
        self, queries: Sequence[Query], parameters: SearchLimits, progress: Advance
    ) -> list[SearchResult]:
        """Queries in, one result per query out, in order. An empty query has no hits.

        Raises:
            SeqforgeError: If the library, the parameters or the backend cannot be used.
        """
        ...


class LocalBackend:
    """Search backend: Smith-Waterman in this process against FASTA or GenBank files."""

    name = "local"

    def __init__(self, against: Sequence[Path], letters: Residues = "dna") -> None:
        self.against = tuple(against)
        self.letters: Residues = letters

    @cached_property
    def _size(self) -> LibrarySize:
        return measure(self.against, self.letters)

    def about(self) -> dict[str, Any]:
        """See `backends.LibraryBackend`."""
        scanner = installed_backend()
        return {"program": [self.name, __version__, scanner.name, scanner.version],
                **library_identity(self.against)}  # fmt: skip

    def portions(self, queries: Sequence[Query]) -> Iterator[Sequence[Query]]:
        """See `backends.LibraryBackend`."""
        strands = len(kind_of(self.letters).signs)
        letters = max(_LEAST_LETTERS, PORTION_CELLS // (strands * self._size.letters))
        return in_portions(queries, letters)

    def search(
        self, queries: Sequence[Query], parameters: SearchLimits, progress: Advance
    ) -> list[SearchResult]:
        """See `SearchBackend`; progress counts library residues."""
        return search_library(queries, self.against, parameters, progress, size=self._size)


def library_identity(against: Sequence[Path]) -> dict[str, Any]:
    """Library files in, their names and SHA-256 sums out."""
    files = []
    for path in against:
        with opened(path):  # raises a clear error for an unreadable file
            files.append([str(path), sha256_of(spooled(path))])
    return {"library": files}


SEARCHED = "searched.jsonl"
"""Name of the file of partial results."""


class LibraryBackend(SearchBackend, Protocol):
    """Interface of backends that search a library on this machine."""

    def about(self) -> dict[str, Any]:
        """The programs and library that results depend on besides queries and parameters."""
        ...

    def portions(self, queries: Sequence[Query]) -> Iterator[Sequence[Query]]:
        """Queries in, the same portions each time out, each a few seconds of work."""
        ...


@contextmanager
def resumable(backend: LibraryBackend, folder: Path) -> Iterator[SearchBackend]:
    """A backend in, the same out with partial results in ``folder`` until the block succeeds."""
    path = make_folder(folder) / SEARCHED
    yield _ResumableBackend(backend, path)
    with disk_errors(path):
        path.unlink(missing_ok=True)
    sync_folder(folder)


class _ResumableBackend:
    def __init__(self, backend: LibraryBackend, path: Path) -> None:
        self._backend, self._path = backend, path

    @property
    def name(self) -> str:
        return self._backend.name

    @property
    def letters(self) -> Residues:
        return self._backend.letters

    def search(
        self, queries: Sequence[Query], parameters: SearchLimits, progress: Advance
    ) -> list[SearchResult]:
        """See `SearchBackend`; progress counts query residues."""
        about = {**self._backend.about(), "parameters": vars(parameters)}
        total = max(1, sum(len(query.bases) for query in queries))
        done, found = 0, []
        with disk_errors(self._path), _Kept(self._path, json.dumps(about, sort_keys=True)) as kept:
            for portion in self._backend.portions(queries):
                letters = sum(len(query.bases) for query in portion)

                def advance(
                    part: float, whole: float, what: str, before: int = done, size: int = letters
                ) -> None:
                    share = part / max(1, whole)
                    progress(before + share * size, total, f"{len(queries)} sequences, {what}")

                key = _key(portion)
                results = kept.get(key)
                if results is None:
                    results = self._backend.search(portion, parameters, advance)
                    kept.add(key, results)
                done += letters
                found += results
        progress(total, total, f"{len(queries)} sequences, {kind_of(self.letters).strands}")
        return found


def _key(portion: Sequence[Query]) -> str:
    said = json.dumps([[query.id, query.bases] for query in portion])
    return hashlib.sha256(said.encode()).hexdigest()


class _Kept:
    """A JSON-lines file: the identity of the search, then the results of each portion."""

    def __init__(self, path: Path, about: str) -> None:
        self._path, self._about = path, about
        self._lines: dict[str, Any] = {}

    def __enter__(self) -> _Kept:
        """Read the file and continue after its last complete line.

        Raises:
            RunError: If it is a link, a pipe or another user's file.
        """
        try:
            stream = open_own(self._path, writing=True)
        except FileNotFoundError:
            stream = open_new(self._path)
        self._stream: BinaryIO = stream
        try:
            if not self._read():
                stream.seek(0)
                stream.truncate()
                self._write([self._about])
        except BaseException:
            stream.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()

    def _read(self) -> bool:
        """Read the results; returns whether they belong to this search."""
        good = 0
        for line in self._stream:
            value = _value(line)
            if not good:
                if value != [self._about]:
                    return False
            elif value is None or len(value) != 2:
                break
            else:
                self._lines[str(value[0])] = value[1]
            good += len(line)
        self._stream.seek(good)
        self._stream.truncate()
        return good > 0

    def get(self, key: str) -> list[SearchResult] | None:
        """A portion's key in, its stored results out; None if missing or unreadable."""
        with suppress(LookupError, TypeError, ValueError, AttributeError):
            return from_json(self._lines[key])
        return None

    def add(self, key: str, results: Sequence[SearchResult]) -> None:
        """Append results and sync them to disk."""
        self._write([key, to_json(results)])

    def _write(self, value: list[Any]) -> None:
        with disk_errors(self._path):
            self._stream.write(json.dumps(value).encode() + b"\n")
            sync(self._stream)


def _value(line: bytes) -> list[Any] | None:
    """A line in, its JSON list out; None if it is truncated or damaged."""
    if not line.endswith(b"\n"):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None
