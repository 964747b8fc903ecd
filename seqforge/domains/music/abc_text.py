"""ABC as text: its tokens, tunes split out of a book, and the cleaned text that a model sees.

The notation is that of the ABC standard 2.1, http://abcnotation.com/wiki/abc:standard:v2.1, with
what older files have instead. The cleaning rules stand in docs/music.md.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from seqforge.domains.music.keys import parse_key

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
    | (?P<slur>[()])
    | (?P<broken><+|>+)
    | (?P<tie>-)
    | (?P<grace>\{{(?P<ornament>[^}}]*)\}}?)
    | (?P<decoration>![^!|\s]{{0,24}}!|\+[a-z<>()\d]{{2,16}}\+|[.~H-Wh-wy])
    """,
    re.VERBOSE,
)
"""The tokens of a line of music; what none matches means nothing."""
NOTE_TOKEN = re.compile(NOTE)
FIELD_LINE = re.compile(r"([A-Za-z]):(?![|:])(.*)")

_METRE = re.compile(r"\(?(\d+(?:\s*\+\s*\d+)*)\)?\s*/\s*(\d+)")
_UNIT = re.compile(r"(\d+)\s*/\s*(\d+)")
_TWICE = re.compile(r"(\||:|\|\]|^K:.*)\n\|(\|?)(?![|:\]\d])", re.MULTILINE)


@dataclass
class Tune:
    """One tune of a book as it stands there."""

    number: str = ""
    title: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    """M, L, K and Q of the header."""
    body: list[str] = field(default_factory=list)
    """The lines after K:, fields among them."""
    has_key: bool = False


def split_tunes(text: str) -> Iterator[Tune]:
    """The tunes of a book: one begins at X:, and ends at a blank line or the next X:.

    A tune whose X: is missing begins at its first field.
    """
    tune: Tune | None = None
    for line in _logical_lines(text):
        match = FIELD_LINE.match(line)
        name = match[1] if match else ""
        if not line.strip() or name == "X":
            if tune is not None:
                yield tune
            tune = Tune(number=match[2].strip()) if match and name == "X" else None
            continue
        if tune is None:
            if not name:
                continue  # free text between tunes
            tune = Tune()
        if tune.has_key:
            tune.body.append(line)
        elif match:
            value = match[2].split("%")[0].strip()
            tune.has_key = name == "K"
            if name in "MLKQ":
                tune.fields[name] = value
            elif name == "T" and not tune.title:
                tune.title = value
    if tune is not None:
        yield tune


def _logical_lines(text: str) -> Iterator[str]:
    """Lines, those that end in a backslash joined with the next; comment lines left out."""
    waiting = ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line.startswith("%"):
            continue
        whole = waiting + line.rstrip()
        if whole.endswith("\\") and not FIELD_LINE.match(line):
            waiting = whole[:-1]
            continue
        waiting = ""
        yield whole
    if waiting:
        yield waiting


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


def clean_tune(tune: Tune, dropped: Counter[str]) -> str:
    """What a model sees of a tune: M:, L:, K:, and its music; empty where there is no note.

    Args:
        tune: As `split_tunes` gives it.
        dropped: What is left out although it sounds is counted here.
    """
    metre_value = metre_text(tune.fields.get("M", "none"))
    unit = unit_text(tune.fields.get("L", "")) or default_unit(metre_value)
    header = [f"M:{metre_value}", f"L:{unit}", f"K:{parse_key(tune.fields.get('K', ''))}"]
    cleaner = _Cleaner(dropped)
    body = [line for raw in tune.body if (line := cleaner.line(raw))]
    return _said_once("\n".join(header + body)) if cleaner.notes else ""


def _said_once(tune: str) -> str:
    """A bar line that ends a line and begins the next only ends it; a double one stays double."""

    def joined(lines: re.Match[str]) -> str:
        plain = lines[1] == "|" and tune[lines.start() - 1] not in "|:"
        return f"{lines[1]}{lines[2] if plain else ''}\n"

    before = ""
    while before != tune:
        before = tune
        tune = re.sub(r"\n{2,}", "\n", _TWICE.sub(joined, tune)).rstrip("\n")
    return tune


class _Cleaner:
    """Cleans the lines of one tune."""

    def __init__(self, dropped: Counter[str]) -> None:
        self._dropped = dropped
        self._voices: set[str] = set()
        self._muted = False  # in a voice other than the first
        self._waiting = ""  # fields on lines of their own, to be put before the next music
        self.notes = 0

    def line(self, raw: str) -> str:
        if match := FIELD_LINE.match(raw):
            self._waiting += self._field(match[1], match[2])
            return ""
        out = [self._waiting]
        for token in TOKEN.finditer(raw):
            kept = self._token(token)
            if kept and not self._muted:
                _append(out, kept)
        line = "".join(out).strip()
        self._waiting = "" if line != self._waiting else self._waiting
        return "" if line == self._waiting else line

    def _token(self, token: re.Match[str]) -> str:
        kind = token.lastgroup
        if kind == "note":
            self.notes += not self._muted
            return token[0]
        if kind == "chord":
            return self._chord(token)
        if kind == "bar":
            return _bar(token[0], token["ending"])
        if kind == "alone":
            return "[" + token["alone_ending"].strip(",.-")
        if kind == "field":
            return self._field(token["field_name"], token["field_value"])
        if kind == "rest":
            return token[0].replace("x", "z").replace("X", "Z")
        if kind == "space":
            return " " if token[0] != "`" * len(token[0]) else ""
        if kind in ("broken", "tie", "tuplet"):
            return token[0]
        self._dropped["grace notes"] += kind == "grace"
        return ""

    def _chord(self, token: re.Match[str]) -> str:
        inside = re.sub(r'"[^"]*"|![^!]*!', "", token["inside"])
        notes = [match[0] for match in NOTE_TOKEN.finditer(inside)]
        self.notes += len(notes) * (not self._muted)
        tie = "-" if "-" in inside else ""
        return f"[{''.join(notes)}]{token['chord_length']}{tie}" if notes else ""

    def _field(self, name: str, value: str) -> str:
        value = value.split("%")[0]
        if name == "V":
            self._voices.add(value.split()[0] if value.split() else "")
            first = len(self._voices) == 1
            self._dropped["lines of further voices"] += not first
            self._muted = not first
        elif name == "K":
            return f"[K:{parse_key(value)}]" if value.strip() else ""
        elif name == "M":
            return f"[M:{metre_text(value)}]"
        elif name == "L" and (unit := unit_text(value)):
            return f"[L:{unit}]"
        return ""


def _bar(text: str, ending: str | None) -> str:
    core = text[: len(text) - len(ending or "")].replace("[", "").replace("]", "|").strip()
    if core.startswith(":"):
        plain = "::" if core.rstrip("|").endswith(":") and len(core.strip("|")) > 1 else ":|"
    elif core.endswith(":"):
        plain = "|:"
    else:
        plain = "|]" if "]" in text else "||" if len(core) > 1 else "|"
    return plain + (ending or "").strip(",.-")


def _append(out: list[str], kept: str) -> None:
    """Add a token; bar lines that meet become one, and no space is kept beside a bar line."""
    last = out[-1]
    after_bar = last[:1] in ("|", ":")
    if kept == " ":
        if last and last != " " and not (after_bar or re.match(r"\[\d", last)):
            out.append(kept)
        return
    if kept == "-" and (after_bar or re.match(r"\[\d", last)):
        return  # nothing to tie; the digits of an ending would take it up
    if kept[0] in "|:" and last == " ":
        out.pop()
        last = out[-1]
        after_bar = last[:1] in ("|", ":")
    if after_bar and not last[-1].isdigit():
        if kept[0] in "|:":
            digits = len(kept.rstrip("0123456789,.-"))
            out[-1] = _bar(last + kept, kept[digits:])
            return
        if kept[0] == "[" and kept[1:2].isdigit():
            out[-1] += kept[1:]
            return
    out.append(kept)
