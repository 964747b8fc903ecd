"""Measures of MusicXML in, their notes and changes out. Repeat marks in, playing order out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple
from xml.etree.ElementTree import Element

from seqforge.domains.music.keys import PITCH_CLASS
from seqforge.domains.music.musicxml.instruments import Instruments, struck_key
from seqforge.domains.music.notes import DRUMS

MOST_PLAYED = 20_000
"""Bars, repeats played out."""


@dataclass
class Marks:
    """Repeats, endings and jumps of one bar."""

    opens: bool = False
    """Whether a repeat begins with it."""
    closes: int = 0
    """Number of passes of the repeat that ends with it; 0: none ends."""
    ending: tuple[int, ...] = ()
    """Passes of the ending that begins here."""
    ends_ending: bool = False
    segno: bool = False
    coda: bool = False
    """Jump targets at its beginning."""
    to_coda: bool = False
    da_capo: bool = False
    dal_segno: bool = False
    fine: bool = False
    """Jumps at its end."""

    def add(self, other: Marks) -> None:
        """Merge another part's marks of the same bar."""
        self.closes = max(self.closes, other.closes)
        self.ending = self.ending or other.ending
        for name in ("opens", "ends_ending", "segno", "coda", "to_coda", "da_capo", "dal_segno",
                     "fine"):  # fmt: skip
            setattr(self, name, getattr(self, name) or getattr(other, name))


def playing_order(bars: Sequence[Marks]) -> list[int]:
    """Marks of all bars in, bar numbers in playing order out, at most `MOST_PLAYED` + 1."""
    return _Player(bars).play()


class _Player:
    """Follows repeats, endings and jumps."""

    def __init__(self, bars: Sequence[Marks]) -> None:
        codas = [place for place, bar in enumerate(bars) if bar.coda]
        if len(codas) > 1 and not any(bar.to_coda for bar in bars):  # the first says where from
            first = replace(bars[codas[0]], coda=False, to_coda=True)
            bars = [*bars[: codas[0]], first, *bars[codas[0] + 1 :]]
        self._bars = bars
        self._endings = _endings(bars)
        self._start, self._turn = 0, 1  # of what is repeated
        self._jumped = False

    def play(self) -> list[int]:
        """The bar numbers in playing order."""
        order: list[int] = []
        place = 0
        while place < len(self._bars) and len(order) <= MOST_PLAYED:
            bar = self._bars[place]
            if bar.opens and place != self._start:
                self._start, self._turn = place, 1
            if bar.ending and not self._takes(place):
                place = self._endings[place][0] + 1
                continue
            order.append(place)
            if bar.fine and self._jumped:
                break
            place = self._after(place)
        return order

    def _takes(self, place: int) -> bool:
        most = self._endings[place][1]
        numbers = self._bars[place].ending
        return (max(numbers) == most) if self._jumped else self._turn in numbers

    def _after(self, place: int) -> int:
        """A bar in, the next bar out."""
        bar = self._bars[place]
        coda = self._next_coda(place) if bar.to_coda and self._jumped else None
        if coda is not None:
            return coda
        if bar.closes and not self._jumped:
            if self._turn < max(bar.closes, self._most_endings(place)):
                self._turn += 1
                return self._start
            self._start, self._turn = place + 1, 1
        elif bar.ends_ending:
            self._start, self._turn = place + 1, 1
        if (bar.da_capo or bar.dal_segno) and not self._jumped:
            self._jumped = True
            self._start = 0
            return self._segno(place) if bar.dal_segno else 0
        return place + 1

    def _most_endings(self, place: int) -> int:
        """The highest pass of the group of endings, one of which ends with this bar; 0: none."""
        return next((most for last, most in self._endings.values() if last == place), 0)

    def _next_coda(self, place: int) -> int | None:
        after = [n for n in range(place + 1, len(self._bars)) if self._bars[n].coda]
        return after[0] if after else None

    def _segno(self, place: int) -> int:
        return max((n for n in range(place + 1) if self._bars[n].segno), default=0)


def _endings(bars: Sequence[Marks]) -> dict[int, tuple[int, int]]:
    """For each ending, by its first bar: its last bar, and the highest pass of its group."""
    last: dict[int, int] = {}
    begun: int | None = None
    for place, bar in enumerate(bars):
        if bar.ending:
            begun = place
        if begun is not None:
            last[begun] = place
            following = bars[place + 1] if place + 1 < len(bars) else Marks(opens=True)
            if bar.ends_ending or bar.closes or following.ending or following.opens:
                begun = None
    groups: dict[int, tuple[int, int]] = {}
    for start in reversed(last):  # adjacent endings form a group
        most = max(bars[start].ending)
        after = groups.get(last[start] + 1)
        groups[start] = (last[start], max(most, after[1]) if after else most)
    return groups


_NUMBER = re.compile(r"[+-]?\d{1,9}(?:\.\d{0,6})?", re.ASCII)
_VELOCITY = 80
_FORTE = 90  # MIDI velocity of 100 % dynamics in MusicXML
_BEAT_UNITS = {"breve": 8, "whole": 4, "half": 2, "quarter": 1, "eighth": 0.5, "16th": 0.25,
               "32nd": 0.125}  # fmt: skip
_WORDS = (
    ("da_capo", re.compile(r"\bD\. ?C\b|\bda capo\b", re.IGNORECASE)),
    ("dal_segno", re.compile(r"\bD\. ?S\b|\bdal segno\b", re.IGNORECASE)),
    ("fine", re.compile(r"^\W*fine\W*$", re.IGNORECASE)),
    ("to_coda", re.compile(r"^\W*to coda\b", re.IGNORECASE)),
)
_SOUND_MARKS = {"dacapo": "da_capo", "dalsegno": "dal_segno", "fine": "fine", "tocoda": "to_coda",
                "segno": "segno", "coda": "coda"}  # fmt: skip
_NOUGHT, _ENDLESS = Fraction(0), Fraction(10**6)


class StruckNote(NamedTuple):
    """A note of a measure."""

    onset: Fraction
    """Quarters from the beginning of the measure."""
    length: Fraction
    pitch: int
    velocity: int
    program: int
    goes_on: bool
    """Whether it is tied to the next note."""
    from_before: bool


@dataclass
class Measure:
    """One measure of one part."""

    notes: list[StruckNote] = field(default_factory=list)
    length: Fraction = _NOUGHT
    """Quarters up to the last end; 0 if it is empty."""
    metre: tuple[int, int] | None = (4, 4)
    """Its metre; None: free."""
    keys: list[tuple[Fraction, int, bool]] = field(default_factory=list)
    """Onset, sounding sharps, minor."""
    tempos: list[tuple[Fraction, float]] = field(default_factory=list)
    """Onset, quarters per minute."""
    marks: Marks = field(default_factory=Marks)


class PartReader:
    """Parses the measures of a part in order.

    Args:
        instruments: Instruments of the part.
        is_concert: Whether the score is written at sounding pitch.
        said: Counts omissions.
    """

    def __init__(self, instruments: Instruments, is_concert: bool, said: Counter[str]) -> None:
        self._instruments, self._is_concert, self._said = instruments, is_concert, said
        self._divisions = Fraction(1)
        self._metre: tuple[int, int] | None = (4, 4)
        self._transposed: dict[str, int] = {}  # by staff; "": all staves
        self._percussion: dict[str, bool] = {}  # staves with a percussion clef
        self._velocity = _VELOCITY
        self.measures: list[Measure] = []
        self._measure = Measure()
        self._now = self._onset = _NOUGHT

    def read(self, element: Element) -> None:
        """Parse the next measure."""
        self._measure = Measure()
        self._now = self._onset = _NOUGHT
        for child in element:
            if handler := _HANDLERS.get(child.tag):
                handler(self, child)
        self._measure.metre = self._metre
        self.measures.append(self._measure)

    def _attributes(self, element: Element) -> None:
        if (divisions := number(element.findtext("divisions"))) is not None:
            if divisions <= 0:
                raise ValueError("divisions must be above 0")
            self._divisions = divisions
        for time in element.findall("time")[:1]:
            self._metre = _metre(time)
        for transpose in element.findall("transpose"):
            staff = transpose.get("number", "")
            if not staff:
                self._transposed.clear()
            octaves = number(transpose.findtext("octave-change")) or _NOUGHT
            by = number(transpose.findtext("chromatic")) or _NOUGHT
            self._transposed[staff] = 0 if self._is_concert else round(by + 12 * octaves)
        for clef in element.findall("clef"):
            sign = (clef.findtext("sign") or "").strip()
            self._percussion[clef.get("number", "1")] = sign == "percussion"
        for key in element.findall("key")[:1]:
            fifths = number(key.findtext("fifths"))
            if fifths is not None and abs(fifths) <= 7:
                sharps = sounding_key(int(fifths), self._transposed_by(key.get("number", "1")))
                is_minor = (key.findtext("mode") or "").strip() == "minor"
                self._measure.keys.append((self._now, sharps, is_minor))

    def _transposed_by(self, staff: str) -> int:
        return self._transposed.get(staff, self._transposed.get("", 0))

    def _note(self, element: Element) -> None:
        if element.find("grace") is not None:
            return
        length = self._length(element)
        is_chord = element.find("chord") is not None
        onset = self._onset if is_chord else self._now
        if not is_chord:
            self._onset, self._now = onset, onset + length
        if element.find("cue") is not None or element.find("rest") is not None:
            self._reach(min(self._now, self._nominal()))  # rests do not lengthen a bar
            return
        self._reach(self._now)
        if length <= 0:
            self._said["{n} note{s} without a length left out"] += 1
        elif (found := self._pitch(element)) is not None:
            ties = {tie.get("type") for tie in element.iter("tie")}
            ties |= {tie.get("type") for tie in element.iter("tied")}
            velocity = self._loudness(element)
            self._measure.notes.append(
                StruckNote(
                    onset, length, *found[:1], velocity, found[1], "start" in ties, "stop" in ties
                )
            )

    def _length(self, element: Element) -> Fraction:
        """A note in, its duration in quarters out; 0 if missing or invalid."""
        duration = number(element.findtext("duration"))
        return max(duration or _NOUGHT, _NOUGHT) / self._divisions

    def _pitch(self, element: Element) -> tuple[int, int] | None:
        """A note in, sounding pitch and program out."""
        instrument = self._instruments.of(element)
        if element.find("unpitched") is not None:
            return struck_key(element, instrument), DRUMS
        written = element.find("pitch")
        step = (written.findtext("step") or "").strip() if written is not None else ""
        octave = number(written.findtext("octave")) if written is not None else None
        if written is None or step not in PITCH_CLASS or octave is None or abs(octave) > 20:
            self._said["{n} note{s} without a pitch left out"] += 1
            return None
        staff = (element.findtext("staff") or "1").strip()
        if instrument.program == DRUMS and instrument.key is not None:
            return instrument.key, DRUMS
        alter = round(number(written.findtext("alter")) or _NOUGHT)
        pitch = 12 * (int(octave) + 1) + PITCH_CLASS[step] + alter + self._transposed_by(staff)
        is_drums = instrument.program == DRUMS or self._percussion.get(staff, False)
        return min(max(pitch, 0), 127), DRUMS if is_drums else instrument.program

    def _loudness(self, element: Element) -> int:
        percent = number(element.get("dynamics"))
        if percent is None:
            return self._velocity
        return min(max(round(_FORTE * percent / 100), 1), 127)

    def _backup(self, element: Element) -> None:
        self._now = self._onset = max(_NOUGHT, self._now - self._length(element))

    def _forward(self, element: Element) -> None:
        end = max(self._now, self._measure.length, self._nominal())
        self._now = self._onset = min(self._now + self._length(element), end)
        self._reach(self._now)

    def _reach(self, place: Fraction) -> None:
        self._measure.length = max(self._measure.length, place)

    def _nominal(self) -> Fraction:
        """Length of a bar by its metre, in quarters; unlimited in free metre."""
        return Fraction(4 * self._metre[0], self._metre[1]) if self._metre else _ENDLESS

    def _direction(self, element: Element) -> None:
        offset = (number(element.findtext("offset")) or _NOUGHT) / self._divisions
        at = max(_NOUGHT, self._now + offset)
        sound = element.find("sound")
        if sound is not None:
            self._sound(sound, at)
        marks = self._measure.marks
        for kind in element.findall("direction-type"):
            marks.segno |= kind.find("segno") is not None
            is_sign = kind.find("coda") is not None  # the sign stands at both ends of the jump
            marks.coda |= is_sign and (sound is None or sound.get("tocoda") is None)
            for words in kind.findall("words"):
                for name, pattern in _WORDS:
                    if pattern.search(words.text or ""):
                        setattr(marks, name, True)
            metronome = kind.find("metronome")
            if metronome is not None and (sound is None or sound.get("tempo") is None):
                self._metronome(metronome, at)
        if marks.to_coda and not (sound is not None and sound.get("coda")):
            marks.coda = False  # a sign beside the words marks the jump, not its target

    def _metronome(self, element: Element, at: Fraction) -> None:
        a_minute = number(element.findtext("per-minute"))
        unit = _BEAT_UNITS.get((element.findtext("beat-unit") or "").strip())
        if a_minute and unit and len(element.findall("beat-unit")) == 1:
            dots = len(element.findall("beat-unit-dot"))
            self._measure.tempos.append((at, float(a_minute) * unit * (2 - 0.5**dots)))

    def _sound_here(self, element: Element) -> None:
        self._sound(element, self._now)

    def _sound(self, element: Element, at: Fraction) -> None:
        if tempo := number(element.get("tempo")):
            self._measure.tempos.append((at, float(tempo)))
        if (percent := number(element.get("dynamics"))) is not None:
            self._velocity = min(max(round(_FORTE * percent / 100), 1), 127)
        for attribute, name in _SOUND_MARKS.items():
            if element.get(attribute, "no") != "no":
                setattr(self._measure.marks, name, True)
        if element.get("forward-repeat") == "yes":
            self._measure.marks.opens = True
        for instrument in element.findall("midi-instrument"):
            self._instruments.change(instrument)

    def _barline(self, element: Element) -> None:
        marks = self._measure.marks
        repeat = element.find("repeat")
        if repeat is not None and repeat.get("direction") == "forward":
            marks.opens = True
        elif repeat is not None:
            marks.closes = int(number(repeat.get("times")) or 2)
        ending = element.find("ending")
        if ending is not None and ending.get("type") == "start":
            marks.ending = _passes(ending.get("number", ""))
        elif ending is not None:
            marks.ends_ending = True
        marks.segno |= element.find("segno") is not None or element.get("segno") is not None
        marks.coda |= element.find("coda") is not None or element.get("coda") is not None


_HANDLERS = {
    "attributes": PartReader._attributes,
    "note": PartReader._note,
    "backup": PartReader._backup,
    "forward": PartReader._forward,
    "direction": PartReader._direction,
    "sound": PartReader._sound_here,
    "barline": PartReader._barline,
}


def number(text: str | None) -> Fraction | None:
    """Text in, its decimal number out; None if there is none or it has too many digits."""
    text = (text or "").strip()
    return Fraction(text) if _NUMBER.fullmatch(text) else None


def sounding_key(fifths: int, semitones: int) -> int:
    """Sharps and semitones in, the transposed key's sharps out; fewest if enharmonic."""
    moved = (fifths + 7 * semitones) % 12
    return fifths if not semitones else moved - 12 if moved > 6 else moved


def _metre(time: Element) -> tuple[int, int] | None:
    """A ``time`` element in, numerator and denominator out (composite metres added); None: free."""
    total, common = _NOUGHT, 1
    for beats, unit in zip(time.findall("beats"), time.findall("beat-type"), strict=False):
        parts = [number(part) for part in (beats.text or "").split("+")]
        kind = number(unit.text)
        if kind not in (1, 2, 4, 8, 16, 32, 64) or not all(parts):
            return None
        total += sum(filter(None, parts), _NOUGHT) / kind
        common = max(common, int(kind))
    numerator = total * common
    fits = numerator.denominator == 1 and 1 <= numerator <= 32
    return (int(numerator), common) if fits else None


def _passes(text: str) -> tuple[int, ...]:
    """An ending's number such as ``1, 2`` in, its passes out; the first if there is none."""
    found = tuple(int(one) for one in re.findall(r"\d{1,2}", text, re.ASCII))
    return tuple(one for one in found if one) or (1,)
