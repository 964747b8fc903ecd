"""Transcripts in, a label for each base out, and which label each becomes on the other strand."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from seqforge.domains.genome.genes.transcripts import Interval, Transcript

Labels = NDArray[np.uint8]

UNLABELLED = 255
"""Of bases outside the region that an annotation speaks of."""
INTERGENIC = 0
INTRON, EXON, START, END, DONOR, ACCEPTOR = 1, 2, 5, 6, 7, 8
"""Labels of the forward strand: an intron; the three bases of codons, from `EXON` on; the first
base of a start codon and the last before a stop codon; the first base of an intron and its last."""
_KINDS = (
    "intron", "exon 1", "exon 2", "exon 3", "start", "end", "donor", "acceptor",
)  # fmt: skip
STRAND = len(_KINDS)
"""Added to a label it is that of the reverse strand."""
NAMES = ("intergenic", *(f"{kind} {strand}" for strand in "+-" for kind in _KINDS))
"""The label alphabet."""
PARTNERS = np.array(
    [0, *range(1 + STRAND, 1 + 2 * STRAND), *range(1, 1 + STRAND)], np.uint8
)  # fmt: skip
"""(L,) the label that a base has when the other strand is read."""
CODING = np.array([kind.startswith(("exon", "start", "end")) for kind in NAMES])
"""(L,) which labels are of coding bases."""


def labels_of(
    transcripts: Iterable[Transcript], size: int, region: Interval | None = None
) -> Labels:  # fmt: skip
    """Transcripts of a contig in, a label for each of its bases out.

    A base is coding if any isoform says so, else of an intron if any says so. Where isoforms or
    strands differ otherwise, the one with more coding bases is followed.

    Args:
        transcripts: In any order.
        size: Bases of the contig.
        region: Bases that carry a label; all if None.
    """
    labels = np.full(size, INTERGENIC, np.uint8)
    ordered = sorted(transcripts, key=lambda one: (_coding_bases(one), one.span))
    for one in ordered:
        for a, b in one.introns:
            labels[a:b] = INTRON + _shift(one)
    for one in ordered:
        for a, b in one.introns:
            _mark_sites(labels, one, a, b)
    for one in ordered:
        _mark_exons(labels, one)
    if region is not None:
        labels[: region[0]] = labels[region[1] :] = UNLABELLED
    return labels


def _shift(one: Transcript) -> int:
    return STRAND if one.strand == "-" else 0


def _coding_bases(one: Transcript) -> int:
    return sum(b - a for a, b in one.exons)


def _mark_sites(labels: Labels, one: Transcript, a: int, b: int) -> None:
    first, last = (a, b - 1) if one.strand == "+" else (b - 1, a)
    labels[first], labels[last] = DONOR + _shift(one), ACCEPTOR + _shift(one)


def _mark_exons(labels: Labels, one: Transcript) -> None:
    exons = one.exons if one.strand == "+" else one.exons[::-1]
    place = -one.phase  # of a base in the coding sequence
    for a, b in exons:
        read = np.arange(b - a)
        here = (EXON + (place + read) % 3 + _shift(one)).astype(np.uint8)
        labels[a:b] = here if one.strand == "+" else here[::-1]
        place += b - a
    (first, _), (_, last) = (exons[0], exons[-1]) if one.strand == "+" else (exons[-1], exons[0])
    ends = (first, last - 1) if one.strand == "+" else (last - 1, first)
    if one.phase == 0:
        labels[ends[0]] = START + _shift(one)
    if place % 3 == 0:
        labels[ends[1]] = END + _shift(one)


def other_strand(labels: Labels) -> Labels:
    """Labels (T,) in, those of the reverse complement out."""
    partners = np.append(PARTNERS, np.full(256 - len(PARTNERS), UNLABELLED, np.uint8))
    return partners[labels[::-1]]
