"""Bases in, how much they look like codons out: the order-5 three-periodic log-odds, in windows.

The classical way to find coding stretches, without a network and a grammar.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.domains.genome.genes.scores import Agreement
from seqforge.domains.genome.genes.sensors import Sensors, sum_odds
from seqforge.domains.genome.nucleotides import Codes, complemented

WINDOW = 120
"""Bases that log-odds are summed over."""

Floats = NDArray[np.float32]


def periodic_odds(sensors: Sensors, codes: Codes) -> Floats:
    """Bases (T,) in, the best log-odds out that a window around each codes, of all six frames."""
    forward, reverse = (_of_strand(sensors, each) for each in (codes, complemented(codes)))
    both: Floats = np.maximum(forward, reverse[::-1])
    return both


def _of_strand(sensors: Sensors, codes: Codes) -> Floats:
    best = np.zeros(len(codes), np.float32)
    sums = np.zeros((4, len(codes) + 1))
    sum_odds(sensors, np.ascontiguousarray(codes), sums, np.zeros((len(codes), 3), np.float32))
    _best_frame(sums, best)
    return best


@kernel
def _best_frame(sums: NDArray[np.float64], best: Floats) -> None:
    for t in range(len(best)):
        a, b = max(t - WINDOW // 2, 0), min(t + WINDOW // 2, len(best))
        found = sums[0, b] - sums[0, a]
        for frame in range(1, 3):
            found = max(found, sums[frame, b] - sums[frame, a])
        best[t] = found


def best_threshold(odds: Floats, coding: NDArray[np.bool_]) -> float:
    """Log-odds (T,) and which bases code in, the threshold of the best F1 out."""
    tried = np.quantile(odds, np.linspace(0.4, 0.995, 120))
    return float(max(tried, key=lambda least: agreement_above(odds, coding, float(least)).f1))


def agreement_above(odds: Floats, coding: NDArray[np.bool_], least: float) -> Agreement:
    """How bases with such log-odds agree with those that code."""
    found = odds > least
    return Agreement(int((found & coding).sum()), int(found.sum()), int(coding.sum()))
