"""What parts are called, and where on five lines each drum stands."""

from __future__ import annotations

from seqforge.domains.music.notes import DRUMS

# General MIDI level 1, sound set: the names that players show.
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

# Weinberg 1998, "Standardized Drumset Notation": place, and a cross for what is metal.
_DRUMS = {
    35: ("E", 4, ""), 36: ("F", 4, ""), 37: ("C", 5, "x"), 38: ("C", 5, ""), 39: ("C", 5, "x"),
    40: ("C", 5, ""), 41: ("G", 4, ""), 42: ("G", 5, "x"), 43: ("A", 4, ""), 44: ("D", 4, "x"),
    45: ("B", 4, ""), 46: ("G", 5, "circle-x"), 47: ("D", 5, ""), 48: ("D", 5, ""),
    49: ("A", 5, "x"), 50: ("E", 5, ""), 51: ("F", 5, "x"), 52: ("A", 5, "x"),
    53: ("F", 5, "diamond"), 54: ("B", 5, "x"), 55: ("B", 5, "x"), 56: ("E", 5, "triangle"),
    57: ("A", 5, "x"), 59: ("F", 5, "x"),
}  # fmt: skip


def part_name(program: int) -> str:
    """What an instrument is called."""
    return "Drums" if program == DRUMS else _NAMES[program]


def drum_place(pitch: int) -> tuple[str, int, str]:
    """Letter, octave and note head of a percussion key; others in the middle."""
    return _DRUMS.get(pitch, ("B", 4, ""))


def drum_key(letter: str, octave: int, head: str) -> int | None:
    """The first percussion key that stands at a place with a note head, or at the place alone."""
    at = [(key, place) for key, place in _DRUMS.items() if place[:2] == (letter, octave)]
    same = [key for key, place in at if place[2] == head] or [key for key, _ in at]
    return same[0] if same else None
