"""The Mann-Whitney test: does one group of measurements lie above another, ties and all?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EXACT_PAIRS = 2500
"""Up to so many pairs p is counted exactly; beyond, the normal approximation is close."""


@dataclass(frozen=True)
class RankTest:
    """Two groups compared pair by pair; ``superiority`` and ``delta`` are the effect's size."""

    first: int
    """How many the first group has."""
    second: int
    u: float
    """Pairs in which the first is above the second; a tie counts half."""
    p: float
    """Two-sided: how often groups dealt out at random are as far apart."""
    least_p: float
    """The smallest p that these values can give, however they are dealt out; ties raise it."""
    exact: bool
    """Whether p was counted, ties and all, and not approximated."""

    @property
    def superiority(self) -> float:
        """Chance that one of the first group is above one of the second; a tie counts half.

        References:
            Vargha and Delaney 2000, https://doi.org/10.3102/10769986025002101
        """
        return self.u / (self.first * self.second)

    @property
    def delta(self) -> float:
        """The share of pairs above less the share below: 1 where all are above, 0 for no effect.

        References:
            Cliff 1993, https://doi.org/10.1037/0033-2909.114.3.494
        """
        return 2 * self.superiority - 1


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> RankTest:
    """Compare two groups by ranks; equal values share the mean of theirs.

    Args:
        first: At least one; infinities are as good as any number, for what is beyond measuring.
        second: The same.

    Raises:
        ValueError: If a group is empty, or there is a NaN.

    References:
        Mann and Whitney 1947, https://doi.org/10.1214/aoms/1177730491; the exact distribution
        under ties by adding one rank after the other, Streitberg and Roehmel 1986, Statistical
        Software Newsletter 12:10; the variance under ties, Lehmann 1975, "Nonparametrics", 1.4.
    """
    values = np.array([*first, *second], np.float64)
    n, m = len(first), len(second)
    if not n or not m:
        raise ValueError("a rank test needs at least one value in each group")
    if np.isnan(values).any():
        raise ValueError("a rank test takes no NaN")
    ranks, ties = _doubled_ranks(values)
    total = int(ranks[:n].sum())  # twice the sum of the first group's ranks
    u = (total - n * (n + 1)) / 2
    if n * m <= EXACT_PAIRS:
        return RankTest(n, m, u, *_exact_p(ranks, n, total), True)
    ordered = np.sort(ranks)
    sums = int(ordered[:n].sum()), int(ordered[m:].sum())
    furthest = max(abs((one - n * (n + 1)) / 2 - n * m / 2) for one in sums)
    least = _normal_p(n * m / 2 + furthest, n, m, ties)
    return RankTest(n, m, u, _normal_p(u, n, m, ties), least, False)


def _doubled_ranks(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Twice the rank of each value, from 1, ties sharing their mean; and how many share each."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    below = np.cumsum(counts) - counts
    return (2 * below + counts + 1)[which].astype(np.int64), counts.astype(np.int64)


def _exact_p(ranks: NDArray[np.int64], chosen: int, total: int) -> tuple[float, float]:
    """Share of all choices of so many values whose rank sum is as far from its mean.

    Returns:
        That of this sum, and that of the sum that is furthest.
    """
    if 2 * chosen > len(ranks):  # the others are fewer, and as far on the other side
        chosen, total = len(ranks) - chosen, int(ranks.sum()) - total
    most = int(np.sort(ranks)[len(ranks) - chosen :].sum())
    ways = np.zeros((chosen + 1, most + 1))  # of choosing k values with such a sum
    ways[0, 0] = 1
    for rank in ranks.tolist():
        with_it = ways[:-1, : max(0, most + 1 - rank)].copy()
        ways[1:, rank:] += with_it
    mean = chosen * (len(ranks) + 1)
    distance = np.abs(np.arange(most + 1) - mean)
    furthest = int(distance[ways[chosen] > 0].max())
    this, least = (
        min(1.0, float(ways[chosen, distance >= apart].sum() / ways[chosen].sum()))
        for apart in (abs(total - mean), furthest)
    )
    return this, least


def _normal_p(u: float, n: int, m: int, ties: NDArray[np.int64]) -> float:
    """By the normal distribution, half a pair taken off for continuity."""
    size = n + m
    tied = float((ties.astype(np.float64) ** 3 - ties).sum()) / (size * (size - 1))
    variance = n * m / 12 * (size + 1 - tied)
    if variance <= 0:
        return 1.0
    distance = max(0.0, abs(u - n * m / 2) - 0.5)
    return math.erfc(distance / math.sqrt(2 * variance))
