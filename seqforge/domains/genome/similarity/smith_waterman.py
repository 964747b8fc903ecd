"""Two sequences in, the best local alignment score and its end out (SIMD); then the alignment,
by a banded affine-gap traceback.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from seqforge.domains.genome.similarity.scoring import PairScores, matrix, rows
from seqforge.errors import ConfigError


class AlignmentEnd(NamedTuple):
    """Score and last pair of the best local alignment with a chunk."""

    score: int
    """0 if nothing matches."""
    query: int
    """Place in the query, from 0."""
    hit: int
    """Place in the stretch, from 0."""


class Scanner(Protocol):
    """A query prepared for scanning; thread-safe."""

    def best_ends(self, stretches: Sequence[bytes]) -> list[AlignmentEnd]:
        """The end of the best alignment with each stretch of letters that have scores."""
        ...


class ParasailScanner:
    """Striped Smith-Waterman in 8 bits, repeated in 16 or 32 if a score overflows."""

    def __init__(self, query: bytes, scoring: PairScores) -> None:
        import parasail

        self._profile = parasail.profile_create_sat(
            query.decode("ascii"), _parasail_matrix(scoring)
        )
        self._align = parasail.sw_striped_profile_sat
        # parasail counts the first letter of a gap with its opening
        self._gaps = scoring.gap_open + scoring.gap_extend, scoring.gap_extend

    def best_ends(self, stretches: Sequence[bytes]) -> list[AlignmentEnd]:
        """See `Scanner`; the interpreter is free for other threads meanwhile."""
        found = (self._align(self._profile, stretch, *self._gaps) for stretch in stretches)
        return [AlignmentEnd(end.score, end.end_query, end.end_ref) for end in found]


@cache  # parasail only reads it: profiles of all queries and threads share one
def _parasail_matrix(scoring: PairScores) -> Any:
    import parasail

    made = parasail.matrix_create(scoring.letters, scoring.highest, scoring.lowest)
    for row, scores in enumerate(matrix(scoring)):
        for column, score in enumerate(scores):
            made[row, column] = score
    return made


class OpalScanner:
    """Smith-Waterman with one chunk per SIMD lane: fast for many chunks."""

    def __init__(self, query: bytes, scoring: PairScores) -> None:
        import pyopal

        matrices = importlib.import_module("scoring_matrices")
        self._query = query.decode("ascii")
        self._database = pyopal.Database
        self._aligner: Any = pyopal.Aligner(
            matrices.ScoringMatrix(list(map(list, matrix(scoring))), scoring.letters),
            gap_open=scoring.gap_open + scoring.gap_extend,
            gap_extend=scoring.gap_extend,
        )

    def best_ends(self, stretches: Sequence[bytes]) -> list[AlignmentEnd]:
        """See `Scanner`."""
        database = self._database(list(stretches), alphabet=self._aligner.alphabet)
        found = self._aligner.align(self._query, database, mode="end")
        ends = {
            end.target_index: AlignmentEnd(end.score, end.query_end, end.target_end)
            for end in found
            if end.score > 0
        }
        return [ends.get(number, AlignmentEnd(0, 0, 0)) for number in range(len(stretches))]


@dataclass(frozen=True)
class Backend:
    """An installed SIMD library, and the chunk size it prefers."""

    name: str
    scanner: Callable[[bytes, PairScores], Scanner]
    stretch: int
    """How many letters a stretch should have."""

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
    """The faster of the installed SIMD libraries.

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


_NEVER = np.int32(-(10**9))
_OUTSIDE = 255  # beyond the ends of the hit

# What led to the best score of a cell, as bits; GAP_HIT is a gap in the hit.
_GAP_HIT, _GAP_QUERY, _OPENS_HIT, _OPENS_QUERY = (np.uint8(1 << bit) for bit in range(4))
# Where the walk may stand besides in a gap: before anything, anything but a gap in the query
# (which is what a gap in the query opens beside), and a pair.
_BEST, _ABOVE, _PAIR = (np.uint8(1 << bit) for bit in range(4, 7))


@dataclass(frozen=True)
class Alignment:
    """Two aligned intervals, half-open, from 0."""

    score: int
    query_start: int
    query_stop: int
    hit_start: int
    hit_stop: int
    query_aligned: str
    """With ``-`` for gaps, as long as ``hit_aligned``."""
    hit_aligned: str


def align_back(query: bytes, hit: bytes, score: int, scoring: PairScores) -> Alignment:
    """The alignment with this score that ends at the last letters of both.

    Args:
        query: Letters that have scores; up to the end of the alignment.
        hit: The same of the library's sequence.
        score: What the best alignment that ends there scores.
        scoring: What it was found with.

    Raises:
        ValueError: If no alignment that ends there has that score.
    """
    width = _band(len(query), len(hit), score, scoring)
    table, found = _extend(query[::-1], hit[::-1], width, score, scoring)
    if found is None:
        raise ValueError(f"no alignment of score {score} ends there")
    rows, columns = found
    pairs = _walk(table, rows, columns, width)
    return Alignment(
        score,
        len(query) - rows,
        len(query),
        len(hit) - columns,
        len(hit),
        _spell(query[len(query) - rows :], [take for take, _ in pairs]),
        _spell(hit[len(hit) - columns :], [take for _, take in pairs]),
    )


def align_through(
    query: bytes, hit: bytes, pair: tuple[int, int], drop: int, scoring: PairScores
) -> Alignment:
    """The best alignment through two given letters.

    Args:
        query: Letters that have scores.
        hit: The same of the library's sequence.
        pair: Places of two equal letters, from 0; no gap follows or precedes them at once.
        drop: How far the score may sink below the highest before no more is expected.
        scoring: What pairs and gaps are worth.
    """
    query_at, hit_at = pair
    before, query_start, hit_start, left = _climb(
        query[:query_at][::-1], hit[:hit_at][::-1], drop, scoring
    )
    after, query_stop, hit_stop, right = _climb(
        query[query_at + 1 :], hit[hit_at + 1 :], drop, scoring
    )
    columns = [*before, (True, True), *reversed(after)]
    places = (
        query_at - query_start,
        query_at + 1 + query_stop,
        hit_at - hit_start,
        hit_at + 1 + hit_stop,
    )
    return Alignment(
        left + int(rows(scoring)[query[query_at], hit[hit_at]]) + right,
        *places,
        _spell(query[places[0] : places[1]], [take for take, _ in columns]),
        _spell(hit[places[2] : places[3]], [take for _, take in columns]),
    )


def _band(query_length: int, hit_length: int, score: int, scoring: PairScores) -> int:
    """By how many letters more of one than of the other an alignment of a score may move on."""
    # An alignment with g gap letters has at most (a + b - g) / 2 pairs, which bounds g.
    spare = scoring.highest * (query_length + hit_length) / 2 - score - scoring.gap_open
    width = max(0, int(spare / (scoring.gap_extend + scoring.highest / 2)))
    return min(width, max(query_length, hit_length))


def _extend(
    query: bytes, hit: bytes, width: int, score: int, scoring: PairScores
) -> tuple[NDArray[np.uint8], tuple[int, int] | None]:
    """Extend an alignment from the first letters of both until it has ``score``.

    Returns:
        What led to each cell, as `_band_rows` writes it, and the first cell with the score.
    """
    table = np.zeros((len(query) + 1, 2 * width + 1), np.uint8)
    for row, best in _band_rows(query, hit, table, scoring):
        reached = np.flatnonzero(best == score)
        if len(reached):
            return table, (row, row + int(reached[0]) - width)
    return table, None


def _climb(
    query: bytes, hit: bytes, drop: int, scoring: PairScores
) -> tuple[list[tuple[bool, bool]], int, int, int]:
    """Extend an alignment from the first letters of both as far as that is worth.

    Returns:
        Its columns, the last first; its letters of the query and of the hit; its score.
    """
    width = _band(len(query), len(hit), 0, scoring)
    table = np.zeros((len(query) + 1, 2 * width + 1), np.uint8)
    highest, found = 0, (0, 0)
    for row, best in _band_rows(query, hit, table, scoring):
        place = int(best.argmax())
        if best[place] > highest:
            highest, found = int(best[place]), (row, row + place - width)
        elif best[place] < highest - drop:
            break
    return _walk(table, *found, width), *found, highest


def _band_rows(
    query: bytes, hit: bytes, table: NDArray[np.uint8], scoring: PairScores
) -> Iterator[tuple[int, NDArray[np.int32]]]:
    """Extend all alignments from the first letters of both by one letter of the query at a time.

    Cell (i, j), after i letters of the query and j of the hit, stands in column j - i + width.

    Args:
        query: Its letters.
        hit: Its letters.
        table: Where it is noted what led to each cell, (rows + 1, 2 width + 1), zeros.
        scoring: What pairs and gaps are worth.

    Yields:
        The number of letters, and the best score of each cell of that row, (2 width + 1,).
    """
    band = table.shape[1]
    width, opening = band // 2, np.int32(scoring.gap_open + scoring.gap_extend)
    extension = np.int32(scoring.gap_extend)
    padded = np.full(len(hit) + len(query) + band + 1, _OUTSIDE, np.uint8)
    padded[width + 1 : width + 1 + len(hit)] = np.frombuffer(hit, np.uint8)
    ramp = np.arange(band, dtype=np.int32) * extension
    best = np.full(band + 1, _NEVER, np.int32)  # the last one stands for outside the band
    best[width] = 0
    gap_hit = np.full(band + 1, _NEVER, np.int32)
    gap_query = np.empty(band, np.int32)
    for row, letter in enumerate(query, 1):
        facing = padded[row : row + band]
        paired = best[:-1] + _pair_scores(letter, facing, scoring)
        opened, extended = best[1:] - opening, gap_hit[1:] - extension
        gap_hit[:-1] = np.maximum(opened, extended)
        above = np.maximum(paired, gap_hit[:-1])
        gap_query[0] = _NEVER
        # the best opening to the left, less what the gap has cost by then
        np.maximum.accumulate((above + ramp)[:-1], out=gap_query[1:])
        gap_query[1:] -= ramp[1:] + scoring.gap_open
        best[:-1] = np.maximum(above, gap_query)
        for scores in (best, gap_hit):  # what is impossible must not sink out of 32 bits
            np.maximum(scores, _NEVER, out=scores)
        table[row] = _GAP_HIT * (gap_hit[:-1] > paired) | _GAP_QUERY * (gap_query > above)
        table[row] |= _OPENS_HIT * (opened >= extended)
        table[row, 1:] |= _OPENS_QUERY * (gap_query[1:] == above[:-1] - opening)
        yield row, best[:-1]


def _pair_scores(letter: int, facing: NDArray[np.uint8], scoring: PairScores) -> NDArray[np.int32]:
    """What one letter of the query scores with each of those it faces."""
    scores: NDArray[np.int32] = rows(scoring)[letter][facing]
    scores[facing == _OUTSIDE] = _NEVER // 2
    return scores


def _walk(table: NDArray[np.uint8], row: int, column: int, width: int) -> list[tuple[bool, bool]]:
    """The columns of the alignment from cell (row, column) to (0, 0): which has a letter."""
    columns: list[tuple[bool, bool]] = []
    state = _BEST
    while row > 0:
        cell = table[row, column - row + width]
        if state == _BEST and cell & _GAP_QUERY:
            state = _GAP_QUERY
        elif state in (_BEST, _ABOVE):
            state = _GAP_HIT if cell & _GAP_HIT else _PAIR
        columns.append((state != _GAP_QUERY, state != _GAP_HIT))
        if state == _GAP_QUERY:
            column -= 1
            state = _ABOVE if cell & _OPENS_QUERY else state
        elif state == _GAP_HIT:
            row -= 1
            state = _BEST if cell & _OPENS_HIT else state
        else:
            row, column, state = row - 1, column - 1, _BEST
    return columns


def _spell(letters: bytes, takes: list[bool]) -> str:
    """The letters with ``-`` where the alignment takes none."""
    rest = iter(letters.decode("ascii"))
    return "".join(next(rest) if take else "-" for take in takes)
