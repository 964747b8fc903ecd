"""Two letters in, what their pair scores out: blastn's match and mismatch scores, and BLOSUM62."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

ALPHABET = "ACGTRYMKWSBDHVN"
"""The letters in the order of blastn's own alphabet (BLASTNA)."""
MASKED = "X"
"""What stands for a base that may match nothing for now; worse than N."""
_CODED = "A C G T AG CT AC GT AT CG CGT AGT ACT ACG ACGT"
_STANDS_FOR = dict(zip(ALPHABET, _CODED.split(), strict=True))


class PairScores(Hashable, Protocol):
    """What pairs of letters and gaps score."""

    @property
    def gap_open(self) -> int:
        """A gap of length k costs ``gap_open + k * gap_extend``."""
        ...

    @property
    def gap_extend(self) -> int:
        """See ``gap_open``."""
        ...

    @property
    def letters(self) -> str:
        """All letters that have scores, ``masked`` among them."""
        ...

    @property
    def masked(self) -> str:
        """The letter that stands for one that may match nothing for now."""
        ...

    @property
    def highest(self) -> int:
        """The most that a pair scores."""
        ...

    @property
    def lowest(self) -> int:
        """The least that a pair scores."""
        ...

    def pair(self, one: str, other: str) -> int:
        """What two letters score."""
        ...


@dataclass(frozen=True)
class Scoring:
    """Scores of pairs and gaps, as in blastn.

    A code of k bases scores with a letter that it may stand for what one match and k - 1 mismatches
    score on average, rounded: N with anything -2 where a match is 1 and a mismatch -3. Of two codes
    the one of more bases counts.
    """

    reward: int
    penalty: int
    """Below 0."""
    gap_open: int
    gap_extend: int
    """A gap of length k costs ``gap_open + k * gap_extend``."""

    @property
    def letters(self) -> str:
        """See `PairScores`."""
        return ALPHABET + MASKED

    @property
    def masked(self) -> str:
        """See `PairScores`."""
        return MASKED

    @property
    def highest(self) -> int:
        """The reward of a match."""
        return self.reward

    @property
    def lowest(self) -> int:
        """The penalty of a mismatch."""
        return self.penalty

    def pair(self, one: str, other: str) -> int:
        """What two letters of `ALPHABET`, or `MASKED`, score."""
        first, second = (_STANDS_FOR.get(letter, "") for letter in (one, other))
        if not set(first) & set(second):
            return self.penalty
        kinds = max(len(first), len(second))
        mean = Fraction((kinds - 1) * self.penalty + self.reward, kinds)
        return math.floor(mean + Fraction(1, 2)) if mean >= 0 else math.ceil(mean - Fraction(1, 2))


# As blastp scores them: half bits, from blocks with 62 % identity; the rows of B, J, Z and X are
# those of BLAST+, which differ from the older files of this matrix.
_BLOSUM62 = """
     A  R  N  D  C  Q  E  G  H  I  L  K  M  F  P  S  T  W  Y  V  B  J  Z  X  *
A    4 -1 -2 -2  0 -1 -1  0 -2 -1 -1 -1 -1 -2 -1  1  0 -3 -2  0 -2 -1 -1 -1 -4
R   -1  5  0 -2 -3  1  0 -2  0 -3 -2  2 -1 -3 -2 -1 -1 -3 -2 -3 -1 -2  0 -1 -4
N   -2  0  6  1 -3  0  0  0  1 -3 -3  0 -2 -3 -2  1  0 -4 -2 -3  4 -3  0 -1 -4
D   -2 -2  1  6 -3  0  2 -1 -1 -3 -4 -1 -3 -3 -1  0 -1 -4 -3 -3  4 -3  1 -1 -4
C    0 -3 -3 -3  9 -3 -4 -3 -3 -1 -1 -3 -1 -2 -3 -1 -1 -2 -2 -1 -3 -1 -3 -1 -4
Q   -1  1  0  0 -3  5  2 -2  0 -3 -2  1  0 -3 -1  0 -1 -2 -1 -2  0 -2  4 -1 -4
E   -1  0  0  2 -4  2  5 -2  0 -3 -3  1 -2 -3 -1  0 -1 -3 -2 -2  1 -3  4 -1 -4
G    0 -2  0 -1 -3 -2 -2  6 -2 -4 -4 -2 -3 -3 -2  0 -2 -2 -3 -3 -1 -4 -2 -1 -4
H   -2  0  1 -1 -3  0  0 -2  8 -3 -3 -1 -2 -1 -2 -1 -2 -2  2 -3  0 -3  0 -1 -4
I   -1 -3 -3 -3 -1 -3 -3 -4 -3  4  2 -3  1  0 -3 -2 -1 -3 -1  3 -3  3 -3 -1 -4
L   -1 -2 -3 -4 -1 -2 -3 -4 -3  2  4 -2  2  0 -3 -2 -1 -2 -1  1 -4  3 -3 -1 -4
K   -1  2  0 -1 -3  1  1 -2 -1 -3 -2  5 -1 -3 -1  0 -1 -3 -2 -2  0 -3  1 -1 -4
M   -1 -1 -2 -3 -1  0 -2 -3 -2  1  2 -1  5  0 -2 -1 -1 -1 -1  1 -3  2 -1 -1 -4
F   -2 -3 -3 -3 -2 -3 -3 -3 -1  0  0 -3  0  6 -4 -2 -2  1  3 -1 -3  0 -3 -1 -4
P   -1 -2 -2 -1 -3 -1 -1 -2 -2 -3 -3 -1 -2 -4  7 -1 -1 -4 -3 -2 -2 -3 -1 -1 -4
S    1 -1  1  0 -1  0  0  0 -1 -2 -2  0 -1 -2 -1  4  1 -3 -2 -2  0 -2  0 -1 -4
T    0 -1  0 -1 -1 -1 -1 -2 -2 -1 -1 -1 -1 -2 -1  1  5 -2 -2  0 -1 -1 -1 -1 -4
W   -3 -3 -4 -4 -2 -2 -3 -2 -2 -3 -2 -3 -1  1 -4 -3 -2 11  2 -3 -4 -2 -2 -1 -4
Y   -2 -2 -2 -3 -2 -1 -2 -3  2 -1 -1 -2 -1  3 -3 -2 -2  2  7 -1 -3 -1 -2 -1 -4
V    0 -3 -3 -3 -1 -2 -2 -3 -3  3  1 -2  1 -1 -2 -2  0 -3 -1  4 -3  2 -2 -1 -4
B   -2 -1  4  4 -3  0  1 -1  0 -3 -4  0 -3 -3 -2  0 -1 -4 -3 -3  4 -3  0 -1 -4
J   -1 -2 -3 -3 -1 -2 -3 -4 -3  3  3 -3  2  0 -3 -2 -1 -2 -1  2 -3  3 -3 -1 -4
Z   -1  0  0  1 -3  4  4 -2  0 -3 -3  1 -1 -3 -1  0 -1 -2 -2 -2  0 -3  4 -1 -4
X   -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -4
*   -4 -4 -4 -4 -4 -4 -4 -4 -4 -4 -4 -4 -4 -4 -4 -4 -4 -4 -4 -4 -4 -4 -4 -4  1
"""
_HEAD, *_ROWS = (line.split() for line in _BLOSUM62.strip().splitlines())
_PAIRS = {
    (row[0], other): int(score)
    for row in _ROWS
    for other, score in zip(_HEAD, row[1:], strict=True)
}
PROTEIN_ALPHABET = "".join(_HEAD)
"""The letters of proteins in the order of BLAST's matrices."""


@dataclass(frozen=True)
class ResidueScoring:
    """Scores of pairs of amino acids and of gaps, as in blastp.

    References:
        Henikoff and Henikoff 1992, https://doi.org/10.1073/pnas.89.22.10915
    """

    gap_open: int = 11
    gap_extend: int = 1
    """A gap of length k costs ``gap_open + k * gap_extend``."""
    letters = PROTEIN_ALPHABET + "U"
    masked = "U"  # selenocysteine, which a search reads as C
    highest = max(_PAIRS.values())
    lowest = -2 * highest
    """Of what is masked: an alignment does not go on through it."""

    def pair(self, one: str, other: str) -> int:
        """What two letters of `PROTEIN_ALPHABET`, or ``masked``, score."""
        return _PAIRS.get((one, other), self.lowest)


@cache  # a search asks for it twice a query
def matrix(scoring: PairScores) -> tuple[tuple[int, ...], ...]:
    """The score of each pair of its letters."""
    return tuple(tuple(scoring.pair(a, b) for b in scoring.letters) for a in scoring.letters)


@cache
def rows(scoring: PairScores) -> NDArray[np.int32]:
    """What each two bytes score, (256, 256); what is no letter scores the least."""
    found = np.full((256, 256), scoring.lowest, np.int32)
    places = [ord(letter) for letter in scoring.letters]
    found[np.ix_(places, places)] = matrix(scoring)
    return found


def longest_span(scoring: PairScores, query_length: int) -> int:
    """The most library letters that an alignment of a positive score can cover."""
    most = query_length * scoring.highest - scoring.gap_open
    return query_length + max(0, most // max(1, scoring.gap_extend)) + 1
