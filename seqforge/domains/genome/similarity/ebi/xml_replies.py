"""EMBL-EBI's XML of a similarity search, with or without its namespace, every child optional."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from seqforge.domains.genome.similarity.ebi.failures import Unreadable
from seqforge.domains.genome.similarity.ebi.markup import parse_xml, said
from seqforge.domains.genome.similarity.ebi.replies import Asked, known, organism_of
from seqforge.domains.genome.similarity.ebi.segments import Segment, whole
from seqforge.domains.genome.similarity.hits import Hit, SearchResult


def parse_application_result(body: bytes, asked: Asked) -> SearchResult:
    """Read an ``EBIApplicationResult``.

    Raises:
        Unreadable: If it is another document, or not all of one.
    """
    root = parse_xml(body)
    if root.tag != "EBIApplicationResult":
        raise Unreadable(f"the reply is XML but no result: {said(body)}")
    program = root.find("Header/program")
    sizes = root.find("Header/parameters/databases")
    times = root.find("Header/timeInfo")
    return asked.result(
        [found for hit in root.iter("hit") if (found := _hit(hit)).hsps],
        ("", "") if sizes is None else (sizes.get("letters"), sizes.get("sequences")),
        program="" if program is None else program.get("name", ""),
        version="" if program is None else program.get("version", ""),
        when="" if times is None else times.get("end", "") or times.get("start", ""),
    )


def _hit(element: Element) -> Hit:
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
        length=whole(element.get("length")),
        source="",
        hsps=tuple(_segment(part).hsp() for part in element.iter("alignment")),
    )


def _segment(element: Element) -> Segment:
    query, hit = element.find("querySeq"), element.find("matchSeq")
    expectation = element.findtext("expectation")
    if expectation is None:
        raise Unreadable("an alignment of the reply has no expectation")
    rows = (element.findtext(tag) or "" for tag in ("querySeq", "pattern", "matchSeq"))
    query_row, midline, hit_row = rows
    overlap = element.findtext("overlap")
    return Segment(
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
