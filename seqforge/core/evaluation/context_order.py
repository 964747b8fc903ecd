"""Training and held-out symbols in, their places ordered by what stands before them out.

Places with the same context of any length then lie together, whatever the vocabulary: counts of
all orders come from one ordered array.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.base.machine import in_blocks, mapped
from seqforge.core.data.corpus import Segment
from seqforge.core.kernels.compiler import kernel

_BLOCK = 1 << 20
_BUCKETS = 1 << 16  # of a pass of the sort: their counters stay in the cache

Places = NDArray[np.uint32]


@dataclass(frozen=True)
class Stretch:
    """Held-out ids, and which of them are scored."""

    tokens: NDArray[Any]
    segments: Sequence[Segment]


@dataclass(frozen=True)
class ContextOrder:
    """Places of a text in the order of their contexts, the nearest symbol first.

    The places of a text: what is counted, in both directions if there is a mirror, then what is
    scored. The arrays (P,) are memory-mapped, so the system can reclaim their memory.
    """

    order: Places
    """(P,) training places and scored ones, ordered."""
    symbols: NDArray[Any]
    """(P,) the id at each place."""
    common: NDArray[np.uint8]
    """(P,) how many symbols of its context each place shares with the one before it."""
    held_out_from: int
    """The first place of held-out symbols, contexts among them."""
    rooms: NDArray[np.uint8]
    """For each place from there on how far it may look back."""
    scored: list[NDArray[np.int64]]
    """The scored places of each stretch, counted from there."""


def context_order(
    train: NDArray[Any],
    stretches: Sequence[Stretch],
    vocab_size: int,
    depth: int,
    folder: Path,
    mirror: NDArray[Any] | None = None,
) -> ContextOrder:
    """Order the places of training data and of scored symbols by the ``depth`` symbols before them.

    Before the first training symbol stand as many end symbols.

    Args:
        train: (T,) ids that are counted.
        stretches: What is to be scored.
        vocab_size: V.
        depth: Most symbols of context, under 255.
        folder: Where the files lie meanwhile: ten bytes for each symbol, or more for a
            large vocabulary.
        mirror: (V,) the id of each when read backwards; training data are then counted twice.

    Raises:
        RunError: If the disk is full.
    """
    start = np.zeros(depth, train.dtype)
    held_out = _HeldOut.of(stretches, depth)
    ways = 1 if mirror is None else 2
    spans = [(depth + way * (depth + len(train)), len(train)) for way in range(ways)]
    held_out_from = sum(spans[-1])

    def text() -> Iterator[NDArray[Any]]:
        yield start
        yield from in_blocks(train)
        if mirror is not None:
            yield start
            yield from (mirror[block] for block in in_blocks(train[::-1]))
        yield from held_out.pieces

    def places() -> Iterator[NDArray[Any]]:
        for first, length in spans:
            for block in range(first, first + length, _BLOCK):
                yield np.arange(block, min(block + _BLOCK, first + length))
        yield from (held_out_from + found for found in held_out.scored)

    ids = mapped(folder, text(), train.dtype)
    order = mapped(folder, places(), np.uint32)
    order = _sorted(ids, order, mapped(folder, [order], np.uint32), vocab_size, depth)
    symbols = mapped(folder, (ids[some] for some in in_blocks(order)), train.dtype)
    common = mapped(folder, (np.zeros(len(some)) for some in in_blocks(order)), np.uint8)
    compare_contexts(ids, order, common, depth)
    return ContextOrder(order, symbols, common, held_out_from, held_out.rooms, held_out.scored)


@dataclass(frozen=True)
class _HeldOut:
    """Scored symbols with their contexts, one piece after another."""

    pieces: list[NDArray[Any]]
    rooms: NDArray[np.uint8]
    scored: list[NDArray[np.int64]]

    @classmethod
    def of(cls, stretches: Sequence[Stretch], depth: int) -> _HeldOut:
        pieces: list[NDArray[Any]] = []
        rooms, scored, end = [np.zeros(0, np.uint8)], [], 0
        for stretch in stretches:
            places = [np.zeros(0, np.int64)]
            for start, scored_from, stop in stretch.segments:
                begin = max(start, scored_from - depth)
                pieces.append(stretch.tokens[begin:stop])
                rooms.append(np.minimum(np.arange(begin - start, stop - start), depth))
                places.append(np.arange(end + scored_from - begin, end + stop - begin))
                end += stop - begin
            scored.append(np.concatenate(places))
        return cls(pieces, np.concatenate(rooms).astype(np.uint8), scored)


def _sorted(
    text: NDArray[Any], places: Places, spare: Places, vocab_size: int, depth: int
) -> Places:
    """Radix sort from the farthest symbols to the nearest, several at a time."""
    width = 1
    while vocab_size ** (width + 1) <= _BUCKETS:
        width += 1
    starts = np.zeros(vocab_size**width + 1, np.int64)
    for back in range(1 + (depth - 1) // width * width, 0, -width):
        sort_by_digit(text, places, spare, starts, back, min(width, depth + 1 - back), vocab_size)
        places, spare = spare, places
    return places


@kernel
def sort_by_digit(
    text: NDArray[Any],
    places: Places,
    target: Places,
    starts: NDArray[np.int64],
    back: int,
    width: int,
    base: int,
) -> None:
    """Order places, stably, by the ``width`` symbols from ``back`` places before them on."""
    for bucket in range(len(starts)):
        starts[bucket] = 0
    for i in range(len(places)):
        starts[_digit(text, int(places[i]) - back, width, base) + 1] += 1
    for bucket in range(1, len(starts)):
        starts[bucket] += starts[bucket - 1]
    for i in range(len(places)):
        digit = _digit(text, int(places[i]) - back, width, base)
        target[starts[digit]] = places[i]
        starts[digit] += 1


@kernel
def _digit(text: NDArray[Any], place: int, width: int, base: int) -> int:
    """Some symbols, read backwards, as a number; the first weighs most."""
    digit = 0
    for j in range(width):
        digit = digit * base + int(text[place - j])
    return digit


@kernel
def compare_contexts(
    text: NDArray[Any], order: Places, common: NDArray[np.uint8], depth: int
) -> None:
    """For each place but the first, how many symbols before it are those before the last place."""
    for i in range(1, len(order)):
        here, there, length = int(order[i]), int(order[i - 1]), 0
        while length < depth and text[here - 1 - length] == text[there - 1 - length]:
            length += 1
        common[i] = length
