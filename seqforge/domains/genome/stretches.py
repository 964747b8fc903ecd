"""A sequence in; out the spans that say nothing (runs of N, of X), and its words as numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class GapRuns:
    """Spans of a sequence that comes block by block, from 0, half-open."""

    def __init__(self) -> None:
        self.spans: list[tuple[int, int]] = []

    def add(self, mask: NDArray[np.bool_], begin: int) -> None:
        """Add the runs of a block, which has some.

        Args:
            mask: What of it says nothing.
            begin: Where it begins in the sequence.
        """
        found = [(begin + start, begin + stop) for start, stop in runs(mask)]
        if self.spans and self.spans[-1][1] == found[0][0]:  # it goes on from the block before
            found[0] = (self.spans.pop()[0], found[0][1])
        self.spans += found

    @property
    def total(self) -> int:
        """Letters in all of them."""
        return sum(b - a for a, b in self.spans)


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """A mask in, its runs out: from 0, half-open, in order, not touching."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return [(start, stop) for start, stop in edges.reshape(-1, 2).tolist()]


def numbered_words(
    codes: NDArray[np.uint8], size: int, kinds: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Codes in; out each run of ``size`` of them as a number, the first most significant, and
    whether all of it are below ``kinds``.

    Args:
        codes: (T,).
        size: At least 1.
        kinds: How many there are; ``kinds`` to the power of ``size`` is below 2^31.
    """
    count = max(0, len(codes) - size + 1)
    found, whole = np.zeros(count, np.int32), np.ones(count, bool)
    for offset in range(size):
        part = codes[offset : offset + count]
        found = found * kinds + part
        whole &= part < kinds
    return found, whole


def word_counts(codes: NDArray[np.uint8], size: int, kinds: int) -> NDArray[np.int64]:
    """How often each word of `numbered_words` occurs, (kinds^size,)."""
    numbers, whole = numbered_words(codes, size, kinds)
    return np.bincount(numbers[whole], minlength=kinds**size).astype(np.int64, copy=False)
