"""Random sequences with exactly the k-lets of a given one: what its composition alone would find.

A sequence is a path through the graph whose vertices are its (k-1)-mers and whose edges are its
k-mers. Another path that uses each edge once is another sequence with the same k-mers, and all of
them are had by drawing, for every vertex, which edge is left last (together they must lead to the
end: a tree) and the order of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_MOST_K = 12


def shuffled(sequence: str, seed: int | Sequence[int], k: int = 2) -> str:
    """A sequence drawn evenly from all that have as many of each k-mer as the given one.

    Its first and its last k - 1 letters are those of the given one, and k-mers of every smaller
    length are kept too. k = 1 is a permutation, 2 keeps dinucleotides.

    Args:
        sequence: Any letters; case counts.
        seed: The same gives the same sequence.
        k: 1 to 12.

    Raises:
        ValueError: If k is not one of those.

    References:
        Altschul and Erickson 1985, https://doi.org/10.1093/oxfordjournals.molbev.a040370 (the
        path); Wilson 1996, https://doi.org/10.1145/237814.237880 (the tree, as Jiang et al. 2008
        use it, https://doi.org/10.1186/1471-2105-9-192)
    """
    if not 1 <= k <= _MOST_K:
        raise ValueError(f"k must be 1 to {_MOST_K}, not {k}")
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))
    letters = np.frombuffer(sequence.encode("utf-32-le"), np.uint32)
    if k == 1:
        return _text(letters[rng.permutation(len(letters))])
    if len(letters) <= k:
        return sequence
    path = _vertices(letters, k - 1)
    ends = letters[k - 2 :]  # the last letter of each vertex on the path
    last_letter = np.zeros(int(path.max()) + 1, np.uint32)
    last_letter[path] = ends
    walked = _random_path(path, rng)
    return _text(np.concatenate((letters[: k - 2], last_letter[walked])))


def _text(letters: NDArray[np.uint32]) -> str:
    return letters.astype("<u4").tobytes().decode("utf-32-le")


def _vertices(letters: NDArray[np.uint32], size: int) -> NDArray[np.intp]:
    """The number of the word of ``size`` letters at each place; equal words have one number."""
    different, codes = np.unique(letters, return_inverse=True)
    words = codes.astype(np.intp)
    for offset in range(1, size):  # numbered anew each time, so that nothing overflows
        longer = words[: len(codes) - offset] * len(different) + codes[offset:]
        words = np.unique(longer, return_inverse=True)[1]
    return words


def _random_path(path: NDArray[np.intp], rng: np.random.Generator) -> list[int]:
    """Another path over the edges of ``path`` with the same ends; all are equally likely."""
    order = np.argsort(path[:-1], kind="stable")
    targets = path[1:][order]
    bounds = np.searchsorted(path[:-1][order], np.arange(int(path.max()) + 2))
    edges = [targets[a:b] for a, b in pairwise(bounds)]
    tree = _random_tree(edges, int(path[-1]), rng)
    left: list[list[int]] = []
    for vertex, out in enumerate(edges):
        rest = out
        if vertex in tree:
            rest = np.delete(out, np.flatnonzero(out == tree[vertex])[0])
        mixed: list[int] = rng.permutation(rest).tolist()
        left.append(([tree[vertex]] if vertex in tree else []) + mixed)  # taken from the right
    at = int(path[0])
    walked = [at]
    while left[at]:
        at = left[at].pop()
        walked.append(at)
    return walked


def _random_tree(
    edges: Sequence[NDArray[np.intp]], root: int, rng: np.random.Generator
) -> dict[int, int]:
    """Where each vertex but the root goes last: a tree, drawn evenly, parallel edges counted.

    Each walk is random until it meets the tree, and its loops are forgotten (Wilson). An edge
    from a vertex to itself is such a loop, so it is never walked.
    """
    leaving = [out[out != vertex].tolist() for vertex, out in enumerate(edges)]
    tree: dict[int, int] = {}
    for start in range(len(edges)):
        last: dict[int, int] = {}
        at = start
        while at != root and at not in tree:
            last[at] = leaving[at][int(rng.integers(len(leaving[at])))]
            at = last[at]
        at = start
        while at != root and at not in tree:
            tree[at] = last[at]
            at = last[at]
    return tree
