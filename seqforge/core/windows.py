"""All windows of a text as sorted numbers, which count the grams of every length.

A window of K + 1 symbols is the number whose digits, in base V, are its ids; so the windows that
begin with a given (k+1)-gram are a range of the sorted codes, and two binary searches count them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.files import disk_errors
from seqforge.core.paging import give_back, in_blocks

Codes = NDArray[np.unsignedinteger]

_BLOCK = 1 << 19


def is_small(vocab_size: int, width: int) -> bool:
    """Whether the code of a window fits 32 bits."""
    return bool(vocab_size**width <= 1 << 32)


class Windows:
    """The sorted codes of all windows of ``width`` symbols of a ring of ids.

    They lie in a file and are sorted there, memory-mapped: what is in memory of them the system
    may take back. The file is written first, so that a full disk is an error.
    """

    def __init__(
        self,
        ring: NDArray[Any],
        vocab_size: int,
        width: int,
        mirror: NDArray[Any] | None,
        folder: Path,
    ) -> None:
        self.vocab_size = vocab_size
        self.width = width
        self._dtype = np.dtype(np.uint32 if is_small(vocab_size, width) else np.uint64)
        with disk_errors(folder), TemporaryFile(dir=folder) as stream:
            for codes in self._encoded(ring, None):
                stream.write(codes.data)
            if mirror is not None:
                for codes in self._encoded(ring[::-1], mirror):
                    stream.write(codes.data)
            self.codes: Codes = np.asarray(np.memmap(stream, self._dtype, "r+"))
        self.codes.sort()

    def _encoded(self, ring: NDArray[Any], mirror: NDArray[Any] | None) -> Iterator[Codes]:
        closed = np.resize(ring[: self.width - 1], self.width - 1)  # the ring closes
        base = self._dtype.type(self.vocab_size)
        for block in in_blocks(ring, _BLOCK, self.width - 1):
            size = min(_BLOCK, len(block))
            symbols = np.concatenate([block, closed])
            if mirror is not None:
                symbols = mirror[symbols]
            symbols = symbols.astype(self._dtype)
            code = symbols[:size].copy()
            for digit in range(1, self.width):
                code *= base
                code += symbols[digit : digit + size]
            yield code

    def divisor(self, length: int) -> int:
        """What takes the code of a window to that of its first ``length`` symbols."""
        return int(self.vocab_size ** (self.width - length))

    def span(
        self, first: Codes, last: Codes, length: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where the windows begin and end that start with one of the grams ``first`` to ``last``.

        Args:
            first: (Q,) codes of grams of ``length`` symbols; quick when they ascend.
            last: (Q,) likewise.
            length: Symbols in a gram.
        """
        below = np.uint64(self.divisor(length) - 1)
        factor = np.uint64(self.divisor(length))
        low = (first * factor).astype(self.codes.dtype)
        high = (last * factor + below).astype(self.codes.dtype)
        return np.searchsorted(self.codes, low), np.searchsorted(self.codes, high, side="right")

    def different(self, edges: NDArray[np.intp], length: int) -> NDArray[np.intp]:
        """How many different first ``length`` symbols lie between the first of some ascending
        edges (Q,) and each of them.
        """
        divisor = self.codes.dtype.type(self.divisor(length))
        result = np.zeros(len(edges), np.intp)
        before = 0
        for start in range(int(edges[0]), int(edges[-1]), _BLOCK):
            # One code of the block before comes along: is the first here different from it?
            grams = self.codes[max(0, start - 1) : start + _BLOCK] // divisor
            new = grams[1:] != grams[:-1]
            seen = np.cumsum(new if start else np.concatenate([[True], new]), dtype=np.intp)
            here = slice(*np.searchsorted(edges, [start + 1, start + len(seen) + 1]))
            result[here] = before + seen[edges[here] - start - 1]
            before += int(seen[-1])
            give_back(self.codes)
        return result
