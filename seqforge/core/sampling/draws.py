"""Draws: which symbol comes next, as a function of seed, sample number and position alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BLOCK = 256


class Draws:
    """Uniform numbers for a batch of samples, the same whatever else is in the batch.

    Sample k of seed s reads the Philox4x64-10 stream with the key (s, k) (Salmon et al. 2011,
    "Parallel random numbers: as easy as 1, 2, 3"); its number at position p is the p-th of the
    stream, 53 bits as a double in [0, 1).
    """

    def __init__(self, seed: int, numbers: list[int]) -> None:
        self._streams = [
            np.random.Generator(np.random.Philox(key=[seed, number])) for number in numbers
        ]
        self._block = np.empty((len(numbers), 0))
        self._place = 0

    def next(self) -> NDArray[np.float64]:
        """One number for each sample (n,), at the next position."""
        if self._place == self._block.shape[1]:
            self._block = np.stack([stream.random(_BLOCK) for stream in self._streams])
            self._place = 0
        self._place += 1
        return self._block[:, self._place - 1]


def probabilities(
    logits: NDArray[np.floating],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> NDArray[np.float64]:
    """What to draw from: logits at a temperature, cut to the likeliest.

    The temperature comes first, then top-k, then top-p on what is left; among equal logits the
    lower id is the likelier. The limits are exact: temperature 0 leaves the likeliest symbol
    alone, infinity makes every allowed symbol equally likely.

    Args:
        logits: (n, V); minus infinity is not allowed and stays impossible.
        temperature: At least 0.
        top_k: Keep this many symbols (Fan et al. 2018, https://arxiv.org/abs/1805.04833).
        top_p: Keep the fewest symbols that reach this mass (Holtzman et al. 2020,
            https://arxiv.org/abs/1904.09751).

    Returns:
        (n, V), in double precision; every row adds up to one.

    Raises:
        ValueError: If an argument is out of range.
    """
    if not temperature >= 0:
        raise ValueError(f"the temperature must be 0 or above, not {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be 1 or above, not {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must lie in (0, 1], not {top_p}")
    wide = logits.astype(np.float64)
    chances = _tempered(wide, temperature)
    if top_k is None and (top_p is None or top_p == 1):
        return chances
    order = np.argsort(-wide, axis=1, kind="stable")
    ranked = np.take_along_axis(chances, order, axis=1)
    if top_k is not None:
        ranked[:, top_k:] = 0.0
        ranked /= ranked.sum(axis=1, keepdims=True)
    if top_p is not None:
        before = np.cumsum(ranked, axis=1) - ranked
        ranked[before >= top_p] = 0.0
        ranked /= ranked.sum(axis=1, keepdims=True)
    kept = np.empty_like(ranked)
    np.put_along_axis(kept, order, ranked, axis=1)
    return kept


def _tempered(logits: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    highest = logits.max(axis=1, keepdims=True)
    if temperature == 0:
        weights = np.zeros_like(logits)
        weights[np.arange(len(logits)), logits.argmax(axis=1)] = 1.0
        return weights
    if np.isinf(temperature):
        weights = np.isfinite(logits).astype(np.float64)
    else:
        with np.errstate(over="ignore"):  # a tiny temperature: (x - max) / t may reach -inf
            weights = np.exp((logits - highest) / temperature)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def choose(chances: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Inverse CDF: the first id whose cumulative probability lies above the number.

    Args:
        chances: (n, V), each row adding up to one.
        uniform: (n,), in [0, 1).

    Returns:
        Ids (n,); never one of probability zero.
    """
    cumulative = np.cumsum(chances, axis=1)
    total = cumulative[:, -1:]  # one, but for rounding
    ids = (cumulative <= uniform[:, None] * total).sum(axis=1)
    last = chances.shape[1] - 1 - (chances[:, ::-1] > 0).argmax(axis=1)
    return np.asarray(np.minimum(ids, last), dtype=np.int64)


def log_softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Log-probabilities (n, V) in nats, at temperature 1."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    return np.asarray(wide - np.log(np.exp(wide).sum(axis=1, keepdims=True)))
