"""Is it just copying? Spans that samples share with the training data, symbol by symbol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqforge.core.paging import in_blocks

Ids = NDArray[np.unsignedinteger]
Hashes = NDArray[np.uint64]

_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplication modulo 2^64 loses nothing
_FILTER_BITS = 20


class CopyFinder:
    """Looks for spans of some sequences in a training array; one pass a length, bounded memory.

    Spans are compared by a polynomial hash of 64 bits (Karp and Rabin 1987): of a million spans
    against a hundred million, the chance of one false match is below one in 10^5.
    """

    def __init__(self, sequences: Sequence[Ids], training: Ids) -> None:
        self._sequences = [np.asarray(ids) for ids in sequences if len(ids)]
        self._training = training

    def share(self, length: int) -> float | None:
        """Share of the sequences' spans of ``length`` symbols that occur in the training data.

        None where no sequence is so long.
        """
        wanted = self._spans(length)
        if not len(wanted):
            return None
        return float(np.isin(wanted, self._found(np.unique(wanted), length)).mean())

    def longest(self) -> int:
        """Length in symbols of the longest span that occurs in the training data."""
        low, high = 0, max((len(ids) for ids in self._sequences), default=0)
        while low < high:  # a span that occurs has shorter ones in it that do too
            middle = (low + high + 1) // 2
            wanted = np.unique(self._spans(middle))
            if len(self._found(wanted, middle)):
                low = middle
            else:
                high = middle - 1
        return low

    def _spans(self, length: int) -> Hashes:
        found = [span_hashes(ids, length) for ids in self._sequences if len(ids) >= length]
        return np.concatenate(found) if found else np.empty(0, np.uint64)

    def _found(self, wanted: Hashes, length: int) -> Hashes:
        """Those of ``wanted`` that the training data have."""
        maybe = np.zeros(1 << _FILTER_BITS, bool)
        shift = np.uint64(64 - _FILTER_BITS)
        maybe[wanted >> shift] = True
        found = np.empty(0, np.uint64)
        for block in in_blocks(self._training, overlap=length - 1):
            hashes = span_hashes(block, length)
            likely = hashes[maybe[hashes >> shift]]
            found = np.union1d(found, np.intersect1d(likely, wanted))
        return found


def span_hashes(ids: Ids, length: int) -> Hashes:
    """The hash of every span of ``length`` symbols, (T - length + 1,).

    Spans of 1, 2, 4, ... symbols are put together from halves, and the length from those.
    """
    if length < 1 or len(ids) < length:
        return np.empty(0, np.uint64)
    power_of_two = (ids.astype(np.uint64) + np.uint64(1)) * _BASE
    power, size, done = _BASE, 1, 0
    total = np.zeros(len(ids) + 1, np.uint64)
    with np.errstate(over="ignore"):
        while True:
            if length & size:
                # total covers `done` symbols; the next `size` begin behind them
                tail = power_of_two[done:]
                total = total[: len(tail)] * power + tail
                done += size
            size *= 2
            if size > length:
                return total[: len(ids) - length + 1]
            half = size // 2
            power_of_two = power_of_two[:-half] * power + power_of_two[half:]
            power = power * power
