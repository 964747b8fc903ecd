"""Low-complexity sequence: symmetric DUST, whose intervals are those of NCBI's dustmasker.

A stretch of l triplets in which triplet t stands c_t times scores

    S = sum over t of c_t (c_t - 1) / 2,  divided by l - 1

and is perfect where S is above 2 (level 20), where no stretch within it scores more, and where it
has 64 letters at most. What is masked is the union of the perfect stretches. A letter that is no
base ends a sequence here: nothing is said of it, nor across it. (dustmasker turns such letters
into bases.)

References:
    Morgulis, Gertz, Schaffer & Agarwala 2006, https://doi.org/10.1089/cmb.2006.13.1028
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqforge.domains.genome.similarity.kmers import NO_BASE, Codes, encode

_LEVEL = 2.0
_WINDOW = 64
_WORD = 3
_PIECE = 1 << 18  # letters looked at together, so that memory is bounded


def dust_mask(codes: Codes) -> NDArray[np.bool_]:
    """Which letters are low-complexity.

    Args:
        codes: From `encode`, (T,).

    Returns:
        (T,).
    """
    masked = np.zeros(len(codes), bool)
    # A perfect stretch depends on nothing outside it: pieces that share a window's letters see all.
    for start in range(0, max(1, len(codes) - _WINDOW), _PIECE):
        stop = start + _PIECE + _WINDOW
        masked[start:stop] |= _masked(codes[start:stop])
    return masked


def _masked(codes: Codes) -> NDArray[np.bool_]:
    """The same, all stretches of one length together, from the shortest to the longest."""
    count = max(0, len(codes) - _WORD + 1)
    words, whole = _words(codes, count)
    edges = np.zeros(len(codes) + 1, np.int32)  # +1 where a perfect stretch begins, -1 behind it
    # Of the stretches that begin at each place: pairs of equal triplets in those that are one and
    # two triplets shorter, and the best score in each that is one shorter or in a part of it.
    shorter, shortest = np.zeros(count, np.int32), np.zeros(count + 1, np.int32)
    best, bases_only = np.zeros(count), whole
    for length in range(2, min(_WINDOW - _WORD + 1, count) + 1):
        ends_meet = words[: count - length + 1] == words[length - 1 :]
        pairs = shorter[:-1] + shorter[1:] - shortest[1:-1] + ends_meet
        # Equal fractions are equal as float64 too, so that ties are seen.
        score = pairs / (length - 1)
        within = np.maximum(best[:-1], best[1:])
        bases_only = bases_only[:-1] & whole[length - 1 :]
        perfect = np.flatnonzero((score > _LEVEL) & (score >= within) & bases_only)
        edges[perfect] += 1
        edges[perfect + length + _WORD - 1] -= 1
        best = np.maximum(score, within)
        shorter, shortest = pairs, shorter
    return np.cumsum(edges[:-1]) > 0


def _words(codes: Codes, count: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Triplets as numbers, and whether each is all bases."""
    letters = codes.astype(np.int32)
    words, whole = np.zeros(count, np.int32), np.ones(count, bool)
    for place in range(_WORD):
        part = letters[place : place + count]
        words = words * 4 + part
        whole &= part != NO_BASE
    return words, whole


def dust_intervals(bases: str) -> list[tuple[int, int]]:
    """Where a sequence is low-complexity: from 0, stops excluded, in order, none touching.

    Args:
        bases: Either case; U is T.
    """
    mask = dust_mask(encode(bases))
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return [(start, stop) for start, stop in edges.reshape(-1, 2).tolist()]


def masked_fraction(bases: str) -> float:
    """The share of a sequence's letters that is low-complexity; 0 of an empty one."""
    return float(dust_mask(encode(bases)).mean()) if bases else 0.0
