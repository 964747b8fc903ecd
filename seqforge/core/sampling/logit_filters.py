"""Logits in, one symbol out: repetition penalty, temperature, top-k, top-p, min-p, locally
typical sampling, and a draw from the counter-based generator Philox.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.sampling.numba_cache import float_of_bits, high_product, inner

# Salmon et al. 2011, table 2: multipliers and Weyl constants of Philox4x64.
_M0, _M1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_W0, _W1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_ROUNDS = 10
_TO_UNIT = 2.0**-53


@inner
def philox_uniform(seed: np.uint64, stream: np.uint64, position: int) -> float:
    """The number at a position (from 0) of a stream, in [0, 1), 53 bits.

    Philox4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") with the key
    (seed, stream); a counter gives four numbers. The same as numpy's
    ``Generator(Philox(key=[seed, stream])).random()``, whose first counter is 1.
    """
    c0, c1, c2, c3 = np.uint64(position // 4 + 1), np.uint64(0), np.uint64(0), np.uint64(0)
    k0, k1 = seed, stream
    for _ in range(_ROUNDS):
        h0, l0 = high_product(_M0, c0), _M0 * c0
        h1, l1 = high_product(_M1, c2), _M1 * c2
        c0, c1, c2, c3 = h1 ^ c1 ^ k0, l1, h0 ^ c3 ^ k1, l0
        k0, k1 = k0 + _W0, k1 + _W1
    word = c0
    if position % 4 == 1:
        word = c1
    elif position % 4 == 2:
        word = c2
    elif position % 4 == 3:
        word = c3
    return float(word >> np.uint64(11)) * _TO_UNIT


Weights = NDArray[np.float64]

END = 0
_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_LEAST = -700.0  # exp of less counts as nothing: no draw of 53 bits can tell


class FilterParams(NamedTuple):
    """The sampler's parameters as the kernel reads them, by the names of `SamplerParams`."""

    seed: np.uint64
    temperature: float
    temperature_end: float
    """At the last position; in between it changes by the same amount at each."""
    positions: int
    """Most symbols of a record: how many positions the change takes."""
    top_k: int
    """0 for all."""
    top_p: float
    """1 for all."""
    min_p: float
    """0 for all."""
    typical_p: float
    """1 for all."""
    repetition_penalty: float
    """1 for none."""
    least: int
    """Symbols of a record before which its end is held back."""
    unknown: int
    """Id of the unknown symbol, which is never drawn; -1 for none."""


@inner
def exponential(x: float) -> float:
    """exp(x) for x of 0 or below, within 2e-16 of it; 0 below -700.

    x = k ln 2 + r; exp(r) by its series (up to r^13 / 13!) in Horner's scheme, 2^k by its bits.
    There is no call in it, so that a loop over symbols becomes vector code.
    """
    if x > _LEAST:
        k = float(np.floor(x * _LOG2_E + 0.5))
        r = x - k * _LN2_HIGH - k * _LN2_LOW
        series = 1.6059043836821613e-10  # 1 / 13!
        series = series * r + 2.08767569878681e-09
        series = series * r + 2.505210838544172e-08
        series = series * r + 2.755731922398589e-07
        series = series * r + 2.7557319223985893e-06
        series = series * r + 2.48015873015873e-05
        series = series * r + 1.984126984126984e-04
        series = series * r + 1.388888888888889e-03
        series = series * r + 8.333333333333333e-03
        series = series * r + 4.1666666666666664e-02
        series = series * r + 1.6666666666666666e-01
        series = series * r + 0.5
        series = series * r + 1.0
        series = series * r + 1.0
        scale: float = float_of_bits((np.int64(k) + 1023) << 52)
        return float(series * scale)
    return 0.0


@inner
def log_total(logits: NDArray[np.float32], size: int, chances: Weights) -> float:
    """Fill in the model's own probabilities (V,); returns the log of their sum before scaling.

    A symbol's log-probability is its logit less that number.
    """
    highest = -np.inf
    for i in range(size):
        highest = max(highest, logits[i])
    for i in range(size):
        chances[i] = exponential(logits[i] - highest)
    total = 0.0
    for i in range(size):
        total += chances[i]
    scale = 1.0 / total
    for i in range(size):
        chances[i] *= scale
    return float(highest + np.log(total))


@inner
def temperature_at(filters: FilterParams, position: int) -> float:
    """The temperature of a position of a record, counted from 0."""
    if position == 0 or filters.temperature == filters.temperature_end or filters.positions < 2:
        return filters.temperature
    share = min(position / (filters.positions - 1), 1.0)
    return filters.temperature + (filters.temperature_end - filters.temperature) * share


@inner
def filter_logits(
    scores: Weights, size: int, temperature: float, filters: FilterParams, weights: Weights
) -> None:  # fmt: skip
    """Fill in what to draw from (V,), not normalised: scores at a temperature, filtered.

    Temperature 0 leaves the highest score alone, infinity makes every allowed symbol equally
    likely. A score of minus infinity is not allowed and gets nothing.
    """
    highest, best = -np.inf, 0
    for i in range(size):
        if scores[i] > highest:
            highest, best = scores[i], i
    if temperature == 0.0:
        weights[:size] = 0.0
        weights[best] = 1.0
        return
    if temperature == np.inf:
        for i in range(size):
            weights[i] = 1.0 if scores[i] > -np.inf else 0.0
    else:
        for i in range(size):
            weights[i] = exponential((scores[i] - highest) / temperature)
    if filters.top_k > 0 or filters.top_p < 1.0:
        _keep_top_k_top_p(scores, size, filters.top_k, filters.top_p, weights)
    if filters.min_p > 0.0:
        _keep_min_p(size, filters.min_p, weights)
    if filters.typical_p < 1.0:
        _keep_typical(size, filters.typical_p, weights)


@inner
def _keep_top_k_top_p(
    scores: Weights, size: int, top_k: int, top_p: float, weights: Weights
) -> None:  # fmt: skip
    """The ``top_k`` highest, and of these the fewest that reach the mass ``top_p``."""
    order = np.argsort(-scores[:size], kind="mergesort")
    kept = min(top_k, size) if top_k > 0 else size
    total = 0.0
    for rank in range(kept):
        total += weights[order[rank]]
    mass = 0.0
    for rank in range(size):
        if rank >= kept or (rank > 0 and mass >= top_p * total and top_p < 1.0):
            weights[order[rank]] = 0.0
        else:
            mass += weights[order[rank]]


@inner
def _keep_min_p(size: int, min_p: float, weights: Weights) -> None:
    """Those at least ``min_p`` times as likely as the likeliest."""
    highest = 0.0
    for i in range(size):
        highest = max(highest, weights[i])
    for i in range(size):
        if weights[i] < min_p * highest:
            weights[i] = 0.0


@inner
def _keep_typical(size: int, mass: float, weights: Weights) -> None:
    """The fewest that reach the mass, those first whose surprise is nearest to the entropy."""
    total, entropy = 0.0, 0.0
    for i in range(size):
        total += weights[i]
    for i in range(size):
        if weights[i] > 0.0:
            chance = weights[i] / total
            entropy -= chance * np.log(chance)
    distance = np.empty(size)
    for i in range(size):
        distance[i] = np.inf
        if weights[i] > 0.0:
            distance[i] = abs(-np.log(weights[i] / total) - entropy)
    reached = 0.0
    for rank, i in enumerate(np.argsort(distance, kind="mergesort")):
        if rank > 0 and reached >= mass * total:
            weights[i] = 0.0
        reached += weights[i]


@inner
def draw_symbol(weights: Weights, size: int, number: float) -> int:
    """Inverse CDF: the first id whose cumulative share lies above the number (in [0, 1))."""
    total = 0.0
    for i in range(size):
        total += weights[i]
    wanted, reached, last = number * total, 0.0, 0
    for i in range(size):
        if weights[i] > 0.0:
            last = i
            reached += weights[i]
            if reached > wanted:
                return i
    return last
