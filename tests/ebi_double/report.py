"""The type ``out`` where no program writes it: BLAST's text or fasta36's, from a search's hits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.ebi_double.searching import parts_of
from tests.ebi_double.writing import Finished, expect, percent

_LINE = 60


def pairwise(done: Finished) -> str:
    """BLAST's text: a table of hits, and each alignment in lines of 60."""
    found = done.found
    lines = [found.version, "", "", "", f"Database: {' '.join(done.database)}"]
    lines += [f"           {found.sequences:,} sequences; {found.letters:,} total letters", ""]
    lines += ["", "", f"Query= {found.query.name}", "", f"Length={len(found.query.letters)}"]
    if not found.hits:
        return "\n".join([*lines, "", "", "***** No hits found *****", "", "", ""])
    lines += [f"{'':<70}Score     E", "Sequences producing significant alignments:" + " " * 26]
    lines[-1] += " (Bits)  Value"
    lines.append("")
    for hit in found.hits:
        best = hit["hsps"][0]
        lines.append(f"{_title(done, hit)[:66]:<68}{best['bit_score']:<8.4g}{best['evalue']:.2g}")
    for hit in found.hits:
        lines += ["", "", f">{_title(done, hit)}", f"Length={hit['len']}"]
        for hsp in hit["hsps"]:
            lines += _alignment(hsp)
    return "\n".join([*lines, "", "", ""])


def _title(done: Finished, hit: dict[str, Any]) -> str:
    database, id_, description = parts_of(hit["title"], done.database[0])
    return f"{database}:{id_} {description}"


def _alignment(hsp: dict[str, Any]) -> Iterator[str]:
    columns, same, gaps = hsp["align_len"], hsp["identity"], hsp["gaps"]
    yield ""
    yield (f" Score = {hsp['bit_score']:.4g} bits ({hsp['score']}),  Expect = {hsp['evalue']:.2g}")
    yield (
        f" Identities = {same}/{columns} ({100 * same / columns:.0f}%), "
        f"Gaps = {gaps}/{columns} ({100 * gaps / columns:.0f}%)"
    )
    yield f" Strand={hsp['query_strand']}/{hsp['hit_strand']}"
    query, hit = hsp["query_from"], hsp["hit_from"]
    step = 1 if hsp["hit_strand"] == "Plus" else -1
    for start in range(0, columns, _LINE):
        rows = [hsp[key][start : start + _LINE] for key in ("qseq", "midline", "hseq")]
        query_last = query + len(rows[0].replace("-", "")) - 1
        hit_last = hit + step * (len(rows[2].replace("-", "")) - 1)
        yield ""
        yield f"Query  {query:<8}  {rows[0]}  {query_last}"
        yield f"       {'':<8}  {rows[1]}"
        yield f"Sbjct  {hit:<8}  {rows[2]}  {hit_last}"
        query, hit = query_last + 1, hit_last + step


def fasta36(done: Finished) -> str:
    """Fasta36's text as far as its numbers go: the table, and each alignment's head."""
    found = done.found
    lines = [f"# {done.command}", "FASTA searches a protein or DNA sequence data bank"]
    lines += [" version 36.3.8i Nov, 2022", "", f"Query: {done.job_id}.sequence"]
    lines += [f"  1>>>{found.query.name} - {len(found.query.letters)} nt", "Library: library"]
    lines += [f"  {found.letters} residues in {found.sequences:5d} sequences", ""]
    if not found.hits:
        return "\n".join([*lines, "!! No sequences with E() < 10", ""])
    lines.append(f"{'The best scores are:':<56}opt bits E({found.sequences})")
    best = [(hit, hit["hsps"][0], _title(done, hit)) for hit in found.hits]
    for hit, hsp, title in best:
        frame = "f" if hsp["hit_strand"] == "Plus" else "r"
        numbers = f"{hsp['score']:4d} {hsp['bit_score']:.1f} {expect(hsp['evalue']):.2g}"
        lines.append(f"{title[:46]:<46} ({hit['len']}) [{frame}] {numbers}")
    for hit, hsp, title in best:
        share, columns = percent(hsp["identity"], hsp["align_len"]), hsp["align_len"]
        places = [hsp["query_from"], hsp["query_to"], hsp["hit_from"], hsp["hit_to"]]
        if hsp["hit_strand"] == "Minus":
            places = [places[1], places[0], places[3], places[2]]
        lines += ["", f">>{title} ({hit['len']} nt)"]
        lines.append(f" initn: {hsp['score']} init1: {hsp['score']} opt: {hsp['score']}")
        lines.append(
            f"banded Smith-Waterman score: {hsp['score']}; {share}% identity ({share}% similar) in "
            f"{columns} nt overlap ({places[0]}-{places[1]}:{places[2]}-{places[3]})"
        )
    return "\n".join([*lines, "", ""])
