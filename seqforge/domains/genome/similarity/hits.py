"""Search results in, TSV, JSON, tables and alignments out; and the types that all backends share:
queries, search parameters, hits, HSPs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seqforge.base.folders import write_atomically, write_json
from seqforge.base.messages import one_line
from seqforge.base.tables import aligned, wrapped
from seqforge.domains.genome.similarity.parameters import Residues


@dataclass(frozen=True)
class Query:
    """A query sequence. In DNA, U is read as T and IUPAC codes score as in blastn; proteins are
    read as in blastp."""

    id: str
    bases: str


_GAP_RUN = re.compile("-+")


@dataclass(frozen=True)
class Hsp:
    """High-scoring segment pair: one local alignment of the query with a library sequence."""

    score: int
    """Raw score."""
    bit_score: float
    evalue: float
    identity: float
    """Identical columns, in percent."""
    identity_count: int
    positive: float
    """Columns with a positive score, in percent; for nucleotides the same as ``identity``."""
    positive_count: int
    gaps: int
    """Gap characters in both rows."""
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
    """Columns, from backends whose replies may lack the aligned rows; else 0."""

    @property
    def align_length(self) -> int:
        """Alignment length in columns."""
        return self.overlap or len(self.query_aligned)

    @property
    def gap_opens(self) -> int:
        """Number of gaps of any length."""
        return sum(len(_GAP_RUN.findall(row)) for row in (self.query_aligned, self.hit_aligned))

    @property
    def mismatches(self) -> int:
        """Columns that are neither identities nor gaps."""
        return self.align_length - self.identity_count - self.gaps


@dataclass(frozen=True)
class Hit:
    """A library sequence with its alignments to the query."""

    database: str
    id: str
    accession: str
    description: str
    organism: str
    """Empty if unknown."""
    length: int
    source: str
    """File or URL of the sequence."""
    hsps: tuple[Hsp, ...]
    """At least one, best first."""
    more_hsps: bool = False
    """Whether `SearchParameters.max_hsps` cut others."""


@dataclass(frozen=True)
class SearchResult:
    """The hits of one query, with library and parameters."""

    query_id: str
    query_length: int
    program: str
    version: str
    database: str
    """Name of the library."""
    database_length: int
    """Library residues, which the E-values depend on."""
    database_sequences: int
    when: str
    """ISO 8601 with time zone."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    hits: tuple[Hit, ...] = ()
    """Best first."""
    masked: float | None = None
    """Share of the query that is low-complexity by DUST, masked or not; None: not computed."""
    more_hits: bool = False
    """Whether `SearchParameters.max_hits` cut others."""
    letters: Residues = "dna"
    """What query and library are made of."""

    @property
    def unit(self) -> str:
        """What their letters are called: ``bases`` or ``residues``."""
        return "bases" if self.letters == "dna" else "residues"

    @property
    def more_hsps(self) -> bool:
        """Whether HSPs of any kept hit were cut."""
        return any(hit.more_hsps for hit in self.hits)

    @property
    def best_evalue(self) -> float | None:
        """Lowest E-value; None without hits."""
        return min((hsp.evalue for hit in self.hits for hsp in hit.hsps), default=None)


def to_json(results: Sequence[SearchResult]) -> dict[str, Any]:
    """Results in, the document of ``hits.json`` out."""
    return {"results": [{**asdict(r), "parameters": dict(r.parameters)} for r in results]}


def from_json(document: Mapping[str, Any] | str) -> list[SearchResult]:
    """A document of `to_json`, or its text, in; the results out."""
    data = json.loads(document) if isinstance(document, str) else document
    results = []
    for values in data["results"]:
        hits = tuple(
            Hit(**{**hit, "hsps": tuple(Hsp(**hsp) for hsp in hit["hsps"])})
            for hit in values["hits"]
        )
        results.append(SearchResult(**{**values, "hits": hits}))
    return results


_FIELDS = (
    "query acc.ver, subject acc.ver, % identity, alignment length, mismatches, gap opens, "
    "q. start, q. end, s. start, s. end, evalue, bit score"
)
_TROUBLE = re.compile("[#\"']|%(?=[0-9A-Fa-f]{2})")
_SOURCE_WIDTH = 40
_LINE = 60


def write_hits(results: Sequence[SearchResult], folder: Path) -> list[Path]:
    """Results and a folder in; writes ``hits.tsv`` and ``hits.json``, returns their paths.

    Raises:
        RunError: If they cannot be written.
    """
    table, document = folder / "hits.tsv", folder / "hits.json"
    write_atomically(table, format_tsv(results).encode())
    write_json(document, to_json(results))
    return [table, document]


def format_tsv(results: Sequence[SearchResult]) -> str:
    """Results in, BLAST's tabular format with comments (-outfmt 7) out: a line per HSP, 12 columns.

    Biopython reads it as ``blast-tab`` with ``comments=True``, or without the lines that begin
    with ``#``.
    """
    lines: list[str] = []
    for result in results:
        rows = [_tsv_row(result, hit, hsp) for hit in result.hits for hsp in hit.hsps]
        lines += [
            f"# BLAST{'N' if result.letters == 'dna' else 'P'}-like: {result.program} "
            f"{result.version}",
            f"# Query: {one_line(result.query_id)}",
            f"# Database: {one_line(result.database)} ({_size(result)})",
            *(f"# Left out: {more}" for more in _more(result)),
            *([f"# Fields: {_FIELDS}"] if rows else []),
            f"# {len(rows)} hits found",
            *rows,
        ]
    return "\n".join([*lines, f"# BLAST processed {len(results)} queries", ""])


def _tsv_row(result: SearchResult, hit: Hit, hsp: Hsp) -> str:
    values = (
        _word(result.query_id),
        _word(hit.id),
        f"{hsp.identity:.3f}",
        hsp.align_length,
        hsp.mismatches,
        hsp.gap_opens,
        hsp.query_start,
        hsp.query_end,
        hsp.hit_start,
        hsp.hit_end,
        format_evalue(hsp.evalue),
        f"{hsp.bit_score:.1f}",
    )
    return "\t".join(map(str, values))


def _word(name: str) -> str:
    return escaped(re.sub(r"\s+", "_", name.strip())) or "unnamed"


def escaped(text: str) -> str:
    """Text in, a cell out that all TSV readers parse alike.

    ``#`` and quotes, which some readers take for a comment or a quoted cell, are
    percent-encoded as in a URL; so is a % that would be ambiguous.
    """
    return _TROUBLE.sub(lambda found: f"%{ord(found[0]):02X}", one_line(text))


def _more(result: SearchResult) -> Iterator[str]:
    """What the limits cut, in words."""
    limits = result.parameters
    if result.more_hits:
        yield f"more library sequences (--max-hits {limits.get('max_hits')})"
    if result.more_hsps:
        yield f"more alignments with a library sequence (--max-hsps {limits.get('max_hsps')})"


def _size(result: SearchResult) -> str:
    number = result.database_sequences
    said = f"{result.database_length:,} {result.unit} in {number:,} sequence"
    return said if number == 1 else f"{said}s"


def format_evalue(evalue: float) -> str:
    """An E-value in, two or three digits out: ``7.3e-06``, ``0.15``, ``9.2``."""
    if evalue == 0:
        return "0.0"
    return f"{evalue:.2e}" if evalue < 1e-3 else f"{evalue:.2g}"


def format_table(result: SearchResult, width: int | None = None, limit: int = 20) -> str:
    """A result in, a table like EBI's summary out: a row per hit, from its best HSP.

    Args:
        result: Of one query.
        width: Of the screen, if the table has to fit into it.
        limit: Most rows.
    """
    heads = ("DB:ID", "Source", "Length", "Score (Bits)", "Identities %", "Positives %", "E()")
    title = (
        f"{one_line(result.query_id)} ({result.query_length:,} {result.unit}"
        f"{_low_complexity(result)}) against {one_line(result.database)}, {_size(result)}"
    )
    lines = [wrapped(title, width)]
    if not result.hits:
        return f"{lines[0]}\nno hits with E() of {result.parameters.get('evalue', 10):g} or less\n"
    rows = [heads, *(_table_row(hit) for hit in result.hits[:limit])]
    lines += aligned(rows, width, right=range(2, len(heads)))
    if len(result.hits) > limit:
        lines.append(f"and {len(result.hits) - limit} more")
    lines += [wrapped(f"left out: {more}", width) for more in _more(result)]
    return "\n".join(lines) + "\n"


def _low_complexity(result: SearchResult) -> str:
    """The query's low-complexity share in words: repeats have hits in any repeats."""
    if result.masked is None:
        return ""
    masked = ", masked" if result.parameters.get("dust") and result.masked else ""
    return f", {100 * result.masked:.0f} % low-complexity{masked}"


def _table_row(hit: Hit) -> tuple[str, ...]:
    best = hit.hsps[0]
    said = one_line(hit.description or hit.organism or hit.source)
    if len(said) > _SOURCE_WIDTH:
        said = said[: _SOURCE_WIDTH - 1] + "…"
    return (
        _named(hit),
        said,
        f"{hit.length}",
        f"{best.bit_score:.1f}",
        f"{best.identity:.1f}",
        f"{best.positive:.1f}",
        format_evalue(best.evalue),
    )


def format_alignments(result: SearchResult) -> str:
    """A result in, every alignment in the form of BLAST's pairwise report out."""
    lines = [f"Query= {one_line(result.query_id)}", f"Length={result.query_length}", ""]
    lines += [f"Database: {one_line(result.database)} ({_size(result)})", ""]
    for hit in result.hits:
        described = f">{_named(hit)} {one_line(hit.description)}".rstrip()
        lines += [described, f"Length={hit.length}"]
        for hsp in hit.hsps:
            lines += ["", *map(one_line, format_alignment(hsp, result.letters))]
        if hit.more_hsps:
            lines += ["", f"more alignments: --max-hsps {result.parameters.get('max_hsps')}"]
        lines.append("")
    if result.more_hits:
        lines += [f"more library sequences: --max-hits {result.parameters.get('max_hits')}", ""]
    return "\n".join(lines)


def _named(hit: Hit) -> str:
    return one_line(f"{hit.database}:{hit.id}")


def format_alignment(hsp: Hsp, letters: Residues = "dna") -> Iterator[str]:
    """An alignment in, its lines in the form of BLAST's pairwise report out."""
    columns = max(1, hsp.align_length)
    yield (
        f" Score = {hsp.bit_score:.1f} bits ({hsp.score}),  Expect = {format_evalue(hsp.evalue)}"
    )
    shares = {"Identities": hsp.identity_count, "Positives": hsp.positive_count, "Gaps": hsp.gaps}
    if letters == "dna":
        del shares["Positives"]
    said = (f"{name} = {n}/{hsp.align_length} ({100 * n / columns:.0f}%)"
            for name, n in shares.items())  # fmt: skip
    yield f" {', '.join(said)}"
    if letters == "dna":
        strands = (hsp.query_strand, hsp.hit_strand)
        yield f" Strand={'/'.join('Plus' if s > 0 else 'Minus' for s in strands)}"
    width = len(str(max(hsp.query_end, hsp.hit_start, hsp.hit_end)))
    query, hit = hsp.query_start, hsp.hit_start
    for start in range(0, len(hsp.query_aligned), _LINE):
        yield ""
        rows = [
            row[start : start + _LINE] for row in (hsp.query_aligned, hsp.midline, hsp.hit_aligned)
        ]
        query_next = query + hsp.query_strand * (len(rows[0]) - rows[0].count("-"))
        hit_next = hit + hsp.hit_strand * (len(rows[2]) - rows[2].count("-"))
        yield f"Query  {query:<{width}}  {rows[0]}  {_last(query, query_next, hsp.query_strand)}"
        yield f"       {'':<{width}}  {rows[1]}".rstrip()
        yield f"Sbjct  {hit:<{width}}  {rows[2]}  {_last(hit, hit_next, hsp.hit_strand)}"
        query, hit = query_next, hit_next


def _last(first: int, following: int, strand: int) -> int:
    """Coordinate of a line's last residue; for a line of gaps alone, that of its first."""
    return first if first == following else following - strand
