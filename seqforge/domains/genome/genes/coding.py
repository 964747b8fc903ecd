"""Genomes and an annotation in, pieces of coding sequence with the residues they stand for out."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from seqforge.core.data.examples import Example
from seqforge.domains.genome.genes.examples import Asked, Genome
from seqforge.domains.genome.genes.transcripts import (
    Transcript,
    bases_of,
    clusters,
    read_transcripts,
)
from seqforge.domains.genome.nucleotides import Codes

SHORTEST, LONGEST = 10, 50
"""Codons of a piece."""
_LETTERS = "ACGTN"


def coding_examples(paths: Sequence[Path], asked: Asked, seed: int = 0) -> Iterator[Example]:
    """Coding sequences cut into pieces, in frame, of 30 to 150 bases; a group is a gene.

    A gene is a cluster of transcripts of a strand that overlap. The truth is the standard genetic
    code, as Biopython has it.

    Raises:
        InputError: See `read_transcripts`.
    """
    genome, draw = Genome.read(paths, asked.encoding), random.Random(seed)
    annotation = read_transcripts(asked.gff, genome.codes, asked.offset)
    for contig, codes in genome.codes.items():
        for number, gene in enumerate(clusters(annotation.on(contig))):
            for one in gene:
                yield from _pieces(one, codes, f"{contig} gene {number}", draw)


def _pieces(one: Transcript, codes: Codes, group: str, draw: random.Random) -> Iterator[Example]:
    from Bio.Seq import translate

    whole = "".join(_LETTERS[min(base, 4)] for base in bases_of(codes, one.strand, one.exons))
    start = one.phase
    while True:
        size = 3 * draw.randint(SHORTEST, LONGEST)
        piece = whole[start : start + size]
        piece = piece[: len(piece) // 3 * 3]
        if len(piece) < 3 * SHORTEST:
            return
        if "N" not in piece:
            residues = tuple(translate(piece))  # type: ignore[no-untyped-call]  # Biopython's
            yield Example(piece, residues, group, f"{group}: {one.span}")
        start += size
