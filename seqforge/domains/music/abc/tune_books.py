"""An ABC tune book in, normalised tunes for training out; symbols in, an ABC file out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from io import BufferedReader, BytesIO
from itertools import groupby
from pathlib import Path

from seqforge.base.compression import HEAD
from seqforge.base.textio import mark_of, read_bytes, refuse_foreign, settled_encoding, text_blocks
from seqforge.core.data.domain import Record
from seqforge.domains.music.abc.fields import (
    NOTE_TOKEN,
    TOKEN,
    Tune,
    Voices,
    VoiceTransposition,
    bar_signs,
    default_unit,
    metre_text,
    split_tunes,
    unit_text,
)
from seqforge.domains.music.keys import FIELD_LINE, parse_key, says_key, transposed
from seqforge.errors import InputError

_TWICE = re.compile(r"(\||:|\|\]|^K:.*)\n\|(\|?)(?![|:\]\d])", re.MULTILINE)
_ASIDE = re.compile(r'"[^"]*"|![^!]*!')


def clean_tune(tune: Tune, dropped: Counter[str], all_voices: bool = False) -> str:
    """A tune in, its symbols for the model out: M:, L:, K: and music; empty without notes.

    Transpositions (clefs, ``transpose=``) are applied to the notes.

    Args:
        tune: From `split_tunes`.
        dropped: Counts sounding elements that are left out.
        all_voices: Whether to keep all voices, each after ``[V:...]``, and overlays (``&``); else
            only the top voice.
    """
    metre_value = metre_text(tune.fields.get("M", "none"))
    unit = unit_text(tune.fields.get("L", "")) or default_unit(metre_value)
    key = str(parse_key(tune.fields.get("K", "")))
    cleaner = _Cleaner(dropped, key, overlays=all_voices)
    for line in tune.header:
        cleaner.header(line)
    for line in tune.body:
        cleaner.line(line)
    header = f"M:{metre_value}\nL:{unit}\n"
    found = cleaner.voices() if all_voices else cleaner.voices()[:1]
    if len(found) < 2:
        return header + found[0].text(key) if found else ""
    texts = [_body(voice.text(key)) for voice in found]
    return f"{header}K:{key}\n" + "\n".join(
        f"[V:{number}]{text}" for number, text in enumerate(texts, 1)
    )


def _body(text: str) -> str:
    """A voice's text in, its music with an inline key out."""
    field, _, music = text.partition("\n")
    return f"[{field}]{music}"


def _said_once(tune: str) -> str:
    """A tune in, the same out without bar lines repeated at the beginning of the next line."""

    def joined(lines: re.Match[str]) -> str:
        plain = lines[1] == "|" and tune[lines.start() - 1] not in "|:"
        return f"{lines[1]}{lines[2] if plain else ''}\n"

    before = ""
    while before != tune:
        before = tune
        tune = re.sub(r"\n{2,}", "\n", _TWICE.sub(joined, tune)).rstrip("\n")
    return tune


class _Voice:
    """The normalised lines of one voice."""

    def __init__(self, sounding: VoiceTransposition, key: str, waiting: str) -> None:
        self.sounding = sounding
        self.key = key
        self.notes = self.sounds = 0  # sounds: rests as well
        self._waiting = waiting  # field lines to write before the next music
        self._out: list[str] = []  # current line; empty if none has begun
        self._begun = (0, key)  # transposition and key of that line
        self._lines: list[tuple[int, str, str]] = []
        self.overlaid = 0  # bar lines of an overlay still to skip; -1: up to &)
        self.in_group = False  # between (& and &)

    def field(self, text: str, inline: bool) -> None:
        """Add a field before the next music."""
        if inline:
            self.put(text)
        else:
            self._waiting += text

    def put(self, kept: str) -> None:
        """Add a normalised token."""
        if self._out and self._begun[0] != self.sounding.semitones and len(self._out) > 1:
            self.end_line()
        if not self._out:
            self._begun = (self.sounding.semitones, self.key)
            self._out = [self._waiting]
        _append(self._out, kept)

    def end_line(self) -> None:
        """End the current line, if one has begun."""
        if self._out:
            line = "".join(self._out).strip()
            self._out = []
            if line and line != self._waiting:
                self._lines.append((*self._begun, line))
                self._waiting = ""

    @property
    def lines(self) -> int:
        """Number of lines written."""
        return len(self._lines)

    @property
    def is_empty(self) -> bool:
        """Whether it has neither notes nor rests."""
        return not self.sounds

    def text(self, key: str) -> str:
        """K: and the music at sounding pitch.

        Args:
            key: Key of the tune's header.
        """
        first = True
        texts = []
        for semitones, group in groupby(self._lines, key=lambda line: line[0]):
            lines = list(group)
            began = key if first else lines[0][1]
            moved = transposed("\n".join([f"K:{began}", *(line for *_, line in lines)]), semitones)
            texts.append(moved if first else _body(moved))
            first = False
        return _said_once("\n".join(texts))


class _Cleaner:
    """Normalises the lines of one tune, by voice."""

    def __init__(self, dropped: Counter[str], key: str, overlays: bool) -> None:
        self._dropped = dropped
        self._overlays = overlays
        self._common = ""  # fields of the body before any voice
        self._voices = Voices(lambda sounding: _Voice(sounding, key, self._common))

    def header(self, line: str) -> None:
        """Process a header line."""
        if match := FIELD_LINE.match(line):
            self._voices.head(match[1], match[2])

    def voices(self) -> list[_Voice]:
        """Voices with a note, from the top staff down."""
        found = [voice for voice in self._voices.ordered() if voice.notes]
        self._dropped["lines of further voices"] += sum(voice.lines for voice in found[1:])
        return found

    def line(self, raw: str) -> None:
        """Normalise a line of the body."""
        if match := FIELD_LINE.match(raw):
            self._field(match[1], match[2], inline=False)
            return
        for token in TOKEN.finditer(raw):
            kind = token.lastgroup
            if kind == "field":
                self._field(token["field_name"], token["field_value"], inline=True)
            elif kind == "overlay":
                self._overlay(token[0])
            else:
                self._token(token)
        self._voices.now.end_line()

    def _token(self, token: re.Match[str]) -> None:
        kept = self._kept(token)
        voice = self._voices.now
        if voice.overlaid:
            is_bar = token.lastgroup in ("bar", "alone")
            voice.overlaid -= voice.overlaid > 0 and is_bar
            if voice.overlaid or not is_bar:
                return
        if kept:
            voice.notes += token.lastgroup in ("note", "chord")
            voice.sounds += token.lastgroup in ("note", "chord", "rest")
            voice.put(kept)

    def _kept(self, token: re.Match[str]) -> str:
        kind = token.lastgroup
        if kind == "chord":
            return _chord(token)
        if kind == "bar":
            return _bar(token[0], token["ending"])
        if kind == "alone":
            return "[" + token["alone_ending"].strip(",.-")
        if kind == "rest":
            return token[0].replace("x", "z").replace("X", "Z")
        if kind == "space":
            return " " if token[0] != "`" * len(token[0]) else ""
        if kind in ("note", "broken", "tie", "tuplet"):
            return token[0]
        self._dropped["grace notes"] += kind == "grace"
        return ""

    def _overlay(self, sign: str) -> None:
        voice = self._voices.now
        if self._overlays:
            voice.put(sign)
        elif sign == "(&":
            voice.in_group = True
        elif sign == "&)":
            voice.overlaid, voice.in_group = 0, False
        elif not voice.overlaid:
            self._dropped["overlaid voices"] += 1
            voice.overlaid = -1 if voice.in_group else len(sign)

    def _field(self, name: str, value: str, inline: bool) -> None:
        value = value.split("%")[0]
        if name == "V":
            self._voices.now.end_line()
            self._voices.change(value)
        elif name == "I":
            self._voices.direct(value)
        elif text := self._field_text(name, value):
            self._voices.now.field(text, inline)
            if self._voices.is_shared:
                self._common += text

    def _field_text(self, name: str, value: str) -> str:
        if name == "K":
            voice = self._voices.now
            voice.sounding.take(value)
            if says_key(value):
                voice.key = str(parse_key(value))
                return f"[K:{voice.key}]"
        elif name == "M":
            return f"[M:{metre_text(value)}]"
        elif name == "L" and (unit := unit_text(value)):
            return f"[L:{unit}]"
        return ""


def _chord(token: re.Match[str]) -> str:
    """A chord token in, its normal form out; if all notes are tied, one tie follows it."""
    inside = _ASIDE.sub("", token["inside"])
    notes = [(match[0], inside[match.end() :][:1] == "-") for match in NOTE_TOKEN.finditer(inside)]
    if not notes:
        return ""
    whole = all(tied for _, tied in notes)
    written = "".join(note + "-" * (tied and not whole) for note, tied in notes)
    return f"[{written}]{token['chord_length']}{'-' if whole else ''}"


def _bar(text: str, ending: str | None) -> str:
    """A bar line and its ending in, the normal form out."""
    closes, opens, is_double = bar_signs(text)
    if closes == opens == 1:
        plain = "::"
    elif closes or opens:
        plain = ":" * closes + "|" + ":" * opens
    else:
        plain = "|]" if is_double and "]" in text else "||" if is_double else "|"
    return plain + (ending or "").strip(",.-")


def _one_bar(first: str, second: str) -> str:
    """Two adjacent bar lines in, one out; the second may begin an ending."""
    digits = len(second.rstrip("0123456789,.-"))
    closes, opens, is_double = bar_signs(first)
    also_closes, _, also_double = bar_signs(second)
    if not (closes or opens or is_double) and (also_closes or also_double):
        return second  # | :|
    if is_double and also_closes and not opens:
        return second  # || :|
    return _bar(first + second, second[digits:])


def _append(out: list[str], kept: str) -> None:
    """Add a token; merges adjacent bar lines and drops spaces beside them."""
    last = out[-1]
    after_bar = last[:1] in ("|", ":")
    if kept == " ":
        if last and last != " " and not (after_bar or re.match(r"\[\d", last)):
            out.append(kept)
        return
    if kept == "-" and (after_bar or re.match(r"\[\d", last)):
        return  # no note to tie; it would be read as part of an ending number
    if kept[0] in "|:" and last == " ":
        out.pop()
        last = out[-1]
        after_bar = last[:1] in ("|", ":")
    if after_bar and not last[-1].isdigit():
        if kept[0] in "|:":
            out[-1] = _one_bar(last, kept)
            return
        if kept[0] == "[" and kept[1:2].isdigit():
            out[-1] += kept[1:]
            return
    out.append(kept)


MOST_BYTES = 100_000_000
_HEADER = re.compile(r"[MLK]:")
_DEFAULTS = {"M": "4/4", "L": "1/8", "K": "C"}  # defaults of `parser.decode`


def read(path: Path, encoding: str = "", all_voices: bool = False) -> Iterator[Record]:
    """A tune book in, records of normalised tunes out, without exact duplicates.

    The first record's note counts what was dropped.

    Args:
        path: An ABC file.
        encoding: Encoding of the file; detected if empty.
        all_voices: Whether to keep all voices; else only the top one.

    Raises:
        InputError: If no tune in it has a key and a note.
    """
    text = _text(path, encoding)
    dropped: Counter[str] = Counter()
    records: dict[str, Record] = {}
    for tune in split_tunes(text):
        symbols = clean_tune(tune, dropped, all_voices) if tune.has_key else ""
        if not symbols:
            dropped["tunes without K: or without notes"] += bool(tune.number or tune.body)
        elif symbols in records:
            dropped["duplicate tunes"] += 1
        else:
            name = tune.title or f"X:{tune.number or len(records) + 1}"
            tempo = f"Q:{tune.fields['Q']}" if "Q" in tune.fields else ""
            records[symbols] = Record(symbols, name, path.name, description=tempo)
    if not records:
        raise InputError(f"{path}: no ABC tune in it (a tune has a K: line, and notes after it)")
    # silent elements (decorations, chord symbols) are dropped without a count: docs/music.md
    said = [f"{count} {what}" for what, count in sorted(dropped.items()) if count]
    first, *others = records.values()
    yield replace(first, note="dropped " + ", ".join(said) if said else "")
    yield from others


def _text(path: Path, encoding: str) -> str:
    data = read_bytes(path, MOST_BYTES, "an ABC file")
    refuse_foreign(path, data[:HEAD])
    if mark_of(data)[0] or settled_encoding(encoding) or b"\0" in data[:HEAD]:
        return "".join(text_blocks(BufferedReader(BytesIO(data)), str(path), encoding))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # the encoding of ABC before version 2.1


def with_header(symbols: str, number: int, title: str, origin: str) -> str:
    """Symbols in, an ABC file of one tune out: X:, T:, N:, M:, L:, K: (with defaults), music.

    `clean_tune` of the file gives normalised ``symbols`` back.
    """
    lines = [line for line in symbols.split("\n") if line.strip() and not line.startswith("X:")]
    fields = dict(_DEFAULTS)
    while lines and _HEADER.match(lines[0]):
        line = lines.pop(0)
        fields[line[0]] = line[2:].strip()
    header = [f"X:{number}", f"T:{_line(title)}", f"N:{_line(origin)}"]
    header += [f"{name}:{value}" for name, value in fields.items()]
    return "\n".join(header + (lines or ["z4|"])) + "\n"


def _line(text: str) -> str:
    """Text in, a field's value out: one line, with % escaped."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split()).replace("%", "\\%")


def has_music(symbols: str) -> bool:
    """Whether the symbols contain a note, chord or rest."""
    return any(token.lastgroup in ("note", "chord", "rest") for token in TOKEN.finditer(symbols))


def bar_ends(symbols: str) -> list[int]:
    """Symbols in, the end of each bar line out; bar lines without music between them count once."""
    ends: list[int] = []
    music = True
    start = 0
    for line in symbols.split("\n"):
        if not re.match(r"[A-Za-z]:(?![|:])", line):
            for token in TOKEN.finditer(line):
                kind = token.lastgroup
                if kind in ("bar", "alone"):
                    if music:
                        ends.append(start + token.end())
                    music = False
                elif kind in ("note", "chord", "rest"):
                    music = True
        start += len(line) + 1
    return ends
