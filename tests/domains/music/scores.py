"""MusicXML read by counting alone: the slow, independent version that the writer is held to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree import ElementTree

PITCH_CLASS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
NOTE_ORDER = ("chord", "pitch", "unpitched", "rest", "duration", "tie", "instrument", "voice",
              "type", "dot", "accidental", "time-modification", "stem", "notehead", "staff", "beam",
              "notations")  # fmt: skip
"""Children of <note> in the order of the MusicXML 4.0 schema, as far as they are used."""
TYPES = {"breve": 8, "whole": 4, "half": 2, "quarter": 1, "eighth": Fraction(1, 2)} | {
    f"{part}{end}": Fraction(4, part) for part, end in ((16, "th"), (32, "nd"), (64, "th"))
}
FLAGS = {"eighth": 1, "16th": 2, "32nd": 3, "64th": 4}


@dataclass
class Sign:
    """A note or rest as it stands in the document; times in quarters."""

    start: Fraction
    length: Fraction
    pitch: int | None
    """None for a rest."""
    voice: str
    staff: str
    chord: bool
    element: ElementTree.Element
    beams: dict[int, str] = field(default_factory=dict)


def measures(xml: str) -> Iterator[tuple[str, Fraction, Fraction, list[Sign]]]:
    """(part, start, length by its signs, signs) of each measure, cursor moves followed."""
    root = ElementTree.fromstring(xml)
    for part in root.iter("part"):
        start, divisions = Fraction(0), 1
        for measure in part.iter("measure"):
            now, longest, signs = Fraction(0), Fraction(0), []
            for element in measure:
                if element.tag == "attributes" and element.find("divisions") is not None:
                    divisions = int(element.findtext("divisions"))
                if element.tag not in ("note", "backup", "forward"):
                    continue
                steps = Fraction(int(element.findtext("duration")), divisions)
                if element.tag == "backup":
                    now -= steps
                    assert now >= 0
                elif element.tag == "forward":
                    now += steps
                else:
                    sign = _sign(element, start + now, steps)
                    if sign.chord:
                        sign.start = signs[-1].start
                    else:
                        now += steps
                    signs.append(sign)
                longest = max(longest, now)
            yield part.get("id"), start, longest, signs
            start += longest


def _sign(element: ElementTree.Element, start: Fraction, length: Fraction) -> Sign:
    pitch = None
    if (named := element.find("pitch")) is not None:
        octave, alter = int(named.findtext("octave")), int(named.findtext("alter", "0"))
        assert 0 <= octave <= 9
        pitch = 12 * (octave + 1) + PITCH_CLASS[named.findtext("step")] + alter
    elif (drum := element.find("instrument")) is not None:
        pitch = int(drum.get("id").rsplit("I", 1)[1]) - 1
    beams = {int(beam.get("number")): beam.text for beam in element.iter("beam")}
    return Sign(
        start, length, pitch, element.findtext("voice"), element.findtext("staff", "1"),
        element.find("chord") is not None, element, beams,
    )  # fmt: skip


def sounding(xml: str) -> list[tuple[int, Fraction, Fraction]]:
    """(pitch, start, length) of every note, ties followed, in order of time."""
    found: list[tuple[int, Fraction, Fraction]] = []
    for part, _ in Counter(part for part, *_ in measures(xml)).items():
        tied: dict[tuple[str, int], tuple[Fraction, Fraction]] = {}
        for name, _, _, signs in measures(xml):
            for sign in signs:
                if name != part or sign.pitch is None:
                    continue
                kinds = {tie.get("type") for tie in sign.element.iter("tie")}
                assert kinds == {tie.get("type") for tie in sign.element.iter("tied")}
                key, start, length = (sign.voice, sign.pitch), sign.start, sign.length
                if "stop" in kinds:
                    start, end = tied.pop(key)
                    assert end == sign.start, "a tie joins notes that touch"
                    length = sign.start + sign.length - start
                if "start" in kinds:
                    tied[key] = (start, sign.start + sign.length)
                else:
                    found.append((sign.pitch, start, length))
        assert not tied, "every tie ends"
    return sorted(found, key=lambda note: (note[1], note[0]))


def check(xml: str) -> None:
    """Asserts all that a notation program relies on."""
    starts = defaultdict(list)
    for part, start, length, signs in measures(xml):
        starts[part].append((start, length))
        _check_voices(signs, start, length)
        _check_accidentals(signs)
        for sign in signs:
            _check_sign(sign)
    assert len({str(lines) for lines in starts.values()}) == 1, "all parts have the same bars"
    _check_metres(xml, next(iter(starts.values())))


def _check_metres(xml: str, bars: list[tuple[Fraction, Fraction]]) -> None:
    full = Fraction(4)
    part = ElementTree.fromstring(xml).find("part")
    for measure, (_, length) in zip(part.iter("measure"), bars, strict=True):
        for time in measure.iter("time"):
            full = Fraction(int(time.findtext("beats")) * 4, int(time.findtext("beat-type")))
        assert length == full or (length < full and measure.get("implicit") == "yes")


def _check_voices(signs: list[Sign], start: Fraction, length: Fraction) -> None:
    lines: dict[str, list[Sign]] = defaultdict(list)
    for sign in signs:
        if not sign.chord:
            lines[sign.voice].append(sign)
    assert 1 <= len(lines) <= 4
    for line in lines.values():
        assert len({sign.staff for sign in line}) == 1, "a voice stays on its staff"
        now = start
        for sign in line:
            assert sign.start >= now, "one after the other"
            now = sign.start + sign.length
        assert now <= start + length
        _check_beams(line)
        brackets = [e.get("type") for sign in line for e in sign.element.iter("tuplet")]
        assert brackets == ["start", "stop"] * (len(brackets) // 2)


def _check_beams(line: list[Sign]) -> None:
    """Each beam begins, continues and ends over signs that touch and have as many flags."""
    open_beams: set[int] = set()
    for before, sign in zip([None, *line], line, strict=False):
        if open_beams:
            assert before is not None
            assert before.start + before.length == sign.start
            assert 1 in sign.beams
        if sign.beams:
            assert sign.pitch is not None or sign.element.find("unpitched") is not None
            assert set(sign.beams) == set(range(1, FLAGS[sign.element.findtext("type")] + 1))
        for number, does in sign.beams.items():
            assert (number in open_beams) == (does in ("continue", "end"))
            if does == "begin":
                open_beams.add(number)
            elif does == "end":
                open_beams.remove(number)
            else:
                assert does in ("continue", "forward hook", "backward hook")
        assert open_beams <= set(sign.beams)
    assert not open_beams


def _check_accidentals(signs: list[Sign]) -> None:
    """What a reader infers from the signs shown is the pitch that is meant."""
    # The signature is not repeated in each measure: only what was said within it is checked.
    said: dict[tuple[str, str, str], str] = {}
    for sign in sorted(signs, key=lambda sign: sign.start):
        named = sign.element.find("pitch")
        if named is None or any(t.get("type") == "stop" for t in sign.element.iter("tie")):
            continue
        place = (sign.staff, named.findtext("step"), named.findtext("octave"))
        alter = named.findtext("alter", "0")
        if sign.element.find("accidental") is not None or place not in said:
            said[place] = alter
        assert said[place] == alter


def _check_sign(sign: Sign) -> None:
    order = [NOTE_ORDER.index(child.tag) for child in sign.element]
    assert order == sorted(order)
    name = sign.element.findtext("type")
    if name is None:
        assert sign.element.find("rest").get("measure") == "yes"
        return
    length = TYPES[name] * (Fraction(3, 2) if sign.element.find("dot") is not None else 1)
    if sign.element.find("time-modification") is not None:
        length *= Fraction(2, 3)
    assert sign.length == length, "what it looks like is how long it lasts"
