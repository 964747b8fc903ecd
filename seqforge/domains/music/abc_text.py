"""ABC as text: its tokens, the values of its fields, and the tunes of a book.

The notation is that of the ABC standard 2.1, http://abcnotation.com/wiki/abc:standard:v2.1, with
what older files have instead.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from seqforge.domains.music.abc_source import FIELD_LINE, in_order, logical_lines

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
    """One tune of a book: what its lines say, in the order in which they are played."""

    number: str = ""
    title: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    """M, L, K and Q of the header."""
    header: list[str] = field(default_factory=list)
    """Its lines up to K:, those that hold for the whole file first."""
    body: list[str] = field(default_factory=list)
    """The lines after K:, fields among them."""
    has_key: bool = False

    def heads(self, line: str) -> None:
        """Take up a line of the header."""
        match = FIELD_LINE.match(line)
        if match is None:
            if line.startswith("[") and "[K:" in line:  # a key in brackets heads a tune as well
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
    """The tunes of a book: one begins at X:, and ends at a blank line or the next X:.

    A tune whose X: is missing begins at its first field. Fields before the first X:, with no K:
    among them, are the header of the file and hold for every tune.
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
    """How many colons close a repeat, how many open one, and whether the line is a double one.

    Args:
        text: A bar line, and the ending that it may begin; ``[|]`` is one that nobody sees.
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
    """A metre in its short form: C, C|, n/d, or none."""
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
    """Numerator and denominator of a metre in its short form; None for no metre."""
    if text in ("C", "C|"):
        return (4, 4) if text == "C" else (2, 2)
    numerator, _, denominator = text.partition("/")
    return (int(numerator), int(denominator)) if denominator else None


def default_unit(metre_value: str) -> str:
    """The unit note length where L: is missing: 1/16 below three quarters of a whole, else 1/8."""
    found = metre(metre_value)
    return "1/16" if found is not None and found[0] / found[1] < 0.75 else "1/8"


def unit_text(value: str) -> str | None:
    """A unit note length as n/d; None where it is none."""
    match = _UNIT.match(value.strip())
    if match is None or not 1 <= int(match[2]) <= 512 or not 1 <= int(match[1]) <= 64:
        return "1/1" if value.strip() == "1" else None
    return f"{int(match[1])}/{int(match[2])}"
