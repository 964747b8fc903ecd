"""Raw alignment scores in, bit scores and E-values out: Karlin-Altschul statistics with
blastn's length adjustment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seqforge.errors import ConfigError

# blastn stops the series for K at the first term this small; summing on moves the fourth digit.
_SERIES_LIMIT = 1e-4
_SERIES_TERMS = 100

# Reward and penalty -> (gap open, gap extend) -> lambda, K, H, alpha, beta, found by simulation
# and built into blastn; it prints the first three (-outfmt 15), and the effective search spaces
# it prints fix the others.
_GAPPED: dict[tuple[int, int], dict[tuple[int, int], tuple[float, float, float, float, float]]] = {
    (1, -4): {
        (1, 2): (1.36, 0.67, 1.2, 1.1, 0),
        (0, 2): (1.26, 0.43, 0.90, 1.4, -1),
        (2, 1): (1.35, 0.61, 1.1, 1.2, -1),
        (1, 1): (1.22, 0.35, 0.72, 1.7, -3),
    },
    (2, -7): {
        (2, 4): (0.68, 0.67, 1.2, 0.55, 0),
        (0, 4): (0.63, 0.43, 0.90, 0.7, -1),
        (4, 2): (0.675, 0.62, 1.1, 0.6, -1),
        (2, 2): (0.61, 0.35, 0.72, 1.7, -3),
    },
    (1, -3): {
        (2, 2): (1.37, 0.70, 1.2, 1.1, 0),
        (1, 2): (1.35, 0.64, 1.1, 1.2, -1),
        (0, 2): (1.25, 0.42, 0.83, 1.5, -2),
        (2, 1): (1.34, 0.60, 1.1, 1.2, -1),
        (1, 1): (1.21, 0.34, 0.71, 1.7, -2),
    },
    (2, -5): {
        (2, 4): (0.67, 0.59, 1.1, 0.6, -1),
        (0, 4): (0.62, 0.39, 0.78, 0.8, -2),
        (4, 2): (0.67, 0.61, 1.0, 0.65, -2),
        (2, 2): (0.56, 0.32, 0.59, 0.95, -4),
    },
    (1, -2): {
        (2, 2): (1.33, 0.62, 1.1, 1.2, 0),
        (1, 2): (1.30, 0.52, 0.93, 1.4, -2),
        (0, 2): (1.19, 0.34, 0.66, 1.8, -3),
        (3, 1): (1.32, 0.57, 1.0, 1.3, -1),
        (2, 1): (1.29, 0.49, 0.92, 1.4, -1),
        (1, 1): (1.14, 0.26, 0.52, 2.2, -5),
    },
    (2, -3): {
        (4, 4): (0.63, 0.42, 0.84, 0.75, -2),
        (2, 4): (0.615, 0.37, 0.72, 0.85, -3),
        (0, 4): (0.55, 0.21, 0.46, 1.2, -5),
        (3, 3): (0.615, 0.37, 0.68, 0.9, -3),
        (6, 2): (0.63, 0.42, 0.84, 0.75, -2),
        (5, 2): (0.625, 0.41, 0.78, 0.8, -2),
        (4, 2): (0.61, 0.35, 0.68, 0.9, -3),
        (2, 2): (0.515, 0.14, 0.33, 1.55, -9),
    },
    (1, -1): {
        (3, 2): (1.09, 0.31, 0.55, 2.0, -2),
        (2, 2): (1.07, 0.27, 0.49, 2.2, -3),
        (1, 2): (1.02, 0.21, 0.36, 2.8, -6),
        (0, 2): (0.80, 0.064, 0.17, 4.8, -16),
        (4, 1): (1.08, 0.28, 0.54, 2.0, -2),
        (3, 1): (1.06, 0.25, 0.46, 2.3, -4),
        (2, 1): (0.99, 0.17, 0.30, 3.3, -10),
    },
    (5, -4): {
        (10, 6): (0.163, 0.068, 0.16, 1.0, -19),
        (8, 6): (0.146, 0.039, 0.11, 1.3, -29),
    },
    (4, -5): {
        (6, 5): (0.28, 0.21, 0.47, 0.6, -7),
        (5, 5): (0.27, 0.17, 0.39, 0.7, -9),
        (4, 5): (0.25, 0.10, 0.31, 0.8, -10),
        (3, 5): (0.23, 0.065, 0.25, 0.9, -11),
    },
}

# At or above these gap costs the ungapped parameters hold.
_UNGAPPED_FROM = {
    (1, -4): (2, 2),
    (2, -7): (4, 4),
    (1, -3): (2, 2),
    (2, -5): (4, 4),
    (1, -2): (2, 2),
    (2, -3): (6, 4),
    (1, -1): (4, 2),
    (5, -4): (25, 10),
    (4, -5): (12, 8),
}

# Their tables were simulated for even scores only: an odd score is rounded down.
_EVEN_SCORES = {(2, -7), (2, -5), (2, -3)}

SCORE_PAIRS = tuple(_GAPPED)
"""The (reward, penalty) pairs with known statistics: those that EMBL-EBI offers."""


@dataclass(frozen=True)
class KarlinAltschul:
    """Karlin-Altschul parameters of one scoring system."""

    lambda_: float
    """Scale parameter, nats per unit of raw score."""
    k: float
    h: float
    """Relative entropy of aligned pairs, nats per pair."""
    alpha: float
    """Slope of the length adjustment over lambda * score, times lambda."""
    beta: float
    even_scores: bool = False
    """Whether odd scores are rounded down before the E-value."""

    def bit_score(self, score: int) -> float:
        """A raw score in, its bit score out."""
        return (self.lambda_ * score - math.log(self.k)) / math.log(2)

    def evalue(self, score: int, search_space: int) -> float:
        """A raw score and a search space in, the expected number of chance alignments out."""
        counted = score - score % 2 if self.even_scores else score
        return search_space * math.exp(-self.lambda_ * counted + math.log(self.k))

    def cutoff_score(self, evalue: float, search_space: int) -> int:
        """An E-value limit in, the lowest raw score (at least 1) that meets it out.

        Raises:
            ValueError: If ``evalue`` is not above 0.
        """
        if not evalue > 0:
            raise ValueError(f"evalue must be above 0, not {evalue}")
        score = max(1, math.floor(math.log(self.k * search_space / evalue) / self.lambda_))
        while self.evalue(score, search_space) > evalue:
            score += 1
        return score


class Significance(Protocol):
    """What scores of one query in one library mean."""

    def bit_score(self, score: int) -> float:
        """A raw score in, its bit score out."""
        ...

    def evalue(self, score: int, hit_length: int) -> float:
        """A raw score and the length of the sequence that it was found in, in; its E-value out."""
        ...

    def cutoff_score(self, evalue: float, hit_length: int) -> int:
        """An E-value limit in, the lowest raw score (at least 1) that meets it out."""
        ...


@dataclass(frozen=True)
class BySearchSpace:
    """Significance by an effective search space, whatever sequence a score was found in."""

    statistics: KarlinAltschul
    space: int

    def bit_score(self, score: int) -> float:
        """See `Significance`."""
        return self.statistics.bit_score(score)

    def evalue(self, score: int, hit_length: int) -> float:
        """See `Significance`."""
        return self.statistics.evalue(score, self.space)

    def cutoff_score(self, evalue: float, hit_length: int) -> int:
        """See `Significance`."""
        return self.statistics.cutoff_score(evalue, self.space)


def length_adjustment(
    statistics: KarlinAltschul, query_length: int, library_length: int, num_sequences: int
) -> int:
    """Lengths in, blastn's length adjustment l out: residues lost to edge effects per sequence.

    The largest integer l with l <= alpha/lambda * ln(K (m - l)(n - N l)) + beta, and
    K (m - l)(n - N l) >= max(m, n).
    """
    m, n, sequences = query_length, library_length, num_sequences

    def holds(ell: int) -> bool:
        space = statistics.k * (m - ell) * (n - sequences * ell)
        if ell >= m or sequences * ell >= n or space < max(m, n):
            return False
        slope = statistics.alpha / statistics.lambda_
        return ell <= slope * math.log(space) + statistics.beta

    # Both conditions are monotone in l, so bisection finds the largest.
    low, high = 0, m
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def effective_search_space(
    statistics: KarlinAltschul, query_length: int, library_length: int, num_sequences: int
) -> int:
    """Lengths in, the effective search space (m - l)(n - N l) out.

    Args:
        query_length: m, in residues.
        library_length: n, residues of the whole library, including N.
        num_sequences: N, sequences of the library.

    Raises:
        ValueError: If one of them is not positive.
    """
    if min(query_length, library_length, num_sequences) < 1:
        raise ValueError("query and library must have letters")
    ell = length_adjustment(statistics, query_length, library_length, num_sequences)
    return (query_length - ell) * max(1, library_length - num_sequences * ell)


@lru_cache(1024)
def karlin_altschul(
    reward: int,
    penalty: int,
    gap_open: int,
    gap_extend: int,
    chances: tuple[tuple[int, float], ...] = (),
) -> KarlinAltschul:
    """A scoring system in, blastn's statistics out.

    Args:
        reward: Score of a match.
        penalty: Score of a mismatch.
        gap_open: Cost of a gap of length k is ``gap_open + k * gap_extend``.
        gap_extend: See ``gap_open``.
        chances: (score, probability) of a query residue against a random base, for a query with
            ambiguity codes; else a match has probability 1/4. Used by the ungapped parameters.

    Raises:
        ConfigError: If blastn has no statistics for these scores and gap costs.
    """
    pair, gaps = (reward, penalty), (gap_open, gap_extend)
    if pair not in _GAPPED:
        known = " ".join(f"{match},{mismatch}" for match, mismatch in SCORE_PAIRS)
        raise ConfigError(
            f"match scores {reward},{penalty} have no statistics; take one of {known}"
        )
    even = pair in _EVEN_SCORES
    if gaps in _GAPPED[pair]:
        return KarlinAltschul(*_GAPPED[pair][gaps], even_scores=even)
    dear_open, dear_extend = _UNGAPPED_FROM[pair]
    if gap_open >= dear_open and gap_extend >= dear_extend:
        return _ungapped(reward, penalty, even, dict(chances) or {penalty: 0.75, reward: 0.25})
    known = " ".join(f"{opening},{extension}" for opening, extension in _GAPPED[pair])
    raise ConfigError(
        f"gap costs {gap_open},{gap_extend} have no statistics with match scores "
        f"{reward},{penalty}; take one of {known}, or {dear_open},{dear_extend} and dearer"
    )


def _ungapped(
    reward: int, penalty: int, even_scores: bool, chances: Mapping[int, float]
) -> KarlinAltschul:
    """Scores with their probabilities in, ungapped lambda, K and H out."""
    step = np.zeros(reward - penalty + 1)
    for score, chance in chances.items():
        step[score - penalty] = chance
    scores = np.arange(penalty, reward + 1)
    lambda_ = _solve_lambda(scores, step)
    h = lambda_ * float(np.sum(scores * step * np.exp(lambda_ * scores)))
    k = _solve_k(scores, step, lambda_, h)
    # blastn's correction for the two pairs whose gapped tables have beta -2.
    beta = -2.0 if (reward, penalty) in {(1, -1), (2, -3)} else 0.0
    return KarlinAltschul(lambda_, k, h, lambda_ / h, beta, even_scores)


def _solve_lambda(scores: NDArray[np.int64], step: NDArray[np.float64]) -> float:
    """The positive root lambda of: sum over scores of probability * exp(lambda * score) = 1."""
    low, high = 1e-6, math.log(1 / step[-1]) / int(scores[-1])
    while high - low > 1e-15 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        total = float(np.sum(step * np.exp(middle * scores)))
        low, high = (middle, high) if total < 1 else (low, middle)
    return (low + high) / 2


def _solve_k(
    scores: NDArray[np.int64], step: NDArray[np.float64], lambda_: float, h: float
) -> float:
    """K: a closed form if the highest score is 1 or the lowest -1 (over the gcd), else a series.

    References:
        Karlin & Altschul 1990, appendix.
    """
    unit = math.gcd(*(int(score) for score in scores[step > 0]))
    high, low, scale = int(scores[-1]) // unit, int(scores[0]) // unit, lambda_ * unit
    step = step[::unit] if unit > 1 else step
    mean_gain = h / scale
    if high == 1:
        return mean_gain * -math.expm1(-scale)
    if low == -1:
        drift = float(np.sum(step * np.arange(low, high + 1)))
        return drift * drift / mean_gain * -math.expm1(-scale)
    sigma = _series(step, low, high, scale)
    return math.exp(-2 * sigma) / (mean_gain * -math.expm1(-scale))


def _series(step: NDArray[np.float64], low: int, high: int, scale: float) -> float:
    """Sum over k of (E[exp(scale S_k); S_k < 0] + P(S_k >= 0)) / k, S_k a walk of k steps."""
    walk: NDArray[np.float64] = np.ones(1)
    total = 0.0
    for k in range(1, _SERIES_TERMS + 1):
        walk = np.convolve(walk, step)
        sums = np.arange(k * low, k * high + 1)
        term = float(np.sum(walk * np.exp(scale * np.minimum(sums, 0)))) / k
        total += term
        if term <= _SERIES_LIMIT:
            break
    return total
