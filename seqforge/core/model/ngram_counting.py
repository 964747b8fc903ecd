"""A text of ids in, all its grams and their counts out, in bounded memory.

The grams with the longest contexts are counted at all places of the text. Those that are one symbol
shorter are counted at one place of each longer gram: with Kneser-Ney each such place counts one,
else as much as the longer gram. Each time grams are parted by their leading bits, some parts at a
time, and each part is sorted in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.base.machine import GrowingArray, in_blocks, mapped
from seqforge.base.messages import Advance, unheard
from seqforge.core.data.vocabulary import END
from seqforge.core.kernels.compiler import kernel
from seqforge.core.model.ngram import Counts, Grams, Ids, context_of, symbol_bits, with_symbol

MOST_SYMBOLS = (1 << 32) - 1
"""Places are 32-bit numbers."""
_LEADING = 12  # bits by which grams are parted
_PARTS = 1 << _LEADING
_DIGIT, _DIGITS = 9, 6  # a pass of the sort, and how many take the other 52 bits
_SHORT = 24  # grams that are quicker sorted one by one
TOGETHER = 1 << 24
"""Grams that a thread gathers at a time, about: 16 bytes each."""

Places = NDArray[np.uint32]


class _Text(NamedTuple):
    """What grams are counted in."""

    ids: NDArray[Any]
    """(N,) with the end symbol first."""
    weights: NDArray[Any]
    """(N,) what each place counts for; 0 for one that is counted no more."""
    leading: NDArray[np.uint8]
    """(N,) the leading bits of the gram at each place, so that most grams are made twice only."""
    length: int
    """Of the context."""
    bits: int
    """Of a symbol."""


class _Part(NamedTuple):
    """Grams that have been gathered, and room to sort them."""

    grams: Grams
    places: Places
    spare_grams: Grams
    spare_places: Places
    counts: Counts
    starts: Ids
    """Where each part begins, and the end."""
    counters: Ids


def count_ngrams(
    tokens: NDArray[Any], vocab_size: int, order: int, *, smoothed: bool, folder: Path,
    mirror: NDArray[Any] | None = None, threads: int = 1, together: int = TOGETHER,
    progress: Advance = unheard,
) -> dict[str, NDArray[Any]]:  # fmt: skip
    """Count the grams of all context lengths up to ``order``.

    The arrays are those of `ngram.NgramModel`, memory-mapped.

    Args:
        tokens: (N,) ids, a memory map or not: 0, then records, each followed by 0.
        vocab_size: V.
        order: Symbols of the longest contexts.
        smoothed: Whether a shorter gram counts the different symbols before it (Kneser and Ney
            1995), not how often it was seen.
        folder: Where files lie meanwhile: 12 bytes a gram, two or five a symbol.
        mirror: (V,) the id of each when read backwards; the text is then counted twice.
        threads: How many count.
        together: Grams that each gathers at a time, about; more where one part has more.
        progress: Told of each length that is done.

    Raises:
        RunError: If the disk is full.
        ValueError: If there are more symbols than 32 bits can number.
    """
    ids = tokens if mirror is None else mapped(folder, _both_ways(tokens, mirror), tokens.dtype)
    if len(ids) > MOST_SYMBOLS:
        raise ValueError(f"{len(ids):,} symbols are more than {MOST_SYMBOLS:,}")
    weights = _ones(len(ids), np.uint8 if smoothed else np.uint32, folder)
    leading = _ones(len(ids), np.uint8, folder)
    grams, counts = GrowingArray(folder, np.uint64), GrowingArray(folder, np.uint32)
    levels = [0]
    with ThreadPoolExecutor(threads) as pool:
        for length in range(order, -1, -1):
            text = _Text(ids, weights, leading, length, symbol_bits(vocab_size))
            sizes = np.zeros(_PARTS, np.int64)
            part_sizes(text, sizes)
            jobs = [(text, sizes, first, last, smoothed) for first, last in _spans(sizes, together)]
            for some, often in pool.map(lambda job: _counted(*job), jobs):
                grams.add(some)
                counts.add(often)
            levels.append(grams.size)
            progress(order + 1 - length, order + 1, "counting")
    return {"grams": grams.done(), "counts": counts.done(), "levels": np.array(levels)}


def _both_ways(tokens: NDArray[Any], mirror: NDArray[Any]) -> Iterator[NDArray[Any]]:
    yield from in_blocks(tokens)
    yield from (mirror[block] for block in in_blocks(tokens[::-1][1:]))


def _ones(size: int, dtype: Any, folder: Path) -> NDArray[Any]:
    block = np.ones(1 << 20, dtype)
    return mapped(folder, (block[: size - at] for at in range(0, size, len(block))), dtype)


def _spans(sizes: Ids, most: int) -> list[tuple[int, int]]:
    """Sizes of parts in, spans of those that are gathered at a time out."""
    edges, held = [0], 0
    for part, size in enumerate(sizes.tolist()):
        if held and held + size > most:
            edges.append(part)
            held = 0
        held += size
    return list(pairwise([*edges, len(sizes)]))


def _counted(
    text: _Text, sizes: Ids, first: int, last: int, smoothed: bool
) -> tuple[Grams, Counts]:
    """Different grams of some parts, ascending, and their counts."""
    starts = np.concatenate([[0], np.cumsum(sizes[first:last])])
    size = int(starts[-1])
    widest = int(sizes[first:last].max(initial=0))
    part = _Part(
        np.empty(size, np.uint64), np.empty(size, np.uint32),
        np.empty(widest, np.uint64), np.empty(widest, np.uint32),
        np.empty(size, np.uint32), starts, np.zeros((1 << _DIGIT) + 1, np.int64),
    )  # fmt: skip
    gather(text, first, last, starts[:-1].copy(), part)
    found = count_parts(text.weights, part, not smoothed)
    return part.grams[:found], part.counts[:found]


@kernel
def gram_at(text: _Text, place: int) -> np.uint64:
    """The gram whose symbol stands at a place."""
    code, ended = np.uint64(0), False
    for back in range(1, text.length + 1):
        symbol = END
        if not ended:
            symbol = int(text.ids[place - back])
            ended = symbol == END
        code = with_symbol(code, symbol)
    return context_of(code, text.bits) | np.uint64(text.ids[place])


@kernel
def part_sizes(text: _Text, sizes: Ids) -> None:
    """Count the places that are still counted by the leading bits of their grams."""
    for place in range(1, len(text.ids)):
        if text.weights[place] > 0:
            number = int(gram_at(text, place) >> np.uint64(64 - _LEADING))
            text.leading[place] = number >> (_LEADING - 8)
            sizes[number] += 1


@kernel
def gather(text: _Text, first: int, last: int, ends: Ids, part: _Part) -> None:
    """Put grams of the parts from ``first`` to ``last`` behind each other, with their places."""
    least, most = first >> (_LEADING - 8), (last - 1) >> (_LEADING - 8)
    for place in range(1, len(text.ids)):
        if least <= text.leading[place] <= most and text.weights[place] > 0:
            gram = gram_at(text, place)
            number = int(gram >> np.uint64(64 - _LEADING))
            if first <= number < last:
                at = ends[number - first]
                part.grams[at] = gram
                part.places[at] = place
                ends[number - first] = at + 1


@kernel
def count_parts(weights: NDArray[Any], part: _Part, summed: bool) -> int:
    """Sort gathered grams, and put different ones with their counts to the front.

    The first place of each gram stays counted, for the gram's count or for one; others are no more.

    Returns:
        How many are different.
    """
    found = 0
    for number in range(len(part.starts) - 1):
        begin, end = part.starts[number], part.starts[number + 1]
        if end - begin <= _SHORT:
            _insert(part, begin, end)
        else:
            _sort(part, begin, end)
        at = begin
        while at < end:
            gram, first, total = part.grams[at], part.places[at], 0
            while at < end and part.grams[at] == gram:
                total += int(weights[part.places[at]])
                weights[part.places[at]] = 0
                at += 1
            weights[first] = total if summed else 1
            part.grams[found] = gram
            part.counts[found] = total
            found += 1
    return found


@kernel
def _insert(part: _Part, begin: int, end: int) -> None:
    """Sort a few grams, stably."""
    for here in range(begin + 1, end):
        gram, place, at = part.grams[here], part.places[here], here
        while at > begin and part.grams[at - 1] > gram:
            part.grams[at] = part.grams[at - 1]
            part.places[at] = part.places[at - 1]
            at -= 1
        part.grams[at] = gram
        part.places[at] = place


@kernel
def _sort(part: _Part, begin: int, end: int) -> None:
    """Sort grams with the same leading bits, stably: radix sort, two passes at a time."""
    for digit in range(0, _DIGITS, 2):
        _pass(part.grams, part.places, begin, part.spare_grams, part.spare_places, 0, end - begin,
              digit * _DIGIT, part.counters)  # fmt: skip
        _pass(part.spare_grams, part.spare_places, 0, part.grams, part.places, begin, end - begin,
              (digit + 1) * _DIGIT, part.counters)  # fmt: skip


@kernel
def _pass(
    grams: Grams, places: Places, begin: int, to_grams: Grams, to_places: Places, to: int,
    size: int, shift: int, counters: Ids,
) -> None:  # fmt: skip
    for digit in range(len(counters)):
        counters[digit] = 0
    by, mask = np.uint64(shift), np.uint64((1 << _DIGIT) - 1)
    for i in range(size):
        counters[int((grams[begin + i] >> by) & mask) + 1] += 1
    for digit in range(1, len(counters)):
        counters[digit] += counters[digit - 1]
    for i in range(size):
        digit = int((grams[begin + i] >> by) & mask)
        at = to + counters[digit]
        to_grams[at] = grams[begin + i]
        to_places[at] = places[begin + i]
        counters[digit] += 1
