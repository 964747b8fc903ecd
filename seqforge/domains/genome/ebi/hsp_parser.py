"""Fields of an HSP from a reply in, a consistent Hsp out."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from seqforge.domains.genome.nucleotides import reverse_complement
from seqforge.domains.genome.similarity.hits import Hsp

_PERCENT = 0.051  # rounding of one printed decimal


@dataclass(frozen=True)
class HspFields:
    """Fields of one alignment in a reply; missing ones keep the default."""

    score: Any = None
    bits: Any = None
    evalue: Any = None
    identity: Any = None
    """Percent."""
    positive: Any = None
    """Percent."""
    gaps: Any = None
    """Percent, rounded: the service's ``hsp_gaps`` is not a count, unlike its schema says."""
    columns: Any = None
    strands: str = ""
    """``plus/minus``, the query's first; or frames (``f``, ``r``, ``1``, ``-1``)."""
    query: tuple[Any, Any] = (None, None)
    hit: tuple[Any, Any] = (None, None)
    rows: tuple[str, str, str] = ("", "", "")
    """Query, midline, hit."""
    context: int = 0
    """Columns of context before the alignment, as the fasta tool prints."""

    def hsp(self) -> Hsp:
        """Fields in, the HSP out. Counts come from the rows if these fit the percentages."""
        query_span, hit_span = _span(self.query), _span(self.hit)
        columns = complete_hsp(self.columns) or len(self.rows[0])
        query, midline, hit = self._cut(columns, query_span, hit_span)
        identical, alike = _marked(midline)
        identity, identity_count = _share(self.identity, identical, columns)
        positive, positive_count = _share(
            identity if self.positive is None else self.positive,
            alike if midline else None,
            columns,
        )
        strands = _strands(self.strands, self.query, self.hit)
        found = Hsp(
            score=complete_hsp(self.score),
            bit_score=number(self.bits),
            evalue=number(self.evalue),
            identity=identity,
            identity_count=identity_count,
            positive=positive,
            positive_count=positive_count,
            gaps=self._gaps(columns, query + hit, query_span, hit_span),
            query_strand=strands[0],
            hit_strand=strands[1],
            query_start=complete_hsp(self.query[0]),
            query_end=complete_hsp(self.query[1]),
            hit_start=complete_hsp(self.hit[0]),
            hit_end=complete_hsp(self.hit[1]),
            query_aligned=query,
            midline=midline,
            hit_aligned=hit,
            overlap=0 if query else columns,
        )
        return _as_blast(found) if strands == (-1, 1) else found

    def _cut(self, columns: int, query_span: int, hit_span: int) -> tuple[str, str, str]:
        """The rows without context; empty if the context cannot be separated.

        The fasta tool's midline may lack columns: it is kept only if it covers all of them.
        """
        part = slice(self.context, self.context + columns)
        query, midline, hit = (row[part] for row in self.rows)
        fits = len(query) == len(hit) == columns and (
            len(query.replace("-", "")) == query_span and len(hit.replace("-", "")) == hit_span
        )
        if not fits:
            return "", "", ""
        if len(midline) != columns or len(self.rows[1]) < len(self.rows[0]):
            midline = _own_midline(query, hit)
        return query, midline, hit

    def _gaps(self, columns: int, rows: str, query_span: int, hit_span: int) -> int:
        if rows:
            return rows.count("-")
        if query_span and hit_span and columns >= max(query_span, hit_span):
            return 2 * columns - query_span - hit_span
        return round(number(self.gaps) * columns / 100)


def number(value: Any, default: float = 0.0) -> float:
    """A number or its text in, a float out; ``NA`` and other text give the default."""
    try:
        found = float(str(value).replace(",", ""))
    except ValueError:
        return default
    return found if math.isfinite(found) else default


def complete_hsp(value: Any) -> int:
    """Like `number`, as an integer."""
    return round(number(value))


def _as_blast(hsp: Hsp) -> Hsp:
    """The alignment with the query on its plus strand and the hit reversed, as BLAST prints it.

    FASTA programs reverse the query instead.
    """
    return replace(
        hsp,
        query_strand=1,
        hit_strand=-1,
        query_start=min(hsp.query_start, hsp.query_end),
        query_end=max(hsp.query_start, hsp.query_end),
        hit_start=max(hsp.hit_start, hsp.hit_end),
        hit_end=min(hsp.hit_start, hsp.hit_end),
        query_aligned=reverse_complement(hsp.query_aligned),
        midline=hsp.midline[::-1],
        hit_aligned=reverse_complement(hsp.hit_aligned),
    )


def _span(ends: tuple[Any, Any]) -> int:
    start, stop = map(complete_hsp, ends)
    return abs(stop - start) + 1 if start and stop else 0


def _own_midline(query: str, hit: str) -> str:
    """A midline with a bar at each identity. Similar residues are unknown without the service's."""
    pairs = zip(query.upper(), hit.upper(), strict=True)
    return "".join("|" if a == b != "-" else " " for a, b in pairs)


def _marked(midline: str) -> tuple[int | None, int | None]:
    """Identities and positives that a midline marks; positives include identities."""
    if not midline:
        return None, None
    identical = sum(mark in "|:" or mark.isalpha() for mark in midline)
    return identical, identical + sum(mark in "+." for mark in midline)


def _share(percent: Any, seen: int | None, columns: int) -> tuple[float, int]:
    """Percentage and count; the counted value is used if it fits the printed percentage."""
    if percent is None:
        seen = seen or 0
        return 100 * seen / max(1, columns), seen
    said = number(percent)
    near = _PERCENT if said != int(said) else 0.51  # old replies round to whole percentages
    if seen is not None and abs(100 * seen / max(1, columns) - said) <= near:
        return said, seen
    return said, round(said * columns / 100)


def _strands(said: str, query: tuple[Any, Any], hit: tuple[Any, Any]) -> tuple[int, int]:
    """Signs of both strands; taken from the order of the coordinates if no strand is given."""
    signs = []
    words = [*said.lower().split("/"), "", ""]
    for word, ends in zip(words, (query, hit), strict=False):
        backwards = complete_hsp(ends[0]) > complete_hsp(ends[1])
        minus = word in {"minus", "-1", "r", "-"} or (word not in {"plus", "1", "+"} and backwards)
        signs.append(-1 if minus else 1)
    return signs[0], signs[1]
