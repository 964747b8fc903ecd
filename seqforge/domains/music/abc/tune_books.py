"""An ABC tune book in, cleaned tunes out; the text of a model in, an ABC file out."""

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
    """What a model sees of a tune: M:, L:, K:, and its music; empty where there is no note.

    What moves all that is heard (clefs, ``transpose=``) is carried out.

    Args:
        tune: As `split_tunes` gives it.
        dropped: What is left out although it sounds is counted here.
        all_voices: Whether all voices are kept, each after ``[V:...]`` where there are several, and
            what is overlaid with ``&``; else the top one.
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
    """The music of one of several voices, its key inline."""
    field, _, music = text.partition("\n")
    return f"[{field}]{music}"


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


class _Voice:
    """The cleaned lines of one voice."""

    def __init__(self, sounding: VoiceTransposition, key: str, waiting: str) -> None:
        self.sounding = sounding
        self.key = key
        self.notes = self.sounds = 0  # sounds: rests as well
        self._waiting = waiting  # fields on lines of their own, to be put before the next music
        self._out: list[str] = []  # the line that is being written; empty where none is
        self._begun = (0, key)  # semitones and key of that line
        self._lines: list[tuple[int, str, str]] = []
        self.overlaid = 0  # bar lines up to which an overlay is left out; -1 for up to &)
        self.in_group = False  # between (& and &)

    def field(self, text: str, inline: bool) -> None:
        """A field, which stands before the music after it."""
        if inline:
            self.put(text)
        else:
            self._waiting += text

    def put(self, kept: str) -> None:
        """Add what is kept of a token."""
        if self._out and self._begun[0] != self.sounding.semitones and len(self._out) > 1:
            self.end_line()
        if not self._out:
            self._begun = (self.sounding.semitones, self.key)
            self._out = [self._waiting]
        _append(self._out, kept)

    def end_line(self) -> None:
        """End the line, if one was begun."""
        if self._out:
            line = "".join(self._out).strip()
            self._out = []
            if line and line != self._waiting:
                self._lines.append((*self._begun, line))
                self._waiting = ""

    @property
    def lines(self) -> int:
        """How many were written."""
        return len(self._lines)

    @property
    def is_empty(self) -> bool:
        """Whether no note and no rest was written."""
        return not self.sounds

    def text(self, key: str) -> str:
        """K: and the music, as high as it sounds.

        Args:
            key: Of the tune's header.
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
    """Cleans the lines of one tune, each into the voice that it belongs to."""

    def __init__(self, dropped: Counter[str], key: str, overlays: bool) -> None:
        self._dropped = dropped
        self._overlays = overlays
        self._common = ""  # fields of the body that stand before any voice
        self._voices = Voices(lambda sounding: _Voice(sounding, key, self._common))

    def header(self, line: str) -> None:
        """A line of the header."""
        if match := FIELD_LINE.match(line):
            self._voices.head(match[1], match[2])

    def voices(self) -> list[_Voice]:
        """The voices that have a note, from the top down."""
        found = [voice for voice in self._voices.ordered() if voice.notes]
        self._dropped["lines of further voices"] += sum(voice.lines for voice in found[1:])
        return found

    def line(self, raw: str) -> None:
        """A line of the body."""
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
    """Notes that are all tied are tied outside of the brackets, once."""
    inside = _ASIDE.sub("", token["inside"])
    notes = [(match[0], inside[match.end() :][:1] == "-") for match in NOTE_TOKEN.finditer(inside)]
    if not notes:
        return ""
    whole = all(tied for _, tied in notes)
    written = "".join(note + "-" * (tied and not whole) for note, tied in notes)
    return f"[{written}]{token['chord_length']}{'-' if whole else ''}"


def _bar(text: str, ending: str | None) -> str:
    """A bar line in its shortest form, and the ending that it begins."""
    closes, opens, is_double = bar_signs(text)
    if closes == opens == 1:
        plain = "::"
    elif closes or opens:
        plain = ":" * closes + "|" + ":" * opens
    else:
        plain = "|]" if is_double and "]" in text else "||" if is_double else "|"
    return plain + (ending or "").strip(",.-")


def _one_bar(first: str, second: str) -> str:
    """Two bar lines that meet, as one; the second may begin an ending."""
    digits = len(second.rstrip("0123456789,.-"))
    closes, opens, is_double = bar_signs(first)
    also_closes, _, also_double = bar_signs(second)
    if not (closes or opens or is_double) and (also_closes or also_double):
        return second  # | :|
    if is_double and also_closes and not opens:
        return second  # || :|
    return _bar(first + second, second[digits:])


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
            out[-1] = _one_bar(last, kept)
            return
        if kept[0] == "[" and kept[1:2].isdigit():
            out[-1] += kept[1:]
            return
    out.append(kept)


MOST_BYTES = 100_000_000
_HEADER = re.compile(r"[MLK]:")
_DEFAULTS = {"M": "4/4", "L": "1/8", "K": "C"}  # what `parser.decode` takes for granted


def read(path: Path, encoding: str = "", all_voices: bool = False) -> Iterator[Record]:
    """The tunes of a book, cleaned, exact duplicates dropped; the first carries the note.

    Args:
        path: A file of ABC.
        encoding: Of the file; found where it is empty.
        all_voices: Whether each tune keeps all of its voices; else it has the top one.

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
    # what never sounds (decorations, chord symbols) is left out of every tune: docs/music.md
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
        return data.decode("latin-1")  # what ABC files were before 2.1


def with_header(symbols: str, number: int, title: str, origin: str) -> str:
    """A file of one tune: X:, T:, a comment, then M:, L: and K:, completed, and the music.

    Cleaning it gives ``symbols`` back if they are what cleaning gave.
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
    """A text as a field has it: one line, in which nothing begins a comment."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split()).replace("%", "\\%")


def has_music(symbols: str) -> bool:
    """Whether there is a note or a rest in it."""
    return any(token.lastgroup in ("note", "chord", "rest") for token in TOKEN.finditer(symbols))


def bar_ends(symbols: str) -> list[int]:
    """Where each bar line of the music ends; two without music between them count once."""
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
