"""Who does the searching: one interface, whether at home or elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from seqforge.domains.genome.similarity.hits import SearchResult
from seqforge.domains.genome.similarity.local import search
from seqforge.domains.genome.similarity.parameters import Letters, Query, SearchParameters

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

    def search(
        self, queries: Sequence[Query], parameters: SearchParameters, progress: Progress
    ) -> list[SearchResult]:
        """See `SearchBackend`; progress counts library letters."""
        what = f"{len(queries)} sequences, both strands"
        return search(
            queries, self.against, parameters, lambda done, total: progress(done, total, what)
        )
