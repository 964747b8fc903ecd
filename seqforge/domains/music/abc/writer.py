"""A piece in, its melody as ABC out, with key, metre, bar lines and note lengths."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import groupby, pairwise
from typing import NamedTuple

from seqforge.domains.music.keys import PITCH_CLASS, SIGNS, Key, piece_key, spelling
from seqforge.domains.music.notes import (
    Note,
    Piece,
    TimeSignature,
    bar_length,
    bar_lines,
    normalised,
    pickup_metre,
    resampled,
    skyline,
)

GRID = 24
UNIT = 12
"""Steps of L:1/8."""
_MOST_IN_TUPLET = 9
_GRACE = 3
"""Steps of a grace note, as players have them: together they take less than their note."""


class WrittenNote(NamedTuple):
    """A note, chord or (without pitches) rest of a bar."""

    pitches: tuple[int, ...]
    steps: int
    tied: tuple[int, ...] = ()
    """Pitches tied to the next item."""
    grace: tuple[int, ...] = ()
    names: tuple[tuple[str, int], ...] = ()
    """Letter and alteration of each pitch; empty: spelled by the key."""


class BarWriter:
    """Writes bars in a key, with the accidentals that the bar needs."""

    def __init__(self, key: Key) -> None:
        self._names = spelling(key.sharps)
        self._signature = key.alterations
        self.ends_at = 0
        """The step at which the last bar written ends."""

    def bar(self, items: Sequence[WrittenNote], start: int, time: TimeSignature) -> str:
        """Items of a bar in, its ABC out, beamed by beats."""
        beam = _beam(time)
        accidentals: dict[str, int] = {}
        out: list[str] = []
        now = start
        for item, (before, length, after) in zip(items, _rhythm(items), strict=True):
            if now > start and (now - start) % beam == 0:
                out.append(" ")
            if item.grace and item.steps > _GRACE * len(item.grace):
                graced = (self._name(p, self._names[p % 12], accidentals) for p in item.grace)
                before = "{" + "".join(graced) + "}" + before
            out.append(before + self._note(item, _length_text(length), accidentals) + after)
            now += item.steps
        self.ends_at = now
        return "".join(out)

    def _note(self, item: WrittenNote, length: str, accidentals: dict[str, int]) -> str:
        if not item.pitches:
            return "z" + length
        spelled = item.names or [self._names[pitch % 12] for pitch in item.pitches]
        names = [
            self._name(pitch, name, accidentals)
            for pitch, name in zip(item.pitches, spelled, strict=True)
        ]
        whole = set(item.pitches) <= set(item.tied)
        tie = "-" if whole else ""
        if len(names) == 1:
            return names[0] + length + tie
        inside = [
            name + "-" * (not whole and pitch in item.tied)
            for name, pitch in zip(names, item.pitches, strict=True)
        ]
        return f"[{''.join(inside)}]{length}{tie}"

    def _name(self, pitch: int, name: tuple[str, int], accidentals: dict[str, int]) -> str:
        letter, by = name
        octave = (pitch - by - PITCH_CLASS[letter]) // 12 - 5
        sign = ""
        if accidentals.get(letter, self._signature.get(letter, 0)) != by:
            sign = SIGNS[by]
            accidentals[letter] = by
        if octave > 0:
            return sign + letter.lower() + "'" * (octave - 1)
        return sign + letter + "," * -octave


def metre_of(steps: int) -> str:
    """A bar's length in steps in, its metre in ABC out; ``none`` if there is none."""
    found = pickup_metre(steps, GRID)
    return f"{found[0]}/{found[1]}" if found else "none"


def _beam(time: TimeSignature) -> int:
    """A metre in, the length of its beams in steps out: three eighths, half of 4/4, else a beat."""
    beat = GRID * 4 // time.denominator
    if time.denominator >= 8:
        return max(1, beat * (3 if time.numerator % 3 == 0 else 2))
    return beat * (2 if time.denominator == 4 and time.numerator % 2 == 0 else 1)


def _rhythm(items: Sequence[WrittenNote]) -> list[tuple[str, Fraction, str]]:
    """Items in; for each its prefix, its length in unit notes and its suffix out.

    Triplets become ``(3abc``, other thirds ``(3:2:2``, and lengths of 3:1 or 1:3 a broken rhythm,
    ``a>b`` or ``a<b``.
    """
    out: list[tuple[str, Fraction, str]] = []
    while len(out) < len(items):
        index = len(out)
        steps = [item.steps for item in items[index : index + 3]]
        pair = items[index : index + 2]
        plain = len(pair) == 2 and all(item.pitches and not item.tied for item in pair)
        single = steps[0] == 8 or all(len(i.pitches) < 2 for i in items[index : index + 3])
        if steps == [steps[0]] * 3 and steps[0] in (2, 4, 8, 16) and single:
            length = Fraction(steps[0] * 3, UNIT * 2)
            out += [("(3", length, ""), ("", length, ""), ("", length, "")]
        elif plain and steps[:2] in ([18, 6], [9, 3], [6, 18], [3, 9]):
            length = Fraction(sum(steps[:2]), UNIT * 2)
            out += [("", length, ">" if steps[0] > steps[1] else "<"), ("", length, "")]
        elif steps[0] % 3:
            group = _thirds([item.steps for item in items[index : index + _MOST_IN_TUPLET]])
            if len(group) == 3:  # (3 needs three equal lengths
                group = group[:2]
            lengths = [Fraction(step * 3, UNIT * 2) for step in group]
            out.append((f"(3:2:{len(group)}", lengths[0], ""))
            out += [("", length, "") for length in lengths[1:]]
        else:
            out.append(("", Fraction(steps[0], UNIT), ""))
    return out


def _thirds(steps: Sequence[int]) -> Sequence[int]:
    """The shortest prefix whose sum is a multiple of 3; all steps if there is none."""
    total = 0
    for place, step in enumerate(steps, 1):
        total += step
        if total % 3 == 0:
            return steps[:place]
    return steps


def _length_text(length: Fraction) -> str:
    if length == 1:
        return ""
    if length.denominator == 1:
        return str(length.numerator)
    top = "" if length.numerator == 1 else str(length.numerator)
    return f"{top}/" if length.denominator == 2 else f"{top}/{length.denominator}"


_BARS_A_LINE = 4

_DIVISIONS = {6: 0.0, 8: 1.0, 3: 2.5, 4: 3.0}
"""Steps between the places for onsets, and how much worse than sixteenths each reads: eighth
triplets, thirty-seconds, sixteenth triplets. It counts where nothing fits exactly."""


def to_abc(piece: Piece, closed: bool = True) -> str:
    """A piece in, its melody as normalised ABC out: M:, L:, K: and music.

    The melody is the `skyline`. Its key is the piece's first key signature, else that of
    `find_key`. Each quarter has the division that fits its onsets best.

    Args:
        piece: Any piece.
        closed: Whether to end with a final bar line; without one the text can be a prime.
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
    short = bool(piece.pickup)  # a pick-up is not counted among the bars of a line
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
    """The metre of each bar; one cut short by a change of metre has its own."""
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
    """A melody in, quantized notes without tiny rests out.

    If at most a quarter of the onsets are off the grid of notation, the piece was notated rather
    than performed, and all onsets stay.
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
            tidy[index] = note._replace(duration=until)  # staccato or legato playing
    return tidy


def _places(starts: list[int]) -> dict[int, int]:
    """Onsets in, their notated places out: per quarter eighth triplets, or a division of each half.

    Args:
        starts: Onsets in steps from the beginning of the bar, ascending.
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


def _within(melody: list[Note], start: int, end: int, fill: bool) -> Iterator[WrittenNote]:
    """A melody and a bar in, the bar's items out; with ``fill`` a rest completes it."""
    now = start
    for note in melody:
        stop = note.start + note.duration
        if stop <= start or note.start >= end:
            continue
        if note.start > now:
            yield WrittenNote((), note.start - now)
            now = note.start
        tied = (note.pitch,) if stop > end else ()
        yield WrittenNote((note.pitch,), min(stop, end) - now, tied)
        now = min(stop, end)
    if fill and now < end:
        yield WrittenNote((), end - now)
