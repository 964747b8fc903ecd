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
        edges = np.flatnonzero(np.diff(mask, prepend=False, append=False)) + begin
        runs = [(a, b) for a, b in edges.reshape(-1, 2).tolist()]
        if self.spans and self.spans[-1][1] == runs[0][0]:  # it goes on from the block before
            runs[0] = (self.spans.pop()[0], runs[0][1])
        self.spans += runs

    @property
    def total(self) -> int:
        """Letters in all of them."""
        return sum(b - a for a, b in self.spans)


def words(codes: NDArray[np.uint8], size: int, kinds: int) -> NDArray[np.int64]:
    """Codes in, each run of ``size`` of them as a number out, the first most significant.

    Args:
        codes: Below ``kinds``; a run with another is left out.
        size: At least 1.
        kinds: How many there are.
    """
    count = max(0, len(codes) - size + 1)
    found, whole = np.zeros(count, np.int64), np.ones(count, bool)
    for offset in range(size):
        part = codes[offset : offset + count]
        found = found * kinds + part
        whole &= part < kinds
    return found[whole]
