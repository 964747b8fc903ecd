"""A corpus of DNA in, held-out bits of order-k models with inverted repeats out.

The baseline of DNA compression (cXM, GeCo): an order-k Markov model that counts what it has read on
both strands, so that a reverse complement is as well known as a repeat.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.base.machine import in_blocks
from seqforge.base.messages import Advance
from seqforge.core.data.corpus import Corpus, Segment, TokenPart, Tokens
from seqforge.core.data.domain import Baseline
from seqforge.core.kernels.compiler import kernel

HIGHEST_ORDER = 16
ALPHAS = (1.0, 1 / 16)
"""Pseudocounts tried: one for well-filled tables, one for sparse ones (Pratas et al. 2016)."""
TRAIN_LIMIT = 20_000_000
"""Most training bases counted, the last ones."""
CHOOSING_LIMIT = 200_000
"""Most valid bases that order and pseudocount are chosen by."""
HELD_OUT_LIMIT = 1_000_000
"""Most bases scored, the first ones: an adaptive model needs them in a row."""
_FREE = 0.6  # most of a table that is filled
_KEY_BITS = 63
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # Knuth's multiplicative hashing, 2^64 / golden ratio


class OrderModel(NamedTuple):
    """Counts of the symbols after those contexts of ``order`` symbols that will be asked for."""

    keys: NDArray[np.uint64]
    """(S,) hash table of contexts, each with 1 added; 0 is free. S is a power of two."""
    counts: NDArray[np.uint32]
    """(S, V) how often each symbol stood after the context, on both strands."""
    partners: NDArray[np.int64]
    """(V,) the complement of each id; empty: one strand alone is counted."""
    contexts: NDArray[np.uint64]
    """(2,) the context of the next symbol, and the last symbols' reverse complement."""
    order: int
    width: int
    """Bits of a symbol in a context; the oldest symbol has the highest ones."""


@dataclass(frozen=True)
class _Choice:
    """A model that was tried on the valid part."""

    bits: float
    order: int
    alpha: float


def inverted_repeats(
    corpus: Corpus, partners: NDArray[np.int64] | None, progress: Advance
) -> dict[str, Baseline]:
    """Held-out bits of the best order-k model, frozen and adaptive.

    With n(cs) the count of symbol s after a context c of k symbols, on both strands, and n(c) the
    sum over all V symbols::

        p(s | c) = (n(cs) + a) / (n(c) + a V)

    The order k from 1 to 16 and the pseudocount a are those that need the fewest bits for the valid
    part. The adaptive model counts each base (on both strands) once it is scored.

    Args:
        corpus: Something must be held out.
        partners: (V,) the complement of each id; None counts one strand.
        progress: Told of each order.

    References:
        Cao et al. 2007, https://doi.org/10.1109/DCC.2007.7;
        Pratas et al. 2016, https://doi.org/10.1109/DCC.2016.60
    """
    train = corpus.train.tokens[max(1, len(corpus.train.tokens) - TRAIN_LIMIT) :]
    vocab_size = len(corpus.vocabulary)
    scored = corpus.part(corpus.held_out or "valid")
    choosing = _first(corpus.valid if corpus.valid.symbols else scored, CHOOSING_LIMIT)
    highest = min(HIGHEST_ORDER, _KEY_BITS // _width(vocab_size))
    tried: dict[bool, list[_Choice]] = {False: [], True: []}
    for order in range(1, highest + 1):
        model = _trained(train, choosing, order, vocab_size, partners)
        for adaptive, found in tried.items():  # frozen first: it leaves the counts as they are
            found += map(_Choice, _bits(model, choosing, adaptive), [order] * 2, ALPHAS)
        progress(order, highest, f"order-{order} model with inverted repeats")
    return {
        f"inverted-repeats{'-adaptive' if adaptive else ''}": _score(
            min(found, key=lambda choice: choice.bits),
            train,
            scored,
            vocab_size,
            partners,
            adaptive,
        )
        for adaptive, found in tried.items()
    }


def _score(
    choice: _Choice,
    train: Tokens,
    part: TokenPart,
    vocab_size: int,
    partners: NDArray[np.int64] | None,
    adaptive: bool,
) -> Baseline:
    held_out = _first(part, HELD_OUT_LIMIT)
    model = _trained(train, held_out, choice.order, vocab_size, partners)
    bits = _bits(model, held_out, adaptive)[ALPHAS.index(choice.alpha)]
    return Baseline(bits, adaptive, choice.order)


@dataclass(frozen=True)
class _Stretch:
    """The first symbols of a part."""

    tokens: Tokens
    segments: Sequence[Segment]
    count: int


def _first(part: TokenPart, most: int) -> _Stretch:
    kept: list[Segment] = []
    left = most
    for start, scored_from, stop in part.segments.tolist():
        if left > 0:
            kept.append((start, scored_from, min(stop, scored_from + left)))
        left -= stop - scored_from
    return _Stretch(part.tokens, kept, sum(stop - begin for _, begin, stop in kept))


def _width(vocab_size: int) -> int:
    return max(1, (vocab_size - 1).bit_length())


def _trained(
    train: Tokens,
    asked: _Stretch,
    order: int,
    vocab_size: int,
    partners: NDArray[np.int64] | None,
) -> OrderModel:
    """A model that has counted the training data, for the contexts of a stretch."""
    contexts = min(asked.count, vocab_size**order)
    size = 1 << int(contexts / _FREE).bit_length()
    model = OrderModel(
        np.zeros(size, np.uint64),
        np.zeros((size, vocab_size), np.uint32),
        np.zeros(0, np.int64) if partners is None else partners,
        np.zeros(2, np.uint64),
        order,
        _width(vocab_size),
    )
    for piece in _pieces(model, asked):
        enter_contexts(model, piece)
    model.contexts[:] = 0
    for block in in_blocks(train):
        count_symbols(model, np.ascontiguousarray(block))
    return model


def _pieces(model: OrderModel, stretch: _Stretch) -> Iterator[Tokens]:
    """The scored symbols of each segment, with the model set to the context of the first."""
    for start, scored_from, stop in stretch.segments:
        model.contexts[:] = 0
        read_symbols(model, stretch.tokens[max(start, scored_from - model.order) : scored_from])
        yield stretch.tokens[scored_from:stop]


def _bits(model: OrderModel, stretch: _Stretch, adaptive: bool) -> list[float]:
    """Bits per symbol under each of `ALPHAS`."""
    nats = np.zeros(len(ALPHAS))
    for piece in _pieces(model, stretch):
        score_symbols(model, piece, np.array(ALPHAS), adaptive, nats)
    return [float(total) / math.log(2) / stretch.count for total in nats]


@kernel
def _slot(model: OrderModel, context: np.uint64) -> int:
    """Where a context stands in the table, or would."""
    key, last = context + np.uint64(1), len(model.keys) - 1
    place = int((context * _MULTIPLIER) >> np.uint64(32)) & last
    while model.keys[place] != 0 and model.keys[place] != key:
        place = (place + 1) & last
    return place


@kernel
def _add(model: OrderModel, context: np.uint64, symbol: int) -> None:
    """Count a symbol after a context, if that will be asked for."""
    place = _slot(model, context)
    if model.keys[place] != 0:
        model.counts[place, symbol] = int(model.counts[place, symbol]) + 1


@kernel
def _read(model: OrderModel, symbol: int, counted: bool) -> None:
    """Make a symbol part of the contexts; before that, perhaps, count it, and the complement of the
    one that was read ``order`` symbols before it after the reverse complement of those between.
    """
    width, top = np.uint64(model.width), np.uint64(model.width * (model.order - 1))
    before = model.contexts[0]
    oldest = int(before >> top)
    if counted:
        _add(model, before, symbol)
    model.contexts[0] = ((before ^ (np.uint64(oldest) << top)) << width) | np.uint64(symbol)
    if len(model.partners) > 0:
        partner = np.uint64(model.partners[symbol])
        model.contexts[1] = (model.contexts[1] >> width) | (partner << top)
        if counted:
            _add(model, model.contexts[1], int(model.partners[oldest]))


@kernel
def read_symbols(model: OrderModel, symbols: NDArray[Any]) -> None:
    """Make symbols (T,) the context of what follows."""
    for i in range(len(symbols)):
        _read(model, int(symbols[i]), False)


@kernel
def count_symbols(model: OrderModel, symbols: NDArray[Any]) -> None:
    """Count symbols (T,), on both strands."""
    for i in range(len(symbols)):
        _read(model, int(symbols[i]), True)


@kernel
def enter_contexts(model: OrderModel, symbols: NDArray[Any]) -> None:
    """Make room for the contexts of symbols (T,)."""
    for i in range(len(symbols)):
        place = _slot(model, model.contexts[0])
        model.keys[place] = model.contexts[0] + np.uint64(1)
        _read(model, int(symbols[i]), False)


@kernel
def score_symbols(
    model: OrderModel,
    symbols: NDArray[Any],
    alphas: NDArray[np.float64],
    adaptive: bool,
    nats: NDArray[np.float64],
) -> None:
    """Add the negative log-likelihood of symbols (T,) under each pseudocount to ``nats`` (A,)."""
    vocab_size = model.counts.shape[1]
    for i in range(len(symbols)):
        place, symbol = _slot(model, model.contexts[0]), int(symbols[i])
        total = 0
        for other in range(vocab_size):
            total += int(model.counts[place, other])
        for a in range(len(alphas)):
            count = model.counts[place, symbol] + alphas[a]
            nats[a] -= math.log(count / (total + alphas[a] * vocab_size))
        _read(model, symbol, adaptive)
