"""From where an alignment ends to the whole of it: a banded, affine-gap traceback in numpy.

The scanners say only how good the best alignment is and where it ends. Here the alignment that
ends there is found again in a box around it, row by row, so that both scanners give the same
alignment.

References:
    Gotoh 1982, https://doi.org/10.1016/0022-2836(82)90398-9
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqforge.domains.genome.similarity.scanning import Scoring

_NEVER = np.int32(-(10**9))
_OUTSIDE = 255  # beyond the ends of the hit

# What led to the best score of a cell, as bits; GAP_HIT is a gap in the hit.
_GAP_HIT, _GAP_QUERY, _OPENS_HIT, _OPENS_QUERY = (np.uint8(1 << bit) for bit in range(4))
# Where the walk may stand besides in a gap: before anything, anything but a gap in the query
# (which is what a gap in the query opens beside), and a pair.
_BEST, _ABOVE, _PAIR = (np.uint8(1 << bit) for bit in range(4, 7))


@dataclass(frozen=True)
class Alignment:
    """Two aligned stretches; places are from 0, stops excluded."""

    score: int
    query_start: int
    query_stop: int
    hit_start: int
    hit_stop: int
    query_aligned: str
    """With ``-`` for gaps, as long as ``hit_aligned``."""
    hit_aligned: str


def align_back(query: bytes, hit: bytes, score: int, scoring: Scoring) -> Alignment:
    """The alignment with this score whose last pair is the last letters of both.

    Args:
        query: A, C, G, T, N; up to the end of the alignment.
        hit: The same of the library's sequence.
        score: What the best alignment that ends there scores.
        scoring: What it was found with.

    Raises:
        ValueError: If no alignment that ends there has that score.
    """
    # An alignment with g gap letters has at most (a + b - g) / 2 pairs, which bounds g.
    spare = scoring.reward * (len(query) + len(hit)) / 2 - score - scoring.gap_open
    width = max(0, int(spare / (scoring.gap_extend + scoring.reward / 2)))
    width = min(width, max(len(query), len(hit)))
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


def _extend(
    query: bytes, hit: bytes, width: int, score: int, scoring: Scoring
) -> tuple[NDArray[np.uint8], tuple[int, int] | None]:
    """Extend an alignment from the first letters of both until it has ``score``.

    Cell (i, j), after i letters of the query and j of the hit, stands in column j - i + width.

    Returns:
        What led to each cell, (rows + 1, 2 width + 1), and the first cell with the score.
    """
    band, opening = 2 * width + 1, np.int32(scoring.gap_open + scoring.gap_extend)
    extension = np.int32(scoring.gap_extend)
    padded = np.full(len(hit) + len(query) + band + 1, _OUTSIDE, np.uint8)
    padded[width + 1 : width + 1 + len(hit)] = np.frombuffer(hit, np.uint8)
    ramp = np.arange(band, dtype=np.int32) * extension
    table = np.zeros((len(query) + 1, band), np.uint8)
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
        reached = np.flatnonzero(best[:-1] == score)
        if len(reached):
            return table, (row, row + int(reached[0]) - width)
    return table, None


def _pair_scores(letter: int, facing: NDArray[np.uint8], scoring: Scoring) -> NDArray[np.int32]:
    """What one letter of the query scores with each of those it faces."""
    matched = (facing == letter) & (letter != ord("N"))
    scores = np.where(matched, np.int32(scoring.reward), np.int32(scoring.penalty))
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
