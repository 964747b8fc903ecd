"""A raw reply (JSON, XML or program output) in, a search result out."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from xml.etree.ElementTree import Element

from seqforge.base.messages import one_line
from seqforge.domains.genome.ebi.errors import Unreadable, as_text, page_text, parse_xml
from seqforge.domains.genome.ebi.errors import parse_json as read_json
from seqforge.domains.genome.ebi.hsp_parser import HspFields, complete_hsp, number
from seqforge.domains.genome.similarity.hits import Hit, SearchResult

KINDS = ("json", "xml", "out")
"""What a result is asked for as, best first."""

_OLD_DATE = re.compile(r"(\d\d)/(\d\d)/(\d{4}) (\d\d:\d\d:\d\d)(?: ([A-Z]{1,5}))?")
_ZONES = {"BST": 1, "GMT": 0, "UTC": 0}
_UNIPROT = re.compile(r"\bOS=(.+?)(?= [A-Z]{2}=|$)")
# ENA's descriptions begin with the organism, after the accession with its version.
_ENA = re.compile(
    r"(?:\S+\.\d+ )?(?:(?:PREDICTED|TPA|TPA_asm|TPA_inf|TSA|UNVERIFIED): ?)*"
    r"([A-Z][a-z]{2,} (?:sp\.|cf\.|aff\.|[a-z]{3,}))(?=[ ,]|$)"
)
_NO_SPECIES = frozenset(
    (
        "and",
        "chromosome",
        "clone",
        "complete",
        "for",
        "from",
        "gene",
        "genes",
        "genomic",
        "genome",
        "mitochondrial",
        "mitochondrion",
        "partial",
        "plasmid",
        "protein",
        "repeat",
        "ribosomal",
        "sequence",
        "the",
        "virus",
        "with",
    )
)


@dataclass(frozen=True)
class QueryContext:
    """Properties of a search that are known before its reply is parsed."""

    query_id: str
    query_length: int
    tool: str
    program: str
    database: str
    when: str
    """Used if the reply has no date."""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def result(
        self,
        hits: Sequence[Hit],
        size: tuple[Any, Any],
        *,
        program: str = "",
        version: str = "",
        when: str = "",
    ) -> SearchResult:
        """Hits and library size (residues, sequences) in, the search result out."""
        return SearchResult(
            query_id=self.query_id,
            query_length=self.query_length,
            program=program or self.program,
            version=f"{version or 'of unknown version'} (EMBL-EBI {self.tool})",
            database=self.database,
            database_length=complete_hsp(size[0]),
            database_sequences=complete_hsp(size[1]),
            when=iso_date(when) or self.when,
            parameters=dict(self.parameters),
            hits=tuple(hits),
        )


def parse_reply(kind: str, body: bytes, asked: QueryContext) -> SearchResult:
    """A raw reply of one of `KINDS` in, the search result out.

    Raises:
        Unreadable: If it is truncated, a web page or another document.
    """
    readers = {"json": parse_json, "xml": parse_application_result, "out": parse_text}
    try:
        return readers[kind](body, asked)
    except (
        AttributeError, LookupError, TypeError, ValueError, ArithmeticError, RecursionError
    ) as error:  # fmt: skip
        raise Unreadable(f"the {kind} reply has another shape than it should: {error}") from error


def parse_json(body: bytes, asked: QueryContext) -> SearchResult:
    """The JSON of ncbiblast or fasta in, the search result out.

    Raises:
        Unreadable: If it is another document.
    """
    data = read_json(body)
    if not isinstance(data, dict) or not isinstance(data.get("hits"), list):
        raise Unreadable(f"the reply is JSON without hits: {page_text(body)}")
    return asked.result(
        [found for hit in data["hits"] if (found := _json_hit(hit)).hsps],
        (data.get("db_len"), data.get("db_num")),
        program=known(data.get("program")),
        version=known(data.get("version")),
        when=str(data.get("end") or data.get("start") or ""),
    )


def _json_hit(data: Mapping[str, Any]) -> Hit:
    description = html.unescape(known(data.get("hit_desc")) or known(data.get("hit_def")))
    identifier = known(data.get("hit_id")) or known(data.get("hit_acc"))
    if not identifier:
        raise Unreadable("a hit of the reply has neither an id nor an accession")
    return Hit(
        database=known(data.get("hit_db")),
        id=identifier,
        accession=known(data.get("hit_acc")) or identifier,
        description=description,
        organism=known(data.get("hit_os")) or organism_of(description),
        length=complete_hsp(data.get("hit_len")),
        source=known(data.get("hit_url")) or known(data.get("hit_dbfetch_url")),
        hsps=tuple(_json_hsp(hsp).hsp() for hsp in data.get("hit_hsps") or ()),
    )


def _json_hsp(data: Mapping[str, Any]) -> HspFields:
    query = (data["hsp_query_from"], data["hsp_query_to"])
    hit = (data["hsp_hit_from"], data["hsp_hit_to"])
    above, middle, below = (str(data.get(f"hsp_{row}seq") or "") for row in "qmh")
    strands = str(data.get("hsp_strand") or "")
    if "none" in strands or not strands:
        strands = f"{data.get('hsp_query_frame', '')}/{data.get('hsp_hit_frame', '')}"
    shown = data.get("hsp_query_display_from")
    return HspFields(
        score=data.get("hsp_score"),
        bits=data.get("hsp_bit_score"),
        evalue=data["hsp_expect"],
        identity=data.get("hsp_identity"),
        positive=data.get("hsp_positive"),
        gaps=data.get("hsp_gaps"),
        columns=data.get("hsp_overlap") or data.get("hsp_align_len"),
        strands=strands,
        query=query,
        hit=hit,
        rows=(above, middle, below),
        context=abs(complete_hsp(query[0]) - complete_hsp(shown)) if shown is not None else 0,
    )


def known(value: Any) -> str:
    """A value of a reply in, its text on one line out; empty for ``NA``."""
    text = "" if value is None else one_line(" ".join(str(value).split()))
    return "" if text == "NA" else text


def organism_of(description: str) -> str:
    """A sequence's description in, its organism out; empty if unknown.

    UniProt marks it with ``OS=``; ENA's descriptions begin with the binomial name.
    """
    if found := _UNIPROT.search(description):
        return found[1].strip()
    found = _ENA.match(description)
    if found is None or found[1].split()[1] in _NO_SPECIES:
        return ""
    return found[1]


def iso_date(text: str) -> str:
    """A date in one of the service's two styles in, ISO 8601 with time zone out; else empty."""
    if found := _OLD_DATE.fullmatch(text.strip()):
        day, month, year, clock, zone = found.groups()
        hours = _ZONES.get(zone or "UTC")
        if hours is None:
            return ""
        text = f"{year}-{month}-{day}T{clock}"
        shift = timezone(timedelta(hours=hours)) if hours else UTC
    else:
        shift = UTC
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return ""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=shift)
    return moment.isoformat(timespec="seconds")


def parse_application_result(body: bytes, asked: QueryContext) -> SearchResult:
    """The XML ``EBIApplicationResult`` in, the search result out.

    Raises:
        Unreadable: If it is another document or truncated.
    """
    root = parse_xml(body)
    if root.tag != "EBIApplicationResult":
        raise Unreadable(f"the reply is XML but no result: {page_text(body)}")
    program = root.find("Header/program")
    sizes = root.find("Header/parameters/databases")
    times = root.find("Header/timeInfo")
    return asked.result(
        [found for hit in root.iter("hit") if (found := _xml_hit(hit)).hsps],
        ("", "") if sizes is None else (sizes.get("letters"), sizes.get("sequences")),
        program="" if program is None else program.get("name", ""),
        version="" if program is None else program.get("version", ""),
        when="" if times is None else times.get("end", "") or times.get("start", ""),
    )


def _xml_hit(element: Element) -> Hit:
    identifier = known(element.get("id")) or known(element.get("ac"))
    if not identifier:
        raise Unreadable("a hit of the reply has neither an id nor an accession")
    description = known(element.get("description"))
    return Hit(
        database=known(element.get("database")),
        id=identifier,
        accession=known(element.get("ac")) or identifier,
        description=description,
        organism=organism_of(description),
        length=complete_hsp(element.get("length")),
        source="",
        hsps=tuple(_xml_hsp(part).hsp() for part in element.iter("alignment")),
    )


def _xml_hsp(element: Element) -> HspFields:
    query, hit = element.find("querySeq"), element.find("matchSeq")
    expectation = element.findtext("expectation")
    if expectation is None:
        raise Unreadable("an alignment of the reply has no expectation")
    rows = (element.findtext(tag) or "" for tag in ("querySeq", "pattern", "matchSeq"))
    query_row, midline, hit_row = rows
    overlap = element.findtext("overlap")
    return HspFields(
        score=element.findtext("score"),
        bits=element.findtext("bits"),
        evalue=expectation,
        identity=element.findtext("identity"),
        positive=element.findtext("positives"),
        gaps=element.findtext("gaps"),
        columns=overlap or len(query_row),
        strands=(element.findtext("strand") or "").replace("none", ""),
        query=(None, None) if query is None else (query.get("start"), query.get("end")),
        hit=(None, None) if hit is None else (hit.get("start"), hit.get("end")),
        rows=(query_row, midline.ljust(len(query_row)), hit_row),
    )


_BLAST = re.compile(r"^(T?BLAST[NPX]) (\S+)", re.MULTILINE)
_FASTA = re.compile(r"^ *version (\S+.*)$", re.MULTILINE)
_BLAST_SIZE = re.compile(r"(?<![\d,])([\d,]{1,26}) sequences; ([\d,]{1,26}) total letters")
_FASTA_SIZE = re.compile(r"^ *(\d+) residues in +(\d+) sequences", re.MULTILINE)
_NONE = re.compile(r"No hits found|No sequences with E|!! No ", re.IGNORECASE)
_FLOAT = r"[\d.]+(?:e[-+]?\d+)?|e-\d+"
_NUMBER = re.compile(_FLOAT)
_FASTA_NUMBERS = re.compile(rf"\( *(\d+)\) *(?:\[([fr])\])? +(\d+) +({_FLOAT}) +({_FLOAT})")
_FASTA_ALIGNMENT = re.compile(
    r"score: *(?P<score>\d+); +(?P<identity>[\d.]+)% identity"
    r"(?: \((?P<positive>[\d.]+)% similar\))? in (?P<overlap>\d+) (?:nt|aa) overlap "
    r"\((?P<q1>\d+)-(?P<q2>\d+):(?P<h1>\d+)-(?P<h2>\d+)\)"
)
_BLAST_ALIGNMENT = re.compile(
    rf"Score = +(?P<bits>{_FLOAT}) bits \((?P<score>\d+)\), +Expect(?:\(\d+\))? = +(?P<e>{_FLOAT})"
    r".*?Identities = (?P<same>\d+)/(?P<columns>\d+)(?:.*?Positives = (?P<alike>\d+)/)?"
    r"(?:.*?Strand=(?P<strand>\w+/\w+))?",
    re.DOTALL,
)
_LONGEST_LINE, _LONGEST_REPORT = 500, 1 << 24
_BLAST_LINE = re.compile(r"^(Query|Sbjct) +(\d+) +(\S+) +(\d+)$", re.MULTILINE)


def parse_text(body: bytes, asked: QueryContext) -> SearchResult:
    """A pairwise report of BLAST or of a FASTA program in, the search result out.

    Raises:
        Unreadable: If it is neither, or has no hit table and does not state that there are no hits.
    """
    text = _short_lines(as_text(body).replace("\r\n", "\n"))
    if found := _BLAST.search(text):
        size = _BLAST_SIZE.search(text)
        letters, sequences = (size[2], size[1]) if size else ("", "")
        hits, version = list(_blast_hits(text)), found[2]
    elif found := _FASTA.search(text):
        size = _FASTA_SIZE.search(text)
        letters, sequences = (size[1], size[2]) if size else ("", "")
        hits, version = list(_fasta_hits(text)), found[1].strip()
    else:
        raise Unreadable(f"the reply is no report of a search: {page_text(body)}")
    if not hits and not _NONE.search(text):
        raise Unreadable("the report has neither a table of hits nor says that there are none")
    return asked.result(hits, (letters, sequences), version=version)


def _short_lines(text: str) -> str:
    """The text without over-long lines, on which the patterns would take too long."""
    if len(text) > _LONGEST_REPORT:
        raise Unreadable(f"the report has more than {_LONGEST_REPORT:,} characters")
    return "\n".join(line[:_LONGEST_LINE] for line in text.split("\n"))


def _blast_hits(text: str) -> Iterator[Hit]:
    head, _, table = text.partition("Sequences producing significant alignments")
    sections = {part.split(None, 1)[0]: part for part in re.split(r"^>", text, flags=re.M)[1:]}
    rows = table.partition("\n\n")[2].partition("\n\n")[0] if table else head[:0]
    for line in rows.splitlines():
        if row := _blast_row(line):
            name, title, bits, evalue = row
            section = sections.pop(name, "")
            segments = list(_blast_segments(section)) or [
                HspFields(bits=bits, evalue=_power(evalue))
            ]
            length = re.search(r"^Length *= *(\d+)", section, re.MULTILINE)
            if section:
                title = " ".join(section.partition("\nLength")[0].split()[1:])
            yield _text_hit(name, title, length[1] if length else "", segments)


def _blast_row(line: str) -> tuple[str, str, str, str] | None:
    """Name, title, bits and E-value of a row of the hit table; an HSP count may follow them."""
    words = line.split()
    for after in (1, 0):
        numbers = words[len(words) - 2 - after :]
        if len(words) < 3 + after or not all(map(_NUMBER.fullmatch, numbers[:2])):
            continue
        if after and not numbers[2].isdigit():
            continue
        return words[0], " ".join(words[1 : -2 - after]), numbers[0], numbers[1]
    return None


def _blast_segments(section: str) -> Iterator[HspFields]:
    for part in re.split(r"(?=^ Score = )", section, flags=re.MULTILINE)[1:]:
        found = _BLAST_ALIGNMENT.match(part, 1)
        if found is None:
            continue
        lines = _BLAST_LINE.findall(part)
        query, hit = ([line for line in lines if line[0] == name] for name in ("Query", "Sbjct"))
        if not query or not hit:
            continue
        columns = complete_hsp(found["columns"])
        yield HspFields(
            score=found["score"],
            bits=found["bits"],
            evalue=_power(found["e"]),
            identity=100 * complete_hsp(found["same"]) / columns,
            positive=100 * complete_hsp(found["alike"]) / columns if found["alike"] else None,
            columns=columns,
            strands=found["strand"] or "",
            query=(query[0][1], query[-1][3]),
            hit=(hit[0][1], hit[-1][3]),
            rows=("".join(line[2] for line in query), "", "".join(line[2] for line in hit)),
        )


def _fasta_hits(text: str) -> Iterator[Hit]:
    table = text.partition("The best scores are:")[2].partition("\n>>")[0]
    details = iter(re.split(r"^>>(?!>)", text, flags=re.MULTILINE)[1:])
    for line in table.splitlines()[1:]:
        head, _, tail = line.strip().rpartition("(")
        name, _, title = head.strip().partition(" ")
        if name and (row := _FASTA_NUMBERS.fullmatch(f"({tail}")):
            length, frame, score, bits, evalue = row.groups()
            detail = next(details, "")
            found = _FASTA_ALIGNMENT.search(detail) if detail.startswith(name) else None
            if found:
                title = " ".join(detail.partition(f"({length} ")[0].split()[1:])
            segment = _fasta_segment(score, bits, evalue, frame, found)
            hit = _text_hit(name, title, length, [segment])
            # The table truncates titles: the organism's name may be cut.
            yield hit if found else replace(hit, organism="")


def _fasta_segment(
    score: str, bits: str, evalue: str, frame: str | None, found: re.Match[str] | None
) -> HspFields:
    strands = f"{frame or ''}/"
    if found is None:
        return HspFields(score=score, bits=bits, evalue=evalue, strands=strands)
    return HspFields(
        score=score,
        bits=bits,
        evalue=evalue,
        identity=found["identity"],
        positive=found["positive"],
        columns=found["overlap"],
        strands=strands,
        query=(found["q1"], found["q2"]),
        hit=(found["h1"], found["h2"]),
    )


def _text_hit(name: str, title: str | None, length: str, segments: list[HspFields]) -> Hit:
    database, _, identifier = name.rpartition(":")
    description = (title or "").strip()
    return Hit(
        database=database,
        id=identifier,
        accession=identifier,
        description=description,
        organism=organism_of(description),
        length=complete_hsp(length),
        source="",
        hsps=tuple(segment.hsp() for segment in segments),
    )


def _power(evalue: str) -> float:
    """BLAST writes ``e-178`` for 1e-178."""
    return number(f"1{evalue}" if evalue.startswith("e") else evalue)
