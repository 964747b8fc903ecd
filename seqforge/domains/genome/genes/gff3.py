"""Genes of contigs in, lines of a GFF3 file out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import NamedTuple
from urllib.parse import quote

from seqforge.domains.genome.genes.grammar import Gene
from seqforge.domains.genome.genes.transcripts import Interval, with_stop
from seqforge.domains.genome.nucleotides import Codes

_PLAIN = ".:^*$@!+_?-|"
"""Beside letters and digits, what a sequence's name may have unescaped."""


class Found(NamedTuple):
    """A contig and what was found on it."""

    contig: str
    codes: Codes
    genes: Iterable[Gene]


def gff3_lines(found: Iterable[Found], stop_coding: bool = True) -> Iterator[str]:
    """Contigs with their genes in, lines out, as they come: gene, mRNA and CDS of each.

    Args:
        found: Genes in the coordinates of their contig.
        stop_coding: Whether the CDS holds the stop codon, as the format's authors have it.
    """
    yield "##gff-version 3\n"
    numbers = count(1)
    for contig, codes, genes in found:
        name = quote(contig, safe=_PLAIN)
        if len(codes):
            yield f"##sequence-region {name} 1 {len(codes)}\n"
        for gene in genes:
            yield from _gene_lines(name, codes, gene, next(numbers), stop_coding)


def _gene_lines(
    name: str, codes: Codes, gene: Gene, number: int, stop_coding: bool
) -> Iterator[str]:  # fmt: skip
    one = with_stop(gene.transcript, codes) if stop_coding else gene.transcript
    sizes = [b - a for a, b in gene.transcript.exons]
    mean = sum(n * c for n, c in zip(sizes, gene.chances, strict=True)) / sum(sizes)
    gene_id, rna = f"gene{number}", f"gene{number}.t1"
    yield _line(name, "gene", one.span, mean, one.strand, ".", f"ID={gene_id}")
    yield _line(name, "mRNA", one.span, mean, one.strand, ".", f"ID={rna};Parent={gene_id}")
    phases = _phases(one.strand, one.exons)
    for exon, phase, chance in zip(one.exons, phases, gene.chances, strict=True):
        ids = f"ID={rna}.cds;Parent={rna}"
        yield _line(name, "CDS", exon, chance, one.strand, str(phase), ids)


def _phases(strand: str, exons: Iterable[Interval]) -> list[int]:
    """Bases before the first whole codon of each exon, in reading direction."""
    ordered = list(exons) if strand == "+" else list(exons)[::-1]
    found, done = [], 0
    for a, b in ordered:
        found.append(-done % 3)
        done += b - a
    return found if strand == "+" else found[::-1]


def _line(
    name: str, kind: str, place: Interval, score: float, strand: str, phase: str, attributes: str
) -> str:  # fmt: skip
    cells = (name, "seqforge", kind, place[0] + 1, place[1], f"{score:.3f}", strand, phase)
    return "\t".join([*map(str, cells), attributes]) + "\n"
