"""Queries and search parameters in, hits and HSPs out: the model that all backends share, and
its TSV, table and alignment reports.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from seqforge.base.folders import write_atomically, write_json
from seqforge.base.messages import one_line
from seqforge.core.config import Count
from seqforge.domains.genome.similarity.evalues import KarlinAltschul, karlin_altschul
from seqforge.domains.genome.similarity.smith_waterman import Scoring
from seqforge.errors import ConfigError

Residues = Literal["dna", "protein"]
"""What queries and library are made of."""


class SearchOptions(BaseModel):
    """Whether samples are looked for among known sequences: ``[search]`` of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: Literal["local", "blast+", "ebi", "off"] = "local"
    """Here, with blastn, or at EMBL-EBI, which takes an address and a yes."""
    against: tuple[str, ...] = ()
    """Library files; none: the part of the input that is trained on."""
    database: str | None = None
    """What to search at EMBL-EBI; None: what is settled, else the invertebrate division."""
    controls: Literal["auto"] | Annotated[int, Field(ge=0, le=10**6)] = "auto"
    """Sequences of each kind of control a sample; 0 for none, ``auto`` for as many as are quick
    (at EMBL-EBI none)."""
    max_hits: Count = 50
    """Library sequences that are kept a sample."""
    max_hsps: Count = 5
    """Alignments that are kept with each of them."""


@dataclass(frozen=True)
class SearchParameters:
    """How a search scores and what it keeps; the defaults are EBI's for blastn, unmasked.

    Raises:
        ConfigError: If they make no sense, or blastn has no statistics for the scores.
    """

    reward: int = 1
    penalty: int = -3
    gap_open: int = 5
    gap_extend: int = 2
    """A gap of length k costs ``gap_open + k * gap_extend``."""
    evalue: float = 10.0
    """Worse HSPs are left out."""
    max_hits: int = 50
    """Library sequences a query."""
    max_hsps: int = 5
    """Alignments a library sequence, both strands together."""
    dust: bool = False
    """Whether low-complexity stretches of the query are masked."""

    def __post_init__(self) -> None:
        karlin_altschul(self.reward, self.penalty, self.gap_open, self.gap_extend)
        if not 1e-250 <= self.evalue <= 1e12:
            raise ConfigError(
                f"the E-value limit must lie between 1e-250 and 1e12, not {self.evalue:g}"
            )
        if min(self.max_hits, self.max_hsps) < 1:
            raise ConfigError(
                "at least one hit and one HSP a hit must be kept (--max-hits, --max-hsps)"
            )

    def said(self) -> str:
        """How it scores, in words."""
        masked = "masked" if self.dust else "not masked"
        scores = f"{self.reward},{self.penalty} and {self.gap_open},{self.gap_extend}"
        return (
            f"rewards and gaps: {scores}; "
            f"low-complexity sequence {masked}; hits up to E = {self.evalue:g}, at most "
            f"{self.max_hits:,} sequences a query and {self.max_hsps:,} alignments with each"
        )

    @property
    def statistics(self) -> KarlinAltschul:
        """The parameters of its E-values."""
        return karlin_altschul(self.reward, self.penalty, self.gap_open, self.gap_extend)

    def statistics_for(self, bases: bytes) -> KarlinAltschul:
        """Those of a query's E-values: its ambiguity codes, but not its N, count as in blastn.

        Args:
            bases: Letters of `smith_waterman.ALPHABET`.
        """
        codes = Counter(bases.translate(None, b"N").decode("ascii"))
        if not codes.keys() - set("ACGT") or not codes.keys() & set("ACGT"):
            return self.statistics
        chances: Counter[int] = Counter()
        for letter, count in codes.items():
            for base in "ACGT":
                chances[self.scoring.pair(letter, base)] += count
        total = 4 * codes.total()
        shares = tuple(sorted((score, count / total) for score, count in chances.items()))
        return karlin_altschul(self.reward, self.penalty, self.gap_open, self.gap_extend, shares)

    @property
    def scoring(self) -> Scoring:
        """What pairs and gaps are worth."""
        return Scoring(self.reward, self.penalty, self.gap_open, self.gap_extend)


@dataclass(frozen=True)
class Query:
    """A sequence to look for. Of DNA U is read as T, and IUPAC codes score as in blastn."""

    id: str
    bases: str


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


_FIELDS = (
    "query acc.ver, subject acc.ver, % identity, alignment length, mismatches, gap opens, "
    "q. start, q. end, s. start, s. end, evalue, bit score"
)
_TROUBLE = re.compile("[#\"']|%(?=[0-9A-Fa-f]{2})")
_SOURCE_WIDTH = 40
_LINE = 60


def write_hits(results: Sequence[SearchResult], folder: Path) -> list[Path]:
    """Write ``hits.tsv`` and ``hits.json``; returns their paths.

    Raises:
        RunError: If the disk refuses.
    """
    table, document = folder / "hits.tsv", folder / "hits.json"
    write_atomically(table, format_tsv(results).encode())
    write_json(document, to_json(results))
    return [table, document]


def format_tsv(results: Sequence[SearchResult]) -> str:
    """BLAST's tabular format with comment lines (-outfmt 7): its twelve columns, a line an HSP.

    Biopython reads it as ``blast-tab`` with ``comments=True``, and without the lines that begin
    with ``#`` as it is.
    """
    lines: list[str] = []
    for result in results:
        rows = [_tsv_row(result, hit, hsp) for hit in result.hits for hsp in hit.hsps]
        lines += [
            f"# BLASTN-like: {result.program} {result.version}",
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
    """A cell that every reader of tables takes for what it is.

    A ``#`` begins a comment for many, quotes begin a cell that may hold line breaks: they become
    %23, %22 and %27, as in a URL, and a % that would then be taken for one %25.
    """
    return _TROUBLE.sub(lambda found: f"%{ord(found[0]):02X}", one_line(text))


def _more(result: SearchResult) -> Iterator[str]:
    """What the limits left out."""
    limits = result.parameters
    if result.more_hits:
        yield f"more library sequences (--max-hits {limits.get('max_hits')})"
    if result.more_hsps:
        yield f"more alignments with a library sequence (--max-hsps {limits.get('max_hsps')})"


def _size(result: SearchResult) -> str:
    plural = "" if result.database_sequences == 1 else "s"
    return f"{result.database_length:,} bases in {result.database_sequences:,} sequence{plural}"


def format_evalue(evalue: float) -> str:
    """An E-value with two or three digits: ``7.3e-06``, ``0.15``, ``9.2``."""
    if evalue == 0:
        return "0.0"
    return f"{evalue:.2e}" if evalue < 1e-3 else f"{evalue:.2g}"


def format_table(result: SearchResult, limit: int = 20) -> str:
    """The hits in the columns of EBI's summary table, a line a hit, its best HSP first."""
    heads = ("DB:ID", "Source", "Length", "Score (Bits)", "Identities %", "Positives %", "E()")
    rows = [heads, *(_table_row(hit) for hit in result.hits[:limit])]
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    lines = [
        f"{one_line(result.query_id)} ({result.query_length:,} bases{_low_complexity(result)}) "
        f"against {one_line(result.database)}, {_size(result)}"
    ]
    if not result.hits:
        return f"{lines[0]}\nno hits with E() of {result.parameters.get('evalue', 10):g} or less\n"
    for row in rows:
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    if len(result.hits) > limit:
        lines.append(f"and {len(result.hits) - limit} more")
    lines += [f"left out: {more}" for more in _more(result)]
    return "\n".join(lines) + "\n"


def _low_complexity(result: SearchResult) -> str:
    """Said always where it is known: what repeats itself finds what repeats itself."""
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
    """Every HSP with its alignment, as BLAST's pairwise report shows it."""
    lines = [f"Query= {one_line(result.query_id)}", f"Length={result.query_length}", ""]
    lines += [f"Database: {one_line(result.database)} ({_size(result)})", ""]
    for hit in result.hits:
        described = f">{_named(hit)} {one_line(hit.description)}".rstrip()
        lines += [described, f"Length={hit.length}"]
        for hsp in hit.hsps:
            lines += ["", *map(one_line, _alignment(hsp))]
        if hit.more_hsps:
            lines += ["", f"more alignments: --max-hsps {result.parameters.get('max_hsps')}"]
        lines.append("")
    if result.more_hits:
        lines += [f"more library sequences: --max-hits {result.parameters.get('max_hits')}", ""]
    return "\n".join(lines)


def _named(hit: Hit) -> str:
    return one_line(f"{hit.database}:{hit.id}")


def _alignment(hsp: Hsp) -> Iterator[str]:
    columns = hsp.align_length
    strands = "/".join("Plus" if s > 0 else "Minus" for s in (hsp.query_strand, hsp.hit_strand))
    yield (
        f" Score = {hsp.bit_score:.1f} bits ({hsp.score}),  Expect = {format_evalue(hsp.evalue)}"
    )
    yield (
        f" Identities = {hsp.identity_count}/{columns} ({hsp.identity:.0f}%), "
        f"Gaps = {hsp.gaps}/{columns} ({100 * hsp.gaps / max(1, columns):.0f}%)"
    )
    yield f" Strand={strands}"
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
    """The place of a line's last letter; a line of gaps alone repeats where it began."""
    return first if first == following else following - strand
