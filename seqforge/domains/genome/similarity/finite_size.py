"""Raw scores of protein alignments in, bit scores and E-values out: blastp's statistics, corrected
for finite lengths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from seqforge.errors import ConfigError

_UNGAPPED_ALPHA, _UNGAPPED_VARIANCE = 0.7916, 4.964660
"""Of BLOSUM62 without gaps: a, and alpha, which is sigma too."""
# (gap open, gap extend) -> lambda, K, a, alpha, sigma, found by simulation and built into blastp,
# which prints the first two (-outfmt 15).
_GAPPED = {(11, 1): (0.267, 0.041, 1.9, 42.6028, 43.6362)}


@dataclass(frozen=True)
class FiniteSize:
    """Significance of one query's scores in one library.

    The E-value of a pair of sequences is the area in which an alignment of such a score finds
    room, edges taken off, times that of a place; that of the library is as many times more as the
    library is longer than the sequence.

    References:
        Park, Sheetlin, Ma, Madden and Spouge 2012, https://doi.org/10.1186/1756-0500-5-286
    """

    query_length: int
    library_length: int
    """In residues."""
    gap_open: int = 11
    gap_extend: int = 1

    def __post_init__(self) -> None:
        if (self.gap_open, self.gap_extend) not in _GAPPED:
            raise ConfigError(
                f"gap costs {self.gap_open},{self.gap_extend} have no statistics with BLOSUM62; "
                "take 11,1"
            )

    @property
    def _gapped(self) -> tuple[float, float, float, float, float]:
        return _GAPPED[self.gap_open, self.gap_extend]

    def bit_score(self, score: int) -> float:
        """See `evalues.Significance`."""
        lambda_, k = self._gapped[:2]
        return (lambda_ * score - math.log(k)) / math.log(2)

    def evalue(self, score: int, hit_length: int) -> float:
        """See `evalues.Significance`."""
        lambda_, k = self._gapped[:2]
        share = self.library_length / hit_length
        return self._area(score, hit_length) * k * math.exp(-lambda_ * score) * share

    def cutoff_score(self, evalue: float, hit_length: int) -> int:
        """See `evalues.Significance`."""
        low, high = 0, 1  # the E-value of low is above the limit, that of high is not
        while self.evalue(high, hit_length) > evalue:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (
                (middle, high) if self.evalue(middle, hit_length) > evalue else (low, middle)
            )
        return high

    def _area(self, score: int, hit_length: int) -> float:
        """Where an alignment of such a score may end, in pairs of letters.

        An alignment of score y takes up a length of mean a y + b and variance alpha y + beta in
        each sequence; sigma y + tau is their covariance.
        """
        lambda_, _, a, alpha, sigma = self._gapped
        twice = 2 * (self.gap_open + self.gap_extend)
        mean = a * score + twice * (_UNGAPPED_ALPHA - a)
        variance = _at_least(alpha, twice * (_UNGAPPED_VARIANCE - alpha), score, lambda_)
        covariance = _at_least(sigma, twice * (_UNGAPPED_VARIANCE - sigma), score, lambda_)
        left, left_chance = _room(self.query_length - mean, math.sqrt(variance))
        right, right_chance = _room(hit_length - mean, math.sqrt(variance))
        return left * right + covariance * left_chance * right_chance


def _at_least(slope: float, intercept: float, score: int, lambda_: float) -> float:
    return max(2 * slope / lambda_, slope * score + intercept)


def _room(mean: float, deviation: float) -> tuple[float, float]:
    """The mean of a normal variable where it is positive, and the chance that it is."""
    place = mean / deviation
    chance = math.erfc(-place / math.sqrt(2)) / 2
    density = math.exp(-place * place / 2) / math.sqrt(2 * math.pi)
    return mean * chance + deviation * density, chance
