"""A prime to the symbols that a model knows: for what it lacks, the nearest that it has.

In goes a prime in the code of the model; out come symbols that it can go on from, and sentences
that say what was changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from functools import partial

from seqforge.domains.music.abc_source import FIELD_LINE
from seqforge.domains.music.abc_text import TOKEN
from seqforge.domains.music.events import (
    ADVANCES,
    BAR,
    LENGTHS,
    LONGER,
    PICKUP,
    PITCHES,
    PROGRAMS,
    TOKENS,
    Kind,
    advanced,
    decode,
    encode,
    metre_of,
)
from seqforge.domains.music.notes import DRUMS, TimeSignature, bar_length

_NEAREST = "{} of its {} taken for the nearest that the model has"


def fitted_abc(text: str, known: Collection[str]) -> tuple[str, list[str]]:
    """ABC whose bar lines a model knows; other symbols stay."""
    changed = 0
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if FIELD_LINE.match(line):
            continue
        parts, end = [], 0
        for token in TOKEN.finditer(line):
            if token.lastgroup in ("bar", "alone") and not set(token[0]) <= set(known):
                plain = BAR if token.lastgroup == "bar" and BAR in known else ""
                parts += [line[end : token.start()], plain]
                end, changed = token.end(), changed + 1
        lines[number] = "".join([*parts, line[end:]])
    if not changed:
        return text, []
    return "\n".join(lines), [_NEAREST.format(f"{changed:,}", "bar lines")]


def fitted_events(
    text: str, known: Collection[str], steps_per_quarter: int
) -> tuple[str, list[str]]:
    """A text of events in tokens that a model knows.

    An advance becomes a sum of known ones, durations and pitches the nearest known, a pitch if it
    can in another octave. A pick-up without a sign for it begins a whole bar with rests. Percussion
    is left out where the model has none; so are other programs, velocities, tempos, keys and time
    signatures that it lacks, but what was played by them is not.

    Raises:
        ValueError: If nothing but percussion was in it.
    """
    known = frozenset(known)
    text, said = _without_drums(text, known, steps_per_quarter)
    if PICKUP in text and PICKUP not in known:
        text = _padded(text, steps_per_quarter)
        said.append("its pick-up begins a whole bar with rests, since the model knows no pick-ups")
    fitter = _Fitter(known)
    out = "".join(map(fitter.fit, text))
    return out, said + fitter.said()


def _without_drums(text: str, known: Collection[str], grid: int) -> tuple[str, list[str]]:
    if PROGRAMS[DRUMS] in known or PROGRAMS[DRUMS] not in text:
        return text, []
    piece = decode(text, grid).piece
    kept = tuple(note for note in piece.notes if note.program != DRUMS)
    if not kept:
        raise ValueError("holds percussion alone, and the model has none; give it a melody")
    left_out = len(piece.notes) - len(kept)
    said = f"percussion left out, {left_out:,} of {len(piece.notes):,} notes, since the model "
    return encode(replace(piece, notes=kept), whole=True), [said + "has none"] if left_out else []


def _padded(text: str, grid: int) -> str:
    """The text with rests that make the bar of the pick-up whole."""
    metre, pickup, begins = (4, 4), 0, len(text)
    for place, token in enumerate(text[: text.index(PICKUP)]):
        kind, value = TOKENS.get(token, (Kind.PITCH, 0))
        if kind == Kind.TIME:
            metre = metre_of(value)
        else:
            pickup += value * (kind == Kind.ADVANCE)
        if kind <= Kind.PROGRAM:
            begins = min(begins, place)
    rest = int(bar_length(TimeSignature(0, *metre), grid)) - pickup
    return text[:begins] + advanced(max(0, rest)) + text[begins:].replace(PICKUP, BAR)


class _Fitter:
    """Goes through the tokens of a text."""

    def __init__(self, known: Collection[str]) -> None:
        self._known = known
        longest_first = sorted(ADVANCES.items(), reverse=True)
        self._advances = [n for n, token in longest_first if token in known]
        self._lengths = [n for n, token in LENGTHS.items() if token in known]
        self._pitches = [n for n, token in PITCHES.items() if token in known]
        self._owed = 0  # steps that no advance was short enough for
        self._is_drums = False
        self._changed: Counter[str] = Counter()
        self._left_out: set[Kind] = set()

    def fit(self, token: str) -> str:
        """What stands in the place of a token."""
        if token not in TOKENS:
            return self._line(token)
        kind, value = TOKENS[token]
        if kind == Kind.ADVANCE:
            return self._advance(value)
        if kind == Kind.PROGRAM:
            self._is_drums = value == DRUMS
        if token in self._known:
            return token
        if kind == Kind.PITCH and self._pitches:
            self._changed["pitches"] += 1
            return PITCHES[min(self._pitches, key=partial(self._distance, value))]
        if kind == Kind.LENGTH and self._lengths:
            self._changed["lengths of notes"] += 1
            return LENGTHS[min(self._lengths, key=lambda n: abs(n - value))]
        if kind in (Kind.PITCH, Kind.LENGTH):
            return token
        self._left_out.add(kind)
        return ""

    def _distance(self, wanted: int, pitch: int) -> tuple[bool, int]:
        """How far off a pitch is; octaves of a note are nearer than any other."""
        is_other = not self._is_drums and (pitch - wanted) % 12 != 0
        return is_other, abs(pitch - wanted)

    def _line(self, token: str) -> str:
        if token == LONGER and token not in self._known:
            self._changed["lengths of notes"] += 1
            return ""
        if token in self._known or token not in (BAR, PICKUP):
            return token
        self._changed["bar lines"] += 1
        return BAR if BAR in self._known else ""

    def _advance(self, steps: int) -> str:
        self._owed += steps
        out = ""
        for size in self._advances:
            count, self._owed = divmod(self._owed, size)
            out += ADVANCES[size] * count
        return out

    def said(self) -> list[str]:
        """What was changed, in sentences."""
        said = [_NEAREST.format(f"{n:,}", what) for what, n in self._changed.items()]
        if self._left_out:
            kinds = ", ".join(kind.name.lower() for kind in sorted(self._left_out))
            said.append(f"left out, since the model has none like it: {kinds}")
        return said
