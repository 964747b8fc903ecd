"""What a network says of stretches that it was not trained on, and their genes in, weights of the
grammar out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import Advance, unheard
from seqforge.domains.genome.genes.classical import PLAIN
from seqforge.domains.genome.genes.grammar import Lengths, Weights, find_genes
from seqforge.domains.genome.genes.scores import GeneScores, compare_genes
from seqforge.domains.genome.genes.sensors import Sensors
from seqforge.domains.genome.genes.transcripts import Transcript
from seqforge.domains.genome.nucleotides import Codes

STARTS = tuple(
    PLAIN._replace(network=network, coding=coding)
    for network, coding in (
        (0.05, 0.02), (0.0, 0.0), (0.005, 0.0), (0.01, 0.0), (0.02, 0.01), (0.1, 0.05), (0.3, 0.1),
        (1.0, 0.1),
    )
)  # fmt: skip
"""Where the search may begin, the usual ones first. What a network says of neighbouring bases is
nearly the same thing said again, what the sensors say is not: its factor is small."""
STEPS = {
    "sensors": (0.2, 0.1), "gene": (4.0, 2.0), "intron": (2.0, 1.0),
    "coding": (0.02, 0.01), "site": (0.3, 0.15), "network": (1.5, 1.25),
}  # fmt: skip
"""How far each weight is moved up or down in the first and in later rounds; what the network's is
multiplied or divided by."""
_BLOCK = 1 << 16


class Stretch(NamedTuple):
    """A stretch of a contig, as if it were one of its own."""

    codes: Codes
    """(T,)"""
    probabilities: NDArray[np.floating]
    """(T, L) of labels."""
    transcripts: Sequence[Transcript]
    """In its own coordinates; they may reach beyond it."""


def genes_of(
    one: Stretch, weights: Weights, lengths: Lengths, sensors: Sensors | None
) -> list[Transcript]:  # fmt: skip
    """The genes that are found in a stretch."""
    blocks = (one.probabilities[a : a + _BLOCK] for a in range(0, len(one.codes), _BLOCK))
    return [gene.transcript for gene in find_genes(one.codes, blocks, weights, lengths, sensors)]


def compared(
    stretches: Sequence[Stretch], found: Iterable[Iterable[Transcript]]
) -> GeneScores:  # fmt: skip
    """How the genes that were found in each of some stretches agree with its transcripts."""
    if not stretches:
        raise ValueError("there is no stretch to score")
    return reduce(GeneScores.__add__, (
        compare_genes(genes, one.transcripts, (0, len(one.codes)))
        for one, genes in zip(stretches, found, strict=True)
    ))  # fmt: skip


def scores_of(
    stretches: Sequence[Stretch], weights: Weights, lengths: Lengths, sensors: Sensors | None
) -> GeneScores:  # fmt: skip
    """How the genes that are found in some stretches agree with their transcripts."""
    return compared(stretches, (genes_of(one, weights, lengths, sensors) for one in stretches))


def tuned_weights(
    stretches: Sequence[Stretch], lengths: Lengths, sensors: Sensors | None,
    starts: Sequence[Weights] = STARTS, rounds: int = 3, progress: Advance = unheard,
) -> Weights:  # fmt: skip
    """The weights that find genes best: each in turn is moved as long as that helps.

    What is made greater is the sum of the F1 of coding bases and that of exact exons.
    """
    known = dict[Weights, float]()

    def worth(weights: Weights) -> float:
        if weights not in known:
            scores = scores_of(stretches, weights, lengths, sensors)
            known[weights] = scores.bases.f1 + scores.exons.f1
        return known[weights]

    best = max(starts, key=worth)
    for turn in range(rounds):
        before = best
        for number, (name, steps) in enumerate(STEPS.items()):
            progress(turn * len(STEPS) + number, rounds * len(STEPS), "weights of the grammar")
            step = steps[min(turn, len(steps) - 1)]
            tried = [_moved(best, name, way, step) for way in (0, 1, -1)]
            best = max(tried, key=worth)
        if best == before and turn > 0:
            break
    return best


_FACTORS = ("sensors", "site")


def _moved(weights: Weights, name: str, way: int, step: float) -> Weights:
    if name == "network":
        return weights._replace(network=round(weights.network * step**way, 6))
    value = round(getattr(weights, name) + way * step, 6)
    return weights._replace(**{name: max(value, 0.0) if name in _FACTORS else value})
