"""A piece in, a MusicXML 4.0 document out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from seqforge.domains.music.musicxml.instruments import drum_place, part_name
from seqforge.domains.music.notes import DRUMS, BarSign, Piece
from seqforge.domains.music.score.layout import Score, ScorePart, Spelled, Speller, score_of
from seqforge.domains.music.score.note_values import NoteValue
from seqforge.domains.music.score.quantize import QUARTER, Bar
from seqforge.version import __version__

Element = ElementTree.Element

GIVEN_COLOUR = "#0B6E99"
_SIGNS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
_STEMMED = ("half", "quarter", "eighth", "16th", "32nd", "64th")


def add(parent: Element, name: str, text: object = None, **attributes: str) -> Element:
    """Append a child to ``parent``; underscores in attribute names become hyphens."""
    names = {key.replace("_", "-"): value for key, value in attributes.items()}
    child = ElementTree.SubElement(parent, name, names)
    if text is not None:
        child.text = str(text)
    return child


class NoteWriter:
    """Writes the notes of a part."""

    def __init__(self, part: ScorePart, name: str, has_ids: bool = False) -> None:
        self._name, self._has_ids = name, has_ids
        self._is_drums = part.program == DRUMS
        self._has_staves = len(part.staves) > 1

    def staff(self, parent: Element, number: int) -> None:
        """Add the ``staff`` element if the part has two staves."""
        if self._has_staves:
            add(parent, "staff", number)

    def write(
        self,
        measure: Element,
        value: NoteValue,
        voice: str,
        staff: int,
        spelled: dict[tuple[int, int], Spelled],
    ) -> None:
        """Write a note, chord or rest."""
        pitches: tuple[int | None, ...] = value.sound.pitches if value.sound else (None,)
        for place, pitch in enumerate(pitches):
            look = {"color": GIVEN_COLOUR} if value.sound and value.sound.given else {}
            if self._has_ids and pitch is not None:
                look["id"] = f"{self._name}-{staff}-{voice}-{value.start}-{pitch}"
            note = add(measure, "note", **look)
            if place:
                add(note, "chord")
            name = self._pitch(note, value, pitch, spelled)
            add(note, "duration", value.steps)
            for kind in _ties(value):
                add(note, "tie", type=kind)
            if self._is_drums and pitch is not None:
                add(note, "instrument", id=f"{self._name}-I{pitch + 1}")
            add(note, "voice", voice)
            if value.name:
                add(note, "type", value.name)
            for _ in range(value.dots):
                add(note, "dot")
            if name and name.shows:
                add(note, "accidental", _SIGNS[name.alter])
            self._look(note, value, pitch, staff, place)

    def _pitch(
        self,
        note: Element,
        value: NoteValue,
        pitch: int | None,
        spelled: dict[tuple[int, int], Spelled],
    ) -> Spelled | None:
        if pitch is None:
            add(note, "rest", **({} if value.name else {"measure": "yes"}))
            return None
        if self._is_drums:
            letter, octave, _ = drum_place(pitch)
            place = add(note, "unpitched")
            add(place, "display-step", letter)
            add(place, "display-octave", octave)
            return None
        name = spelled[id(value), pitch]
        sounding = add(note, "pitch")
        add(sounding, "step", name.letter)
        if name.alter:
            add(sounding, "alter", name.alter)
        add(sounding, "octave", name.octave)
        return name

    def _look(
        self, note: Element, value: NoteValue, pitch: int | None, staff: int, place: int
    ) -> None:
        if value.in_triplet:
            change = add(note, "time-modification")
            add(change, "actual-notes", 3)
            add(change, "normal-notes", 2)
        if self._is_drums and pitch is not None:
            if value.name in _STEMMED:
                add(note, "stem", "up")
            if head := drum_place(pitch)[2]:
                add(note, "notehead", head)
        self.staff(note, staff)
        if not place:
            for number, does in enumerate(value.beams, 1):
                add(note, "beam", does, number=str(number))
        ties = _ties(value)
        brackets = value.triplet_ends if not place else ()
        if ties or brackets:
            notations = add(note, "notations")
            for kind in ties:
                add(notations, "tied", type=kind)
            for kind in brackets:
                add(notations, "tuplet", type=kind, number="1")


def _ties(value: NoteValue) -> list[str]:
    return ["stop"] * value.from_before + ["start"] * value.goes_on


_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">\n'
)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_VOICES_A_STAFF = 4  # voices of the second staff are numbered from 5, as in notation programs
_DRUM_CHANNEL = 10
_COMPOUND_UNIT = 8


def to_musicxml(
    piece: Piece, title: str = "", prime_end: int = 0,
    signs: Sequence[BarSign] = (), has_ids: bool = False,
) -> str:  # fmt: skip
    """A piece in, a MusicXML document out.

    One part per program; a keyboard part has two staves. Onsets and lengths are quantized to
    notation, and notes that would need a third voice on a staff are cut at the next onset.

    Args:
        piece: A piece on any grid.
        title: Title above the music.
        prime_end: End of the prime in steps: its notes are coloured, and a mark shows where the
            model continues. 0: no prime.
        signs: Repeats, endings and double bar lines; a bar is split at each that is inside it.
        has_ids: Whether notes have ids: ``PART-STAFF-VOICE-STEP-PITCH``, steps of the score.
    """
    score = score_of(piece, prime_end, signs)
    root = Element("score-partwise", version="4.0")
    if title:
        add(add(root, "work"), "work-title", _NOT_XML.sub(" ", title))
    encoding = add(add(root, "identification"), "encoding")
    add(encoding, "software", f"seqforge {__version__}")
    parts = add(root, "part-list")
    for number, part in enumerate(score.parts, 1):
        _declare(parts, part, f"P{number}", score.part_named())
    for number, part in enumerate(score.parts, 1):
        written = _PartWriter(score, part, f"P{number}", number == 1, has_ids)
        written.write(add(root, "part", id=f"P{number}"))
    ElementTree.indent(root, " ")
    return _HEAD + ElementTree.tostring(root, encoding="unicode") + "\n"


def _declare(parts: Element, part: ScorePart, name: str, shown: bool) -> None:
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
    """Writes a part's measures."""

    def __init__(
        self, score: Score, part: ScorePart, name: str, is_first: bool, has_ids: bool
    ) -> None:
        self._score, self._part, self._is_first = score, part, is_first
        self._is_drums = part.program == DRUMS
        self._sharps, self._ending = 0, ""
        self._notes = NoteWriter(part, name, has_ids)
        self._speller = Speller([voice for staff in part.staves for voice in staff.voices])

    def write(self, parent: Element) -> None:
        """Append every bar to ``parent`` as a measure."""
        before: Bar | None = None
        counted = 0
        for number, bar in enumerate(self._score.bars):
            is_pickup = number == 0 and bar.offset > 0
            is_short = bar.length < bar.full
            counted += not bar.offset
            attributes = {"number": "0" if is_pickup else str(counted)}
            if is_short:
                attributes["implicit"] = "yes"
            measure = add(parent, "measure", **attributes)
            self._attributes(measure, number, bar, before)
            self._begins(measure, bar)
            if self._is_first:
                self._directions(measure, bar)
            self._bar(measure, bar)
            self._ends(measure, bar, is_last=bar is self._score.bars[-1])
            before = bar

    def _begins(self, measure: Element, bar: Bar) -> None:
        """The bar line before a bar, where a repeat or an ending begins."""
        sign = self._score.signs.get(bar.start)
        if sign is None or not (sign.opens or sign.ending):
            return
        line = add(measure, "barline", location="left")
        if sign.opens:
            add(line, "bar-style", "heavy-light")
        if sign.ending:
            self._ending = sign.ending
            add(line, "ending", number=sign.ending, type="start")
        if sign.opens:
            add(line, "repeat", direction="forward")

    def _ends(self, measure: Element, bar: Bar, is_last: bool) -> None:
        """The bar line after a bar, where it is no plain one."""
        sign = self._score.signs.get(bar.end)
        closes = sign is not None and sign.closes
        is_double = sign is not None and sign.double and not sign.opens
        if not (is_last or closes or is_double or (sign is not None and self._ending)):
            return
        line = add(measure, "barline", location="right")
        if is_last or closes:
            add(line, "bar-style", "light-heavy")
        elif is_double:
            add(line, "bar-style", "light-light")
        if self._ending:
            add(line, "ending", number=self._ending, type="stop")
            self._ending = ""
        if closes:
            add(line, "repeat", direction="backward")

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
        """Tempo marks and the mark at the end of the prime, by position in the bar."""
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
                        forward = add(measure, "forward")  # rests of a second voice are not shown
                        add(forward, "duration", value.steps)
                        add(forward, "voice", label)
                        self._notes.staff(forward, number)
                    else:
                        self._notes.write(measure, value, label, number, spelled)
