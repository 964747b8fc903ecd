"""ABC files: tune books to cleaned tunes, and texts of a model to files that any player opens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from io import BufferedReader, BytesIO
from pathlib import Path

from seqforge.base.encodings import mark_of, settled_encoding, text_blocks
from seqforge.base.file_types import HEAD
from seqforge.core.domain import Record
from seqforge.core.opening import read_bytes, refuse_foreign
from seqforge.domains.music.abc_cleaner import clean_tune
from seqforge.domains.music.abc_text import TOKEN, split_tunes
from seqforge.errors import InputError

MOST_BYTES = 100_000_000
_HEADER = re.compile(r"[MLK]:")
_DEFAULTS = {"M": "4/4", "L": "1/8", "K": "C"}  # what `abc_notation.decode` takes for granted


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
