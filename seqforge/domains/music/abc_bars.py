"""Pitches and steps to the ABC of one bar: spelled in a key, beamed, in lengths that players know.

Lengths are counted on a grid of 24 steps a quarter, the unit note is an eighth. A length in thirds
is written in a tuplet, ``(3:2:2C2D``: players know lengths over powers of two alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from seqforge.domains.music.keys import PITCH_CLASS, SIGNS, Key, spelling
from seqforge.domains.music.notes import TimeSignature, pickup_metre

GRID = 24
UNIT = 12
"""Steps of L:1/8."""
_MOST_IN_TUPLET = 9
_GRACE = 3
"""Steps of a grace note, as players have them: together they take less than their note."""


class Written(NamedTuple):
    """A note, a chord or (without pitches) a rest of a bar."""

    pitches: tuple[int, ...]
    steps: int
    tied: tuple[int, ...] = ()
    """Those of the pitches that go on in the next."""
    grace: tuple[int, ...] = ()
    names: tuple[tuple[str, int], ...] = ()
    """Letter and alteration of each pitch; empty for those that the key suggests."""


class BarWriter:
    """Writes bars in a key, accidentals where the bar so far asks for them."""

    def __init__(self, key: Key) -> None:
        self._names = spelling(key.sharps)
        self._signature = key.alterations
        self.ends_at = 0
        """The step at which the last bar written ends."""

    def bar(self, items: Sequence[Written], start: int, time: TimeSignature) -> str:
        """The music of one bar, beamed by beats."""
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

    def _note(self, item: Written, length: str, accidentals: dict[str, int]) -> str:
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
    """The metre of a bar of so many steps, as ABC says it; ``none`` where none says it."""
    found = pickup_metre(steps, GRID)
    return f"{found[0]}/{found[1]}" if found else "none"


def _beam(time: TimeSignature) -> int:
    """Steps that notes are beamed over: threes of eighths, half bars of four, else beats."""
    beat = GRID * 4 // time.denominator
    if time.denominator >= 8:
        return max(1, beat * (3 if time.numerator % 3 == 0 else 2))
    return beat * (2 if time.denominator == 4 and time.numerator % 2 == 0 else 1)


def _rhythm(items: Sequence[Written]) -> list[tuple[str, Fraction, str]]:
    """For each item what stands before it, its length in units, and what stands after it.

    Three equal thirds become ``(3abc``, other thirds ``(3:2:2``, and three quarters with a quarter
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
            if len(group) == 3:  # three of a tuplet of three must be of one length
                group = group[:2]
            lengths = [Fraction(step * 3, UNIT * 2) for step in group]
            out.append((f"(3:2:{len(group)}", lengths[0], ""))
            out += [("", length, "") for length in lengths[1:]]
        else:
            out.append(("", Fraction(steps[0], UNIT), ""))
    return out


def _thirds(steps: Sequence[int]) -> Sequence[int]:
    """The first of these that together are no thirds any more; all where that never is so."""
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
