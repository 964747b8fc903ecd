"""Bases in, how the sensors and the grammar alone read them out: a gene finder without a network,
whose readings a network can be given beside the sensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from seqforge.core.evaluation.viterbi import Decoder, Scores
from seqforge.domains.genome.genes.grammar import (
    Lengths,
    Weights,
    gene_machine,
    site_scores,
)
from seqforge.domains.genome.genes.labels import CODING, EXON, INTRON, NAMES, STRAND, Labels
from seqforge.domains.genome.genes.sensors import Sensors, label_odds
from seqforge.domains.genome.nucleotides import Codes

PLAIN = Weights(gene=-10.0, intron=-4.0, network=0.0, sensors=1.0)
READINGS = tuple(PLAIN._replace(coding=bias) for bias in (-0.02, 0.0, 0.02))
"""Weights of a strict, a plain and a generous reading: where they differ, it is in doubt."""
CONTEXT = 60_000
"""Bases before and behind a stretch that should be read with it."""

_SHOWN = (EXON, EXON + 1, EXON + 2, INTRON)
READING_FEATURES = 2 * len(_SHOWN) * len(READINGS)
_BLOCK = 1 << 16


def readings(sensors: Sensors, codes: Codes, lengths: Lengths) -> NDArray[np.uint8]:
    """Bases of a contig (T,) in, labels of each of `READINGS` out (R, T): intergenic, introns,
    bases of codons. They differ by what a coding base is worth, so blocks are scored once."""
    machine = gene_machine(PLAIN, lengths)
    labels = machine.labels.astype(np.uint8)
    biases = [np.where(CODING, each.coding, 0.0).astype(np.float32) for each in READINGS]
    decoders = [Decoder(machine) for _ in READINGS]
    found: list[list[Labels]] = [[] for _ in READINGS]
    for odds, sites in _scored(sensors, codes):
        for decoder, bias, read in zip(decoders, biases, found, strict=True):
            read.append(labels[decoder.read(odds + bias, sites)])
    for decoder, read in zip(decoders, found, strict=True):
        read.append(labels[decoder.finish()])
    return np.stack([np.concatenate(read) for read in found])


def _scored(sensors: Sensors, codes: Codes) -> Iterator[tuple[Scores, Scores]]:
    """Log-odds of labels and scores of sites, block by block."""
    before = np.zeros(len(NAMES), np.float32)
    for start in range(0, len(codes), _BLOCK):
        odds = label_odds(sensors, codes, start, min(start + _BLOCK, len(codes)))
        yield odds, site_scores(codes, start, odds, before, PLAIN.site)
        before = odds[-1]


def reading_features(read: Sequence[Labels] | NDArray[np.uint8]) -> NDArray[np.float32]:
    """Readings (R, N) of some bases in, columns for a network out (N, D): 1 where a base is the
    first, second or third of a codon or of an intron, by reading; those of the forward strand and
    then of the reverse one, as `features` has them.
    """
    columns = [
        labels == shown + shift for shift in (0, STRAND) for labels in read for shown in _SHOWN
    ]
    return np.stack(columns, 1).astype(np.float32)
