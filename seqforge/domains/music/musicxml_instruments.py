"""The part list of a MusicXML score to programs, and percussion to keys of General MIDI."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from seqforge.domains.music.notes import DRUMS
from seqforge.domains.music.score.instruments import drum_key

_DRUM_CHANNEL = 10
_SNARE = 38
# Words in the name of an instrument of percussion, in the order in which they are looked for.
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
    """One of a part's."""

    program: int = 0
    """0-127, or `DRUMS`."""
    key: int | None = None
    """What it strikes, where it is percussion of one sound."""
    name: str = ""


@dataclass
class Instruments:
    """Those of a part."""

    by_id: dict[str, Instrument] = field(default_factory=dict)

    def of(self, note: Element) -> Instrument:
        """The one that plays a note: the one it names, or the first."""
        named = note.find("instrument")
        if named is not None and (found := self.by_id.get(named.get("id", ""))):
            return found
        return next(iter(self.by_id.values()))

    def change(self, element: Element) -> None:
        """What a ``midi-instrument`` in or before the music says."""
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
    """Those that a ``score-part`` declares; at least one."""
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
    """The General MIDI key of an unpitched note: by its instrument, or by where it stands."""
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
