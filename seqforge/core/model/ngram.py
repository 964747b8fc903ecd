"""Counts of n-grams and a context in, probabilities of the next symbol out: the n-gram model.

A gram is a context of k symbols and the symbol after it. Before a record stand as many end symbols
as a context has room for. A gram is kept as one number: the upper bits are a hash of the context,
the lower ones the symbol; the grams of a context lie together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.vocabulary import END
from seqforge.core.kernels.compiler import kernel

Grams = NDArray[np.uint64]
Counts = NDArray[np.uint32]
Ids = NDArray[np.int64]
Smoothing = Literal["none", "kneser-ney"]

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_BUCKET = 2  # bits: so many times fewer places in an index than grams
_FALLBACK = (0.0, 0.5, 1.0, 1.5)  # discounts where counts of counts give none, as KenLM's
HIGHEST_COUNT = 4
"""Of how many grams are counted how often, for discounts."""


class NgramModel(NamedTuple):
    """What kernels read of an n-gram model. G grams of all contexts."""

    grams: Grams
    """(G,) those of the longest contexts first; ascending among contexts of one length."""
    counts: Counts
    """(G,) how often each was seen. With Kneser-Ney that is so for the longest contexts; a shorter
    gram counts the different symbols that were seen before it."""
    levels: Ids
    """(order + 2,) where the grams of each length begin, the longest first; then G."""
    table: Ids
    """Of each length for each value of the leading bits the first gram that has no less."""
    table_from: Ids
    """(order + 1,) where the table of each length begins, by the length."""
    table_shift: Ids
    """(order + 1,) bits behind the leading ones."""
    discounts: NDArray[np.float64]
    """(order + 1, 4) by the length: what is taken from a count of 0, 1, 2, and 3 or more."""
    vocab_size: int
    symbol_bits: int
    order: int
    smoothed: bool


def symbol_bits(vocab_size: int) -> int:
    """Bits that an id takes."""
    return max(1, (vocab_size - 1).bit_length())


@kernel
def mixed(code: np.uint64) -> np.uint64:
    """A number whose every bit hangs on all bits of another (the end of MurmurHash3)."""
    code = (code ^ (code >> np.uint64(33))) * _MIX_1
    code = (code ^ (code >> np.uint64(33))) * _MIX_2
    return code ^ (code >> np.uint64(33))


@kernel
def with_symbol(code: np.uint64, symbol: int) -> np.uint64:
    """The code of a context with one more symbol, farther back."""
    code = (code + np.uint64(symbol) + np.uint64(1)) * _FACTOR
    return code ^ (code >> np.uint64(29))


@kernel
def context_of(code: np.uint64, bits: int) -> np.uint64:
    """The least gram of a context, by its code."""
    return (mixed(code) >> np.uint64(bits)) << np.uint64(bits)


@kernel
def first_gram(model: NgramModel, length: int, context: np.uint64) -> int:
    """The first gram of a length that is no less than ``context``."""
    place = model.table_from[length] + int(context >> np.uint64(model.table_shift[length]))
    low, high = int(model.table[place]), int(model.table[place + 1])
    while low < high:
        middle = (low + high) // 2
        if model.grams[middle] < context:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def end_of_grams(model: NgramModel, length: int, first: int, context: np.uint64) -> int:
    """Where the grams of a context end that begin, if there are any, at ``first``."""
    end, last = first, model.levels[model.order - length + 1]
    bits = np.uint64(model.symbol_bits)
    while end < last and model.grams[end] >> bits == context >> bits:
        end += 1
    return end


@kernel
def symbol_of(model: NgramModel, gram: int) -> int:
    """The last symbol of a gram."""
    return int(model.grams[gram] & np.uint64((1 << model.symbol_bits) - 1))


@kernel
def push(history: Ids, symbol: int) -> None:
    """Put a symbol in front of those that were read; the end symbol wipes out what it ends."""
    for place in range(len(history) - 1, 0, -1):
        history[place] = history[place - 1]
        if symbol == END:
            history[place] = END
    if len(history):
        history[0] = symbol


@kernel
def chance_of_symbol(model: NgramModel, history: Ids, symbol: int) -> float:
    """The probability of a symbol after what was read (order,), the last symbol first.

    Without smoothing a symbol that was never seen after so long a context has none.
    """
    code, chance = np.uint64(0), 1.0 / model.vocab_size
    for length in range(model.order + 1):
        if length:
            code = with_symbol(code, history[length - 1])
        if not model.smoothed and length < model.order:
            continue
        context = context_of(code, model.symbol_bits)
        first = first_gram(model, length, context)
        end = end_of_grams(model, length, first, context)
        total, taken, own = 0, 0.0, 0
        for gram in range(first, end):
            count = int(model.counts[gram])
            total += count
            taken += model.discounts[length, min(count, 3)]
            if symbol_of(model, gram) == symbol:
                own = count
        if not model.smoothed:
            return own / max(1, total)
        if total == 0:
            break
        kept = max(0.0, own - model.discounts[length, min(own, 3)])
        chance = (kept + taken * chance) / total
    return chance


@kernel
def _interpolate(
    model: NgramModel, length: int, first: int, end: int, chances: NDArray[np.float64]
) -> None:
    """Take probabilities (V,) from contexts that are one symbol shorter to those of a length.

    Where nothing is taken from counts, nothing of the shorter ones is left.
    """
    total, taken = 0, 0.0
    for gram in range(first, end):
        count = int(model.counts[gram])
        total += count
        taken += model.discounts[length, min(count, 3)]
    for symbol in range(len(chances)):
        chances[symbol] *= taken / total
    for gram in range(first, end):
        count = int(model.counts[gram])
        kept = max(0.0, count - model.discounts[length, min(count, 3)])
        chances[symbol_of(model, gram)] += kept / total


@kernel
def fill_chances(
    model: NgramModel, history: Ids, longest: int, chances: NDArray[np.float64]
) -> int:  # fmt: skip
    """Probabilities (V,) of all symbols after what was read (order,), the last symbol first.

    A context that was never seen leaves it to the longest part of it that was.

    Args:
        model: With all its lengths.
        history: The last symbols.
        longest: Symbols of context at most.
        chances: Filled in.

    Returns:
        Symbols of the context that was seen.
    """
    code, seen = np.uint64(0), 0
    for symbol in range(len(chances)):
        chances[symbol] = 1.0 / len(chances)
    for length in range(longest + 1):
        if length:
            code = with_symbol(code, history[length - 1])
        context = context_of(code, model.symbol_bits)
        first = first_gram(model, length, context)
        end = end_of_grams(model, length, first, context)
        if first == end:
            break
        seen = length
        _interpolate(model, length, first, end, chances)
    return seen


@kernel
def score_symbols(
    model: NgramModel, tokens: NDArray[Any], start: int, scored_from: int, stop: int,
    history: Ids, chances: NDArray[np.float64],
) -> None:  # fmt: skip
    """Probabilities of the symbols from ``scored_from`` to ``stop``, which see back to
    ``start``."""
    for place in range(len(history)):
        history[place] = END
    for place in range(max(start, scored_from - len(history)), stop):
        if place >= scored_from:
            chances[place - scored_from] = chance_of_symbol(model, history, int(tokens[place]))
        push(history, int(tokens[place]))


@kernel
def _fill_index(grams: Grams, first: int, end: int, shift: int, index: Ids) -> None:
    filled = 0
    for gram in range(first, end):
        leading = int(grams[gram] >> np.uint64(shift))
        while filled <= leading:
            index[filled] = gram
            filled += 1
    while filled < len(index):
        index[filled] = end
        filled += 1


@kernel
def faulty_gram(
    grams: Grams, counts: Counts, first: int, end: int, bits: int, vocab_size: int, length: int
) -> int:  # fmt: skip
    """The first gram of a length that is out of order, of no symbol, or never seen; -1 for none."""
    mask = np.uint64((1 << bits) - 1)
    for gram in range(first, end):
        if gram > first and grams[gram] <= grams[gram - 1]:
            return gram
        if int(grams[gram] & mask) >= vocab_size or counts[gram] == 0:
            return gram
        if length == 0 and grams[gram] > mask:
            return gram
    return -1


def discounts_of(histogram: NDArray[np.int64]) -> NDArray[np.float64]:
    """How many grams are counted 0, 1, ... 4 times in, what is taken from a count of 0, 1, 2 and
    3 or more out (Chen and Goodman 1999, equation 26).
    """
    if not histogram[1:].all():
        return np.array(_FALLBACK)
    share = histogram[1] / (histogram[1] + 2 * histogram[2])
    found = [k - (k + 1) * share * histogram[k + 1] / histogram[k] for k in (1, 2, 3)]
    sound = all(0 < discount < k for k, discount in enumerate(found, 1))
    return np.array([0.0, *found] if sound else _FALLBACK)


_KINDS = {"grams": "U64", "counts": "U32", "levels": "I64"}


def check_described(
    order: int, kinds: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Refuse arrays that are not those of an n-gram model, by what a file says of them.

    Raises:
        ValueError: Says what is wrong.
    """
    if kinds.keys() != _KINDS.keys():
        raise ValueError(f"it has {', '.join(kinds) or 'nothing'}, not {', '.join(_KINDS)}")
    size = shapes["grams"][:1]
    wanted = {"grams": size, "counts": size, "levels": (order + 2,)}
    for name, kind in _KINDS.items():
        if kinds[name] != kind:
            raise ValueError(f"{name} is of type {kinds[name]}, not {kind}")
        if len(wanted[name]) != 1 or shapes[name] != wanted[name]:
            raise ValueError(f"{name} has the shape {shapes[name]}, not {wanted[name]}")


def check_counts(arrays: Mapping[str, NDArray[Any]], vocab_size: int) -> None:
    """Refuse counts that no text has; shapes are right.

    Raises:
        ValueError: Says what is wrong.
    """
    grams, counts, levels = (arrays[name] for name in _KINDS)
    steps = np.diff(levels)
    if levels[0] != 0 or levels[-1] != len(grams) or (steps < 1).any():
        raise ValueError("levels are not where the grams of each length begin")
    order, bits = len(levels) - 2, symbol_bits(vocab_size)
    for length in range(order + 1):
        first, end = int(levels[order - length]), int(levels[order - length + 1])
        place = faulty_gram(grams, counts, first, end, bits, vocab_size, length)
        if place >= 0:
            raise ValueError(f"gram {place} is out of order, of no symbol, or counted 0 times")


def ngram_model(
    arrays: Mapping[str, NDArray[Any]], vocab_size: int, smoothing: Smoothing | None
) -> NgramModel:
    """The arrays of a file in, indexed, the model out; they are as `check_counts` wants them."""
    grams, counts, levels = (arrays[name] for name in _KINDS)
    order = len(levels) - 2
    spans = [(int(levels[order - k]), int(levels[order - k + 1])) for k in range(order + 1)]
    leading = [max(1, (end - first).bit_length() - _BUCKET) for first, end in spans]
    sizes = [(1 << bits) + 1 for bits in leading]
    starts = np.cumsum([0, *sizes])
    index, discounts = np.empty(starts[-1], np.int64), np.zeros((order + 1, 4))
    for length, (first, end) in enumerate(spans):
        place = slice(starts[length], starts[length + 1])
        _fill_index(grams, first, end, 64 - leading[length], index[place])
        if smoothing == "kneser-ney":
            some = counts[first:end]
            often = [np.count_nonzero(some == k) for k in range(HIGHEST_COUNT + 1)]
            discounts[length] = discounts_of(np.array(often))
    return NgramModel(
        grams, counts, levels, index, starts[:-1].astype(np.int64), 64 - np.array(leading),
        discounts, vocab_size, symbol_bits(vocab_size), order, smoothing == "kneser-ney",
    )  # fmt: skip
