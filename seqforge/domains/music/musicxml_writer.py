"""Pieces to MusicXML 4.0: what any notation program opens, and what our scores are drawn from."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from seqforge.domains.music.musicxml_notes import GIVEN_COLOUR, Element, NoteWriter, add
from seqforge.domains.music.notes import DRUMS, Piece
from seqforge.domains.music.score.instruments import part_name
from seqforge.domains.music.score.layout import Part, Score, score_of
from seqforge.domains.music.score.metre import QUARTER, Bar
from seqforge.domains.music.score.names import Speller
from seqforge.version import __version__

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">\n'
)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_VOICES_A_STAFF = 4  # the second staff's voices are numbered from 5, as notation programs do
_DRUM_CHANNEL = 10
_COMPOUND_UNIT = 8


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
        add(add(root, "work"), "work-title", _NOT_XML.sub(" ", title))
    encoding = add(add(root, "identification"), "encoding")
    add(encoding, "software", f"seqforge {__version__}")
    parts = add(root, "part-list")
    for number, part in enumerate(score.parts, 1):
        _declare(parts, part, f"P{number}", score.part_named())
    for number, part in enumerate(score.parts, 1):
        written = _PartWriter(score, part, f"P{number}", is_first=number == 1)
        written.write(add(root, "part", id=f"P{number}"))
    ElementTree.indent(root, " ")
    return _HEAD + ElementTree.tostring(root, encoding="unicode") + "\n"


def _declare(parts: Element, part: Part, name: str, shown: bool) -> None:
    declared = add(parts, "score-part", id=name)
    called = part_name(part.program)
    hidden = {} if shown else {"print_object": "no"}
    add(declared, "part-name", called, **hidden)
    is_drums = part.program == DRUMS
    sounds = [f"{name}-I{pitch + 1}" for pitch in part.pitches] if is_drums else [f"{name}-I1"]
    for sound in sounds:
        add(add(declared, "score-instrument", id=sound), "instrument-name", called)
    for index, sound in enumerate(sounds):
        midi = add(declared, "midi-instrument", id=sound)
        channel = _DRUM_CHANNEL if is_drums else 1
        add(midi, "midi-channel", channel)
        add(midi, "midi-program", 1 if is_drums else part.program + 1)
        if is_drums:
            add(midi, "midi-unpitched", part.pitches[index] + 1)


class _PartWriter:
    """Writes the measures of a part."""

    def __init__(self, score: Score, part: Part, name: str, is_first: bool) -> None:
        self._score, self._part, self._is_first = score, part, is_first
        self._is_drums = part.program == DRUMS
        self._sharps = 0
        self._notes = NoteWriter(part, name)
        self._speller = Speller([voice for staff in part.staves for voice in staff.voices])

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
            measure = add(parent, "measure", **attributes)
            self._attributes(measure, number, bar, before)
            if self._is_first:
                self._directions(measure, bar)
            self._bar(measure, bar)
            if bar is self._score.bars[-1]:
                add(add(measure, "barline", location="right"), "bar-style", "light-heavy")
            before = bar

    def _attributes(self, measure: Element, number: int, bar: Bar, before: Bar | None) -> None:
        key = self._score.keys.get(number)
        metre = (bar.numerator, bar.denominator)
        new_metre = before is None or (before.numerator, before.denominator) != metre
        has_clef = any(number in staff.clefs for staff in self._part.staves)
        if not (key or new_metre or has_clef):
            return
        attributes = add(measure, "attributes")
        if before is None:
            add(attributes, "divisions", QUARTER)
        if key:
            self._sharps = key.sharps
            if not self._is_drums:
                signs = add(attributes, "key")
                add(signs, "fifths", key.sharps)
                add(signs, "mode", "minor" if key.minor else "major")
        if new_metre:
            time = add(attributes, "time")
            add(time, "beats", bar.numerator)
            add(time, "beat-type", bar.denominator)
        if before is None and len(self._part.staves) > 1:
            add(attributes, "staves", len(self._part.staves))
        self._clefs(attributes, number)

    def _clefs(self, attributes: Element, bar: int) -> None:
        staves = self._part.staves
        for number, staff in enumerate(staves, 1):
            if bar not in staff.clefs:
                continue
            numbered = {"number": str(number)} if len(staves) > 1 else {}
            clef = add(attributes, "clef", **numbered)
            sign, octave = staff.clefs[bar]
            add(clef, "sign", sign)
            add(clef, "line", {"G": 2, "F": 4}.get(sign, 3))
            if octave:
                add(clef, "clef-octave-change", octave)

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
        direction = add(measure, "direction", placement="above")
        kind = add(direction, "direction-type")
        add(kind, "words", words, font_style="italic", **look)
        if offset:
            add(direction, "offset", offset)

    def _tempo(self, measure: Element, bar: Bar, step: int, microseconds: int) -> None:
        direction = add(measure, "direction", placement="above")
        mark = add(add(direction, "direction-type"), "metronome")
        quarters = 60e6 / microseconds
        compound = bar.denominator == _COMPOUND_UNIT and bar.numerator in (6, 9, 12)
        add(mark, "beat-unit", "quarter")
        if compound:
            add(mark, "beat-unit-dot")
        add(mark, "per-minute", round(quarters / (1.5 if compound else 1)))
        if step > bar.start:
            add(direction, "offset", step - bar.start)
        add(direction, "sound", tempo=f"{quarters:.6g}")

    def _bar(self, measure: Element, bar: Bar) -> None:
        written = False
        for number, staff in enumerate(self._part.staves, 1):
            voices = staff.values(bar)
            spelled = {} if self._is_drums else dict(self._speller.spelled(voices, self._sharps))
            for voice, values in enumerate(voices):
                if written:
                    add(add(measure, "backup"), "duration", bar.length)
                written = True
                label = str(_VOICES_A_STAFF * (number - 1) + voice + 1)
                for value in values:
                    if voice and value.sound is None and not value.in_triplet:
                        forward = add(measure, "forward")  # a second voice's silence is not shown
                        add(forward, "duration", value.steps)
                        add(forward, "voice", label)
                        self._notes.staff(forward, number)
                    else:
                        self._notes.write(measure, value, label, number, spelled)
