"""Smith-Waterman over long stretches: only the best score and where its alignment ends.

Two libraries do it with SIMD. parasail is quicker where it has a wheel (x86-64); pyopal has one
for Apple silicon. Scores are equal; where several alignments share the best score, the one whose
end comes first in the stretch is meant, and each library has its own mind about the rest.

References:
    Smith & Waterman 1981, https://doi.org/10.1016/0022-2836(81)90087-5
    Gotoh 1982, https://doi.org/10.1016/0022-2836(82)90398-9
    Farrar 2007 (striped SIMD), https://doi.org/10.1093/bioinformatics/btl582
    Daily 2016 (parasail), https://doi.org/10.1186/s12859-016-0930-z
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.metadata import version
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from seqforge.errors import ConfigError

ALPHABET = "ACGTRYMKWSBDHVN"
"""The letters in the order of blastn's own alphabet (BLASTNA)."""
MASKED = "X"
"""What stands for a letter that may match nothing for now; worse than N."""
_CODED = "A C G T AG CT AC GT AT CG CGT AGT ACT ACG ACGT"
_STANDS_FOR = dict(zip(ALPHABET, _CODED.split(), strict=True))
_LETTERS = ALPHABET + MASKED


class End(NamedTuple):
    """The best local alignment of a stretch, by its last pair."""

    score: int
    """0 where nothing matches."""
    query: int
    """Place in the query, from 0."""
    hit: int
    """Place in the stretch, from 0."""


@dataclass(frozen=True)
class Scoring:
    """What a pair of letters and a gap are worth, as blastn has it.

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

    def pair(self, one: str, other: str) -> int:
        """What two letters of `ALPHABET`, or `MASKED`, score."""
        first, second = (_STANDS_FOR.get(letter, "") for letter in (one, other))
        if not set(first) & set(second):
            return self.penalty
        kinds = max(len(first), len(second))
        mean = Fraction((kinds - 1) * self.penalty + self.reward, kinds)
        return math.floor(mean + Fraction(1, 2)) if mean >= 0 else math.ceil(mean - Fraction(1, 2))

    def matrix(self) -> list[list[int]]:
        """The score of each pair of letters of `ALPHABET` and `MASKED`, (16, 16)."""
        return [list(row) for row in _matrix(self)]

    def rows(self) -> NDArray[np.int32]:
        """What each two bytes score, (256, 256); what is no letter mismatches."""
        return _rows(self)

    def longest_span(self, query_length: int) -> int:
        """The most library letters that an alignment of a positive score can cover."""
        most = query_length * self.reward - self.gap_open
        return query_length + max(0, most // max(1, self.gap_extend)) + 1


@cache  # a search asks for it twice a query
def _matrix(scoring: Scoring) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(scoring.pair(a, b) for b in _LETTERS) for a in _LETTERS)


@cache
def _rows(scoring: Scoring) -> NDArray[np.int32]:
    rows = np.full((256, 256), scoring.penalty, np.int32)
    places = [ord(letter) for letter in _LETTERS]
    rows[np.ix_(places, places)] = scoring.matrix()
    return rows


class Scanner(Protocol):
    """One query, ready to be laid against stretches; safe to use in several threads."""

    def best_ends(self, stretches: Sequence[bytes]) -> list[End]:
        """The end of the best alignment with each stretch of letters of `ALPHABET` or `MASKED`."""
        ...


class ParasailScanner:
    """Striped Smith-Waterman in 8 bits, again in 16 or 32 where a score is too high for that."""

    def __init__(self, query: bytes, scoring: Scoring) -> None:
        import parasail

        self._profile = parasail.profile_create_sat(
            query.decode("ascii"), _parasail_matrix(scoring)
        )
        self._align = parasail.sw_striped_profile_sat
        # parasail counts the first letter of a gap with its opening
        self._gaps = scoring.gap_open + scoring.gap_extend, scoring.gap_extend

    def best_ends(self, stretches: Sequence[bytes]) -> list[End]:
        """See `Scanner`; the interpreter is free for other threads meanwhile."""
        found = (self._align(self._profile, stretch, *self._gaps) for stretch in stretches)
        return [End(end.score, end.end_query, end.end_ref) for end in found]


@cache  # parasail only reads it: profiles of all queries and threads share one
def _parasail_matrix(scoring: Scoring) -> Any:
    import parasail

    matrix = parasail.matrix_create(_LETTERS, scoring.reward, scoring.penalty)
    for row, scores in enumerate(scoring.matrix()):
        for column, score in enumerate(scores):
            matrix[row, column] = score
    return matrix


class OpalScanner:
    """Smith-Waterman with one stretch to a SIMD lane: quick where there are many."""

    def __init__(self, query: bytes, scoring: Scoring) -> None:
        import pyopal

        matrices = importlib.import_module("scoring_matrices")
        self._query = query.decode("ascii")
        self._database = pyopal.Database
        self._aligner: Any = pyopal.Aligner(
            matrices.ScoringMatrix(scoring.matrix(), _LETTERS),
            gap_open=scoring.gap_open + scoring.gap_extend,
            gap_extend=scoring.gap_extend,
        )

    def best_ends(self, stretches: Sequence[bytes]) -> list[End]:
        """See `Scanner`."""
        database = self._database(list(stretches), alphabet=self._aligner.alphabet)
        found = self._aligner.align(self._query, database, mode="end")
        ends = {
            end.target_index: End(end.score, end.query_end, end.target_end)
            for end in found
            if end.score > 0
        }
        return [ends.get(number, End(0, 0, 0)) for number in range(len(stretches))]


@dataclass(frozen=True)
class Backend:
    """A library that scans, and how it likes its stretches."""

    name: str
    scanner: Callable[[bytes, Scoring], Scanner]
    stretch: int
    """How many bases a stretch should have."""

    @property
    def version(self) -> str:
        """The installed version."""
        return _version(self.name)


@cache  # every result names it, and it is read from a file
def _version(name: str) -> str:
    return version(name)


_BACKENDS = (
    Backend("parasail", ParasailScanner, 1 << 18),
    Backend("pyopal", OpalScanner, 1 << 13),  # 32 lanes of this are one stretch of parasail's
)


@cache
def installed_backend() -> Backend:
    """The quicker of the two libraries that is installed.

    Raises:
        ConfigError: If neither is.
    """
    for backend in _BACKENDS:
        if importlib.util.find_spec(backend.name) is not None:
            return backend
    raise ConfigError(
        "a local search needs parasail or pyopal, and neither is installed; "
        "pip install parasail (x86-64) or pyopal"
    )
