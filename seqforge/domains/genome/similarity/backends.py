"""Who does the searching: one interface, whether at home or elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from seqforge.base.spooling import settled
from seqforge.core.files import sha256_of
from seqforge.core.opening import opened
from seqforge.domains.genome.similarity.hits import SearchResult
from seqforge.domains.genome.similarity.library import LibrarySize, in_portions, measure
from seqforge.domains.genome.similarity.local import search
from seqforge.domains.genome.similarity.parameters import Letters, Query, SearchParameters
from seqforge.domains.genome.similarity.scanning import installed_backend
from seqforge.version import __version__

PORTION_CELLS = 40_000_000_000
"""Cells of alignment matrices after which what was found is kept: a few seconds of work."""
_LEAST_LETTERS = 1000  # of queries a portion: the library is read once for each

Progress = Callable[[float, float, str], None]
"""Told how much is done, how much there is, and of what."""


class SearchBackend(Protocol):
    """Lays queries against a library that it was made with."""

    @property
    def name(self) -> str:
        """``local``, ``blast+`` or ``ebi``."""
        ...

    @property
    def letters(self) -> Letters:
        """What the queries are."""
        ...

    def search(
        self, queries: Sequence[Query], parameters: SearchParameters, progress: Progress
    ) -> list[SearchResult]:
        """A result a query, in their order; a query without bases finds nothing.

        Raises:
            SeqforgeError: If the library, the parameters or the backend cannot be used.
        """
        ...


class LocalBackend:
    """Smith-Waterman in this process against FASTA or GenBank files: see `local`."""

    name = "local"
    letters: Letters = "dna"

    def __init__(self, against: Sequence[Path]) -> None:
        self.against = tuple(against)

    @cached_property
    def _size(self) -> LibrarySize:
        return measure(self.against)

    def about(self) -> dict[str, Any]:
        """See `searched.HomeBackend`."""
        scanner = installed_backend()
        return {"program": [self.name, __version__, scanner.name, scanner.version],
                **library_identity(self.against)}  # fmt: skip

    def portions(self, queries: Sequence[Query]) -> Iterator[Sequence[Query]]:
        """See `searched.HomeBackend`."""
        letters = max(_LEAST_LETTERS, PORTION_CELLS // (2 * self._size.letters))
        return in_portions(queries, letters)

    def search(
        self, queries: Sequence[Query], parameters: SearchParameters, progress: Progress
    ) -> list[SearchResult]:
        """See `SearchBackend`; progress counts library letters."""
        return search(
            queries, self.against, parameters,
            lambda done, total: progress(done, total, "both strands"), size=self._size,
        )  # fmt: skip


def library_identity(against: Sequence[Path]) -> dict[str, Any]:
    """Which files a library is, by name and content."""
    files = []
    for path in against:
        with opened(path):  # says in one sentence what is wrong with it
            files.append([str(path), sha256_of(settled(path))])
    return {"library": files}
