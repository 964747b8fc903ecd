"""The programs' own reports, the last resort: the summary table, and what the alignments add.

A hit that stands in the table alone has its id, bits and E-value; its counts and places are 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from seqforge.domains.genome.similarity.ebi.failures import Unreadable
from seqforge.domains.genome.similarity.ebi.markup import as_text, said
from seqforge.domains.genome.similarity.ebi.replies import Asked, organism_of
from seqforge.domains.genome.similarity.ebi.segments import Segment, number, whole
from seqforge.domains.genome.similarity.hits import Hit, SearchResult

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


def parse_text(body: bytes, asked: Asked) -> SearchResult:
    """Read BLAST's pairwise report, or that of a program of the FASTA package.

    Raises:
        Unreadable: If it is neither, or has no table and does not say that nothing was found.
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
        raise Unreadable(f"the reply is no report of a search: {said(body)}")
    if not hits and not _NONE.search(text):
        raise Unreadable("the report has neither a table of hits nor says that there are none")
    return asked.result(hits, (letters, sequences), version=version)


def _short_lines(text: str) -> str:
    """Without lines longer than any report's, over which the patterns would take for ever."""
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
            segments = list(_blast_segments(section)) or [Segment(bits=bits, evalue=_power(evalue))]
            length = re.search(r"^Length *= *(\d+)", section, re.MULTILINE)
            if section:
                title = " ".join(section.partition("\nLength")[0].split()[1:])
            yield _hit(name, title, length[1] if length else "", segments)


def _blast_row(line: str) -> tuple[str, str, str, str] | None:
    """Name, title, bits and E-value of a row of the table; a count of HSPs may stand after them."""
    words = line.split()
    for after in (1, 0):
        numbers = words[len(words) - 2 - after :]
        if len(words) < 3 + after or not all(map(_NUMBER.fullmatch, numbers[:2])):
            continue
        if after and not numbers[2].isdigit():
            continue
        return words[0], " ".join(words[1 : -2 - after]), numbers[0], numbers[1]
    return None


def _blast_segments(section: str) -> Iterator[Segment]:
    for part in re.split(r"(?=^ Score = )", section, flags=re.MULTILINE)[1:]:
        found = _BLAST_ALIGNMENT.match(part, 1)
        if found is None:
            continue
        lines = _BLAST_LINE.findall(part)
        query, hit = ([line for line in lines if line[0] == name] for name in ("Query", "Sbjct"))
        if not query or not hit:
            continue
        columns = whole(found["columns"])
        yield Segment(
            score=found["score"],
            bits=found["bits"],
            evalue=_power(found["e"]),
            identity=100 * whole(found["same"]) / columns,
            positive=100 * whole(found["alike"]) / columns if found["alike"] else None,
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
            hit = _hit(name, title, length, [segment])
            # The table cuts titles: an organism's name may have lost its end.
            yield hit if found else replace(hit, organism="")


def _fasta_segment(
    score: str, bits: str, evalue: str, frame: str | None, found: re.Match[str] | None
) -> Segment:
    strands = f"{frame or ''}/"
    if found is None:
        return Segment(score=score, bits=bits, evalue=evalue, strands=strands)
    return Segment(
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


def _hit(name: str, title: str | None, length: str, segments: list[Segment]) -> Hit:
    database, _, identifier = name.rpartition(":")
    description = (title or "").strip()
    return Hit(
        database=database,
        id=identifier,
        accession=identifier,
        description=description,
        organism=organism_of(description),
        length=whole(length),
        source="",
        hsps=tuple(segment.hsp() for segment in segments),
    )


def _power(evalue: str) -> float:
    """BLAST writes ``e-178`` for 1e-178."""
    return number(f"1{evalue}" if evalue.startswith("e") else evalue)
