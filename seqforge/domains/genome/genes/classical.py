"""Bases in, how the sensors and the grammar alone read them out: a gene finder without a network,
whose readings a network can be given beside the sensors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqforge.core.evaluation.viterbi import Decoder
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


def read_classically(
    sensors: Sensors, codes: Codes, lengths: Lengths, weights: Weights = PLAIN
) -> Labels:
    """Bases of a contig (T,) in, labels out (T,): intergenic, introns, bases of codons."""
    machine = gene_machine(weights, lengths)
    decoder, paths = Decoder(machine), []
    before = np.zeros(len(NAMES), np.float32)
    bias = np.where(CODING, weights.coding, 0.0).astype(np.float32)
    for start in range(0, len(codes), _BLOCK):
        odds = label_odds(sensors, codes, start, min(start + _BLOCK, len(codes)))
        sites = site_scores(codes, start, odds, before, weights.site)
        paths.append(decoder.read(odds + bias, sites))
        before = odds[-1]
    paths.append(decoder.finish())
    return machine.labels.astype(np.uint8)[np.concatenate(paths)]


def readings(sensors: Sensors, codes: Codes, lengths: Lengths) -> NDArray[np.uint8]:
    """Bases of a contig (T,) in, labels of each of `READINGS` out (R, T)."""
    return np.stack([read_classically(sensors, codes, lengths, each) for each in READINGS])


def reading_features(read: Sequence[Labels] | NDArray[np.uint8]) -> NDArray[np.float32]:
    """Readings (R, N) of some bases in, columns for a network out (N, D): 1 where a base is the
    first, second or third of a codon or of an intron, by reading; those of the forward strand and
    then of the reverse one, as `features` has them.
    """
    columns = [
        labels == shown + shift for shift in (0, STRAND) for labels in read for shown in _SHOWN
    ]
    return np.stack(columns, 1).astype(np.float32)
