"""What a melody is like, in the measures of the field, each over one piece.

No one of them tells good from bad: even random eighths have a perfect groove. They stand beside
the same of held-out pieces and of random notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seqforge.domains.music.keys import find_key
from seqforge.domains.music.notes import DRUMS, Note, Piece, bar_lines, skyline

_SIXTEENTHS = 4  # a quarter, for the groove
_SCALES = np.array(
    [np.roll(scale, tonic) for scale in (
        [1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1],  # major
        [1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1],  # harmonic minor
    ) for tonic in range(12)]
)  # fmt: skip


def measures(piece: Piece) -> dict[str, float]:
    """The measures of one piece, of its notes or (steps, repeats, range) of its melody.

    Empty for fewer than two notes, of which nothing can be said.
    """
    notes = [note for note in piece.notes if note.program != DRUMS]
    melody = np.array([note.pitch for note in skyline(notes)])
    if len(notes) < 2 or len(melody) < 2:
        return {}
    classes = np.bincount([note.pitch % 12 for note in notes], minlength=12) / len(notes)
    steps = np.abs(np.diff(melody))
    found = {
        "pitch-class entropy": _entropy(classes),
        "scale consistency": float((_SCALES @ classes).max()),
        "key clarity": find_key(notes)[1],
        "notes per quarter": len(notes) * piece.steps_per_quarter / max(1, piece.end),
        "range": float(np.ptp(melody)),
        "mean absolute step": float(steps.mean()),
        "repeated notes": float((steps == 0).mean()),
    }
    groove = groove_consistency(piece)
    return found if groove is None else found | {"groove consistency": groove}


def _entropy(shares: NDArray[np.float64]) -> float:
    kept = shares[shares > 0]
    return float(-(kept * np.log2(kept)).sum())  # bits, at most 3.58


def groove_consistency(piece: Piece) -> float | None:
    """One less the mean Hamming distance of the onset patterns of neighbouring bars.

    Patterns are on the grid of sixteenths; only full bars of one metre are compared. None where
    there are no two such bars.

    References:
        Wu & Yang 2020, "The Jazz Transformer on the Front Line", section 4.2 (MusDr)
    """
    lines = list(bar_lines(piece, piece.end))
    starts = np.array([step for step, _ in lines])
    onsets = np.array(sorted({note.start for note in piece.notes}))
    if len(starts) < 3:
        return None
    sizes = np.round(np.diff(starts) * _SIXTEENTHS / piece.steps_per_quarter).astype(int)
    patterns = []
    for start, stop, size in zip(starts, starts[1:], sizes, strict=False):
        inside = onsets[np.searchsorted(onsets, start) : np.searchsorted(onsets, stop)] - start
        pattern = np.zeros(max(1, size), bool)
        places = np.round(inside * _SIXTEENTHS / piece.steps_per_quarter).astype(int)
        pattern[np.minimum(places, len(pattern) - 1)] = True
        patterns.append(pattern)
    pairs = [(a, b) for a, b in pairwise(patterns) if len(a) == len(b)]
    if not pairs:
        return None
    return float(1 - np.mean([(a != b).mean() for a, b in pairs]))


def random_like(piece: Piece, seed: int) -> Piece:
    """As many notes, of uniform pitch within the piece's range, in even eighths: the control."""
    pitches = [note.pitch for note in piece.notes] or [60]
    draws = np.random.default_rng(seed).integers(min(pitches), max(pitches) + 1, len(pitches))
    eighth = max(1, piece.steps_per_quarter // 2)
    notes = tuple(Note(int(p), 80, i * eighth, eighth) for i, p in enumerate(draws))
    return replace(piece, notes=notes, key_signatures=(), pickup=0)


def table(columns: dict[str, Sequence[Piece]]) -> dict[str, dict[str, float]]:
    """A row a measure, its mean over the pieces of each column; columns that lack it leave it."""
    rows: dict[str, dict[str, float]] = {}
    for column, pieces in columns.items():
        found = [measures(piece) for piece in pieces]
        for name in dict.fromkeys(name for one in found for name in one):
            values = [one[name] for one in found if name in one]
            rows.setdefault(name, {})[column] = round(float(np.mean(values)), 4)
    return rows
