"""Notes to ABC: the melody of a piece with its key, metre, bar lines and note lengths found."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import groupby, pairwise

from seqforge.domains.music.keys import PITCH_CLASS, SIGNS, Key, piece_key, spelling
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

GRID = 24
_UNIT = 12  # steps of L:1/8
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
    first = lines[0][1]
    writer = _Writer(key)
    text = [f"M:{first.numerator}/{first.denominator}\nL:1/8\nK:{key}\n"]
    ends = [step for step, _ in lines[1:]] + [lines[-1][0] + int(_length(piece, lines))]
    time, short = first, bool(piece.pickup)  # a pick-up does not count as a bar of the line
    for number, ((start, now), end) in enumerate(zip(lines, ends, strict=True)):
        if number:
            text.append("|\n" if number > short and (number - short) % _BARS_A_LINE == 0 else "|")
        if now[1:] != time[1:]:
            text.append(f"[M:{now.numerator}/{now.denominator}]")
            time = now
        is_last = number == len(lines) - 1
        inside = melody[max(0, bisect_right(starts, start) - 1) : bisect_left(starts, end)]
        text.append(writer.bar(_within(inside, start, end, fill=not is_last), start, now))
    whole = writer.ends_at == ends[-1]
    return "".join(text) + ("|]" if closed else "|" if whole and melody else "")


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
        if until and until - note.duration < (_UNIT if is_ragged else 6):
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
        halves = [list(half) for _, half in groupby(inside, key=lambda start: start // _UNIT)]
        sizes = [min((6, 3, 4), key=lambda size: _cost(half, size)) for half in halves]
        if _cost(inside, 8) < sum(map(_cost, halves, sizes)):
            halves, sizes = [inside], [8]
        for half, size in zip(halves, sizes, strict=True):
            found.update({start: size * round(start / size) for start in half})
    return found


def _cost(starts: list[int], size: int) -> float:
    moved = sum(abs(start - size * round(start / size)) for start in starts)
    return moved + _DIVISIONS[size] if moved else _DIVISIONS[size] / 100


def _within(melody: list[Note], start: int, end: int, fill: bool) -> Iterator[_Sound]:
    """What sounds in a bar; silence after the last note is filled where ``fill`` is set."""
    now = start
    for note in melody:
        stop = note.start + note.duration
        if stop <= start or note.start >= end:
            continue
        if note.start > now:
            yield None, note.start - now, False
            now = note.start
        yield note.pitch, min(stop, end) - now, stop > end
        now = min(stop, end)
    if fill and now < end:
        yield None, end - now, False


_Sound = tuple[int | None, int, bool]
"""Pitch (None for a rest), steps, and whether it goes on in the next bar."""


class _Writer:
    """Writes bars in a key, accidentals where the bar so far asks for them."""

    def __init__(self, key: Key) -> None:
        self._names = spelling(key.sharps)
        self._signature = key.alterations
        self.ends_at = 0

    def bar(self, sounds: Iterator[_Sound], start: int, time: TimeSignature) -> str:
        """The music of one bar, beamed by beats."""
        beam = _beam(time)
        accidentals: dict[str, int] = {}
        out: list[str] = []
        now, items = start, list(sounds)
        for (pitch, steps, tied), (before, length, after) in zip(
            items, _rhythm(items), strict=True
        ):
            if now > start and (now - start) % beam == 0:
                out.append(" ")
            name = "z" if pitch is None else self._name(pitch, accidentals)
            out.append(before + name + _length_text(length) + ("-" if tied else "") + after)
            now += steps
        self.ends_at = now
        return "".join(out)

    def _name(self, pitch: int, accidentals: dict[str, int]) -> str:
        letter, by = self._names[pitch % 12]
        octave = (pitch - by - PITCH_CLASS[letter]) // 12 - 5
        sign = ""
        if accidentals.get(letter, self._signature.get(letter, 0)) != by:
            sign = SIGNS[by]
            accidentals[letter] = by
        if octave > 0:
            return sign + letter.lower() + "'" * (octave - 1)
        return sign + letter + "," * -octave


def _beam(time: TimeSignature) -> int:
    """Steps that notes are beamed over: threes of eighths, half bars of four, else beats."""
    beat = GRID * 4 // time.denominator
    if time.denominator >= 8:
        return max(1, beat * (3 if time.numerator % 3 == 0 else 2))
    return beat * (2 if time.denominator == 4 and time.numerator % 2 == 0 else 1)


def _rhythm(items: list[_Sound]) -> list[tuple[str, Fraction, str]]:
    """For each sound what stands before it, its length in units, and what stands after it.

    Three equal thirds become ``(3abc``, and three quarters with a quarter ``a>b`` or ``a<b``.
    """
    out: list[tuple[str, Fraction, str]] = []
    while len(out) < len(items):
        index = len(out)
        steps = [item[1] for item in items[index : index + 3]]
        pair = items[index : index + 2]
        plain = len(pair) == 2 and all(pitch is not None and not tied for pitch, _, tied in pair)
        if steps == [steps[0]] * 3 and steps[0] in (2, 4, 8, 16):
            length = Fraction(steps[0] * 3, _UNIT * 2)
            out += [("(3", length, ""), ("", length, ""), ("", length, "")]
        elif plain and steps[:2] in ([18, 6], [9, 3], [6, 18], [3, 9]):
            length = Fraction(sum(steps[:2]), _UNIT * 2)
            out += [("", length, ">" if steps[0] > steps[1] else "<"), ("", length, "")]
        else:
            out.append(("", Fraction(steps[0], _UNIT), ""))
    return out


def _length_text(length: Fraction) -> str:
    if length == 1:
        return ""
    if length.denominator == 1:
        return str(length.numerator)
    top = "" if length.numerator == 1 else str(length.numerator)
    return f"{top}/" if length.denominator == 2 else f"{top}/{length.denominator}"
