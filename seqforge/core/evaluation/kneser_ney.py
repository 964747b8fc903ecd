"""Token arrays in, held-out bits of modified Kneser-Ney n-grams of every order out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import Advance, unheard
from seqforge.core.evaluation.context_order import ContextOrder, Places, Stretch, context_order
from seqforge.core.evaluation.ngram import HELD_OUT_LIMIT, thin
from seqforge.core.kernels.compiler import kernel
from seqforge.core.model.ngram import HIGHEST_COUNT, discounts_of

TRAIN_LIMIT = 16_000_000
"""Most symbols counted, both directions together: 180 MB of places and text, on disk."""
CHOOSING_LIMIT = 200_000
"""Most symbols that the order is chosen by."""
HIGHEST_ORDER = 16
_PATIENCE = 2


@dataclass(frozen=True)
class KneserNeyResult:
    """Bits per symbol of each order, and the order chosen."""

    bits: dict[int, float]
    """Of the scored part."""
    order: int
    """The order that needs the fewest bits for the part it is chosen by."""
    train_symbols: int
    """Training symbols read, each counted once."""


def kneser_ney_bits(
    train: NDArray[Any],
    scored: Stretch,
    choosing: Stretch,
    vocab_size: int,
    *,
    mirror: NDArray[Any] | None = None,
    highest: int = HIGHEST_ORDER,
    limit: int = TRAIN_LIMIT,
    progress: Advance = unheard,
    folder: Path | None = None,
) -> KneserNeyResult:
    """Held-out bits under interpolated modified Kneser-Ney n-grams of orders 0, 1, 2, ...

    With n the count of a gram in training, c a context of k symbols and c' the same without its
    oldest, an order-k n-gram is::

        p_k(s | c) = (max(0, n(cs) - D(n(cs))) + g(c) p'_{k-1}(s | c')) / n(c)

    where g(c) is the sum of the discounts D taken from c. The lower orders p' have the same form;
    n is there the number of different symbols that stand before a gram, and p'_{-1} = 1 / V. A
    context never seen, or longer than the segment allows, leaves it to the lower order.

    Args:
        train: (N,) ids, a memory map or not: 0, then records, each followed by 0.
        scored: What to score, thinned to about `ngram.HELD_OUT_LIMIT` symbols.
        choosing: What the order is chosen by, thinned to about `CHOOSING_LIMIT`.
        vocab_size: V, the end symbol counted.
        mirror: (V,) the id that stands for each id when read backwards; the training data are
            then counted in both directions (the reverse complement).
        highest: The highest order; the search ends before it when two orders running are worse.
        limit: Most symbols counted, both directions together: the last part of ``train``.
        progress: Told of each order, out of the highest there may be.
        folder: Where the counts lie meanwhile; without it where temporary files do.

    Raises:
        ValueError: If there is nothing to score.
        RunError: If the disk is full.

    References:
        Chen and Goodman 1999, https://doi.org/10.1006/csla.1999.0128
    """
    stretches = [_thinned(scored, HELD_OUT_LIMIT), _thinned(choosing, CHOOSING_LIMIT)]
    train = train[max(1, len(train) - limit // (1 if mirror is None else 2)) :]
    place = folder or Path(gettempdir())
    chosen: dict[int, float] = {}
    bits: dict[int, float] = {}
    contexts = context_order(train, stretches, vocab_size, highest, place, mirror)
    if not all(len(places) for places in contexts.scored):
        raise ValueError("there is no held-out symbol to score")
    for order, probability in _orders(contexts, vocab_size, highest):
        bits[order], chosen[order] = (
            max(0.0, -float(np.log2(probability[places]).mean())) for places in contexts.scored
        )
        progress(order, highest, f"order-{order} Kneser-Ney n-gram")
        if order - min(chosen, key=chosen.__getitem__) >= _PATIENCE:
            break
    return KneserNeyResult(bits, min(chosen, key=chosen.__getitem__), len(train))


def _thinned(stretch: Stretch, limit: int) -> Stretch:
    return Stretch(stretch.tokens, thin(stretch.segments, limit))


class _Tally(NamedTuple):
    """The followers of one context."""

    counts: NDArray[np.int64]
    """(V,) how often each symbol follows."""
    kinds: NDArray[np.int64]
    """(V,) after how many different symbols before the context each follows."""
    last: NDArray[np.int64]
    """(V,) the group of equal longer contexts in which each was last seen."""
    seen: NDArray[np.int64]
    """(V,) the symbols with a count, as many as ``sizes`` says first."""
    sizes: NDArray[np.int64]
    """(1,)"""

    @classmethod
    def of(cls, vocab_size: int) -> _Tally:
        counts, kinds, last, seen = (np.zeros(vocab_size, np.int64) for _ in range(4))
        return cls(counts, kinds, last, seen, np.zeros(1, np.int64))


def _orders(
    contexts: ContextOrder, vocab_size: int, highest: int
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Of each order the probabilities of all held-out symbols; those that are not scored mean
    nothing."""
    tally, first = _Tally.of(vocab_size), contexts.held_out_from
    lower = np.full(len(contexts.rooms), 1 / vocab_size)
    for order in range(highest + 1):
        histograms = np.zeros((2, HIGHEST_COUNT + 1), np.int64)
        arrays = (contexts.order, contexts.symbols, contexts.common)
        count_counts(*arrays, order, first, tally, histograms)
        discounts = np.stack([discounts_of(histogram) for histogram in histograms])
        probability = lower.copy()
        score(*arrays, order, first, tally, contexts.rooms, discounts, lower, probability)
        yield order, probability


@kernel
def _count_followers(
    order: Places,
    symbols: NDArray[Any],
    common: NDArray[np.uint8],
    begin: int,
    length: int,
    held_out_from: int,
    tally: _Tally,
) -> int:
    """Count the training symbols after the context of ``length`` symbols that begins at an entry of
    the order; returns where the next one begins.
    """
    seen, group, end = 0, begin, begin
    while end < len(order) and (end == begin or common[end] >= length):
        if end > begin and common[end] == length:
            group = end
        if order[end] < held_out_from:
            symbol = symbols[end]
            if tally.counts[symbol] == 0:
                tally.seen[seen] = symbol
                seen += 1
            if tally.kinds[symbol] == 0 or tally.last[symbol] != group:
                tally.kinds[symbol] += 1
                tally.last[symbol] = group
            tally.counts[symbol] += 1
        end += 1
    tally.sizes[0] = seen
    return end


@kernel
def _clear(tally: _Tally) -> None:
    for i in range(tally.sizes[0]):
        tally.counts[tally.seen[i]] = 0
        tally.kinds[tally.seen[i]] = 0


@kernel
def count_counts(
    order: Places,
    symbols: NDArray[Any],
    common: NDArray[np.uint8],
    length: int,
    held_out_from: int,
    tally: _Tally,
    histograms: NDArray[np.int64],
) -> None:
    """Count how many grams have each count up to four (first row), and how many stand after so many
    different symbols (second row); contexts have ``length`` symbols.
    """
    begin, most = 0, histograms.shape[1] - 1
    while begin < len(order):
        begin = _count_followers(order, symbols, common, begin, length, held_out_from, tally)
        for i in range(tally.sizes[0]):
            symbol = tally.seen[i]
            if tally.counts[symbol] <= most:
                histograms[0, tally.counts[symbol]] += 1
            if tally.kinds[symbol] <= most:
                histograms[1, tally.kinds[symbol]] += 1
        _clear(tally)


@kernel
def _total(counts: NDArray[np.int64], tally: _Tally) -> float:
    """What the seen symbols count together."""
    total = 0.0
    for i in range(tally.sizes[0]):
        total += counts[tally.seen[i]]
    return total


@kernel
def _taken(counts: NDArray[np.int64], tally: _Tally, discounts: NDArray[np.float64]) -> float:
    """What is taken from the counts of the seen symbols."""
    taken = 0.0
    for i in range(tally.sizes[0]):
        taken += discounts[min(counts[tally.seen[i]], 3)]
    return taken


@kernel
def _kept(count: int, discounts: NDArray[np.float64]) -> float:
    """A count less its discount."""
    return max(0.0, count - float(discounts[min(count, 3)]))


@kernel
def score(
    order: Places,
    symbols: NDArray[Any],
    common: NDArray[np.uint8],
    length: int,
    held_out_from: int,
    tally: _Tally,
    rooms: NDArray[np.uint8],
    discounts: NDArray[np.float64],
    lower: NDArray[np.float64],
    probability: NDArray[np.float64],
) -> None:
    """Probabilities of the scored symbols by contexts of ``length`` symbols, from lower ones.

    Args:
        discounts: (2, 4): of counts, and of numbers of different symbols before.
        lower: (Q,) p' of order - 1, which become those of this order.
        probability: (Q,) where p of this order is put; whose context is unknown keeps its own.
    """
    begin = 0
    while begin < len(order):
        end = _count_followers(order, symbols, common, begin, length, held_out_from, tally)
        total, kinds = _total(tally.counts, tally), _total(tally.kinds, tally)
        taken = _taken(tally.counts, tally, discounts[0])
        taken_kinds = _taken(tally.kinds, tally, discounts[1])
        for i in range(begin, end):
            place = int(order[i]) - held_out_from
            if total > 0 and place >= 0 and rooms[max(0, place)] >= length:
                symbol = symbols[i]
                count, kind = tally.counts[symbol], tally.kinds[symbol]
                share = lower[place]
                probability[place] = (_kept(count, discounts[0]) + taken * share) / total
                lower[place] = (_kept(kind, discounts[1]) + taken_kinds * share) / kinds
        _clear(tally)
        begin = end
