"""A score's part list in, General MIDI programs and percussion keys out; programs in, names out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from seqforge.domains.music.notes import DRUMS

# Names of the General MIDI level 1 sound set.
_NAMES = """
Acoustic Grand Piano|Bright Acoustic Piano|Electric Grand Piano|Honky-tonk Piano|Electric Piano 1
Electric Piano 2|Harpsichord|Clavinet|Celesta|Glockenspiel|Music Box|Vibraphone|Marimba|Xylophone
Tubular Bells|Dulcimer|Drawbar Organ|Percussive Organ|Rock Organ|Church Organ|Reed Organ|Accordion
Harmonica|Bandoneon|Nylon Guitar|Steel Guitar|Jazz Guitar|Clean Guitar|Muted Guitar
Overdriven Guitar|Distortion Guitar|Guitar Harmonics|Acoustic Bass|Fingered Bass|Picked Bass
Fretless Bass|Slap Bass 1|Slap Bass 2|Synth Bass 1|Synth Bass 2|Violin|Viola|Cello|Contrabass
Tremolo Strings|Pizzicato Strings|Harp|Timpani|String Ensemble 1|String Ensemble 2
Synth Strings 1|Synth Strings 2|Choir Aahs|Voice Oohs|Synth Voice|Orchestra Hit|Trumpet|Trombone
Tuba|Muted Trumpet|French Horn|Brass Section|Synth Brass 1|Synth Brass 2|Soprano Sax|Alto Sax
Tenor Sax|Baritone Sax|Oboe|English Horn|Bassoon|Clarinet|Piccolo|Flute|Recorder|Pan Flute
Blown Bottle|Shakuhachi|Whistle|Ocarina|Square Lead|Sawtooth Lead|Calliope Lead|Chiff Lead
Charang Lead|Voice Lead|Fifths Lead|Bass and Lead|New Age Pad|Warm Pad|Polysynth Pad|Choir Pad
Bowed Pad|Metallic Pad|Halo Pad|Sweep Pad|Rain|Soundtrack|Crystal|Atmosphere|Brightness|Goblins
Echoes|Science Fiction|Sitar|Banjo|Shamisen|Koto|Kalimba|Bagpipe|Fiddle|Shanai|Tinkle Bell|Agogo
Steel Drums|Woodblock|Taiko Drum|Melodic Tom|Synth Drum|Reverse Cymbal|Guitar Fret Noise
Breath Noise|Seashore|Bird Tweet|Telephone Ring|Helicopter|Applause|Gunshot
""".strip().replace("\n", "|").split("|")  # fmt: skip

# Weinberg 1998, "Standardized Drumset Notation": staff position; crosses for cymbals.
_DRUMS = {
    35: ("E", 4, ""), 36: ("F", 4, ""), 37: ("C", 5, "x"), 38: ("C", 5, ""), 39: ("C", 5, "x"),
    40: ("C", 5, ""), 41: ("G", 4, ""), 42: ("G", 5, "x"), 43: ("A", 4, ""), 44: ("D", 4, "x"),
    45: ("B", 4, ""), 46: ("G", 5, "circle-x"), 47: ("D", 5, ""), 48: ("D", 5, ""),
    49: ("A", 5, "x"), 50: ("E", 5, ""), 51: ("F", 5, "x"), 52: ("A", 5, "x"),
    53: ("F", 5, "diamond"), 54: ("B", 5, "x"), 55: ("B", 5, "x"), 56: ("E", 5, "triangle"),
    57: ("A", 5, "x"), 59: ("F", 5, "x"),
}  # fmt: skip


def part_name(program: int) -> str:
    """A program in, the instrument's name out."""
    return "Drums" if program == DRUMS else _NAMES[program]


def drum_place(pitch: int) -> tuple[str, int, str]:
    """A percussion key in, letter, octave and note head out; unknown keys lie in the middle."""
    return _DRUMS.get(pitch, ("B", 4, ""))


def drum_key(letter: str, octave: int, head: str) -> int | None:
    """Staff position and note head in, the first key with both, else with the position, out."""
    at = [(key, place) for key, place in _DRUMS.items() if place[:2] == (letter, octave)]
    same = [key for key, place in at if place[2] == head] or [key for key, _ in at]
    return same[0] if same else None


_DRUM_CHANNEL = 10
_SNARE = 38
# Words in names of percussion instruments, in order of precedence.
_DRUM_NAMES = (
    ("bass drum|kick|gran cassa|grosse", 36), ("snare|side drum|caisse", 38),
    ("pedal hi|foot hi", 44), ("open hi", 46), ("hi-?\\s?hat|charleston", 42), ("crash", 49),
    ("ride", 51), ("cymbal|becken|piatti", 49), ("floor tom|low tom", 43), ("high tom", 50),
    ("tom", 45), ("tambourine", 54), ("cowbell", 56), ("bongo", 60), ("conga", 63), ("clave", 75),
    ("wood ?block", 76), ("triangle", 81), ("clap", 39), ("rim|side stick", 37),
    ("shaker|cabasa|maraca", 70),
)  # fmt: skip


@dataclass
class Instrument:
    """An instrument of a part."""

    program: int = 0
    """0-127, or `DRUMS`."""
    key: int | None = None
    """Percussion key, if it is a percussion instrument of one sound."""
    name: str = ""


@dataclass
class Instruments:
    """The instruments of a part."""

    by_id: dict[str, Instrument] = field(default_factory=dict)

    def of(self, note: Element) -> Instrument:
        """A note in, its instrument out: the one named, or the first."""
        named = note.find("instrument")
        if named is not None and (found := self.by_id.get(named.get("id", ""))):
            return found
        return next(iter(self.by_id.values()))

    def change(self, element: Element) -> None:
        """Apply a ``midi-instrument`` element."""
        instrument = self.by_id.setdefault(element.get("id", ""), Instrument())
        channel = _whole(element.findtext("midi-channel"))
        key = _whole(element.findtext("midi-unpitched"))
        program = _whole(element.findtext("midi-program"))
        if key is not None and 1 <= key <= 128:
            instrument.key = key - 1
        if channel == _DRUM_CHANNEL or key is not None:
            instrument.program = DRUMS
        elif program is not None and 1 <= program <= 128:
            instrument.program = program - 1


def instruments(part: Element) -> Instruments:
    """A ``score-part`` in, its instruments out; at least one."""
    found = Instruments()
    for element in part.iter("score-instrument"):
        called = element.findtext("instrument-name") or ""
        found.by_id[element.get("id", "")] = Instrument(name=called)
    for element in part.iter("midi-instrument"):
        found.change(element)
    if not found.by_id:
        found.by_id[""] = Instrument(name=part.findtext("part-name") or "")
    return found


def struck_key(note: Element, instrument: Instrument) -> int:
    """An unpitched note in, its General MIDI key out: by instrument, else by staff position."""
    if instrument.key is not None:
        return instrument.key
    if (key := _named_key(instrument.name)) is not None:
        return key
    place = note.find("unpitched")
    step = (place.findtext("display-step") or "").strip() if place is not None else ""
    octave = _whole(place.findtext("display-octave")) if place is not None else None
    head = (note.findtext("notehead") or "").strip()
    found = drum_key(step, octave, head) if octave is not None else None
    return _SNARE if found is None else found


def _named_key(name: str) -> int | None:
    lower = name.lower()
    return next((key for pattern, key in _DRUM_NAMES if re.search(pattern, lower)), None)


def _whole(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if re.fullmatch(r"-?\d{1,6}", text, re.ASCII) else None
