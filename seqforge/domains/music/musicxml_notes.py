"""One sign on paper as elements of MusicXML: note, chord or rest, with all that hangs on it."""

from __future__ import annotations

from xml.etree import ElementTree

from seqforge.domains.music.notes import DRUMS
from seqforge.domains.music.score.instruments import drum_place
from seqforge.domains.music.score.layout import Part
from seqforge.domains.music.score.names import Spelled
from seqforge.domains.music.score.values import Value

Element = ElementTree.Element

GIVEN_COLOUR = "#0B6E99"
_SIGNS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
_STEMMED = ("half", "quarter", "eighth", "16th", "32nd", "64th")


def add(parent: Element, name: str, text: object = None, **attributes: str) -> Element:
    """A child of ``parent``; underscores in names of attributes become hyphens."""
    names = {key.replace("_", "-"): value for key, value in attributes.items()}
    child = ElementTree.SubElement(parent, name, names)
    if text is not None:
        child.text = str(text)
    return child


class NoteWriter:
    """Writes the signs of a part."""

    def __init__(self, part: Part, name: str) -> None:
        self._name = name
        self._is_drums = part.program == DRUMS
        self._has_staves = len(part.staves) > 1

    def staff(self, parent: Element, number: int) -> None:
        """The staff that an element is on, where there are two."""
        if self._has_staves:
            add(parent, "staff", number)

    def write(
        self,
        measure: Element,
        value: Value,
        voice: str,
        staff: int,
        spelled: dict[tuple[int, int], Spelled],
    ) -> None:
        """A note, the notes of a chord, or a rest."""
        pitches: tuple[int | None, ...] = value.sound.pitches if value.sound else (None,)
        for place, pitch in enumerate(pitches):
            given = {"color": GIVEN_COLOUR} if value.sound and value.sound.given else {}
            note = add(measure, "note", **given)
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
        value: Value,
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

    def _look(self, note: Element, value: Value, pitch: int | None, staff: int, place: int) -> None:
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


def _ties(value: Value) -> list[str]:
    return ["stop"] * value.from_before + ["start"] * value.goes_on
