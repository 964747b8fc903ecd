"""What a melody is like, in the measures of the field, each over one piece.

No one of them tells good from bad: even random eighths have a perfect groove. `comparing` sets them
beside the same of real pieces and of random notes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seqforge.domains.music.keys import find_key
from seqforge.domains.music.notes import DRUMS, Note, Piece, bar_lines, skyline

_SIXTEENTHS = 4  # a quarter, for the groove and the patterns of bars
_SCALES = np.array(
    [np.roll(scale, tonic) for scale in (
        [1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1],  # major
        [1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1],  # harmonic minor
    ) for tonic in range(12)]
)  # fmt: skip


def measures(piece: Piece) -> dict[str, float | None]:
    """The measures of one piece, of its notes or (steps, repeats, range) of its melody.

    Empty for fewer than two notes, of which nothing can be said; None where one does not apply.
    """
    notes = [note for note in piece.notes if note.program != DRUMS]
    melody = skyline(notes)
    pitches = np.array([note.pitch for note in melody])
    if len(notes) < 2 or len(melody) < 2:
        return {}
    classes = np.bincount([note.pitch % 12 for note in notes], minlength=12) / len(notes)
    steps = np.abs(np.diff(pitches))
    return {
        "notes": float(len(notes)),
        "pitch-class entropy": _entropy(classes),
        "scale consistency": float((_SCALES @ classes).max()),
        "key clarity": find_key(notes)[1],
        "notes per quarter": len(notes) * piece.steps_per_quarter / max(1, piece.end),
        "range": float(np.ptp(pitches)),
        "mean absolute step": float(steps.mean()),
        "repeated notes": float((steps == 0).mean()),
        "groove consistency": groove_consistency(piece),
        "self-similarity": self_similarity(piece, melody),
    }


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
    lines = list(bar_lines(piece, piece.end + 1))  # the last of a whole bar is one more
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


def self_similarity(piece: Piece, melody: Sequence[Note]) -> float | None:
    """How like an earlier bar each bar is, at best: the mean over all bars but the first.

    A bar is the set of its notes, a note being the sixteenth of the bar at which it begins and the
    semitones from the note before it in the bar (none for the first). Two bars are as similar as
    the notes that both have are many of those that either has: 1 for the same bar, on whatever
    pitch. Bars in which no note begins are left out; None where fewer than two are left.

    References:
        Yu et al. 2022, "Museformer", https://arxiv.org/abs/2210.10349, whose similarity of bars
        this is, but for transposition (there a note is its onset, pitch and duration)
    """
    bars = [bar for bar in _patterns(piece, melody) if bar]
    earlier = dict.fromkeys(bars[:1])  # each pattern once, however often it is played
    best = []
    for bar in bars[1:]:
        same = bar in earlier
        best.append(1.0 if same else max(len(bar & old) / len(bar | old) for old in earlier))
        earlier[bar] = None
    return float(np.mean(best)) if best else None


def _patterns(piece: Piece, melody: Sequence[Note]) -> list[frozenset[tuple[int, int | None]]]:
    """The notes of each bar, as `self_similarity` sees them."""
    starts = [step for step, _ in bar_lines(piece, piece.end)]
    bars: list[set[tuple[int, int | None]]] = [set() for _ in starts]
    before: tuple[int, int] | None = None  # the bar and the pitch of the note before
    for note in melody:
        number = bisect_right(starts, note.start) - 1
        place = round((note.start - starts[number]) * _SIXTEENTHS / piece.steps_per_quarter)
        interval = note.pitch - before[1] if before and before[0] == number else None
        bars[number].add((place, interval))
        before = number, note.pitch
    return [frozenset(bar) for bar in bars]


def random_like(piece: Piece, seed: int) -> Piece:
    """As many notes, of uniform pitch within the piece's range, in even eighths: the control."""
    pitches = [note.pitch for note in piece.notes] or [60]
    draws = np.random.default_rng(seed).integers(min(pitches), max(pitches) + 1, len(pitches))
    eighth = max(1, piece.steps_per_quarter // 2)
    notes = tuple(Note(int(p), 80, i * eighth, eighth) for i, p in enumerate(draws))
    return replace(piece, notes=notes, pickup=0)
