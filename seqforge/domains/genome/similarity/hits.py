"""What a similarity search found, whatever did the searching: one model for all of them.

Coordinates are BLAST's: from 1, both ends included, and on the minus strand the hit's start is
the higher number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

_GAP_RUN = re.compile("-+")


@dataclass(frozen=True)
class Hsp:
    """A high-scoring segment pair: one local alignment of the query with a library sequence."""

    score: int
    """Raw score."""
    bit_score: float
    evalue: float
    identity: float
    """Percent of the alignment's columns."""
    identity_count: int
    positive: float
    """Percent of the columns that score above 0; for nucleotides the same as ``identity``."""
    positive_count: int
    gaps: int
    """Gap letters in both sequences together."""
    query_strand: int
    """1 or -1."""
    hit_strand: int
    query_start: int
    query_end: int
    hit_start: int
    hit_end: int
    query_aligned: str = ""
    midline: str = ""
    hit_aligned: str = ""
    overlap: int = 0
    """Columns, said by those that do not always show the aligned strings; 0 where they do."""

    @property
    def align_length(self) -> int:
        """Columns of the alignment."""
        return self.overlap or len(self.query_aligned)

    @property
    def gap_opens(self) -> int:
        """How many gaps, whatever their lengths."""
        return sum(len(_GAP_RUN.findall(row)) for row in (self.query_aligned, self.hit_aligned))

    @property
    def mismatches(self) -> int:
        """Columns that are neither identical nor a gap."""
        return self.align_length - self.identity_count - self.gaps


@dataclass(frozen=True)
class Hit:
    """A library sequence that the query resembles."""

    database: str
    id: str
    accession: str
    description: str
    organism: str
    """Empty where the library does not say."""
    length: int
    source: str
    """The file or address the sequence comes from."""
    hsps: tuple[Hsp, ...]
    """Best first; at least one."""
    more_hsps: bool = False
    """Whether others were left out: `SearchParameters.max_hsps` are kept."""


@dataclass(frozen=True)
class SearchResult:
    """What one query found, with all that is needed to judge it or to do it again."""

    query_id: str
    query_length: int
    program: str
    version: str
    database: str
    """The name of what was searched."""
    database_length: int
    """Letters. An E-value means nothing without it."""
    database_sequences: int
    when: str
    """ISO 8601, with the time zone."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    hits: tuple[Hit, ...] = ()
    """Best first."""
    masked: float | None = None
    """The fraction of the query that DUST calls low-complexity, whether it was masked for the
    search or not; None where nobody has looked."""
    more_hits: bool = False
    """Whether other library sequences were left out: `SearchParameters.max_hits` are kept."""

    @property
    def more_hsps(self) -> bool:
        """Whether alignments with a sequence that was kept were left out."""
        return any(hit.more_hsps for hit in self.hits)

    @property
    def best_evalue(self) -> float | None:
        """The lowest E-value; None without hits."""
        return min((hsp.evalue for hit in self.hits for hsp in hit.hsps), default=None)


def to_json(results: Sequence[SearchResult]) -> dict[str, Any]:
    """The document of ``hits.json``."""
    return {"results": [{**asdict(r), "parameters": dict(r.parameters)} for r in results]}


def from_json(document: Mapping[str, Any] | str) -> list[SearchResult]:
    """The results that `to_json` was given, from its document or the text of it."""
    data = json.loads(document) if isinstance(document, str) else document
    results = []
    for values in data["results"]:
        hits = tuple(
            Hit(**{**hit, "hsps": tuple(Hsp(**hsp) for hsp in hit["hsps"])})
            for hit in values["hits"]
        )
        results.append(SearchResult(**{**values, "hits": hits}))
    return results
