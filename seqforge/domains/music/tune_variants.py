"""Melodies in; out which are variants of one tune, and the longest melody shared with a training
tune in any key (memorization).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from seqforge.domains.music.notes import Note, Piece, skyline

Intervals = NDArray[np.int16]
"""Semitones from each note of a melody to the next, (N - 1,)."""
_Text = NDArray[np.int64]

_BLOCK = 1 << 20
"""Intervals of training tunes that are ordered at a time, in some 80 MB."""


def melody_intervals(piece: Piece) -> Intervals:
    """A piece in, the intervals of its melody out."""
    pitches = np.array([note.pitch for note in skyline(piece.notes)], np.int16)
    return pitches[1:] - pitches[:-1]


def longest_shared_melody(
    pieces: Sequence[Intervals], training: Iterable[Intervals], block: int = _BLOCK
) -> list[int]:
    """For each piece the length of its longest interval sequence shared with a training tune.

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


RUN = 16
"""Intervals in a row that no two tunes share by chance, or not often."""
_SHORT = 8  # intervals of a short run; they fit in a 64-bit number
_CONTAINED = 0.2
_FIGURE = 4  # a run that repeats so many intervals is a trill, or an accompaniment
_COMMON = 100  # what occurs in more tunes says nothing of them

_Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def tune_clusters(tunes: Iterable[Sequence[Note]]) -> NDArray[np.int64]:
    """Tunes in, a cluster number each (N,) out; linked variants share one.

    Tunes with the same intervals always are.
    """
    intervals: list[NDArray[np.int8]] = []
    parents: list[int] = []
    alike: dict[bytes, int] = {}
    for tune, notes in enumerate(tunes):
        found = melody_intervals(Piece(tuple(notes))).astype(np.int8)
        intervals.append(found)
        parents.append(tune)
        same = found.tobytes() or repr(list(notes)).encode()  # percussion has no melody
        _join(parents, tune, alike.setdefault(same, tune))
    for ones, others in _links(intervals):
        for one, other in zip(ones.tolist(), others.tolist(), strict=True):
            _join(parents, one, other)
    return np.array([_root(parents, tune) for tune in range(len(parents))], np.int64)


def _links(intervals: Sequence[NDArray[np.int8]]) -> Iterator[_Pairs]:
    lengths = np.array([len(found) for found in intervals], np.int64)
    if lengths.sum() < _SHORT:
        return
    line = np.concatenate(intervals)
    owner = np.repeat(np.arange(len(intervals)), lengths)
    windows = np.lib.stride_tricks.sliding_window_view(line, _SHORT)
    _, short = np.unique(np.ascontiguousarray(windows).view(np.uint64), return_inverse=True)
    short = short.ravel()
    first, second, count = _shared(short, owner, _SHORT)
    sizes = _runs_of_each(short, owner, len(intervals))
    alike = count >= _CONTAINED * np.minimum(sizes[first], sizes[second])
    yield first[alike], second[alike]
    if len(line) >= RUN:
        windows = np.lib.stride_tricks.sliding_window_view(line, RUN)
        figures = [(windows[:, n:] == windows[:, :-n]).all(1) for n in range(1, _FIGURE + 1)]
        runs = short[:-_SHORT] * (short.max() + 1) + short[_SHORT:]  # two short ones, one number
        first, second, _ = _shared(runs, owner, RUN, ~np.any(figures, axis=0))
        yield first, second


def _runs_of_each(
    runs: NDArray[np.int64], owner: NDArray[np.int64], tunes: int
) -> NDArray[np.int64]:
    """How many different short runs each tune has (tunes,)."""
    inside = owner[: len(runs)] == owner[_SHORT - 1 :]
    different = np.unique(np.stack([owner[: len(runs)], runs])[:, inside], axis=1)
    return np.bincount(different[0], minlength=tunes)


def _shared(
    runs: NDArray[np.int64],
    owner: NDArray[np.int64],
    size: int,
    telling: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of tunes, the first below the second, and how many different runs they share."""
    inside = owner[: len(runs)] == owner[size - 1 :]
    if telling is not None:
        inside &= telling
    found, tune = runs[inside], owner[: len(runs)][inside]
    order = np.lexsort((tune, found))
    found, tune = found[order], tune[order]
    new = np.ones(len(found), bool)
    new[1:] = (np.diff(found) != 0) | (np.diff(tune) != 0)
    found, tune = found[new], tune[new]
    _, which, tunes = np.unique(found, return_inverse=True, return_counts=True)
    rare = tunes[which] <= _COMMON
    found, tune = found[rare], tune[rare]
    pairs = [np.zeros(0, np.int64)]
    for apart in range(1, min(_COMMON, len(found))):
        same = np.flatnonzero(found[apart:] == found[:-apart])
        if not len(same):
            break
        pairs.append(tune[same] * len(owner) + tune[same + apart])
    both, count = np.unique(np.concatenate(pairs), return_counts=True)
    return both // len(owner), both % len(owner), count


def _root(parents: list[int], tune: int) -> int:
    while parents[tune] != tune:
        parents[tune] = parents[parents[tune]]
        tune = parents[tune]
    return tune


def _join(parents: list[int], one: int, other: int) -> None:
    parents[_root(parents, one)] = _root(parents, other)
