"""ABC text in, tokens and tunes out; field values (metre, unit length, key, voices) parsed."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from seqforge.domains.music.abc.source import in_order, logical_lines
from seqforge.domains.music.keys import ALTERATION, FIELD_LINE, PITCH_CLASS

_LENGTH = r"\d{0,4}(?:/+\d{0,4})?"
NOTE = rf"(?P<accidental>[\^_=]{{0,4}})(?P<letter>[A-Ga-g])(?P<octave>[,']*)(?P<length>{_LENGTH})"
TOKEN = re.compile(
    rf"""
      (?P<note>{NOTE})
    | (?P<space>[ \t`]+)
    | (?P<bar>(?::+\|[|\]:]*|::+|\[?\|[|\]:]*)(?:[ ]?\[(?=\d)|)(?P<ending>\d[\d,.\-]*)?)
    | (?P<rest>[zxZX](?P<rest_length>{_LENGTH}))
    | (?P<comment>%.*)
    | (?P<quoted>"[^"]*"?)
    | (?P<field>\[(?P<field_name>[A-Za-z]):(?P<field_value>[^\]]*)\]?)
    | (?P<alone>\[(?P<alone_ending>\d[\d,.\-]*))
    | (?P<chord>\[(?P<inside>(?:"[^"]{{0,80}}"|[^\]|"]){{0,200}})\](?P<chord_length>{_LENGTH}))
    | (?P<tuplet>\((?P<p>\d)(?::(?P<q>\d{{0,2}}))?(?::(?P<r>\d{{0,2}}))?)
    | (?P<overlay>\(&|&\)|&+)
    | (?P<slur>[()])
    | (?P<broken><+|>+)
    | (?P<tie>-)
    | (?P<grace>\{{(?P<ornament>[^}}]*)\}}?)
    | (?P<decoration>![^!|\s]{{0,24}}!|\+[a-z<>()\d]{{2,16}}\+|y\d*|[.~H-Wh-w])
    """,
    re.VERBOSE,
)
"""The tokens of a line of music; what none matches means nothing."""
NOTE_TOKEN = re.compile(NOTE)

_METRE = re.compile(r"\(?(\d{1,3}(?:\s*\+\s*\d{1,3}){0,30})\)?\s*/\s*(\d{1,3})(?!\d)")
_UNIT = re.compile(r"(\d{1,3})\s*/\s*(\d{1,3})(?!\d)")
_COMMENT = re.compile(r"(?<!\\)%")
_ACCENT = re.compile(r"\\([`'^~\"=cuv])([A-Za-z])|\\u([0-9A-Fa-f]{4})|&#?\w{1,31};")
_ACCENTS = dict(
    zip("`'^~\"=cuv", "\u0300\u0301\u0302\u0303\u0308\u0304\u0327\u0306\u030c", strict=True)
)


@dataclass
class Tune:
    """One tune of a tune book."""

    number: str = ""
    title: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    """Values of M, L, K and Q of the header."""
    header: list[str] = field(default_factory=list)
    """Header lines up to K:, the file header's first."""
    body: list[str] = field(default_factory=list)
    """Lines after K:, including fields."""
    has_key: bool = False

    def heads(self, line: str) -> None:
        """Add a header line."""
        match = FIELD_LINE.match(line)
        if match is None:
            if line.startswith("[") and "[K:" in line:  # an inline key field also begins the music
                self.has_key = True
                self.body.append(line)
            return
        name, value = match[1], _COMMENT.split(match[2], maxsplit=1)[0].strip()
        if name == "K":
            self.has_key = True
            value, voice, name_of_voice = value.partition(" V:")
            value, bracket, music = value.partition("[")
            self.body += ["V:" + name_of_voice] * bool(voice) + [bracket + music] * bool(bracket)
        if name in "MLKQ":
            self.fields[name] = value.strip()
        elif name == "T" and not self.title:
            self.title = plain_text(value)
        self.header.append(f"{name}:{value}")


def split_tunes(text: str) -> Iterator[Tune]:
    """A tune book in, its tunes out: each begins at X: and ends at a blank line or the next X:.

    A tune without X: begins at its first field. Fields before the first X:, without K:, are the
    file header and hold for all tunes.
    """
    tune: Tune | None = None
    shared: list[str] = []
    numbered = False
    for line in logical_lines(text):
        match = FIELD_LINE.match(line)
        name = match[1] if match else ""
        if not line.strip() or name == "X":
            if tune is not None and not numbered and not tune.has_key:
                shared, tune = tune.header, None
            if tune is not None:
                yield _whole(tune)
            numbered = numbered or name == "X"
            tune = _begun(shared, match[2].strip()) if match and name == "X" else None
            continue
        if tune is None:
            if not name:
                continue  # free text between tunes
            tune = _begun([] if not numbered else shared, "")
        if tune.has_key:
            tune.body.append(line)
        else:
            tune.heads(line)
    if tune is not None:
        yield _whole(tune)


def _begun(shared: list[str], number: str) -> Tune:
    tune = Tune(number=number)
    for line in shared:
        if not line.startswith("T:"):
            tune.heads(line)
    return tune


def _whole(tune: Tune) -> Tune:
    tune.body = in_order(tune.header, tune.body)
    return tune


def plain_text(value: str) -> str:
    """A text with its accents as Unicode has them, for which ``\\'e`` and ``&eacute;`` stand."""

    def letter(match: re.Match[str]) -> str:
        if match[1]:
            return unicodedata.normalize("NFC", match[2] + _ACCENTS[match[1]])
        found = chr(int(match[3], 16)) if match[3] else html.unescape(match[0])
        return found if found.isprintable() else " "

    return _ACCENT.sub(letter, value).replace("\\%", "%")


def bar_signs(text: str) -> tuple[int, int, bool]:
    """A bar line in; closing colons, opening colons and whether it is double out.

    Args:
        text: A bar line, perhaps with an ending number; ``[|]`` is invisible.
    """
    core = text.rstrip("0123456789,.-").replace(" ", "")
    core = core.removesuffix("[") or core
    is_double = len(core.replace("[", "").replace("]", "|")) > 1 or core.startswith("[|")
    is_double = is_double and core != "[|]"
    core = core.replace("[", "").replace("]", "|")
    if not core.strip(":"):
        return (1, 1, True) if len(core) > 1 else (len(core), 0, is_double)
    return len(core) - len(core.lstrip(":")), len(core) - len(core.rstrip(":")), is_double


def metre_text(value: str) -> str:
    """A metre in, its normal form out: C, C|, n/d, or none."""
    value = value.strip()
    if value in ("C", "C|"):
        return value
    match = _METRE.match(value)
    if match is None:
        return "none"
    numerator = sum(int(part) for part in match[1].split("+"))
    denominator = int(match[2])
    fits = 1 <= numerator <= 32 and denominator in (1, 2, 4, 8, 16, 32, 64)
    return f"{numerator}/{denominator}" if fits else "none"


def metre(text: str) -> tuple[int, int] | None:
    """A metre in normal form in, numerator and denominator out; None for free metre."""
    if text in ("C", "C|"):
        return (4, 4) if text == "C" else (2, 2)
    numerator, _, denominator = text.partition("/")
    return (int(numerator), int(denominator)) if denominator else None


def default_unit(metre_value: str) -> str:
    """A metre in, its default unit note length out: 1/16 below 3/4, else 1/8."""
    found = metre(metre_value)
    return "1/16" if found is not None and found[0] / found[1] < 0.75 else "1/8"


def unit_text(value: str) -> str | None:
    """A unit note length in, its form n/d out; None if it is malformed."""
    match = _UNIT.match(value.strip())
    if match is None or not 1 <= int(match[2]) <= 512 or not 1 <= int(match[1]) <= 64:
        return "1/1" if value.strip() == "1" else None
    return f"{int(match[1])}/{int(match[2])}"


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
class VoiceTransposition:
    """Transposition of a voice: semitones from written to sounding pitch."""

    clef: int = 0
    octave: int = 0
    transpose: int = 0
    sound: int = 0
    midi: int = 0
    semitones: int = 0
    """The sum of all transpositions."""

    def _add_up(self) -> None:
        total = self.clef + 12 * self.octave + self.transpose + self.sound + self.midi
        self.semitones = min(max(total, -_MOST), _MOST)

    def take(self, value: str) -> None:
        """Read a ``K:`` or ``V:`` field."""
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
        """Read an ``I:`` field."""
        if match := _MIDI.match(value):
            self.midi = min(max(int(match[2]) + (self.midi if match[1] else 0), -_MOST), _MOST)
            self._add_up()


def _height(accidental: str, letter: str, octave: str) -> int:
    marks = octave.count("'") - octave.count(",")
    upper = letter.upper()
    return PITCH_CLASS[upper] + ALTERATION.get(accidental, 0) + 12 * ((letter != upper) + marks)


def voice_name(value: str) -> str:
    """A ``V:`` field in, its voice's name out."""
    words = value.split(maxsplit=1)
    return words[0] if words else ""


def score_order(value: str) -> list[str]:
    """An ``I:`` field in, its voices from the top staff down out."""
    match = _SCORE.match(value)
    return re.findall(r"[^\s()\[\]{}|*+~]+", match[1]) if match else []


class Voice(Protocol):
    """Interface of a voice of `Voices`."""

    sounding: VoiceTransposition

    @property
    def is_empty(self) -> bool:
        """Whether it has no content."""


_V = TypeVar("_V", bound=Voice)


class Voices(Generic[_V]):
    """The voices of a tune and the current one.

    Music before any ``V:`` belongs to the first voice declared in the header, or to voice 1.
    Without such music the first ``V:`` is the first voice.
    """

    def __init__(self, make: Callable[[VoiceTransposition], _V]) -> None:
        """``make``: a function from transposition to a new voice."""
        self._make = make
        self._sounding = VoiceTransposition()
        self._declared: dict[str, str] = {}
        self._order: list[str] = []
        self._found: dict[str, _V] = {}
        self._silent: _V | None = None
        self._now: _V | None = None
        self.is_chosen = False
        """Whether a ``V:`` of the body was seen."""

    def head(self, name: str, value: str) -> None:
        """Read a header field: V, K or I."""
        if name == "V" and (voice := voice_name(value)):
            self._declared[voice] = f"{self._declared.get(voice, '')} {value}"
        elif name == "K":
            self._sounding.take(value)
        elif name == "I":
            self.direct(value)

    @property
    def now(self) -> _V:
        """The current voice."""
        if self._now is None:
            self._now = self._begun(next(iter(self._declared), "1"))
        return self._now

    @property
    def is_shared(self) -> bool:
        """Whether a field holds for all voices, because none has begun."""
        return not self.is_chosen and (self._now is None or self._now.is_empty)

    def change(self, value: str) -> None:
        """Switch to the voice of a ``V:`` field."""
        name = voice_name(value)
        if not name or name == "*":
            return
        if self.is_shared:
            self._found.clear()
        self.is_chosen = True
        self._now = self._begun(name)
        self._now.sounding.take(value)

    def direct(self, value: str) -> None:
        """Read an ``I:`` field of the body."""
        self._order = score_order(value) or self._order
        if self.is_shared:
            self._sounding.direct(value)
        if self._now is not None:
            self._now.sounding.direct(value)

    def ordered(self) -> list[_V]:
        """Voices with content, from the top staff down."""
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
    """Key signature and semitones in, the transposed one out; fewest accidentals if enharmonic."""
    nearest = (7 * semitones + 6) % 12 - 6
    if not semitones % 12:
        return sharps
    return min((sharps + nearest + by for by in (0, 12, -12)), key=abs)
