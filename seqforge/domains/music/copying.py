"""Is it just copying? The longest melody that a piece shares with training tunes, in any key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from seqforge.domains.music.notes import Piece, skyline

Intervals = NDArray[np.int16]
"""Semitones from each note of a melody to the next, (N - 1,)."""
_Text = NDArray[np.int64]

_BLOCK = 1 << 20
"""Intervals of training tunes that are ordered at a time, in some 80 MB."""


def melody_intervals(piece: Piece) -> Intervals:
    """The intervals of the melody of a piece."""
    pitches = np.array([note.pitch for note in skyline(piece.notes)], np.int16)
    return pitches[1:] - pitches[:-1]


def longest_shared(
    pieces: Sequence[Intervals], training: Iterable[Intervals], block: int = _BLOCK
) -> list[int]:
    """For each piece the length of its longest run of intervals that a training tune has too.

    Rhythm counts for nothing. A run lies within one tune. So many intervals of the training tunes
    are looked at together as a ``block`` has.
    """
    longest = np.zeros(len(pieces), np.int64)
    if any(len(piece) for piece in pieces):
        for tunes in _blocks(training, block):
            longest = np.maximum(longest, _longest(pieces, tunes))
    return [int(length) for length in longest]


def _blocks(tunes: Iterable[Intervals], least: int) -> Iterator[list[Intervals]]:
    held: list[Intervals] = []
    size = 0
    for tune in tunes:
        held.append(tune)
        size += len(tune)
        if size >= least:
            yield held
            held, size = [], 0
    if held:
        yield held


def _longest(pieces: Sequence[Intervals], tunes: Sequence[Intervals]) -> NDArray[np.int64]:
    """The same against one block.

    In the order of all suffixes of all texts, what a suffix has in common with any tune it has in
    common with the nearest suffix of a tune before it or after it (Manber & Myers 1993).
    """
    text, owner = _joined([*tunes, *pieces])
    order = _suffix_order(text)
    places = np.arange(len(text))
    of_tune = owner[order] < len(tunes)
    before = np.maximum.accumulate(np.where(of_tune, places, -1))
    after = np.minimum.accumulate(np.where(of_tune, places, len(text))[::-1])[::-1]
    longest = np.zeros(len(tunes) + len(pieces), np.int64)
    for nearest in (before, after):
        compared = ~of_tune & (nearest >= 0) & (nearest < len(text))
        suffix, other = order[compared], order[nearest[compared]]
        np.maximum.at(longest, owner[suffix], _common(text, suffix, other))
    return longest[len(tunes) :]


def _joined(texts: Sequence[Intervals]) -> tuple[_Text, NDArray[np.int64]]:
    """All texts, each with an end that no other has; and whose each place is."""
    parts = [np.append(text.astype(np.int64), 1000 + number) for number, text in enumerate(texts)]
    sizes = [len(part) for part in parts]
    return np.concatenate(parts), np.repeat(np.arange(len(parts)), sizes)


def _suffix_order(text: _Text) -> NDArray[np.int64]:
    """Where the suffixes of a text begin, in their order, (T,); no two may be the same.

    Suffixes ordered by their first n symbols are ordered by the first 2 n from the ranks so far:
    O(T log T) a doubling.
    """
    rank: NDArray[np.int64] = np.unique(text, return_inverse=True)[1].astype(np.int64)
    size = 1
    while True:
        ahead = np.zeros(len(text), np.int64)
        ahead[:-size] = rank[size:] + 1
        both = rank * (len(text) + 1) + ahead
        order = np.argsort(both)
        new = np.diff(both[order], prepend=-1) > 0
        rank[order] = np.cumsum(new) - 1
        if new.all():
            return order
        size *= 2


def _common(text: _Text, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many symbols from each place of ``one`` on are those from its fellow in ``other`` on.

    The ends, of which no two are the same, keep it within a text.
    """
    lengths = np.zeros(len(one), np.int64)
    open_ = np.arange(len(one))
    while len(open_):
        open_ = open_[text[one[open_] + lengths[open_]] == text[other[open_] + lengths[open_]]]
        lengths[open_] += 1
    return lengths
