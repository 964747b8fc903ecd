"""Pitches to letters: what is in the key by the key, what is not by where it goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from seqforge.domains.music.keys import PITCH_CLASS, signature, spelling
from seqforge.domains.music.score.divisions import SIXTEENTH
from seqforge.domains.music.score.values import Sound, Value
from seqforge.domains.music.score.voices import Voice

Name = tuple[str, int, int]
"""Letter, alteration in semitones, and octave; middle C is ("C", 0, 4)."""

_BLACK = (1, 3, 6, 8, 10)


def name_of(pitch: int, following: Sequence[int], sharps: int) -> Name:
    """How a pitch is written.

    A note outside the scale is a lower neighbour raised where a step up follows (E D# E), an upper
    one lowered where a step down does (D Eb D); else what lies nearest on the line of fifths, and
    so too where that would be a white key by another name.

    Args:
        pitch: 0-127.
        following: Pitches of what sounds next in its voice.
        sharps: Of the key signature.
    """
    letter, alter = spelling(sharps)[pitch % 12]
    scale = _scale(sharps)
    if pitch % 12 not in scale:
        up, down = pitch + 1 in following, pitch - 1 in following
        neighbour, by = scale[(pitch - 1 if up else pitch + 1) % 12]
        by += 1 if up else -1
        if up != down and (by == 0 or (pitch % 12 in _BLACK and abs(by) == 1)):
            letter, alter = neighbour, by
    octave = (pitch - alter - PITCH_CLASS[letter]) // 12 - 1
    if octave < 0:  # below what MusicXML can say
        letter, alter = spelling(0)[pitch % 12]
        octave = 0
    return letter, alter, octave


@lru_cache(maxsize=32)
def _scale(sharps: int) -> dict[int, tuple[str, int]]:
    altered = signature(sharps)
    return {
        (place + altered.get(letter, 0)) % 12: (letter, altered.get(letter, 0))
        for letter, place in PITCH_CLASS.items()
    }


class Spelled(NamedTuple):
    """A name as it stands in its bar."""

    letter: str
    alter: int
    octave: int
    shows: bool
    """Whether its accidental has to be written."""


class Speller:
    """Names the pitches of a part, bar after bar."""

    def __init__(self, voices: Sequence[Voice]) -> None:
        self._names: dict[tuple[int, int], Name] = {}
        self._following: dict[int, tuple[int, ...]] = {}  # repetitions passed over
        for voice in voices:
            for following, sound in pairwise(reversed(voice.sounds)):
                if following.start - sound.end <= SIXTEENTH:
                    after = following.pitches
                    if after == sound.pitches:
                        after = self._following.get(id(following), ())
                    self._following[id(sound)] = after

    def spelled(
        self, voices: list[list[Value]], sharps: int
    ) -> Iterator[tuple[tuple[int, int], Spelled]]:
        """(id of a sign, pitch) and its name, for the voices of a staff in a bar.

        An accidental holds for its letter and octave to the end of the bar, and is not repeated
        after a tie.
        """
        altered = signature(sharps)
        said: dict[tuple[str, int], int] = {}
        values = sorted((v for values in voices for v in values), key=lambda value: value.start)
        for value, sound in ((value, value.sound) for value in values if value.sound):
            for pitch in sound.pitches:
                letter, alter, octave = self._named(sound, pitch, sharps)
                shows = not value.from_before and alter != said.get(
                    (letter, octave), altered.get(letter, 0)
                )
                if not value.from_before:
                    said[letter, octave] = alter
                yield (id(value), pitch), Spelled(letter, alter, octave, shows)

    def _named(self, sound: Sound, pitch: int, sharps: int) -> Name:
        """The name of a pitch, the same in all bars that it is tied through."""
        place = (id(sound), pitch)
        if place not in self._names:
            self._names[place] = name_of(pitch, self._following.get(id(sound), ()), sharps)
        return self._names[place]
