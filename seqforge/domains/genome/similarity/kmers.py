"""Bases as bytes, as numbers, and k-mers packed into integers, two bits a base."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NO_BASE = 4
"""The code of whatever is not A, C, G, T or U."""

_BASES = b"ACGT"
_PLAIN = bytearray(b"N" * 256)
_CODES = np.full(256, NO_BASE, np.uint8)
for _upper, _lower, _plain in zip(b"ACGTU", b"acgtu", b"ACGTT", strict=True):
    for _letter in (_upper, _lower):
        _PLAIN[_letter] = _plain
        _CODES[_letter] = _BASES.index(_plain)
_AMBIGUOUS = b"RYMKWSBDHV"
_SEARCHED = bytearray(_PLAIN)
for _letter in _AMBIGUOUS:
    _SEARCHED[_letter] = _SEARCHED[ord(chr(_letter).lower())] = _letter
_COMPLEMENT = bytes.maketrans(b"ACGTacgtRYMKBDHV", b"TGCAtgcaYRKMVHDB")

Codes = NDArray[np.uint8]
Kmers = NDArray[np.uint64]


def plain_bases(sequence: str) -> bytes:
    """A, C, G, T and N, one for each letter: U is read as T, what is no base as N."""
    return sequence.encode("ascii", "replace").translate(_PLAIN)


def searched_letters(sequence: str) -> bytes:
    """The same, but IUPAC codes, in upper case, stay what they are: a search scores them."""
    return sequence.encode("ascii", "replace").translate(_SEARCHED)


def reverse_complement(bases: bytes) -> bytes:
    """The other strand, read in its own direction; N, W, S and ``-`` stay what they are."""
    return bases.translate(_COMPLEMENT)[::-1]


def encode(sequence: str | bytes) -> Codes:
    """Bases as 0 to 3 in the order ACGT (U is T), anything else as `NO_BASE`; (T,)."""
    letters = sequence.encode("ascii", "replace") if isinstance(sequence, str) else sequence
    return _CODES[np.frombuffer(letters, np.uint8)]


def complemented(codes: Codes) -> Codes:
    """The codes of the other strand, read in its own direction."""
    return np.where(codes == NO_BASE, codes, 3 - codes)[::-1]


def packed_kmers(codes: Codes, k: int) -> tuple[Kmers, NDArray[np.bool_]]:
    """Every k-mer as an integer (the first base counts most), and whether it is all bases.

    Args:
        codes: From `encode`, (T,).
        k: 1 to 32.

    Returns:
        Two arrays (T - k + 1,), or empty ones where the sequence is shorter than k.
    """
    if not 1 <= k <= 32:
        raise ValueError(f"k must be 1 to 32, not {k}")
    if len(codes) < k:
        return np.empty(0, np.uint64), np.empty(0, bool)
    kmers, size, done = codes.astype(np.uint64) & np.uint64(3), 1, 0
    packed = np.zeros(len(codes), np.uint64)
    while size <= k:  # put together from k-mers of 1, 2, 4, ... bases
        if k & size:
            tail = kmers[done:]
            packed = packed[: len(tail)] << np.uint64(2 * size) | tail
            done += size
        kmers = kmers[:-size] << np.uint64(2 * size) | kmers[size:]
        size *= 2
    wrong = np.concatenate(([0], np.cumsum(codes == NO_BASE)))
    count = len(codes) - k + 1
    return packed[:count], wrong[k:] == wrong[:count]


def distinct_kmers(codes: Codes, k: int) -> Kmers:
    """The k-mers in ascending order, each once."""
    kmers, whole = packed_kmers(codes, k)
    kmers = np.sort(kmers[whole])  # np.unique hashes, which is far slower here
    return kmers[np.concatenate(([True], kmers[1:] != kmers[:-1]))[: len(kmers)]]


def places_in(ascending: Kmers, kmers: Kmers) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where each k-mer stands among the ascending ones, if it does, and whether it does."""
    if not len(ascending):
        return np.zeros(len(kmers), np.int64), np.zeros(len(kmers), bool)
    places = np.minimum(np.searchsorted(ascending, kmers), len(ascending) - 1)
    return places, ascending[places] == kmers


def membership(kmers: Kmers, k: int) -> NDArray[np.bool_]:
    """Whether each k-mer is among these, (4^k,)."""
    table = np.zeros(4**k, bool)
    table[kmers] = True
    return table
