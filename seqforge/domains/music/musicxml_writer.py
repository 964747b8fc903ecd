"""Pieces to MusicXML 4.0: what any notation program opens, and what our scores are drawn from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple
from xml.etree import ElementTree

from seqforge.domains.music.keys import signature
from seqforge.domains.music.notes import DRUMS, Piece
from seqforge.domains.music.score.instruments import drum_place, part_name
from seqforge.domains.music.score.layout import Part, Score, score_of
from seqforge.domains.music.score.metre import QUARTER, Bar
from seqforge.domains.music.score.names import Name, name_of
from seqforge.domains.music.score.values import Sound, Value
from seqforge.version import __version__

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">\n'
)
GIVEN_COLOUR = "#0B6E99"
_SIGNS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_VOICES_A_STAFF = 4  # the second staff's voices are numbered from 5, as notation programs do
_DRUM_CHANNEL = 10
_COMPOUND_UNIT = 8

Element = ElementTree.Element


def to_musicxml(piece: Piece, title: str = "", prime_end: int = 0) -> str:
    """The piece as a MusicXML document; any piece.

    A part a program; a melody on one staff, what two hands play on two. Onsets and lengths that
    notation has no signs for are moved to the nearest that it has, and what would need a third
    voice on a staff is cut at the next onset.

    Args:
        piece: On any grid.
        title: Stands above the music.
        prime_end: In steps; notes that begin before it are coloured as the given melody, and a
            mark says where the model goes on. 0 for none.
    """
    score = score_of(piece, prime_end)
    root = Element("score-partwise", version="4.0")
    if title:
        _add(_add(root, "work"), "work-title", _NOT_XML.sub(" ", title))
    encoding = _add(_add(root, "identification"), "encoding")
    _add(encoding, "software", f"seqforge {__version__}")
    parts = _add(root, "part-list")
    for number, part in enumerate(score.parts, 1):
        _declare(parts, part, f"P{number}", score.part_named())
    for number, part in enumerate(score.parts, 1):
        written = _PartWriter(score, part, f"P{number}", is_first=number == 1)
        written.write(_add(root, "part", id=f"P{number}"))
    ElementTree.indent(root, " ")
    return _HEAD + ElementTree.tostring(root, encoding="unicode") + "\n"


def _add(parent: Element, name: str, text: object = None, **attributes: str) -> Element:
    names = {key.replace("_", "-"): value for key, value in attributes.items()}
    child = ElementTree.SubElement(parent, name, names)
    if text is not None:
        child.text = str(text)
    return child


def _declare(parts: Element, part: Part, name: str, shown: bool) -> None:
    declared = _add(parts, "score-part", id=name)
    called = part_name(part.program)
    hidden = {} if shown else {"print_object": "no"}
    _add(declared, "part-name", called, **hidden)
    is_drums = part.program == DRUMS
    sounds = [f"{name}-I{pitch + 1}" for pitch in part.pitches] if is_drums else [f"{name}-I1"]
    for sound in sounds:
        _add(_add(declared, "score-instrument", id=sound), "instrument-name", called)
    for index, sound in enumerate(sounds):
        midi = _add(declared, "midi-instrument", id=sound)
        channel = _DRUM_CHANNEL if is_drums else 1
        _add(midi, "midi-channel", channel)
        _add(midi, "midi-program", 1 if is_drums else part.program + 1)
        if is_drums:
            _add(midi, "midi-unpitched", part.pitches[index] + 1)


class _Spelled(NamedTuple):
    letter: str
    alter: int
    octave: int
    sign: str
    """The accidental that has to be shown; empty for none."""


class _PartWriter:
    """Writes the measures of a part."""

    def __init__(self, score: Score, part: Part, name: str, is_first: bool) -> None:
        self._score, self._part, self._name, self._is_first = score, part, name, is_first
        self._is_drums = part.program == DRUMS
        self._sharps = 0
        self._names: dict[tuple[int, int], Name] = {}
        self._following = {
            id(sound): following.pitches
            for staff in part.staves
            for voice in staff.voices
            for sound, following in pairwise(voice.sounds)
        }

    def write(self, parent: Element) -> None:
        """Every bar as a measure of ``parent``."""
        before: Bar | None = None
        counted = 0
        for number, bar in enumerate(self._score.bars):
            is_pickup = number == 0 and bar.offset > 0
            is_short = bar.length < bar.full
            counted += not is_pickup
            attributes = {"number": "0" if is_pickup else str(counted)}
            if is_short:
                attributes["implicit"] = "yes"
            measure = _add(parent, "measure", **attributes)
            self._attributes(measure, number, bar, before)
            if self._is_first:
                self._directions(measure, bar)
            self._bar(measure, bar)
            if bar is self._score.bars[-1]:
                _add(_add(measure, "barline", location="right"), "bar-style", "light-heavy")
            before = bar

    def _attributes(self, measure: Element, number: int, bar: Bar, before: Bar | None) -> None:
        key = self._score.keys.get(number)
        metre = (bar.numerator, bar.denominator)
        new_metre = before is None or (before.numerator, before.denominator) != metre
        has_clef = any(number in staff.clefs for staff in self._part.staves)
        if not (key or new_metre or has_clef):
            return
        attributes = _add(measure, "attributes")
        if before is None:
            _add(attributes, "divisions", QUARTER)
        if key:
            self._sharps = key.sharps
            if not self._is_drums:
                signs = _add(attributes, "key")
                _add(signs, "fifths", key.sharps)
                _add(signs, "mode", "minor" if key.minor else "major")
        if new_metre:
            time = _add(attributes, "time")
            _add(time, "beats", bar.numerator)
            _add(time, "beat-type", bar.denominator)
        if before is None and len(self._part.staves) > 1:
            _add(attributes, "staves", len(self._part.staves))
        self._clefs(attributes, number)

    def _clefs(self, attributes: Element, bar: int) -> None:
        staves = self._part.staves
        for number, staff in enumerate(staves, 1):
            if bar not in staff.clefs:
                continue
            numbered = {"number": str(number)} if len(staves) > 1 else {}
            clef = _add(attributes, "clef", **numbered)
            sign, octave = staff.clefs[bar]
            _add(clef, "sign", sign)
            _add(clef, "line", {"G": 2, "F": 4}.get(sign, 3))
            if octave:
                _add(clef, "clef-octave-change", octave)

    def _directions(self, measure: Element, bar: Bar) -> None:
        """Tempo marks, and where the model goes on, each at its place in the bar."""
        for tempo in self._score.tempos:
            if bar.start <= tempo.step < bar.end:
                self._tempo(measure, bar, tempo.step, tempo.microseconds)
        place = self._score.prime_end
        if not place:
            return
        if bar.start == 0:
            self._words(measure, "given", 0, color=GIVEN_COLOUR)
        if bar.start <= place < bar.end:
            self._words(measure, "from here: the model", place - bar.start)

    def _words(self, measure: Element, words: str, offset: int, **look: str) -> None:
        direction = _add(measure, "direction", placement="above")
        kind = _add(direction, "direction-type")
        _add(kind, "words", words, font_style="italic", **look)
        if offset:
            _add(direction, "offset", offset)

    def _tempo(self, measure: Element, bar: Bar, step: int, microseconds: int) -> None:
        direction = _add(measure, "direction", placement="above")
        mark = _add(_add(direction, "direction-type"), "metronome")
        quarters = 60e6 / microseconds
        compound = bar.denominator == _COMPOUND_UNIT and bar.numerator in (6, 9, 12)
        _add(mark, "beat-unit", "quarter")
        if compound:
            _add(mark, "beat-unit-dot")
        _add(mark, "per-minute", round(quarters / (1.5 if compound else 1)))
        if step > bar.start:
            _add(direction, "offset", step - bar.start)
        _add(direction, "sound", tempo=f"{quarters:.6g}")

    def _bar(self, measure: Element, bar: Bar) -> None:
        written = False
        for number, staff in enumerate(self._part.staves, 1):
            voices = staff.values(bar)
            spelled = dict(self._spelled(voices))
            for voice, values in enumerate(voices):
                if written:
                    _add(_add(measure, "backup"), "duration", bar.length)
                written = True
                label = str(_VOICES_A_STAFF * (number - 1) + voice + 1)
                for value in values:
                    if voice and value.sound is None and not value.in_triplet:
                        forward = _add(measure, "forward")  # a second voice's silence is not shown
                        _add(forward, "duration", value.steps)
                        _add(forward, "voice", label)
                        self._staff(forward, number)
                    else:
                        self._signs(measure, value, label, number, spelled)

    def _staff(self, parent: Element, number: int) -> None:
        if len(self._part.staves) > 1:
            _add(parent, "staff", number)

    def _spelled(self, voices: list[list[Value]]) -> Iterator[tuple[tuple[int, int], _Spelled]]:
        """(id of a sign, pitch) and its name, accidentals as the bar of a staff so far asks."""
        if self._is_drums:
            return
        altered = signature(self._sharps)
        said: dict[tuple[str, int], int] = {}
        values = sorted((v for values in voices for v in values), key=lambda value: value.start)
        for value, sound in ((value, value.sound) for value in values if value.sound):
            for pitch in sound.pitches:
                letter, alter, octave = self._named(sound, pitch)
                now = said.get((letter, octave), altered.get(letter, 0))
                sign = "" if now == alter or value.from_before else _SIGNS[alter]
                if not value.from_before:
                    said[letter, octave] = alter
                yield (id(value), pitch), _Spelled(letter, alter, octave, sign)

    def _named(self, sound: Sound, pitch: int) -> Name:
        """The name of a pitch, the same in all bars that it is tied through."""
        place = (id(sound), pitch)
        if place not in self._names:
            following = self._following.get(id(sound), ())
            self._names[place] = name_of(pitch, following, self._sharps)
        return self._names[place]

    def _signs(
        self,
        measure: Element,
        value: Value,
        voice: str,
        staff: int,
        spelled: dict[tuple[int, int], _Spelled],
    ) -> None:
        """A note, the notes of a chord, or a rest."""
        pitches: tuple[int | None, ...] = value.sound.pitches if value.sound else (None,)
        for place, pitch in enumerate(pitches):
            given = {"color": GIVEN_COLOUR} if value.sound and value.sound.given else {}
            note = _add(measure, "note", **given)
            if place:
                _add(note, "chord")
            name = self._pitch(note, value, pitch, spelled)
            _add(note, "duration", value.steps)
            for kind in _ties(value):
                _add(note, "tie", type=kind)
            if self._is_drums and pitch is not None:
                _add(note, "instrument", id=f"{self._name}-I{pitch + 1}")
            _add(note, "voice", voice)
            if value.name:
                _add(note, "type", value.name)
            for _ in range(value.dots):
                _add(note, "dot")
            if name and name.sign:
                _add(note, "accidental", name.sign)
            self._look(note, value, pitch, staff, place)

    def _pitch(
        self,
        note: Element,
        value: Value,
        pitch: int | None,
        spelled: dict[tuple[int, int], _Spelled],
    ) -> _Spelled | None:
        if pitch is None:
            _add(note, "rest", **({} if value.name else {"measure": "yes"}))
            return None
        if self._is_drums:
            letter, octave, _ = drum_place(pitch)
            place = _add(note, "unpitched")
            _add(place, "display-step", letter)
            _add(place, "display-octave", octave)
            return None
        name = spelled[id(value), pitch]
        sounding = _add(note, "pitch")
        _add(sounding, "step", name.letter)
        if name.alter:
            _add(sounding, "alter", name.alter)
        _add(sounding, "octave", name.octave)
        return name

    def _look(self, note: Element, value: Value, pitch: int | None, staff: int, place: int) -> None:
        if value.in_triplet:
            change = _add(note, "time-modification")
            _add(change, "actual-notes", 3)
            _add(change, "normal-notes", 2)
        if self._is_drums and pitch is not None:
            if value.flags or value.name in ("quarter", "half"):
                _add(note, "stem", "up")
            if head := drum_place(pitch)[2]:
                _add(note, "notehead", head)
        self._staff(note, staff)
        if not place:
            for number, does in enumerate(value.beams, 1):
                _add(note, "beam", does, number=str(number))
        ties = _ties(value)
        brackets = value.triplet_ends if not place else ()
        if ties or brackets:
            notations = _add(note, "notations")
            for kind in ties:
                _add(notations, "tied", type=kind)
            for kind in brackets:
                _add(notations, "tuplet", type=kind, number="1")


def _ties(value: Value) -> list[str]:
    return ["stop"] * value.from_before + ["start"] * value.goes_on
