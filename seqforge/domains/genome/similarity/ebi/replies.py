"""The service's replies as search results: JSON, else XML, else the program's own text."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from seqforge.base.printable import one_line
from seqforge.domains.genome.similarity.ebi.failures import Unreadable
from seqforge.domains.genome.similarity.ebi.markup import parse_json as read_json
from seqforge.domains.genome.similarity.ebi.markup import said
from seqforge.domains.genome.similarity.ebi.segments import Segment, whole
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
class Asked:
    """What is known of a search before its reply is read."""

    query_id: str
    query_length: int
    tool: str
    program: str
    database: str
    when: str
    """Used where the reply does not say."""
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
        """The search with what it found; ``size`` is the library's letters and sequences."""
        return SearchResult(
            query_id=self.query_id,
            query_length=self.query_length,
            program=program or self.program,
            version=f"{version or 'of unknown version'} (EMBL-EBI {self.tool})",
            database=self.database,
            database_length=whole(size[0]),
            database_sequences=whole(size[1]),
            when=iso_date(when) or self.when,
            parameters=dict(self.parameters),
            hits=tuple(hits),
        )


def parse_reply(kind: str, body: bytes, asked: Asked) -> SearchResult:
    """Read a result of one of `KINDS`.

    Raises:
        Unreadable: If it is not that: truncated, a web page, another document.
    """
    from seqforge.domains.genome.similarity.ebi.text_replies import parse_text
    from seqforge.domains.genome.similarity.ebi.xml_replies import parse_application_result

    readers = {"json": parse_json, "xml": parse_application_result, "out": parse_text}
    try:
        return readers[kind](body, asked)
    except (
        AttributeError, LookupError, TypeError, ValueError, ArithmeticError, RecursionError
    ) as error:  # fmt: skip
        raise Unreadable(f"the {kind} reply has another shape than it should: {error}") from error


def parse_json(body: bytes, asked: Asked) -> SearchResult:
    """The JSON of ncbiblast and of fasta.

    Raises:
        Unreadable: If it is no such document.
    """
    data = read_json(body)
    if not isinstance(data, dict) or not isinstance(data.get("hits"), list):
        raise Unreadable(f"the reply is JSON without hits: {said(body)}")
    return asked.result(
        [found for hit in data["hits"] if (found := _hit(hit)).hsps],
        (data.get("db_len"), data.get("db_num")),
        program=known(data.get("program")),
        version=known(data.get("version")),
        when=str(data.get("end") or data.get("start") or ""),
    )


def _hit(data: Mapping[str, Any]) -> Hit:
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
        length=whole(data.get("hit_len")),
        source=known(data.get("hit_url")) or known(data.get("hit_dbfetch_url")),
        hsps=tuple(_segment(hsp).hsp() for hsp in data.get("hit_hsps") or ()),
    )


def _segment(data: Mapping[str, Any]) -> Segment:
    query, hit = (
        (data["hsp_query_from"], data["hsp_query_to"]),
        (
            data["hsp_hit_from"],
            data["hsp_hit_to"],
        ),
    )
    strands = str(data.get("hsp_strand") or "")
    if "none" in strands or not strands:
        strands = f"{data.get('hsp_query_frame', '')}/{data.get('hsp_hit_frame', '')}"
    shown = data.get("hsp_query_display_from")
    return Segment(
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
        rows=tuple(str(data.get(f"hsp_{row}seq") or "") for row in "qmh"),  # type: ignore[arg-type]
        context=abs(whole(query[0]) - whole(shown)) if shown is not None else 0,
    )


def known(value: Any) -> str:
    """A text of the reply; its ``NA`` is nothing."""
    text = "" if value is None else one_line(" ".join(str(value).split()))
    return "" if text == "NA" else text


def organism_of(description: str) -> str:
    """The organism that a description names, where that can be told, else nothing.

    UniProt's say ``OS=``; ENA's begin with the organism's two words.
    """
    if found := _UNIPROT.search(description):
        return found[1].strip()
    found = _ENA.match(description)
    if found is None or found[1].split()[1] in _NO_SPECIES:
        return ""
    return found[1]


def iso_date(text: str) -> str:
    """A date as ISO 8601 with its zone, from both of the service's styles; else nothing."""
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
