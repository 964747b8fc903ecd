"""What the service makes of a search: JSON, XML, text, ids; ncbiblast's way and fasta's."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tests.ebi_double.searching import Found, parts_of
from tests.ebi_double.wire import XML, Style

_NS = "http://www.ebi.ac.uk/schema"
_ENA = "https://www.ebi.ac.uk/ena/browser/view/"
_SEARCH = "https://www.ebi.ac.uk/ebisearch/search.ebi?db=nucleotideSequences&query="
_FETCH = "https://www.ebi.ac.uk/Tools/dbfetch/dbfetch?style=raw;db=ena_sequence;id="
_FLANK = 30


@dataclass(frozen=True)
class Finished:
    """A search that is done, and what the reports say of it besides."""

    tool: str
    job_id: str
    database: tuple[str, ...]
    form: dict[str, str]
    started: float
    ended: float
    found: Found
    command: str

    @property
    def program(self) -> str:
        """What the service calls it."""
        return self.found.version.split()[0].lower() if self.tool == "ncbiblast" else "fasta36"

    @property
    def stype(self) -> str:
        """What query and databases are made of."""
        return "protein" if self.program == "blastp" else "nucleotide"


def as_json(done: Finished, style: Style) -> bytes:
    """The document of the type ``json``."""
    found, blast, kind = done.found, done.tool == "ncbiblast", done.stype
    document: dict[str, Any] = {
        "program": done.program,
        "version": found.version,
        "command": html.escape(done.command),
        "query_def": found.query.name,
        **{f"query_{key}": "NA" for key in ("db", "id", "acc", "desc", "url", "os")},
        "query_stype": kind,
        "query_len": len(found.query.letters),
        "db_count": len(done.database),
        "db_num": found.sequences,
        "db_len": found.letters,
        "dbs": [
            {"name": name, "stype": kind, "created": date(done.started, style)}
            for name in done.database
        ],
        "alignments": int(done.form["alignments"]),
        "scores": int(done.form["scores"]),
        "expect_upper": float(done.form["exp"]),
        "filter": done.form["filter"],
        "gap_extend": float(done.form["gapext"]),
        "gap_open": float(done.form["gapopen"]),
        **({} if blast else _fasta_options(done)),
        "start": date(done.started, style),
        "end": date(done.ended, style),
        "search": _duration(done, style),
        "hits": [_hit(done, number, hit, style) for number, hit in enumerate(found.hits, 1)],
    }
    return json.dumps(document, indent=2).encode()


def _fasta_options(done: Finished) -> dict[str, Any]:
    return {
        "expect_lower": 0.0,
        "dbrange": "START-END",
        "ktup": int(done.form["ktup"]),
        "statistics": "1",
        "strand": "both",
        "histogram": False,
    }


def date(seconds: float, style: Style) -> str:
    """ISO 8601, or as it was until 2022."""
    moment = datetime.fromtimestamp(int(seconds), UTC)
    return moment.strftime("%d/%m/%Y %H:%M:%S GMT") if style.old_dates else moment.isoformat()


def _duration(done: Finished, style: Style) -> str:
    seconds = done.ended - done.started
    whole = int(seconds)
    if style.old_dates:
        return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"P0Y0M0DT0H0M{seconds:.3f}S"


def _hit(done: Finished, number: int, hit: dict[str, Any], style: Style) -> dict[str, Any]:
    database, id_, description = parts_of(hit["title"], done.database[0])
    write = _blast_hsp if done.tool == "ncbiblast" else _fasta_hsp
    return {
        "hit_num": number,
        "hit_def": f"{database}:{id_} {description}".strip(),
        "hit_db": database,
        "hit_id": id_,
        "hit_acc": id_,
        "hit_desc": description,
        "hit_url": _ENA + id_,
        "hit_xref_url": _SEARCH + id_,
        **({"hit_dbfetch_url": _FETCH + id_} if style.dbfetch else {}),
        "hit_os": " ".join(description.split()[1:3]) if style.organisms else "NA",
        "hit_len": hit["len"],
        "hit_hsps": [write(hsp, done) for hsp in hit["hsps"]],
    }


def expect(evalue: float) -> float:
    """Two digits, as EBI keeps."""
    return float(f"{evalue:.2g}")


def percent(count: int, columns: int) -> float:
    """With one decimal; BLAST itself tells the count."""
    return round(100 * count / columns, 1)


def whole_percent(count: int, columns: int) -> int:
    """As ``hsp_gaps`` is written: 39 gap letters in 444 columns are 9 in EBI's replies of 2019."""
    return round(100 * count / columns)


def strands(hsp: dict[str, Any]) -> str:
    """plus/plus or plus/minus; of proteins there is none, which EBI writes so."""
    if "query_strand" not in hsp:
        return "none/none"
    return f"{hsp['query_strand']}/{hsp['hit_strand']}".lower()


def positives(hsp: dict[str, Any]) -> float:
    """The share of columns of a positive score; of nucleotides that of identical ones."""
    return percent(hsp.get("positive", hsp["identity"]), hsp["align_len"])


def _blast_hsp(hsp: dict[str, Any], done: Finished) -> dict[str, Any]:
    protein = done.stype == "protein"
    return {
        "hsp_num": hsp["num"],
        "hsp_score": hsp["score"],
        "hsp_bit_score": hsp["bit_score"],
        "hsp_expect": expect(hsp["evalue"]),
        "hsp_align_len": hsp["align_len"],
        "hsp_identity": percent(hsp["identity"], hsp["align_len"]),
        "hsp_positive": positives(hsp),
        "hsp_gaps": whole_percent(hsp["gaps"], hsp["align_len"]),
        "hsp_query_frame": "0" if protein else "1",
        "hsp_hit_frame": "0" if protein else "1" if hsp["hit_strand"] == "Plus" else "-1",
        "hsp_strand": "none/none" if protein else strands(hsp),
        "hsp_query_from": hsp["query_from"],
        "hsp_query_to": hsp["query_to"],
        "hsp_hit_from": hsp["hit_from"],
        "hsp_hit_to": hsp["hit_to"],
        "hsp_qseq": hsp["qseq"],
        "hsp_mseq": hsp["midline"],
        "hsp_hseq": hsp["hseq"],
    }


def _fasta_hsp(hsp: dict[str, Any], done: Finished) -> dict[str, Any]:
    """With the query's flanks in its row: the three rows have different lengths, as at EBI.

    On the minus strand fasta36 turns the query round and leaves the hit as it is.
    """
    query, columns = done.found.query.letters, hsp["align_len"]
    first, last = hsp["query_from"], hsp["query_to"]
    before = query[max(0, first - 1 - _FLANK) : first - 1]
    after = query[last : last + _FLANK]
    rows = [before + hsp["qseq"] + after, hsp["midline"].replace("|", ":"), hsp["hseq"]]
    places = [first, last, hsp["hit_from"], hsp["hit_to"]]
    shown, minus = first - len(before), hsp["hit_strand"] == "Minus"
    if minus:
        rows = [_turned(rows[0]), rows[1][::-1], _turned(rows[2])]
        places, before = [last, first, places[3], places[2]], after
        shown = last + len(after)
    share = percent(hsp["identity"], columns)
    score = hsp["score"]
    return {
        "hsp_num": hsp["num"],
        **dict.fromkeys(("hsp_score", "hsp_sw_score"), score),
        **dict.fromkeys(("hsp_initn", "hsp_init1", "hsp_opt"), score),
        "hsp_zscore": round(5.0 * hsp["bit_score"], 1),
        "hsp_bit_score": round(hsp["bit_score"], 1),
        "hsp_expect": expect(hsp["evalue"]),
        "hsp_align_len": len(before) + columns,
        "hsp_identity": share,
        "hsp_positive": share,
        "hsp_overlap": columns,
        "hsp_query_frame": "r" if minus else "f",
        "hsp_hit_frame": "f",
        "hsp_strand": "none/none",
        **dict(zip(("hsp_query_from", "hsp_query_to"), places[:2], strict=True)),
        **dict(zip(("hsp_hit_from", "hsp_hit_to"), places[2:], strict=True)),
        "hsp_query_display_from": shown,
        "hsp_hit_display_from": places[2],
        "hsp_qseq": rows[0],
        "hsp_mseq": " " * len(before) + rows[1],
        "hsp_hseq": " " * len(before) + rows[2],
    }


def _turned(row: str) -> str:
    return row.translate(str.maketrans("ACGTacgt", "TGCAtgca"))[::-1]


def as_xml(done: Finished, style: Style) -> bytes:
    """The document of the type ``xml``; its ``gaps`` and ``strand`` are inferred."""
    found, form = done.found, done.form
    hits = "\n".join(_xml_hit(done, n, hit) for n, hit in enumerate(found.hits, 1))
    databases = "".join(
        f'<database number="{number}" name="{name}" type="n" '
        f'created="{date(done.started, style)}"/>'
        for number, name in enumerate(done.database, 1)
    )
    times = f'start="{date(done.started, style)}" end="{date(done.ended, style)}"'
    return f"""{XML}<EBIApplicationResult xmlns="{_NS}">
<Header>
<program name="{done.program}" version={quoteattr(found.version)} citation="PMID:9254694"/>
<commandLine command={quoteattr(done.command)}/>
<parameters>
<sequences total="1"><sequence number="1" name={quoteattr(found.query.name)} type="n" \
length="{len(found.query.letters)}"/></sequences>
<databases total="{len(done.database)}" sequences="{found.sequences}" letters="{found.letters}">\
{databases}</databases>
<scores>{form["scores"]}</scores><alignments>{form["alignments"]}</alignments>
<expectationUpper>{form["exp"]}</expectationUpper><filter>{form["filter"]}</filter>
<gapOpen>{form["gapopen"]}</gapOpen><gapExtension>{form["gapext"]}</gapExtension>
</parameters>
<timeInfo {times} search="{_duration(done, style)}"/>
</Header>
<SequenceSimilaritySearchResult>
<hits total="{len(found.hits)}">
{hits}
</hits>
</SequenceSimilaritySearchResult>
</EBIApplicationResult>
""".encode()


def _xml_hit(done: Finished, number: int, hit: dict[str, Any]) -> str:
    database, id_, description = parts_of(hit["title"], done.database[0])
    names = f"id={quoteattr(id_)} ac={quoteattr(id_)}"
    alignments = "\n".join(_xml_alignment(hsp) for hsp in hit["hsps"])
    return (
        f'<hit number="{number}" database={quoteattr(database)} {names} length="{hit["len"]}" '
        f"description={quoteattr(description)}>"
        f'<alignments total="{len(hit["hsps"])}">\n{alignments}\n</alignments></hit>'
    )


def _xml_alignment(hsp: dict[str, Any]) -> str:
    share = percent(hsp["identity"], hsp["align_len"])
    children = {
        "score": hsp["score"],
        "bits": hsp["bit_score"],
        "expectation": expect(hsp["evalue"]),
        "identity": share,
        "positives": positives(hsp),
        "gaps": whole_percent(hsp["gaps"], hsp["align_len"]),
        "strand": strands(hsp),
    }
    inner = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in children.items())
    query = f'<querySeq start="{hsp["query_from"]}" end="{hsp["query_to"]}">{hsp["qseq"]}'
    match = f'<matchSeq start="{hsp["hit_from"]}" end="{hsp["hit_to"]}">{hsp["hseq"]}'
    return (
        f'<alignment number="{hsp["num"]}">{inner}{query}</querySeq>'
        f"<pattern>{hsp['midline']}</pattern>{match}</matchSeq></alignment>"
    )


def as_ids(done: Finished) -> bytes:
    """A line a hit."""
    rows = (parts_of(hit["title"], done.database[0]) for hit in done.found.hits)
    return "".join(f"{database}:{id_}\n" for database, id_, _ in rows).encode()
