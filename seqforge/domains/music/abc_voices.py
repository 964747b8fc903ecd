"""What the fields of ABC say about voices: which there are, and how far from the page they sound.

A clef with 8 below or above, ``octave=``, ``transpose=``, ``sound=`` and ``%%MIDI transpose`` all
move what is heard (standard 4.6); they add up. ``score=`` and ``middle=`` move what is printed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from seqforge.domains.music.keys import ALTERATION, PITCH_CLASS

MOST_VOICES = 64
"""What is written for further ones is left out."""
_QUOTED_CLEF = re.compile(r'clef="([^"]{0,40})"', re.IGNORECASE)
_OCTAVES = r"[1-5]?(?P<by>[+-](?:8|15))?\Z"
_CLEF = re.compile(r"(?:treble|alto|tenor|bass|perc|none|[GCFP])?" + _OCTAVES, re.IGNORECASE)
_BARE_CLEF = re.compile(r"(?:treble|alto|tenor|bass|perc)" + _OCTAVES, re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d{1,3}(?!\d)")
_INTERVAL = re.compile(r"([\^_=]{0,2})([A-Ga-g])([,']{0,9})" * 2 + r"\Z")
_MIDI = re.compile(r"\s*MIDI\s*=?\s*(r?)transpose\s+([+-]?\d{1,3})(?!\d)", re.IGNORECASE)
_SCORE = re.compile(r"\s*(?:score|staves)\b(.*)", re.IGNORECASE)
_MOST = 60


@dataclass
class Sounding:
    """How many semitones above the page a voice sounds."""

    clef: int = 0
    octave: int = 0
    transpose: int = 0
    sound: int = 0
    midi: int = 0
    semitones: int = 0
    """All together."""

    def _add_up(self) -> None:
        total = self.clef + 12 * self.octave + self.transpose + self.sound + self.midi
        self.semitones = min(max(total, -_MOST), _MOST)

    def take(self, value: str) -> None:
        """What a ``K:`` or ``V:`` field says about it."""
        value = re.sub(r'"[^"]*"?', "", _QUOTED_CLEF.sub(r"clef=\1", value))
        for word in value.replace(" =", "=").replace("= ", "=").split():
            name, equals, said = word.partition("=")
            name = name.lower()
            if not equals or name == "clef":
                if clef := _CLEF.match(said) if equals else _BARE_CLEF.match(word):
                    by = int(clef["by"] or 0)
                    self.clef = {0: 0, 8: 12, 15: 24}[abs(by)] * (-1 if by < 0 else 1)
            elif name in ("octave", "transpose", "t") and (number := _NUMBER.match(said)):
                attribute = "octave" if name == "octave" else "transpose"
                setattr(self, attribute, min(max(int(number[0]), -_MOST), _MOST))
            elif name in ("sound", "shift") and (pair := _INTERVAL.match(said)):
                self.sound = _height(*pair.groups()[3:]) - _height(*pair.groups()[:3])
        self._add_up()

    def direct(self, value: str) -> None:
        """What an ``I:`` field says about it."""
        if match := _MIDI.match(value):
            self.midi = min(max(int(match[2]) + (self.midi if match[1] else 0), -_MOST), _MOST)
            self._add_up()


def _height(accidental: str, letter: str, octave: str) -> int:
    marks = octave.count("'") - octave.count(",")
    upper = letter.upper()
    return PITCH_CLASS[upper] + ALTERATION.get(accidental, 0) + 12 * ((letter != upper) + marks)


def voice_name(value: str) -> str:
    """The voice that a ``V:`` field names."""
    words = value.split(maxsplit=1)
    return words[0] if words else ""


def score_order(value: str) -> list[str]:
    """Voices from the top of the page down, where an ``I:`` field says so."""
    match = _SCORE.match(value)
    return re.findall(r"[^\s()\[\]{}|*+~]+", match[1]) if match else []


class Voice(Protocol):
    """Anything that is kept for each voice."""

    sounding: Sounding

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written into it."""


_V = TypeVar("_V", bound=Voice)


class Voices(Generic[_V]):
    """The voices of a tune, and the one that is being written.

    What stands before any ``V:`` belongs to a voice of its own: the first that the header declares,
    or 1. Where nothing stands there, the first ``V:`` is the first voice.
    """

    def __init__(self, make: Callable[[Sounding], _V]) -> None:
        """With ``make``, a new voice that sounds so far from the page."""
        self._make = make
        self._sounding = Sounding()
        self._declared: dict[str, str] = {}
        self._order: list[str] = []
        self._found: dict[str, _V] = {}
        self._silent: _V | None = None
        self._now: _V | None = None
        self.is_chosen = False
        """Whether a ``V:`` of the body was seen."""

    def head(self, name: str, value: str) -> None:
        """A field of the header: V, K or I."""
        if name == "V" and (voice := voice_name(value)):
            self._declared[voice] = f"{self._declared.get(voice, '')} {value}"
        elif name == "K":
            self._sounding.take(value)
        elif name == "I":
            self.direct(value)

    @property
    def now(self) -> _V:
        """The voice that is being written."""
        if self._now is None:
            self._now = self._begun(next(iter(self._declared), "1"))
        return self._now

    @property
    def is_shared(self) -> bool:
        """Whether a field here holds for all voices, since none was begun."""
        return not self.is_chosen and (self._now is None or self._now.is_empty)

    def change(self, value: str) -> None:
        """Go on in the voice that a ``V:`` field of the body names."""
        name = voice_name(value)
        if not name or name == "*":
            return
        if self.is_shared:
            self._found.clear()
        self.is_chosen = True
        self._now = self._begun(name)
        self._now.sounding.take(value)

    def direct(self, value: str) -> None:
        """An ``I:`` field."""
        self._order = score_order(value) or self._order
        if self.is_shared:
            self._sounding.direct(value)
        if self._now is not None:
            self._now.sounding.direct(value)

    def ordered(self) -> list[_V]:
        """Those that something was written into, from the top of the page down."""
        names = dict.fromkeys([*self._order, *self._declared, *self._found])
        voices = [self._found[name] for name in names if name in self._found]
        return [voice for voice in voices if not voice.is_empty]

    def _begun(self, name: str) -> _V:
        if name in self._found:
            return self._found[name]
        sounding = replace(self._sounding)
        sounding.take(self._declared.get(name, ""))
        if len(self._found) >= MOST_VOICES:
            self._silent = self._silent or self._make(sounding)
            return self._silent
        self._found[name] = self._make(sounding)
        return self._found[name]


def moved_signature(sharps: int, semitones: int) -> int:
    """The signature so many semitones away; of enharmonic ones that with the fewest signs."""
    nearest = (7 * semitones + 6) % 12 - 6
    if not semitones % 12:
        return sharps
    return min((sharps + nearest + by for by in (0, 12, -12)), key=abs)
