"""Logits in, one symbol out: repetition penalty, temperature, top-k, top-p, min-p, locally
typical sampling, and a draw from the counter-based generator Philox.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.elementary import exponential
from seqforge.core.kernels.intrinsics import high_product

# Salmon et al. 2011, table 2: multipliers and Weyl constants of Philox4x64.
_M0, _M1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_W0, _W1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_ROUNDS = 10
_TO_UNIT = 2.0**-53


@kernel
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


NO_FILTERS = FilterParams(np.uint64(0), 1.0, 1.0, 1, 0, 1.0, 0.0, 1.0, 1.0, 0, -1)


@kernel
def log_total(logits: NDArray[np.float32], size: int, chances: Weights) -> float:
    """Fill in the model's own probabilities (V,); returns the log of their sum before scaling.

    A symbol's log-probability is its logit less that number.
    """
    highest = -math.inf
    for i in range(size):
        highest = max(highest, float(logits[i]))
    for i in range(size):
        chances[i] = exponential(float(logits[i]) - highest)
    total = 0.0
    for i in range(size):
        total += chances[i]
    scale = 1.0 / total
    for i in range(size):
        chances[i] *= scale
    return highest + math.log(total)


@kernel
def temperature_at(filters: FilterParams, position: int) -> float:
    """The temperature of a position of a record, counted from 0."""
    if position == 0 or filters.temperature == filters.temperature_end or filters.positions < 2:
        return filters.temperature
    share = min(position / (filters.positions - 1), 1.0)
    return filters.temperature + (filters.temperature_end - filters.temperature) * share


class Scratch(NamedTuple):
    """Room for the numbers of one symbol; V each."""

    chances: Weights
    scores: Weights
    keys: Weights
    order: NDArray[np.int64]


def scratch(vocab_size: int) -> Scratch:
    """Room for a vocabulary."""
    chances, scores, keys = np.zeros((3, vocab_size))
    return Scratch(chances, scores, keys, np.zeros(vocab_size, np.int64))


@kernel
def filter_logits(size: int, temperature: float, filters: FilterParams, room: Scratch) -> None:
    """Turn scores into what to draw from, the chances: not normalised, at a temperature, filtered.

    Temperature 0 leaves the highest score alone, infinity makes every allowed symbol equally
    likely. A score of minus infinity is not allowed and gets nothing.
    """
    highest, best = -math.inf, 0
    for i in range(size):
        if room.scores[i] > highest:
            highest, best = room.scores[i], i
    if temperature == 0.0:
        for i in range(size):
            room.chances[i] = 1.0 if i == best else 0.0
        return
    if temperature == math.inf:
        for i in range(size):
            room.chances[i] = 1.0 if room.scores[i] > -math.inf else 0.0
    else:
        for i in range(size):
            room.chances[i] = exponential((room.scores[i] - highest) / temperature)
    if filters.top_k > 0 or filters.top_p < 1.0:
        _keep_top_k_top_p(size, filters.top_k, filters.top_p, room)
    if filters.min_p > 0.0:
        _keep_min_p(size, filters.min_p, room.chances)
    if filters.typical_p < 1.0:
        _keep_typical(size, filters.typical_p, room)


@kernel
def _is_behind(keys: Weights, a: int, b: int) -> bool:
    """Whether an id comes after another: its key is lower, or as high and its number larger."""
    return keys[a] < keys[b] or (keys[a] == keys[b] and a > b)


@kernel
def _sift(keys: Weights, order: NDArray[np.int64], root: int, size: int) -> None:
    """Let an id of a heap sink until none below it comes after it."""
    moved, child = order[root], 2 * root + 1
    while child < size:
        if child + 1 < size and _is_behind(keys, order[child + 1], order[child]):
            child += 1
        if not _is_behind(keys, order[child], moved):
            break
        order[root] = order[child]
        root, child = child, 2 * child + 1
    order[root] = moved


@kernel
def rank(keys: Weights, size: int, order: NDArray[np.int64]) -> None:
    """Fill in the ids from the highest key down, equal keys in the order of the ids: heapsort."""
    for i in range(size):
        order[i] = i
    for root in range(size // 2 - 1, -1, -1):
        _sift(keys, order, root, size)
    for last in range(size - 1, 0, -1):
        order[0], order[last] = order[last], order[0]
        _sift(keys, order, 0, last)


@kernel
def _keep_top_k_top_p(size: int, top_k: int, top_p: float, room: Scratch) -> None:
    """The ``top_k`` highest, and of these the fewest that reach the mass ``top_p``."""
    weights, order = room.chances, room.order
    rank(room.scores, size, order)
    kept = min(top_k, size) if top_k > 0 else size
    total = 0.0
    for i in range(kept):
        total += weights[order[i]]
    mass = 0.0
    for i in range(size):
        if i >= kept or (i > 0 and mass >= top_p * total and top_p < 1.0):
            weights[order[i]] = 0.0
        else:
            mass += weights[order[i]]


@kernel
def _keep_min_p(size: int, min_p: float, weights: Weights) -> None:
    """Those at least ``min_p`` times as likely as the likeliest."""
    highest = 0.0
    for i in range(size):
        highest = max(highest, weights[i])
    for i in range(size):
        if weights[i] < min_p * highest:
            weights[i] = 0.0


@kernel
def _keep_typical(size: int, mass: float, room: Scratch) -> None:
    """The fewest that reach the mass, those first whose surprise is nearest to the entropy."""
    weights, order = room.chances, room.order
    total, entropy = 0.0, 0.0
    for i in range(size):
        total += weights[i]
    for i in range(size):
        if weights[i] > 0.0:
            chance = weights[i] / total
            entropy -= chance * math.log(chance)
    for i in range(size):
        room.keys[i] = -math.inf
        if weights[i] > 0.0:
            room.keys[i] = -abs(-math.log(weights[i] / total) - entropy)
    rank(room.keys, size, order)
    reached = 0.0
    for i in range(size):
        if i > 0 and reached >= mass * total:
            weights[order[i]] = 0.0
        reached += weights[order[i]]


@kernel
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
