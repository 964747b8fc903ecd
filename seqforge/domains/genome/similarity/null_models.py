"""A sequence in, random sequences out: k-let-preserving shuffles and an order-k Markov model."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from seqforge.domains.genome.similarity.kinds import SequenceKind, kind_of
from seqforge.domains.genome.similarity.parameters import Residues
from seqforge.domains.genome.stretches import word_counts

_MOST_K = 12


def shuffled(sequence: str, seed: int | Sequence[int], k: int = 2) -> str:
    """A sequence in, a uniformly random one with the same k-mer counts out (k-let shuffle).

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
    numbers = codes.astype(np.intp)
    for offset in range(1, size):  # numbered anew each time, so that nothing overflows
        longer = numbers[: len(codes) - offset] * len(different) + codes[offset:]
        numbers = np.unique(longer, return_inverse=True)[1]
    return numbers


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


HIGHEST_ORDER: dict[Residues, int] = {"dna": 5, "protein": 2}
"""Hexamers, what gene finders have long taken for the background of DNA (GeneMark: Borodovsky
and McIninch 1993, https://doi.org/10.1016/0097-8485(93)85004-V). Higher orders begin to hold
pieces of the training data itself, which a search then finds."""
_ENOUGH = 100  # counts a word, on average, so that a frequency is known to a tenth


def order_for(letters: int, of: Residues = "dna") -> int:
    """The highest order up to `HIGHEST_ORDER` with at least 100 counted letters per word."""
    order, kinds = HIGHEST_ORDER[of], len(kind_of(of).alphabet)
    while order and kinds ** (order + 1) * _ENOUGH > letters:
        order -= 1
    return order


class MarkovModel:
    """An order-k Markov model of bases, or of amino acids."""

    order: int

    def __init__(self, counts: NDArray[np.int64], letters: Residues = "dna") -> None:
        """Of the counts of all words of order + 1 letters, (kinds^(order + 1),).

        Raises:
            ValueError: If nothing was counted, or the words are of no one length.
        """
        self._letters = kind_of(letters).alphabet
        kinds = len(self._letters)
        self.order = _word_size(len(counts), kinds) - 1
        if self.order < 0 or len(counts) != kinds ** (self.order + 1):
            raise ValueError(f"{len(counts)} counts are not those of all words of one length")
        if not counts.any():
            raise ValueError("there is nothing to make a Markov model of: no word was counted")
        followers = counts.reshape(-1, kinds)
        self._starts = np.cumsum(followers.sum(1))
        self._cumulative: list[list[int]] = [
            list(accumulate(row)) for row in _with_followers(followers).tolist()
        ]

    @classmethod
    def of(
        cls, blocks: Iterable[str], order: int | None = None, both: bool = True,
        letters: Residues = "dna",
    ) -> MarkovModel:  # fmt: skip
        """A text in, its model out; memory is that of a block.

        Args:
            blocks: Cut anywhere; a letter that is none of the alphabet must stand between records.
            order: 0 to `HIGHEST_ORDER`; None takes what the text bears (see `order_for`).
            both: Whether the reverse complement of bases is counted too.
            letters: What the text is made of.

        Raises:
            ValueError: If there is no word to count.
        """
        kind = kind_of(letters)
        highest = HIGHEST_ORDER[letters] if order is None else order
        counts = _counted(blocks, highest + 1, kind)
        if both and len(kind.signs) == 2:
            counts = counts + _reversed(counts)
        if order is None:
            fit = order_for(int(counts.sum()), letters)
            counts = counts.reshape(len(kind.alphabet) ** (fit + 1), -1).sum(1)
        return cls(counts, letters)

    def sample(self, length: int, seed: int | Sequence[int]) -> str:
        """A length and a seed in, a random sequence out."""
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))
        context = int(np.searchsorted(self._starts, rng.integers(self._starts[-1]), "right"))
        kinds = len(self._letters)
        first = [
            self._letters[context // kinds**place % kinds] for place in reversed(range(self.order))
        ]
        drawn = first[:length]
        contexts, cumulative = kinds**self.order, self._cumulative
        for number in rng.random(length - len(drawn)).tolist():
            row = cumulative[context]
            letter = bisect_right(row, int(number * row[-1]))
            drawn.append(self._letters[letter])
            context = (context * kinds + letter) % contexts
        return "".join(drawn)


def _word_size(count: int, kinds: int) -> int:
    """How many letters words have of which there are so many, or fewer."""
    size = 0
    while kinds ** (size + 1) <= count:
        size += 1
    return size


def _counted(blocks: Iterable[str], size: int, kind: SequenceKind) -> NDArray[np.int64]:
    """How often each word of ``size`` letters occurs, (kinds^size,)."""
    kinds = len(kind.alphabet)
    counts = np.zeros(kinds**size, np.int64)
    carried = ""
    for block in blocks:
        text = carried + block
        counts += word_counts(kind.codes(text), size, kinds)
        carried = text[max(0, len(text) - size + 1) :]
    return counts


def _reversed(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The counts of the other strand: those of each word's reverse complement."""
    size = _word_size(len(counts), 4)
    digits = counts.reshape((4,) * size)
    return np.ascontiguousarray(digits.transpose()[(slice(None, None, -1),) * size]).ravel()


def _with_followers(followers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts (kinds^order, kinds); a context that nothing follows has those of a shorter one."""
    known = followers.copy()
    contexts, kinds = followers.shape
    while (lost := np.flatnonzero(known.sum(1) == 0)).size:
        contexts //= kinds
        shorter = followers.reshape(-1, contexts, kinds).sum(0)
        known[lost] = shorter[lost % contexts]
    return known
