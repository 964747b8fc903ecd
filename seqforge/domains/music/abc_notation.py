"""ABC to notes, leniently: any text at all gives a piece, and nothing raises.

Two steps: a text becomes elements in the order written (`Parser`), and these are played out, with
repeats and endings, by `abc_playback`. What stands here follows the ABC standard 2.1; where old
files differ from it, abc2midi, which everyone hears them through, decides.
"""

from __future__ import annotations

import re
from functools import lru_cache

from seqforge.domains.music import abc_playback
from seqforge.domains.music.abc_playback import Bar, Element, Sound, TempoChange, TimeChange
from seqforge.domains.music.abc_text import (
    FIELD_LINE,
    NOTE_TOKEN,
    TOKEN,
    default_unit,
    metre,
    metre_text,
    unit_text,
)
from seqforge.domains.music.keys import ALTERATION, PITCH_CLASS, Key, parse_key
from seqforge.domains.music.notes import Decoded

_TEMPO = re.compile(r"(?:(\d+)\s*/\s*(\d+)(?:\s+\d+/\d+)*\s*=\s*)?(?:C(\d*)\s*=\s*)?(\d{1,4})")
_LONGEST = 16.0  # whole notes that one length can say

_LETTERS = {
    letter: (letter.upper(), 60 + PITCH_CLASS[letter.upper()] + 12 * letter.islower())
    for letter in "ABCDEFGabcdefg"
}
"""The name of each letter, and the pitch of its natural."""
_TUPLET_TIME = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
"""``(p`` puts p notes into the time of so many (standard 4.13); 5, 7 and 9 ask the metre."""


def decode(text: str, steps_per_quarter: int) -> Decoded:
    """What a tune says: a header of M:, L:, K: or more, or none of it, then music.

    Where nothing is said the metre is 4/4, the key C, and the unit an eighth.
    """
    parser = Parser()
    for line in text.split("\n"):
        parser.line(line)
    return abc_playback.perform(parser.elements, steps_per_quarter, parser.skipped)


class Parser:
    """Turns lines into elements; its state is what the notation carries from note to note."""

    def __init__(self) -> None:
        self.elements: list[Element] = []
        self.skipped = 0
        """Characters that belong to no token."""
        self._key = parse_key("C")
        self._alterations = self._key.alterations
        self._metre: tuple[int, int] | None = (4, 4)
        self._unit, self._unit_given = 1 / 8, False
        self._in_bar: dict[str, int] = {}  # accidentals that last until the bar line
        self._tied: dict[str, int] = {}  # and over it, by a tie
        self._letters = ""  # of the last note or chord
        self._tuplet = (1.0, 0)  # factor, notes left
        self._next_factor = 1.0  # second half of a broken rhythm
        self._grace: tuple[int, ...] = ()
        self._voice: str | None = None
        self._muted = False
        self._waiting = ""

    def line(self, line: str) -> None:
        """Read one line, a field or music."""
        if line.startswith("%"):
            return
        line = self._waiting + line
        self._waiting = ""
        if match := FIELD_LINE.match(line):
            self._field(match[1], match[2].split("%")[0].strip())
            return
        if line.endswith("\\"):
            self._waiting = line[:-1]
            return
        end = 0
        for token in TOKEN.finditer(line):
            self.skipped += token.start() - end
            end = token.end()
            kind = token.lastgroup
            if kind == "field":
                self._field(token["field_name"], token["field_value"].strip())
            elif not self._muted and kind in _HANDLERS:
                _HANDLERS[kind](self, token)
        self.skipped += len(line) - end

    def _field(self, name: str, value: str) -> None:
        if name == "V":
            voice = value.split()[0] if value.split() else ""
            self._voice = self._voice or voice
            self._muted = voice != self._voice
        elif self._muted:
            return
        elif name == "K" and value:
            self._change_key(parse_key(value))
        elif name == "M":
            short = metre_text(value)
            self._metre = metre(short)
            if not self._unit_given and not any(type(e) is Sound for e in self.elements):
                numerator, denominator = map(int, default_unit(short).split("/"))
                self._unit = numerator / denominator
            if self._metre:
                self.elements.append(TimeChange(*self._metre))
        elif name == "L" and (unit := unit_text(value)):
            numerator, denominator = map(int, unit.split("/"))
            self._unit, self._unit_given = numerator / denominator, True
        elif name == "Q":
            self._change_tempo(value)

    def _change_key(self, key: Key) -> None:
        self._key = key
        self._alterations = key.alterations
        self.elements.append(abc_playback.KeyChange(key.sharps, key.minor))

    def _change_tempo(self, value: str) -> None:
        match = _TEMPO.search(re.sub(r'"[^"]*"', "", value))
        if match is None or int(match[4]) == 0:
            return
        beat = 1 / 4
        if match[1] and int(match[2]):
            beat = int(match[1]) / int(match[2])
        elif match[3] is not None:
            beat = self._unit * int(match[3] or 1)
        quarters = min(max(int(match[4]) * beat * 4, 20), 400)
        self.elements.append(TempoChange(round(60e6 / quarters)))

    def _pitch(self, accidental: str, letter: str, octave: str) -> int:
        upper, pitch = _LETTERS[letter]
        if accidental:
            by = ALTERATION.get(accidental, ALTERATION.get(accidental[:1], 0))
            self._in_bar[upper] = by  # for all octaves: the standard's default (4.2)
        elif upper in self._tied:
            by = self._tied[upper]
        elif upper in self._in_bar:
            by = self._in_bar[upper]
        else:
            by = self._alterations.get(upper, 0)
        if octave:
            pitch += 12 * (octave.count("'") - octave.count(","))
            return min(max(pitch + by, 0), 127)
        return pitch + by

    def _add(self, pitches: tuple[int, ...], length: float, tied: bool = False) -> None:
        length *= self._unit
        factor, left = self._tuplet
        if left:
            length *= factor
            self._tuplet = (factor, left - 1)
        if self._next_factor != 1.0:
            length *= self._next_factor
            self._next_factor = 1.0
        if length > _LONGEST:
            length = _LONGEST
        self.elements.append(Sound(length, pitches, tied, self._grace))
        self._grace = ()

    def _on_note(self, token: re.Match[str]) -> None:
        accidental, letter, octave, length = token.group("accidental", "letter", "octave", "length")
        pitch = self._pitch(accidental, letter, octave)
        self._tied, self._letters = {}, _LETTERS[letter][0]
        self._add((pitch,), _length(length))

    def _on_chord(self, token: re.Match[str]) -> None:
        inside = re.sub(r'"[^"]*"|![^!]*!', "", token["inside"])
        notes = list(NOTE_TOKEN.finditer(inside))
        if notes:
            pitches = {self._pitch(n["accidental"], n["letter"], n["octave"]): None for n in notes}
            self._tied, self._letters = {}, "".join(n["letter"].upper() for n in notes)
            length = _length(notes[0]["length"]) * _length(token["chord_length"])
            self._add(tuple(pitches), length, "-" in inside)
            if "-" in inside:
                self._carry()

    def _on_rest(self, token: re.Match[str]) -> None:
        length = _length(token["rest_length"])
        if token[0][0] in "ZX":  # whole bars, whatever the unit
            numerator, denominator = self._metre or (4, 4)
            length *= numerator / denominator / self._unit
        self._add((), length)

    def _on_bar(self, token: re.Match[str]) -> None:
        text = token["bar"]
        core = text.replace("[", "").replace("]", "|").strip(" 0123456789,.-")
        closes, double = core.startswith(":"), len(core) > 1
        opens = core.endswith(":")
        self.elements.append(Bar(closes, opens, double, _numbers(token["ending"])))
        self._end_bar()

    def _on_alone(self, token: re.Match[str]) -> None:
        self.elements.append(Bar(False, False, False, _numbers(token["alone_ending"])))
        self._end_bar()

    def _end_bar(self) -> None:
        self._in_bar = {}

    def _on_tie(self, _: re.Match[str]) -> None:
        if self.elements and isinstance(last := self.elements[-1], Sound):
            self.elements[-1] = last._replace(tied=True)
            self._carry()

    def _carry(self) -> None:
        """A tie takes the accidentals of its notes over the bar line."""
        in_bar = self._in_bar
        self._tied = {letter: in_bar[letter] for letter in self._letters if letter in in_bar}

    def _on_tuplet(self, token: re.Match[str]) -> None:
        notes = int(token["p"])
        compound = self._metre is not None and self._metre[0] % 3 == 0 and self._metre[0] > 3
        time = int(token["q"] or 0) or _TUPLET_TIME.get(notes, 3 if compound else 2)
        if notes:
            self._tuplet = (time / notes, int(token["r"] or 0) or notes)

    def _on_broken(self, token: re.Match[str]) -> None:
        if self.elements and isinstance(last := self.elements[-1], Sound):
            short = 0.5 ** min(len(token[0]), 3)
            ours, theirs = (2 - short, short) if token[0][0] == ">" else (short, 2 - short)
            self.elements[-1] = last._replace(length=last.length * ours)
            self._next_factor = theirs

    def _on_grace(self, token: re.Match[str]) -> None:
        notes = NOTE_TOKEN.finditer(token["ornament"])
        self._grace = tuple(self._pitch(n["accidental"], n["letter"], n["octave"]) for n in notes)


_HANDLERS = {
    name: getattr(Parser, f"_on_{name}")
    for name in ("note", "chord", "rest", "bar", "alone", "tie", "tuplet", "broken", "grace")
}


@lru_cache(maxsize=4096)
def _length(text: str) -> float:
    """``3/2``, ``/``, ``//``, ``/4``, ``2`` or nothing, in unit note lengths."""
    numerator, slash, rest = text.partition("/")
    value = float(numerator or 1)
    if slash:
        slashes = 1 + len(rest) - len(rest.lstrip("/"))
        digits = rest.lstrip("/")
        value /= (int(digits) or 1) if digits else 2 ** min(slashes, 9)
    return value


def _numbers(text: str | None) -> tuple[int, ...]:
    """The passes that an ending such as ``1,3`` or ``1-3`` is for."""
    found: list[int] = []
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", text or ""):
        found += range(int(first), min(int(last or first), int(first) + 8) + 1)
    return tuple(number for number in found if 1 <= number <= 9)
