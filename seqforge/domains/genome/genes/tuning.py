"""What a network says of stretches that it was not trained on, and their genes in, weights of the
grammar out.
"""

from __future__ import annotations

from collections.abc import Sequence
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

START = PLAIN._replace(network=0.5, sensors=0.75)
"""Where the search begins: near what was best for a fly."""
STEPS = {
    "network": (0.25, 0.1), "sensors": (0.25, 0.1), "gene": (4.0, 2.0), "intron": (2.0, 1.0),
    "coding": (0.02, 0.01), "site": (0.3, 0.15),
}  # fmt: skip
"""How far each weight is moved up or down in the first and in later rounds."""
_BLOCK = 1 << 16


class Stretch(NamedTuple):
    """A stretch of a contig, as if it were one of its own."""

    codes: Codes
    """(T,)"""
    probabilities: NDArray[np.floating]
    """(T, L) of labels."""
    transcripts: Sequence[Transcript]
    """In its own coordinates; they may reach beyond it."""


def scores_of(
    stretches: Sequence[Stretch], weights: Weights, lengths: Lengths, sensors: Sensors | None
) -> GeneScores:  # fmt: skip
    """How the genes that are found in some stretches agree with their transcripts."""
    total = None
    for one in stretches:
        blocks = (
            one.probabilities[a : a + _BLOCK] for a in range(0, len(one.codes), _BLOCK)
        )  # fmt: skip
        found = find_genes(one.codes, blocks, weights, lengths, sensors)
        region = (0, len(one.codes))
        scores = compare_genes((gene.transcript for gene in found), one.transcripts, region)
        total = scores if total is None else total + scores
    if total is None:
        raise ValueError("there is no stretch to score")
    return total


def tuned_weights(
    stretches: Sequence[Stretch], lengths: Lengths, sensors: Sensors | None,
    start: Weights = START, rounds: int = 3, progress: Advance = unheard,
) -> Weights:  # fmt: skip
    """The weights that find genes best: each in turn is moved as long as that helps.

    What is made greater is the sum of the F1 of coding bases and that of exact exons.
    """
    best, known = start, dict[Weights, float]()

    def worth(weights: Weights) -> float:
        if weights not in known:
            scores = scores_of(stretches, weights, lengths, sensors)
            known[weights] = scores.bases.f1 + scores.exons.f1
        return known[weights]

    for turn in range(rounds):
        before = best
        for number, (name, steps) in enumerate(STEPS.items()):
            progress(turn * len(STEPS) + number, rounds * len(STEPS), "weights of the grammar")
            step = steps[min(turn, len(steps) - 1)]
            tried = [_moved(best, name, way * step) for way in (0, 1, -1)]
            best = max(tried, key=worth)
        if best == before and turn > 0:
            break
    return best


def _moved(weights: Weights, name: str, by: float) -> Weights:
    value = round(getattr(weights, name) + by, 6)
    if name in ("network", "sensors", "site"):
        value = max(value, 0.0)
    return weights._replace(**{name: value})
