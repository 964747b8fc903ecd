"""The symbols read so far in, hashed contexts and the mixer's selectors out: what a domain may
write for itself, and the orders that fit all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel

RECENT = 4096
"""Symbols that contexts can look back on."""
_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_ADDED = np.uint64(0x632BE59BD9B4E019)
_SHIFT = np.uint64(29)

Recent = NDArray[np.uint16]
"""A ring of the last symbols (RECENT,): the last one is ``recent[(position - 1) % RECENT]``."""
State = NDArray[np.int64]
Traits = NDArray[np.int64]
"""What a domain knows of symbols (V, K)."""
Hashes = NDArray[np.uint64]
Selectors = NDArray[np.int64]


@dataclass(frozen=True)
class Contexts:
    """A domain's contexts.

    ``update(state, recent, position, traits, hashes, selectors)`` is a kernel, called after every
    symbol: it brings the state up to date and writes the contexts of the next symbol.
    """

    update: Callable[..., None]
    count: int
    """Hashed contexts."""
    orders: int
    """How many of them, the first ones, are the last 0, 1, 2, ... symbols."""
    state: int
    """Whole numbers that the kernel keeps."""
    selectors: tuple[int, ...] = field(default=())
    """How many values each of the selectors has that choose the mixer's weights."""


@kernel
def hashed(a: np.uint64, b: np.uint64) -> np.uint64:
    """A hash of a hash and one more number."""
    z = (a + _FIRST) * _SECOND + (b + _ADDED) * _FIRST
    z = (z ^ (z >> _SHIFT)) * _SECOND
    return z ^ (z >> _SHIFT)


@kernel
def paired(a: int, b: int, number: int) -> np.uint64:
    """The hash of two things, of the context of a number."""
    return hashed(hashed(np.uint64(number), np.uint64(a)), np.uint64(b))


@kernel
def symbol_back(recent: Recent, position: int, distance: int) -> int:
    """The symbol so many places back, 1 for the last; the end symbol before the beginning."""
    if distance > position:
        return 0
    return int(recent[(position - distance) & (RECENT - 1)])


@kernel
def symbol_of_part(
    state: State, starts: int, mask: int, part: int, recent: Recent, position: int, offset: int
) -> int:
    """The symbol at the same place of an earlier part (bar, field); 0 if there is none.

    ``state`` has the places where parts begin from ``starts`` on, in a ring of ``mask + 1``.
    """
    at, end = state[starts + (part & mask)] + offset, state[starts + ((part + 1) & mask)]
    if part < 1 or at >= end or position - at >= RECENT:
        return 0
    return int(recent[at & (RECENT - 1)])


@kernel
def write_orders(recent: Recent, position: int, orders: int, hashes: Hashes) -> None:
    """The contexts of the last 0 to ``orders - 1`` symbols."""
    total = np.uint64(0)
    hashes[0] = total
    for n in range(1, orders):
        total = hashed(total, np.uint64(symbol_back(recent, position, n)))
        hashes[n] = total


@kernel
def _general(
    state: State, recent: Recent, position: int, traits: Traits, hashes: Hashes,
    selectors: Selectors,
) -> None:  # fmt: skip
    write_orders(recent, position, 8, hashes)
    one, two = symbol_back(recent, position, 1), symbol_back(recent, position, 2)
    three, four = symbol_back(recent, position, 3), symbol_back(recent, position, 4)
    hashes[8] = hashed(hashed(np.uint64(8), np.uint64(two)), np.uint64(three))
    hashes[9] = hashed(hashed(np.uint64(9), np.uint64(one)), np.uint64(three))
    hashes[10] = hashed(hashed(hashes[8], np.uint64(four)), np.uint64(10))
    hashes[11] = hashed(np.uint64(11), np.uint64(two))


GENERAL = Contexts(_general, 12, 8, 1)
"""The last symbols, and some of them left out."""


def no_traits(vocab_size: int) -> NDArray[Any]:
    """Traits of symbols of which nothing is known."""
    return np.zeros((vocab_size, 1), np.int64)
