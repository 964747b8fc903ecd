"""Proteins in, the number of each one's cluster out: isoforms and close relatives share one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.overlap import HIGHEST_HASH, span_hashes
from seqforge.domains.genome.residues import low_complexity, residue_codes

_WORD = 8
_EVERY = 4  # of so many different words one is looked at, by its hash
_SHARED = 0.5  # of the words of the shorter protein
_SPREAD = np.uint64(0xD6E8FEB86659FD93)


def cluster_numbers(proteins: Iterable[str]) -> NDArray[np.int64]:
    """The cluster of each protein (N,).

    Two are in one if half of the 8-mers of the shorter stand in the other, or if a third is in one
    with both. A quarter of the 8-mers, chosen by hash, stand for all; those of low complexity
    do not count.
    """
    words, owners, sizes = _words_of(proteins)
    parents = list(range(len(sizes)))
    for one, other in _related(words, owners, np.array(sizes, np.int64)):
        first, second = _root(parents, one), _root(parents, other)
        parents[max(first, second)] = min(first, second)
    return np.array([_root(parents, number) for number in range(len(sizes))], np.int64)


def _words_of(
    proteins: Iterable[str],
) -> tuple[NDArray[np.uint64], NDArray[np.int64], list[int]]:
    """Hashes of words, the protein of each, and how many each protein has."""
    hashes: list[NDArray[np.uint64]] = [np.empty(0, np.uint64)]
    sizes: list[int] = []
    for protein in proteins:
        few = _sampled(protein)
        hashes.append(few)
        sizes.append(len(few))
    return np.concatenate(hashes), np.repeat(np.arange(len(sizes)), sizes), sizes


def _sampled(protein: str) -> NDArray[np.uint64]:
    found = span_hashes(residue_codes(protein), _WORD)
    if not len(found):
        return found
    passed = np.concatenate(([0], np.cumsum(low_complexity(protein))))
    plain = np.unique(found[passed[_WORD:] == passed[:-_WORD]])
    with np.errstate(over="ignore"):
        few = plain[plain * _SPREAD < HIGHEST_HASH // np.uint64(_EVERY)]
    return few if len(few) else plain  # of a short protein all


def _related(
    words: NDArray[np.uint64], owners: NDArray[np.int64], sizes: NDArray[np.int64]
) -> Iterator[tuple[int, int]]:
    """Pairs of proteins that share enough words.

    A word is counted between neighbours among its proteins, and between each and the first: that
    is enough for isoforms, and does not grow with the square of a family.
    """
    order = np.lexsort((owners, words))
    words, owners = words[order], owners[order]
    begins = np.flatnonzero(np.diff(words, prepend=~words[:1]))
    first = np.repeat(owners[begins], np.diff([*begins.tolist(), len(words)]))
    same = words[1:] == words[:-1]
    pairs = np.concatenate(
        [
            np.stack([owners[:-1], owners[1:]], 1)[same],
            np.stack([first, owners], 1)[(first != owners) & (np.roll(owners, 1) != first)],
        ]
    )
    keys, counts = np.unique(pairs[:, 0] * len(sizes) + pairs[:, 1], return_counts=True)
    ones, others = np.divmod(keys, max(1, len(sizes)))
    enough = counts >= _SHARED * np.minimum(sizes[ones], sizes[others])
    yield from zip(ones[enough].tolist(), others[enough].tolist(), strict=True)


def _root(parents: list[int], number: int) -> int:
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = parents[number]
    return number
