"""Bytes to text and to UTF-8, by a byte-order mark, a name (``--encoding``), or as UTF-8.

Text comes a block at a time, line ends as ``\\n``; a byte that fits no character is named by its
offset.
"""

from __future__ import annotations

import codecs
import difflib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO

from seqforge.errors import ConfigError, InputError

_BLOCK = 1 << 18
_MARKS = (  # that of UTF-32 begins as that of UTF-16 does
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_KNOWN = (
    "utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "latin-1", "iso-8859-2",
    "iso-8859-5", "iso-8859-7", "iso-8859-15", "cp1250", "cp1251", "cp1252", "cp1253", "cp437",
    "cp850", "mac-roman", "koi8-r", "koi8-u", "shift-jis", "euc-jp", "iso-2022-jp", "gb18030",
    "gbk", "big5", "euc-kr", "ascii",
)  # fmt: skip
_NOT_FOR_FILES = {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"}
_ASSUMED = [""]
_BARE = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}  # without a mark: as Windows writes them


def checked_encoding(name: str) -> str:
    """The encoding as it is named, if Python reads text in it; ``""`` for none.

    Raises:
        ConfigError: If there is no such encoding.
    """
    if not name:
        return ""
    try:
        found = codecs.lookup(name).name.replace("-", "_")
        with_text = b"a".decode(name, "ignore")
        if found not in _NOT_FOR_FILES and isinstance(with_text, str):
            return name
    except (LookupError, ValueError):
        pass
    close = difflib.get_close_matches(name.lower(), _KNOWN, 3) or ["latin-1", "cp1252", "utf-16"]
    raise ConfigError(
        f"{name[:40]!r} is no encoding of text; encodings are {', '.join(close)} and others"
    )


@contextmanager
def assuming(name: str) -> Iterator[None]:
    """In this block, files that say nothing else are read in this encoding; ``""`` for UTF-8.

    Raises:
        ConfigError: If there is no such encoding.
    """
    _ASSUMED.append(checked_encoding(name))
    try:
        yield
    finally:
        _ASSUMED.pop()


def settled_encoding(encoding: str) -> str:
    """The encoding that was said for a file, else the one that holds for all; ``""`` for UTF-8."""
    return encoding or _ASSUMED[-1]


def mark_of(head: bytes) -> tuple[bytes, str]:
    """The byte-order mark that a file begins with and what it stands for; empty for none."""
    return next((found for found in _MARKS if head.startswith(found[0])), (b"", ""))


def looks_like_utf16(head: bytes) -> str:
    """The UTF-16 that this seems to be though no mark says so, or ``""``."""
    even, odd = head[0:512:2], head[1:512:2]
    if len(head) >= 4 and odd.count(0) > 0.6 * len(odd) and not even.count(0):
        return "utf-16-le"
    if len(head) >= 4 and even.count(0) > 0.6 * len(even) and not odd.count(0):
        return "utf-16-be"
    return ""


def text_blocks(
    stream: BinaryIO, where: str, encoding: str = "", besides: str = ""
) -> Iterator[str]:
    """The text of a file that is open at its beginning, a block at a time; none is empty.

    Args:
        stream: Has ``peek``; a byte-order mark in it says more than ``encoding`` does.
        where: What messages call it.
        encoding: What is not marked is in it; UTF-8 where nothing is said.
        besides: What a message may propose besides: ``, or ...``.

    Raises:
        InputError: At a byte that fits no character, or a zero (names the offset).
    """
    mark, marked = mark_of(_peeked(stream))
    encoding = settled_encoding(encoding)
    stream.read(len(mark))
    name = marked or _BARE.get(_plain(encoding), encoding) or "utf-8"
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(name)(), translate=True)
    place = len(mark)
    for data in _with_end(stream):
        try:
            if name == "utf-8" and place == 0:
                _check_utf16(data)
            text = decoder.decode(data, final=not data)
            if "\0" in text:
                raise _NoText(_zero(data, place, name))
        except UnicodeDecodeError as error:
            message = _no_character(error, name, place + len(data))
            raise InputError(f"{where}: {message}{besides}") from error
        except (_NoText, UnicodeError) as error:
            raise InputError(f"{where}: {error}{besides}") from error
        place += len(data)
        if text:
            yield text


class _NoText(ValueError):
    """Says why something is no text."""


def _with_end(stream: BinaryIO) -> Iterator[bytes]:
    yield from iter(partial(stream.read, _BLOCK), b"")
    yield b""  # what is left in the decoder comes with the end


def _no_character(error: UnicodeDecodeError, name: str, end: int) -> str:
    """The end of a sentence; ``end`` is the offset behind the bytes that were decoded."""
    place = end - len(error.object) + error.start
    byte = f"byte 0x{error.object[error.start]:02x} at offset {place}"
    if _plain(name) == "utf-8":
        return f"{byte} is not UTF-8; say what it is with --encoding (latin-1, cp1252, ...)"
    return f"{byte} is not {name} ({error.reason}); give another --encoding"


def _check_utf16(data: bytes) -> None:
    if found := looks_like_utf16(data[:512]):
        raise _NoText(
            f"holds a zero byte at offset {data.index(0)}, as {found.upper()} without a byte-order "
            f"mark does; give --encoding {found}"
        )


def _zero(data: bytes, place: int, name: str) -> str:
    at = f" at offset {place + data.index(0)}" if _plain(name) == "utf-8" and 0 in data else ""
    return f"holds a zero byte{at}, so it is no text; give a text file"


def _plain(name: str) -> str:
    """An encoding's name as Python writes it."""
    return codecs.lookup(name).name if name else ""


def _peeked(stream: Any) -> bytes:
    found: bytes = stream.peek(4)
    return found[:4]


class AsUtf8(io.RawIOBase):
    """Text in any encoding as UTF-8 bytes, for readers of bytes."""

    def __init__(self, stream: BinaryIO, where: str, encoding: str) -> None:
        self._blocks = text_blocks(stream, where, encoding)
        self._held = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there is anything."""
        if not self._held:
            self._held = next(self._blocks, "").encode("utf-8")
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count
