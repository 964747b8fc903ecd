"""ABC text in, elements and notes out. Lenient: every text gives a piece."""

from __future__ import annotations

import re
from functools import lru_cache

from seqforge.domains.music.abc import playback
from seqforge.domains.music.abc.fields import (
    NOTE_TOKEN,
    TOKEN,
    Voices,
    VoiceTransposition,
    bar_signs,
    default_unit,
    metre,
    metre_text,
    moved_signature,
    unit_text,
)
from seqforge.domains.music.abc.playback import (
    BarLine,
    Element,
    KeyChange,
    Overlay,
    SoundingElement,
    TempoChange,
    TimeChange,
)
from seqforge.domains.music.abc.source import in_order, logical_lines
from seqforge.domains.music.keys import ALTERATION, FIELD_LINE, PITCH_CLASS, parse_key, says_key
from seqforge.domains.music.notes import Decoded, tempo_of

_BEAT = re.compile(r"(\d{1,4})\s*/\s*(\d{1,4})(?!\d)")
_OLD_BEAT = re.compile(r"\s*C(\d{0,4})(?!\d)")
_COUNT = re.compile(r"\D{0,40}?(\d{1,6})(?!\d)")
_LONGEST = 16.0  # longest note, in whole notes
_MOST_RESTS = 2_000  # bars of a tune's multi-bar rests, in total

_LETTERS = {
    letter: (letter.upper(), 60 + PITCH_CLASS[letter.upper()] + 12 * letter.islower())
    for letter in "ABCDEFGabcdefg"
}
"""The name of each letter, and the pitch of its natural."""
_TUPLET_TIME = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
"""``(p`` puts p notes into the time of so many (standard 4.13); 5, 7 and 9 ask the metre."""


def decode(text: str, steps_per_quarter: int) -> Decoded:
    """A tune in (header optional), its notes and bar counts out.

    Defaults: metre 4/4, key C, unit note length 1/8. All voices sound.
    """
    parser = Parser()
    for line in _tune_lines(text):
        parser.line(line)
    return playback.perform(parser.voices(), steps_per_quarter, parser.skipped)


def elements_of(text: str) -> list[Element]:
    """A tune in, the elements of its top voice out, in written order."""
    parser = Parser()
    for line in _tune_lines(text):
        parser.line(line)
    return parser.voices()[0]


def _tune_lines(text: str) -> list[str]:
    """The lines of one tune, its parts in playing order."""
    lines = [line for line in logical_lines(text) if line]
    keys = (place for place, line in enumerate(lines) if line.startswith("K:"))
    head = next(keys, -1) + 1
    return lines[:head] + in_order(lines[:head], lines[head:])


class Parser:
    """Parses lines into elements, by voice."""

    def __init__(self) -> None:
        self.skipped = 0
        """Characters that belong to no token."""
        self._common: list[tuple[str, str]] = []  # fields before any voice
        self._in_header = True
        self._rests = [_MOST_RESTS]
        self._voices = Voices(self._begun)

    def voices(self) -> list[list[Element]]:
        """Elements of each sounding voice, from the top down; at least one voice."""
        return [voice.elements for voice in self._voices.ordered() or [self._voices.now]]

    def line(self, line: str) -> None:
        """Parse one line, a field or music."""
        if match := FIELD_LINE.match(line):
            self._field(match[1], match[2].split("%")[0].strip())
            return
        self._in_header = False
        self.skipped += len(line)
        voice = self._voices.now
        for token in TOKEN.finditer(line):
            self.skipped -= len(token[0])
            if handler := _HANDLERS.get(token.lastgroup or ""):
                handler(voice, token)
            elif token.lastgroup == "field":
                self._field(token["field_name"], token["field_value"].strip())
                voice = self._voices.now

    def _begun(self, sounding: VoiceTransposition) -> _Voice:
        voice = _Voice(sounding, self._rests)
        for name, value in self._common:
            voice.field(name, value)
        return voice

    def _field(self, name: str, value: str) -> None:
        if self._in_header:
            self._voices.head(name, value)
            self._in_header = name != "K"
        elif name == "V":
            self._voices.change(value)
        elif name == "I":
            self._voices.direct(value)
        elif name in "KMLQ":
            if name == "K":
                self._voices.now.sounding.take(value)
            self._voices.now.field(name, value)
        if name in "KMLQ" and self._voices.is_shared:
            self._common.append((name, value))


class WrittenParser(Parser):
    """Parses a tune and keeps where each element is written."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._spans: dict[int, dict[int, tuple[int, int]]] = {}
        self._start = 0
        for line in text.split("\n"):
            self.line(line)
            self._start += len(line) + 1

    def line(self, line: str) -> None:
        """Parse one line, a field or music."""
        if FIELD_LINE.match(line):
            super().line(line)
            return
        self._in_header = False
        for token in TOKEN.finditer(line):
            elements = self._voices.now.elements
            before = len(elements)
            if handler := _HANDLERS.get(token.lastgroup or ""):
                handler(self._voices.now, token)
            elif token.lastgroup == "field":
                self._field(token["field_name"], token["field_value"].strip())
            span = self._start + token.start(), self._start + token.end()
            new = self._spans.setdefault(id(elements), {})
            new.update((number, span) for number in range(before, len(elements)))

    def spans(self, elements: list[Element]) -> dict[int, tuple[int, int]]:
        """One of `voices` in, the symbols (first, end) of its elements, by number, out."""
        return self._spans.get(id(elements), {})


class _Voice:
    """Parser state of one voice."""

    def __init__(self, sounding: VoiceTransposition, rests: list[int]) -> None:
        """``rests``: bars that multi-bar rests of all voices may still take."""
        self.elements: list[Element] = []
        self.sounding = sounding
        self._sounds = 0
        self._key = parse_key("C")
        self._alterations = self._key.alterations
        self._metre: tuple[int, int] | None = (4, 4)
        self._unit, self._unit_given = 1 / 8, False
        self._in_bar: dict[str, int] = {}  # accidentals that last until the bar line
        self._tied: dict[str, int] = {}  # accidentals carried over it by ties
        self._letters = ""  # of the last note or chord
        self._tuplet = (1.0, 0)  # factor, notes left
        self._next_factor = 1.0  # second half of a broken rhythm
        self._grace: tuple[int, ...] = ()
        self._by = 0  # alteration of the last pitch in semitones
        self._rests = rests

    @property
    def is_empty(self) -> bool:
        """Whether it has neither notes nor rests."""
        return not self._sounds

    def field(self, name: str, value: str) -> None:
        """Apply a field: K, M, L or Q."""
        if name == "K" and says_key(value):
            self._key = parse_key(value)
            self._alterations = self._key.alterations
            sharps = moved_signature(self._key.sharps, self.sounding.semitones)
            self.elements.append(KeyChange(sharps, self._key.minor))
        elif name == "M":
            short = metre_text(value)
            self._metre = metre(short)
            if not self._unit_given and not self._sounds:
                numerator, denominator = map(int, default_unit(short).split("/"))
                self._unit = numerator / denominator
            if self._metre:
                self.elements.append(TimeChange(*self._metre))
        elif name == "L" and (unit := unit_text(value)):
            numerator, denominator = map(int, unit.split("/"))
            self._unit, self._unit_given = numerator / denominator, True
        elif name == "Q":
            self._change_tempo(value)

    def _change_tempo(self, value: str) -> None:
        """Beats per minute; a beat is the sum of the lengths before ``=``, else a quarter."""
        said = re.sub(r'"[^"]*"?', " ", value)
        beats, equals, count = said.partition("=")
        number = _COUNT.match(count if equals else said)
        if number is None or int(number[1]) == 0:
            return
        beat = 1 / 4
        if equals and (old := _OLD_BEAT.match(beats)):
            beat = self._unit * int(old[1] or 1)
        elif equals:
            found = _BEAT.findall(beats)[:32]
            beat = sum(int(n) / int(d) for n, d in found if int(d)) or beat
        self.elements.append(TempoChange(tempo_of(int(number[1]) * beat * 4)))

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
        self._by = by
        if octave or self.sounding.semitones:
            pitch += 12 * (octave.count("'") - octave.count(",")) + self.sounding.semitones
            return min(max(pitch + by, 0), 127)
        return pitch + by

    def _add(
        self,
        pitches: tuple[int, ...],
        length: float,
        tied: tuple[int, ...] = (),
        names: tuple[tuple[str, int], ...] = (),
    ) -> None:
        length *= self._unit
        self._sounds += 1
        factor, left = self._tuplet
        if left:
            length *= factor
            self._tuplet = (factor, left - 1)
        if self._next_factor != 1.0:
            length *= self._next_factor
            self._next_factor = 1.0
        if length > _LONGEST:
            length = _LONGEST
        self.elements.append(SoundingElement(length, pitches, tied, self._grace, names))
        self._grace = ()

    def _on_note(self, token: re.Match[str]) -> None:
        accidental, letter, octave, length = token.group("accidental", "letter", "octave", "length")
        pitches = (self._pitch(accidental, letter, octave),)
        self._tied, self._letters = {}, _LETTERS[letter][0]
        self._add(pitches, _length(length), (), ((self._letters, self._by),))

    def _on_chord(self, token: re.Match[str]) -> None:
        inside = re.sub(r'"[^"]*"|![^!]*!', "", token["inside"])
        notes = list(NOTE_TOKEN.finditer(inside))
        if notes:
            pitches: list[int] = []
            names: dict[int, tuple[str, int]] = {}
            for n in notes:
                pitches.append(self._pitch(n["accidental"], n["letter"], n["octave"]))
                names[pitches[-1]] = (n["letter"].upper(), self._by)
            is_tied = [inside[n.end() :][:1] == "-" for n in notes]
            self._tied, self._letters = {}, "".join(n["letter"].upper() for n in notes)
            length = _length(notes[0]["length"]) * _length(token["chord_length"])
            tied = tuple(pitch for pitch, t in zip(pitches, is_tied, strict=True) if t)
            self._add(tuple(names), length, tied, tuple(names.values()))
            letters = (n["letter"].upper() for n, t in zip(notes, is_tied, strict=True) if t)
            self._carry("".join(letters))

    def _on_rest(self, token: re.Match[str]) -> None:
        length = _length(token["rest_length"])
        self._tied = {}
        if token[0][0] not in "ZX":
            self._add((), length)
            return
        numerator, denominator = self._metre or (4, 4)
        bar = numerator / denominator / self._unit  # whole bars, in any unit
        bars = min(int(length), self._rests[0]) or 1
        self._rests[0] -= bars - 1
        for _ in range(bars - 1):
            self._add((), bar)
            self.elements.append(BarLine(0, 0, False, ()))
        self._add((), bar if length >= 1 else bar * length)

    def _on_bar(self, token: re.Match[str]) -> None:
        closes, opens, double = bar_signs(token["bar"])
        self.elements.append(BarLine(closes, opens, double, _numbers(token["ending"])))
        self._end_bar()

    def _on_alone(self, token: re.Match[str]) -> None:
        self.elements.append(BarLine(0, 0, False, _numbers(token["alone_ending"])))
        self._end_bar()

    def _end_bar(self) -> None:
        self._in_bar = {}

    def _on_overlay(self, token: re.Match[str]) -> None:
        bars = {"(&": 0, "&)": -1}.get(token[0], token[0].count("&"))
        self.elements.append(Overlay(bars))
        self._in_bar, self._tied = {}, {}

    def _on_tie(self, _: re.Match[str]) -> None:
        if (
            self.elements
            and isinstance(last := self.elements[-1], SoundingElement)
            and last.pitches
        ):
            self.elements[-1] = last._replace(tied=last.pitches)
            self._carry(self._letters)

    def _carry(self, letters: str) -> None:
        """Carry the accidentals of tied notes over the bar line."""
        in_bar, signature = self._in_bar, self._alterations
        self._tied = {letter: in_bar.get(letter, signature.get(letter, 0)) for letter in letters}

    def _on_tuplet(self, token: re.Match[str]) -> None:
        notes = int(token["p"])
        compound = self._metre is not None and self._metre[0] % 3 == 0 and self._metre[0] > 3
        time = int(token["q"] or 0) or _TUPLET_TIME.get(notes, 3 if compound else 2)
        if notes:
            self._tuplet = (time / notes, int(token["r"] or 0) or notes)

    def _on_broken(self, token: re.Match[str]) -> None:
        if self.elements and isinstance(last := self.elements[-1], SoundingElement):
            short = 0.5 ** min(len(token[0]), 3)
            ours, theirs = (2 - short, short) if token[0][0] == ">" else (short, 2 - short)
            self.elements[-1] = last._replace(length=last.length * ours)
            self._next_factor = theirs

    def _on_grace(self, token: re.Match[str]) -> None:
        notes = NOTE_TOKEN.finditer(token["ornament"])
        self._grace = tuple(self._pitch(n["accidental"], n["letter"], n["octave"]) for n in notes)


_HANDLERS = {
    name: getattr(_Voice, f"_on_{name}")
    for name in (
        "note", "chord", "rest", "bar", "alone", "tie", "tuplet", "broken", "grace", "overlay",
    )
}  # fmt: skip


@lru_cache(maxsize=4096)
def _length(text: str) -> float:
    """A length such as ``3/2``, ``/``, ``//``, ``/4``, ``2`` or empty in, unit note lengths out."""
    numerator, slash, rest = text.partition("/")
    value = float(int(numerator or 1) or 1)  # none is of no length
    if slash:
        slashes = 1 + len(rest) - len(rest.lstrip("/"))
        digits = rest.lstrip("/")
        value /= (int(digits) or 1) if digits else 2 ** min(slashes, 9)
    return value


def _numbers(text: str | None) -> tuple[int, ...]:
    """An ending such as ``1,3`` or ``1-3`` in, its passes out."""
    found: list[int] = []
    for first, last in re.findall(r"(?<!\d)(\d{1,2})(?:-(\d{1,2}))?(?!\d)", text or ""):
        found += range(int(first), min(int(last or first), int(first) + 8) + 1)
    return tuple(dict.fromkeys(number for number in found if 1 <= number <= 9))
