"""Pitches to letters: what is in the key by the key, what is not by where it goes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from seqforge.domains.music.keys import PITCH_CLASS, signature, spelling

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
