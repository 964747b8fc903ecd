"""A tune in ABC in, out as it is written: each repeat once, and which symbols every note is of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from seqforge.domains.music.abc import playback
from seqforge.domains.music.abc.parser import WrittenParser
from seqforge.domains.music.abc.playback import BarLine, Element, SoundingElement
from seqforge.domains.music.notes import BarSign, Piece


class WrittenSound(NamedTuple):
    """A note, or one of a chord."""

    step: int
    """Where it begins."""
    pitch: int
    symbol: int
    """The first symbol of it, or of its chord."""


@dataclass(frozen=True)
class WrittenPiece:
    """A tune as it is written."""

    piece: Piece
    sounds: tuple[WrittenSound, ...]
    signs: tuple[BarSign, ...] = ()


def written_piece(text: str, steps_per_quarter: int) -> WrittenPiece:
    """A tune in, its notes in written order out; grace notes, which take no time, are left out."""
    parser = WrittenParser(text)
    voices = parser.voices()
    plain = [[_plain(element) for element in elements] for elements in voices]
    sounds: list[WrittenSound] = []
    for elements, once in zip(voices, plain, strict=True):
        spans = parser.spans(elements)
        for number, (step, _) in enumerate(playback.placed(once, steps_per_quarter)):
            element = once[number]
            if isinstance(element, SoundingElement) and number in spans:
                start = spans[number][0]
                sounds += (WrittenSound(step, pitch, start) for pitch in element.pitches)
    piece = playback.perform(plain, steps_per_quarter, 0).piece
    return WrittenPiece(piece, tuple(sounds), tuple(_signs(voices[0], plain[0], steps_per_quarter)))


def _plain(element: Element) -> Element:
    """A bar line that repeats nothing; a note without what is before it."""
    if isinstance(element, SoundingElement):
        return element._replace(grace=())
    if isinstance(element, BarLine) and (element.closes or element.opens or element.endings):
        return BarLine(0, 0, True, ())
    return element


def _signs(
    elements: Sequence[Element], plain: Sequence[Element], steps_per_quarter: int
) -> Iterator[BarSign]:
    """Bar lines of a voice that are no plain ones, those at one place as one."""
    found: dict[int, BarSign] = {}
    places = playback.placed(plain, steps_per_quarter)
    for element, (step, _) in zip(elements, places, strict=True):
        if not isinstance(element, BarLine):
            continue
        before = found.get(step, BarSign(step, False, False, False, ""))
        ending = ",".join(map(str, element.endings)) or before.ending
        found[step] = BarSign(
            step, before.closes or element.closes > 0, before.opens or element.opens > 0,
            before.double or element.double, ending,
        )  # fmt: skip
    yield from (sign for sign in found.values() if any(sign[1:]))
