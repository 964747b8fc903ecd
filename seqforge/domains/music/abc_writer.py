"""Notes to ABC: the melody of a piece with its key, metre, bar lines and note lengths found."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, pairwise

from seqforge.domains.music.abc_bars import GRID, UNIT, BarWriter, Written, metre_of
from seqforge.domains.music.keys import piece_key
from seqforge.domains.music.notes import (
    Note,
    Piece,
    TimeSignature,
    bar_length,
    bar_lines,
    normalised,
    resampled,
    skyline,
)

_BARS_A_LINE = 4

_DIVISIONS = {6: 0.0, 8: 1.0, 3: 2.5, 4: 3.0}
"""Steps between the places for onsets, and how much worse than sixteenths each reads: eighth
triplets, thirty-seconds, sixteenth triplets. It counts where nothing fits exactly."""


def to_abc(piece: Piece, closed: bool = True) -> str:
    """The melody as ABC text, of the kind that cleaning gives: M:, L:, K: and music.

    The melody is the `skyline`; its key is the piece's first key signature, else the key that
    `find_key` hears. Each quarter is divided as its notes lie best.

    Args:
        piece: Any piece.
        closed: Whether the text ends with a final bar line; else it can be gone on from.
    """
    piece = normalised(resampled(piece, GRID))
    lines = list(bar_lines(piece, max(1, piece.end)))
    melody = _tidied(skyline(piece.notes), [step for step, _ in lines])
    key = piece_key(replace(piece, notes=tuple(melody)))
    starts = [note.start for note in melody]
    last = max(1, melody[-1].start + melody[-1].duration) if melody else 1
    lines = list(bar_lines(piece, last))
    writer = BarWriter(key)
    ends = [step for step, _ in lines[1:]] + [lines[-1][0] + int(_length(piece, lines))]
    said = _metres(lines, ends, piece.pickup)
    text = [f"M:{said[0]}\nL:1/8\nK:{key}\n"]
    short = bool(piece.pickup)  # a pick-up does not count as a bar of the line
    for number, ((start, now), end) in enumerate(zip(lines, ends, strict=True)):
        if number:
            text.append("|\n" if number > short and (number - short) % _BARS_A_LINE == 0 else "|")
        if number and said[number] != said[number - 1]:
            text.append(f"[M:{said[number]}]")
        is_last = number == len(lines) - 1
        inside = melody[max(0, bisect_right(starts, start) - 1) : bisect_left(starts, end)]
        items = list(_within(inside, start, end, fill=not is_last))
        text.append(writer.bar(items, start, now))
    whole = writer.ends_at == ends[-1]
    return "".join(text) + ("|]" if closed else "|" if whole and melody else "")


def _metres(lines: list[tuple[int, TimeSignature]], ends: list[int], pickup: int) -> list[str]:
    """The metre of each bar: one that a change of metre cuts short has its own."""
    said = []
    for (start, now), end in zip(lines, ends, strict=True):
        is_whole = end - start == bar_length(now, GRID) or (pickup and start == 0)
        said.append(f"{now.numerator}/{now.denominator}" if is_whole else metre_of(end - start))
    return said


def _length(piece: Piece, lines: list[tuple[int, TimeSignature]]) -> float:
    if len(lines) == 1 and piece.pickup:
        return piece.pickup
    return bar_length(lines[-1][1], piece.steps_per_quarter)


def _tidied(melody: list[Note], bars: list[int]) -> list[Note]:
    """The melody with onsets where notation has places for them, and no slivers of rests.

    Where at most a quarter of the onsets lie elsewhere the music is written, not played: its fast
    runs stay as they are.
    """
    found: dict[int, int] = {}
    for bar, notes in groupby(melody, key=lambda note: bars[bisect_right(bars, note.start) - 1]):
        places = _places([note.start - bar for note in notes])
        found.update({bar + start: bar + place for start, place in places.items()})
    if 4 * sum(start != place for start, place in found.items()) <= len(found):
        found = {start: start for start in found}
    placed = {found[note.start]: note._replace(start=found[note.start]) for note in melody}
    tidy = [placed[start] for start in sorted(placed)]
    for index, (note, following) in enumerate(pairwise([*tidy, *tidy[-1:]])):
        is_ragged = note.duration % 3 > 0 and note.duration % 4 > 0
        until = following.start - note.start
        if is_ragged:
            tidy[index] = note._replace(duration=max(6, 6 * round(note.duration / 6)))
        if until and until - note.duration < (UNIT if is_ragged else 6):
            tidy[index] = note._replace(duration=until)  # played short or long
    return tidy


def _places(starts: list[int]) -> dict[int, int]:
    """Where each onset is written: a quarter is in eighth triplets, or its halves as they lie.

    Args:
        starts: Steps from the beginning of the bar, ascending.
    """
    found: dict[int, int] = {}
    for _, quarter in groupby(starts, key=lambda start: start // GRID):
        inside = list(quarter)
        halves = [list(half) for _, half in groupby(inside, key=lambda start: start // UNIT)]
        sizes = [min((6, 3, 4), key=lambda size: _cost(half, size)) for half in halves]
        if _cost(inside, 8) < sum(map(_cost, halves, sizes)):
            halves, sizes = [inside], [8]
        for half, size in zip(halves, sizes, strict=True):
            found.update({start: size * round(start / size) for start in half})
    return found


def _cost(starts: list[int], size: int) -> float:
    moved = sum(abs(start - size * round(start / size)) for start in starts)
    return moved + _DIVISIONS[size] if moved else _DIVISIONS[size] / 100


def _within(melody: list[Note], start: int, end: int, fill: bool) -> Iterator[Written]:
    """What sounds in a bar; silence after the last note is filled where ``fill`` is set."""
    now = start
    for note in melody:
        stop = note.start + note.duration
        if stop <= start or note.start >= end:
            continue
        if note.start > now:
            yield Written((), note.start - now)
            now = note.start
        tied = (note.pitch,) if stop > end else ()
        yield Written((note.pitch,), min(stop, end) - now, tied)
        now = min(stop, end)
    if fill and now < end:
        yield Written((), end - now)
