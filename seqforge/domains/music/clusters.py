"""Which tunes are one tune: printed twice, in another key, or a variant.

What is compared is the melody's intervals in semitones, so that neither key nor rhythm counts. Two
tunes are taken for variants if they share a run of `RUN` intervals, or so many short runs as a
fifth of the shorter one's; both rules were settled by looking at pairs (docs/music.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from seqforge.domains.music.copying import melody_intervals
from seqforge.domains.music.notes import Note, Piece

RUN = 16
"""Intervals in a row that no two tunes share by chance, or not often."""
_SHORT = 8  # intervals of a short run; they fit in a 64-bit number
_CONTAINED = 0.2
_FIGURE = 4  # a run that repeats so many intervals is a trill, or an accompaniment
_COMMON = 100  # what occurs in more tunes says nothing of them

_Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def clusters(tunes: Iterable[Sequence[Note]]) -> NDArray[np.int64]:
    """A number for each tune (N,), the same for tunes that are linked, if only through others.

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
