"""An order-k Markov model of sequence: what counting short words alone would make."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from seqforge.domains.genome.similarity.kmers import encode, packed_kmers

HIGHEST_ORDER = 5
"""Hexamers, what gene finders have long taken for the background of DNA (GeneMark: Borodovsky
and McIninch 1993, https://doi.org/10.1016/0097-8485(93)85004-V). Higher orders begin to hold
pieces of the training data itself, which a search then finds."""
_ENOUGH = 100  # counts a word, on average, so that a frequency is known to a tenth
_LETTERS = "ACGT"


def order_for(bases: int) -> int:
    """The highest order up to `HIGHEST_ORDER` that so many counted bases bear: 100 a word."""
    order = HIGHEST_ORDER
    while order and 4 ** (order + 1) * _ENOUGH > bases:
        order -= 1
    return order


class MarkovModel:
    """Each base depends on the ``order`` before it, as often as it did in what was counted."""

    order: int

    def __init__(self, counts: NDArray[np.int64]) -> None:
        """Of the counts of all words of order + 1 bases, (4^(order + 1),), A first.

        Raises:
            ValueError: If nothing was counted, or the words are of no one length.
        """
        self.order = (len(counts).bit_length() - 1) // 2 - 1
        if self.order < 0 or len(counts) != 4 ** (self.order + 1):
            raise ValueError(f"{len(counts)} counts are not those of all words of one length")
        if not counts.any():
            raise ValueError("there is nothing to make a Markov model of: no word was counted")
        followers = counts.reshape(-1, 4)
        self._starts = np.cumsum(followers.sum(1))
        self._cumulative: list[list[int]] = [
            list(accumulate(row)) for row in _with_followers(followers).tolist()
        ]

    @classmethod
    def of(cls, blocks: Iterable[str], order: int | None = None, both: bool = True) -> MarkovModel:
        """Of some text, read once; memory is that of a block.

        Args:
            blocks: Cut anywhere; a letter that is no base must stand between records.
            order: 0 to `HIGHEST_ORDER`; None takes what the text bears (see `order_for`).
            both: Whether the reverse complement is counted too.

        Raises:
            ValueError: If there is no word to count.
        """
        highest = HIGHEST_ORDER if order is None else order
        counts = _counted(blocks, highest + 1)
        if both:
            counts = counts + _reversed(counts)
        if order is None:
            fit = order_for(int(counts.sum()))
            counts = counts.reshape(4 ** (fit + 1), -1).sum(1)
        return cls(counts)

    def sample(self, length: int, seed: int | Sequence[int]) -> str:
        """So many bases; the same seed gives the same."""
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))
        context = int(np.searchsorted(self._starts, rng.integers(self._starts[-1]), "right"))
        first = [_LETTERS[context >> 2 * place & 3] for place in reversed(range(self.order))]
        drawn = first[:length]
        contexts, cumulative = 4**self.order, self._cumulative
        for number in rng.random(length - len(drawn)).tolist():
            row = cumulative[context]
            base = bisect_right(row, int(number * row[-1]))
            drawn.append(_LETTERS[base])
            context = (context * 4 + base) % contexts
        return "".join(drawn)


def _counted(blocks: Iterable[str], size: int) -> NDArray[np.int64]:
    """How often each word of ``size`` bases occurs, (4^size,)."""
    counts = np.zeros(4**size, np.int64)
    carried = ""
    for block in blocks:
        text = carried + block
        words, whole = packed_kmers(encode(text), size)
        counts += np.bincount(words[whole].astype(np.int64), minlength=4**size)
        carried = text[max(0, len(text) - size + 1) :]
    return counts


def _reversed(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The counts of the other strand: those of each word's reverse complement."""
    size = (len(counts).bit_length() - 1) // 2
    digits = counts.reshape((4,) * size)
    return np.ascontiguousarray(digits.transpose()[(slice(None, None, -1),) * size]).ravel()


def _with_followers(followers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts (4^order, 4); a context that nothing follows has those of a shorter one."""
    known = followers.copy()
    contexts = len(followers)
    while (lost := np.flatnonzero(known.sum(1) == 0)).size:
        contexts //= 4
        shorter = followers.reshape(-1, contexts, 4).sum(0)
        known[lost] = shorter[lost % contexts]
    return known
