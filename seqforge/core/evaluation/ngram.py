"""Token arrays in, held-out bits of interpolated n-grams out: the counting baseline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.base.machine import in_blocks, mapped, release_pages
from seqforge.base.messages import Advance, unheard

WindowNumbers = NDArray[np.unsignedinteger]

_BLOCK = 1 << 19


def is_small(vocab_size: int, width: int) -> bool:
    """Whether the code of a window fits 32 bits."""
    return bool(vocab_size**width <= 1 << 32)


class NgramCounts:
    """Sorted codes of all windows of ``width`` symbols of a ring of ids.

    They are in a file and sorted there, memory-mapped, so the system can reclaim their memory.
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
        blocks = [self._encoded(ring, None)]
        if mirror is not None:
            blocks.append(self._encoded(ring[::-1], mirror))
        self.codes: WindowNumbers = mapped(folder, chain(*blocks), self._dtype)
        self.codes.sort()

    def _encoded(self, ring: NDArray[Any], mirror: NDArray[Any] | None) -> Iterator[WindowNumbers]:
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
        """Divisor from a window's code to that of its first ``length`` symbols."""
        return int(self.vocab_size ** (self.width - length))

    def span(
        self, first: WindowNumbers, last: WindowNumbers, length: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where the windows that start with each gram begin and end.

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
            release_pages(self.codes)
        return result


TRAIN_LIMIT = 40_000_000
"""Most windows counted, both directions together: 160 MB of codes, on disk."""
TRAIN_LIMIT_WIDE = 24_000_000
"""The same for 64-bit codes: 192 MB."""
HELD_OUT_LIMIT = 1_200_000
"""Most symbols scored."""
_PIECE = 10_000
"""A longer held-out segment is cut into pieces of this many symbols before some are left out."""
_SOME = 1 << 17
"""Scored symbols that are looked up at a time."""
_FEW_SYMBOLS = 20
_HIGHEST_ORDER = 12
_HIGHEST_ORDER_OF_MANY = 8
"""Beyond these no corpus of `TRAIN_LIMIT` symbols has been seen to gain."""
_PATIENCE = 2

Segment = tuple[int, int, int]
"""start, scored_from, stop: the symbols scored_from..stop-1 are scored, and see back to start."""


@dataclass(frozen=True)
class NgramResult:
    """Bits per symbol of each order, and the number of symbols used."""

    bits: dict[int, float]
    best: int
    """The order with the fewest bits."""
    train_symbols: int
    """Training symbols read, each counted once; fewer than given when the limit cut them."""
    held_out_symbols: int
    """Held-out symbols scored; fewer than given when the limit thinned them."""


def ngram_bits(
    train: NDArray[Any],
    held_out: NDArray[Any],
    segments: Sequence[Segment],
    vocab_size: int,
    *,
    orders: Iterable[int] | None = None,
    mirror: NDArray[Any] | None = None,
    limit: int | None = None,
    held_out_limit: int | None = HELD_OUT_LIMIT,
    progress: Advance = unheard,
    folder: Path | None = None,
) -> NgramResult:
    """Token arrays in, held-out bits under interpolated Witten-Bell n-grams of each order out.

    `_interpolate` has the formula. A context never seen, or longer than the segment allows, leaves
    it to the lower order. The training records are counted as a ring, the first following the last,
    so that every symbol has a context of every length.

    Args:
        train: (N,) ids, a memory map or not: 0, then records, each followed by 0.
        held_out: (M,) ids.
        segments: What to score; see `Segment`.
        vocab_size: V, the end symbol counted.
        orders: Those wanted; without it 0, 1, 2, ... until one is worse twice running, at most 12
            (8 for a large vocabulary). Always cut off where a window exceeds 64 bits.
        mirror: (V,) the id that stands for each id when read backwards; the training data are
            then counted in both directions (the reverse complement).
        limit: Most windows counted, both directions together: the last part of ``train``. Without
            it `TRAIN_LIMIT` or `TRAIN_LIMIT_WIDE`.
        held_out_limit: Most symbols scored, about: segments, or pieces of long ones, evenly taken.
        progress: Told of each order, out of the highest there may be.
        folder: Where the counts lie meanwhile, four or eight bytes a window; without it where
            temporary files do.

    Raises:
        ValueError: If there is nothing to score, or no order to score it with.
        RunError: If the disk is full.

    References:
        Witten and Bell 1991, https://doi.org/10.1109/18.87000 (method C);
        Chen and Goodman 1999, https://doi.org/10.1006/csla.1999.0128 (the interpolation)
    """
    wanted = _wanted(orders, vocab_size)
    if limit is None:
        limit = TRAIN_LIMIT if is_small(vocab_size, max(wanted) + 1) else TRAIN_LIMIT_WIDE
    ring = train[max(1, len(train) - limit // (1 if mirror is None else 2)) :]
    queries = _Queries(held_out, thin(segments, held_out_limit), vocab_size)
    windows = NgramCounts(ring, vocab_size, max(wanted) + 1, mirror, folder or Path(gettempdir()))
    bits: dict[int, float] = {}
    for order, found in _orders(queries, windows, max(wanted), 1 / vocab_size):
        if order in wanted:
            bits[order] = found
            progress(order, max(wanted), f"order-{order} n-gram")
        if orders is None and order - min(bits, key=bits.__getitem__) >= _PATIENCE:
            break
    best = min(bits, key=bits.__getitem__)
    return NgramResult(bits, best, len(ring), queries.count)


def _orders(
    queries: _Queries, windows: NgramCounts, highest: int, uniform: float
) -> Iterator[tuple[int, float]]:
    """Bits per symbol of one order after the other, each from those of the one below."""
    probability = np.full(queries.count, uniform)
    for order in range(highest + 1):
        queries.lengthen(order)
        _interpolate(probability, queries, windows, order)
        yield order, max(0.0, -float(np.log2(probability).mean()))


def thin(segments: Sequence[Segment], limit: int | None) -> list[Segment]:
    """Evenly spaced segments with about ``limit`` scored symbols; long ones are cut first.

    A piece keeps the start of its segment, so its symbols see as far back as they did.
    """
    total = sum(stop - scored_from for _, scored_from, stop in segments)
    if limit is None or total <= limit:
        return list(segments)
    pieces = [
        (start, at, min(at + _PIECE, stop))
        for start, scored_from, stop in segments
        for at in range(scored_from, stop, _PIECE)
    ]
    kept: list[Segment] = []
    seen = taken = 0
    for piece in pieces:
        length = piece[2] - piece[1]
        seen += length
        if taken + length <= seen * limit / total:
            kept.append(piece)
            taken += length
    return kept or pieces[:1]


def _wanted(orders: Iterable[int] | None, vocab_size: int) -> set[int]:
    few = vocab_size <= _FEW_SYMBOLS
    default = range((_HIGHEST_ORDER if few else _HIGHEST_ORDER_OF_MANY) + 1)
    asked = set(default if orders is None else orders)
    kept = {order for order in asked if order >= 0 and vocab_size ** (order + 1) <= 1 << 64}
    if not kept:
        raise ValueError(f"no usable order among {sorted(asked)}")
    return kept


class _Queries:
    """The scored symbols and the codes of their contexts, one order after the other."""

    def __init__(
        self, held_out: NDArray[Any], segments: Sequence[Segment], vocab_size: int
    ) -> None:
        pieces = [np.arange(scored_from, stop) for _, scored_from, stop in segments]
        rooms = [
            np.minimum(p - s[0], 255).astype(np.uint8)
            for p, s in zip(pieces, segments, strict=True)
        ]
        self.count = sum(len(piece) for piece in pieces)
        if not self.count:
            raise ValueError("there is no held-out symbol to score")
        self.vocab_size = vocab_size
        self._held_out = held_out
        self._places = np.concatenate(pieces)
        self._rooms = np.concatenate(rooms)  # symbols that each may see back to
        self._symbols = held_out[self._places]
        self.contexts: NDArray[np.uint64] = np.zeros(self.count, np.uint64)

    def lengthen(self, order: int) -> None:
        """Put the symbol ``order`` places back at the front of each context; called in turn."""
        if order:
            oldest = self._held_out[np.maximum(self._places - order, 0)].astype(np.uint64)
            self.contexts += oldest * np.uint64(self.vocab_size ** (order - 1))

    def usable(self, order: int) -> Iterator[NDArray[np.intp]]:
        """Which have so long a context, those of like contexts together, some at a time."""
        at = np.flatnonzero(self._rooms >= order)
        at = at[np.argsort(self.contexts[at])]
        for start in range(0, len(at), _SOME):
            yield at[start : start + _SOME]

    def grams(self, at: NDArray[np.intp]) -> NDArray[np.uint64]:
        """Context and symbol of those at some places, as one code."""
        return self.contexts[at] * np.uint64(self.vocab_size) + self._symbols[at].astype(np.uint64)


def _interpolate(
    probability: NDArray[np.float64], queries: _Queries, windows: NgramCounts, order: int
) -> None:
    """Take the probability of each scored symbol from order - 1 to order, in place.

    With n the count in training, c a context of k symbols, c' the same without its oldest, and
    T(c) the number of different symbols seen after c::

        p_k(s | c) = (n(cs) + T(c) p_{k-1}(s | c')) / (n(c) + T(c)),    p_{-1} = 1 / V
    """
    for at in queries.usable(order):
        counts, weights = _counted(queries.grams(at), windows, order)
        probability[at] = counts + weights * probability[at]


def _counted(
    codes: WindowNumbers, windows: NgramCounts, order: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From the training counts of grams of order + 1 symbols: their share, and the lower order's
    weight."""
    base = np.uint64(windows.vocab_size)
    grams, gram_of = np.unique(codes, return_inverse=True)
    contexts, context_of = np.unique(grams // base, return_inverse=True)
    first, last = windows.span(grams, grams, order + 1)
    low, high = windows.span(contexts * base, contexts * base + base - np.uint64(1), order + 1)
    edges = windows.different(np.stack([low, high], axis=1).ravel(), order + 1)
    followers = edges[1::2] - edges[::2]
    total = (high - low + followers)[context_of]
    seen = total > 0
    divisor = np.maximum(total, 1)
    count = np.where(seen, (last - first) / divisor, 0.0)
    weight = np.where(seen, followers[context_of] / divisor, 1.0)
    return count[gram_of], weight[gram_of]
