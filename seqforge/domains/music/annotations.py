"""Symbols of a tune (ABC or events) in, what is so at each of them out: places in bars, beats,
degrees of the scale, cadences, repeats.

A note's characters have its onset, its length and its pitch, though a reader knows the length only
after the last of them.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.inspection.annotations import WrittenNote, WrittenTune
from seqforge.domains.music import event_codec
from seqforge.domains.music.abc.fields import (
    NOTE_TOKEN,
    TOKEN,
    bar_signs,
    default_unit,
    metre,
    metre_text,
    unit_text,
)
from seqforge.domains.music.abc.written import WrittenPiece, WrittenSound
from seqforge.domains.music.keys import FIELD_LINE, key_from_signature, parse_key

_LETTERS = "CDEFGAB"
_TUPLET_TIME = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
_LENGTH = re.compile(r"(\d*)(/*)(\d*)")
_MOST_SLASHES = 9
_CLOSE = 1e-6  # quarters

Truth = NDArray[np.bool_]
Numbers = NDArray[np.float32]
Spans = list[tuple[int, int]]


@dataclass
class _Sound:
    """A note, chord or rest as it is written."""

    start: int
    stop: int
    bar: int
    onset: float
    """Quarters since the bar began."""
    length: float
    """Quarters."""
    beat: float
    """Quarters of a beat."""
    height: int | None
    """Steps of the scale above middle C; None for rests."""
    degree: int


@dataclass
class _Bar:
    """A bar line as it is written; another one, of no width, stands at the end of a tune."""

    start: int
    stop: int
    closes: bool
    opens: bool
    is_double: bool

    @property
    def ends_section(self) -> bool:
        return self.closes or self.opens or self.is_double


@dataclass
class _Written:
    """What stands where in a tune."""

    sounds: list[_Sound] = field(default_factory=list)
    bars: list[_Bar] = field(default_factory=list)
    full: list[float] = field(default_factory=list)
    """Quarters of a full bar when each bar ended."""
    fields: Spans = field(default_factory=list)
    quoted: Spans = field(default_factory=list)
    chords: Spans = field(default_factory=list)
    endings: Spans = field(default_factory=list)
    """From the number of an ending to the end of its section."""


def annotate_tune(symbols: str) -> dict[str, NDArray[Any]]:
    """A tune in ABC (T characters) in, arrays (T,) by name out; see `Annotates.annotate`."""
    size, written = len(symbols), _Reader(symbols).written
    marks = np.fromiter((letter == "|" for letter in symbols), bool, size)
    found = _of_sounds(size, written) | _of_sections(size, written)
    return found | {
        "bar line comes next": np.append(marks[1:], False)[:size],
        "line break comes next": np.fromiter(
            (letter == "\n" for letter in symbols[1:] + " " * bool(symbols)), bool, size
        ),
        "field": _inside(size, written.fields),
        "chord symbol": _inside(size, written.quoted),
        "inside a chord": _inside(size, written.chords),
        "inside an ending": _inside(size, written.endings),
    }


def annotate_events(symbols: str, steps_per_quarter: int) -> dict[str, NDArray[Any]]:
    """The same for the code of events, (T,) tokens."""
    size = len(symbols)
    place, length, pitch, degree = (np.full(size, np.nan, np.float32) for _ in range(4))
    on_beat = np.zeros(size, bool)
    now, beat, tonic, last = 0, float(steps_per_quarter), 0, -2
    for i, symbol in enumerate(symbols):
        kind, value = event_codec.TOKENS.get(symbol, (None, 0))
        if symbol == event_codec.BAR:
            now = 0
        elif kind == event_codec.Kind.ADVANCE:
            now += value
        elif kind == event_codec.Kind.TIME:
            beat = steps_per_quarter * _beat(event_codec.metre_of(value))
        elif kind == event_codec.Kind.KEY:
            tonic = key_from_signature(value % 15 - 7, value >= 15).pitch_class
        elif kind == event_codec.Kind.PITCH:
            pitch[i], degree[i], last = value, (value - tonic) % 12, i
            on_beat[i] = _is_multiple(now, beat)
        elif kind == event_codec.Kind.LENGTH:
            length[i] = value / steps_per_quarter
            if last == i - 1:
                length[last] = length[i]
        place[i] = now / steps_per_quarter
    bars = np.fromiter((symbol == event_codec.BAR for symbol in symbols), bool, size)
    return {
        "place in bar": place,
        "note on a beat": on_beat,
        "note length": length,
        "pitch of the note": pitch,
        "semitones above the tonic": degree,
        "note is the tonic": degree == 0,
        "note is the fifth": degree == 7,
        "bar line comes next": np.append(bars[1:], False)[:size],
        "bars so far": np.cumsum(bars).astype(np.float32),
    }


def tune_on_staff(symbols: str) -> WrittenTune:
    """A tune in ABC in, its notes in written order out; of a chord the first one."""
    sounds = _Reader(symbols).written.sounds
    ends: dict[int, float] = {}
    for sound in sounds:
        ends[sound.bar] = max(ends.get(sound.bar, 0.0), sound.onset + sound.length)
    bars = list(accumulate(ends.values()))
    starts = dict(zip(ends, [0.0, *bars], strict=False))
    notes = [
        WrittenNote(one.start, one.stop, starts[one.bar] + one.onset, one.length, one.height)
        for one in sounds
        if one.height is not None
    ]
    return WrittenTune(notes, bars)


def events_on_staff(symbols: str, steps_per_quarter: int) -> WrittenTune:
    """The same for the code of events; a black key stands where the white one beneath it does."""
    machine, spans, bars = _heard(symbols, steps_per_quarter)
    notes = [
        WrittenNote(
            start, stop, note.start / steps_per_quarter, note.duration / steps_per_quarter,
            7 * (note.pitch // 12 - 5) + _STEPS[note.pitch % 12],
        )
        for note, (start, stop) in zip(machine.notes, spans, strict=True)
    ]  # fmt: skip
    return WrittenTune(notes, bars)


def written_events(symbols: str, steps_per_quarter: int) -> WrittenPiece:
    """The piece of the code of events, and the symbols that its notes begin at."""
    machine, spans, _ = _heard(symbols, steps_per_quarter)
    sounds = (
        WrittenSound(note.start, note.pitch, start)
        for note, (start, _) in zip(machine.notes, spans, strict=True)
    )
    return WrittenPiece(machine.piece(), tuple(sounds))


def _heard(symbols: str, steps_per_quarter: int) -> tuple[event_codec.Machine, Spans, list[float]]:
    """What has sounded, the symbols of each note, and where bars end, in quarters."""
    machine = event_codec.Machine(steps_per_quarter)
    spans: Spans = []
    bars: list[float] = []
    for i, symbol in enumerate(symbols):
        machine.take(symbol)
        if symbol in (event_codec.BAR, event_codec.PICKUP):
            bars.append(machine.now / steps_per_quarter)
        if len(machine.notes) > len(spans):
            spans.append((i, i + 1))
        elif machine.fresh:
            spans[-1] = spans[-1][0], i + 1
    return machine, spans, bars


_STEPS = (0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 5, 6)  # of the scale above C, of pitch classes


def _is_multiple(place: float, beat: float) -> bool:
    over = place % beat
    return min(over, beat - over) < _CLOSE


def _beat(time: tuple[int, int]) -> float:
    """Quarters of a beat: three eighths in 6/8 and the like."""
    numerator, denominator = time
    compound = denominator >= 8 and numerator % 3 == 0
    return 4 / denominator * (3 if compound else 1)


def _inside(size: int, spans: Iterable[tuple[int, int]]) -> Truth:
    found = np.zeros(size, bool)
    for start, stop in spans:
        found[start:stop] = True
    return found


class _Reader:
    """Reads a tune line by line."""

    def __init__(self, symbols: str) -> None:
        self.written = _Written()
        self._tonic, self._metre, self._unit = 0, "C", ""
        self._time = 0.0
        self._tuplet, self._in_tuplet, self._broken = 1.0, 0, 1.0
        self._ending: int | None = None
        start = 0
        for line in symbols.split("\n"):
            if match := FIELD_LINE.match(line):
                self._field(match[1], match[2], start, start + len(line))
            else:
                for token in TOKEN.finditer(line):
                    self._token(token, start)
            start += len(line) + 1
        self._bar(_Bar(len(symbols), len(symbols), False, False, True))
        self._shift_pickup()

    def _field(self, name: str, value: str, start: int, stop: int) -> None:
        self.written.fields.append((start, stop))
        if name == "K":
            self._tonic = _LETTERS.index(parse_key(value.strip()).tonic[0])
        elif name == "M":
            self._metre = metre_text(value)
        elif name == "L":
            self._unit = unit_text(value) or self._unit

    def _token(self, token: re.Match[str], line: int) -> None:
        kind, start, stop = token.lastgroup, line + token.start(), line + token.end()
        if kind in ("note", "chord", "rest"):
            self._sound(token, start, stop)
            if kind == "chord":
                self.written.chords.append((start, stop - len(token["chord_length"]) - 1))
        elif kind == "bar":
            closing, opening, is_double = bar_signs(token[0])
            self._bar(_Bar(start, stop, closing > 0, opening > 0, is_double))
            self._ending = stop - 1 if token["ending"] else self._ending
        elif kind == "alone":
            self._ending = start
        elif kind == "field":
            self._field(token["field_name"], token["field_value"], start, stop)
        elif kind == "quoted":
            self.written.quoted.append((start, stop - 1))
        elif kind == "tuplet":
            played, time = int(token["p"]), int(token["q"] or 0)
            usual = _TUPLET_TIME.get(played, 3 if _beat(self._signature) > 1 else 2)
            self._in_tuplet = int(token["r"] or 0) or played
            self._tuplet = (time or usual) / max(played, 1)
        elif kind == "broken" and self.written.sounds:
            self._break(token[0])

    @property
    def _signature(self) -> tuple[int, int]:
        return metre(self._metre) or (4, 4)

    def _sound(self, token: re.Match[str], start: int, stop: int) -> None:
        said = token["length"] or token["chord_length"] or token["rest_length"] or ""
        above, below = (unit_text(self._unit) or default_unit(self._metre)).split("/")
        length = _times(said) * 4 * int(above) / int(below) * self._broken
        if self._in_tuplet:
            self._in_tuplet -= 1
            length *= self._tuplet
        note = NOTE_TOKEN.search(token["inside"] or "" if token["chord"] else token[0])
        height, degree = None, 0
        if note is not None and not token["rest"]:
            letter, octave = note["letter"], note["octave"]
            height = _LETTERS.index(letter.upper()) + 7 * letter.islower()
            height += 7 * (octave.count("'") - octave.count(","))
            degree = (height - self._tonic) % 7 + 1
        bar, beat = len(self.written.bars), _beat(self._signature)
        one = _Sound(start, stop, bar, self._time, length, beat, height, degree)
        self.written.sounds.append(one)
        self._time, self._broken = self._time + length, 1.0

    def _break(self, sign: str) -> None:
        """``>``: the note before is longer, and the next one shorter."""
        short = 0.5 ** len(sign)
        before, after = (2 - short, short) if sign[0] == ">" else (short, 2 - short)
        last = self.written.sounds[-1]
        self._time += last.length * (before - 1)
        last.length, self._broken = last.length * before, after

    def _bar(self, bar: _Bar) -> None:
        self.written.bars.append(bar)
        numerator, denominator = self._signature
        self.written.full.append(4 * numerator / denominator)
        if bar.ends_section and self._ending is not None:
            self.written.endings.append((self._ending, bar.start))
            self._ending = None
        self._time = 0.0

    def _shift_pickup(self) -> None:
        """A first bar that is not full ends where full bars do."""
        if not self.written.sounds:
            return
        first = self.written.sounds[0].bar
        pickup = [sound for sound in self.written.sounds if sound.bar == first]
        left = self.written.full[first] - (pickup[-1].onset + pickup[-1].length)
        for sound in pickup if left > _CLOSE else ():
            sound.onset += left


def _times(said: str) -> float:
    """Unit note lengths of a length such as ``3/2``, ``/``, ``//`` or ``2``."""
    match = _LENGTH.match(said)
    if match is None:
        return 1.0
    above, slashes, below = match.groups()
    halves = 2 ** min(len(slashes), _MOST_SLASHES)
    return (int(above or 1) or 1) / ((int(below) or 1) if below and slashes else halves)


def _of_sounds(size: int, written: _Written) -> dict[str, NDArray[Any]]:
    """What notes tell. Places in bars go on to the next note or bar line, where they are 0."""
    place, length, height, degree = (np.full(size, np.nan, np.float32) for _ in range(4))
    on_beat = np.zeros(size, bool)
    starts = [sound.start for sound in written.sounds]
    for sound, following in zip(written.sounds, [*starts[1:], size], strict=False):
        span = slice(sound.start, sound.stop)
        place[sound.start : following] = sound.onset
        length[span] = sound.length
        if sound.height is not None:
            height[span], degree[span] = sound.height, sound.degree
            on_beat[span] = _is_multiple(sound.onset, sound.beat)
    for bar in written.bars:
        if number := bisect_left(starts, bar.stop):
            place[bar.start : starts[number] if number < len(starts) else size] = 0
    for start, stop in written.fields:
        place[start:stop] = np.nan
    return {
        "place in bar": place,
        "note on a beat": on_beat,
        "note length": length,
        "height of the note": height,
        "scale degree of the note": degree,
        "note is the tonic": degree == 1,
        "note is the fifth": degree == 5,
    }


def _of_sections(size: int, written: _Written) -> dict[str, NDArray[Any]]:
    """Sections end with a double bar line, a repeat sign, or the tune."""
    so_far, left = (np.full(size, np.nan, np.float32) for _ in range(2))
    repeats: Spans = []
    sounding = {sound.bar for sound in written.sounds}
    section: list[tuple[int, int]] = []  # its bars: spans of characters, each with its bar line
    start = repeat = written.sounds[0].start if written.sounds else size
    for number, bar in enumerate(written.bars):
        if number in sounding:
            section.append((start, bar.stop))
            start = bar.stop
        if bar.ends_section:
            for count, (first, last) in enumerate(section):
                so_far[first:last], left[first:last] = count, len(section) - 1 - count
            if bar.closes:
                repeats.append((repeat, bar.start))
            section, repeat, start = [], bar.stop, max(start, bar.stop)
    return {
        "bars of the section so far": so_far,
        "bars left to the cadence": left,
        "last bar before a cadence": left == 0,
        "inside a repeat": _inside(size, repeats),
    }
