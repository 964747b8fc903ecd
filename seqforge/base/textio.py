"""A path in, bytes or text out, whatever it is packed with; the encoding is found from a byte-
order mark, --encoding, or taken as UTF-8.
"""

from __future__ import annotations

import codecs
import difflib
import io
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from seqforge.base import zip_archive
from seqforge.base.compression import (
    ENDINGS,
    HEAD,
    MOST_WHOLE,
    VARIABLE,
    Allowance,
    Unpacked,
    foreign,
    is_web_page,
    own_limit,
    packing_of,
    size_said,
)
from seqforge.base.messages import add_remark, unreadable
from seqforge.base.paths import spooled
from seqforge.base.zip_archive import Chooser
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
    """An encoding's name in, the same if Python can read text in it out; ``""`` for none.

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
        f"{name[:40]!r} is not a text encoding; encodings are {', '.join(close)} and others"
    )


@contextmanager
def assuming(name: str) -> Iterator[None]:
    """Inside this block, files without another sign are read in this encoding; ``""`` for UTF-8.

    Raises:
        ConfigError: If there is no such encoding.
    """
    _ASSUMED.append(checked_encoding(name))
    try:
        yield
    finally:
        _ASSUMED.pop()


def settled_encoding(encoding: str) -> str:
    """The encoding given for a file, else the one assumed; ``""`` for UTF-8."""
    return encoding or _ASSUMED[-1]


def mark_of(head: bytes) -> tuple[bytes, str]:
    """First bytes in, the byte-order mark and its encoding out; empty if there is none."""
    return next((found for found in _MARKS if head.startswith(found[0])), (b"", ""))


def looks_like_utf16(head: bytes) -> str:
    """The UTF-16 variant these bytes seem to be without a mark, or ``""``."""
    even, odd = head[0:512:2], head[1:512:2]
    if len(head) >= 4 and odd.count(0) > 0.6 * len(odd) and not even.count(0):
        return "utf-16-le"
    if len(head) >= 4 and even.count(0) > 0.6 * len(even) and not odd.count(0):
        return "utf-16-be"
    return ""


def text_blocks(
    stream: BinaryIO, where: str, encoding: str = "", besides: str = ""
) -> Iterator[str]:
    """A stream in, its text in non-empty blocks out.

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
    """A stream of text in any encoding, as UTF-8 bytes."""

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


_BUFFER = 1 << 18
_LAYERS = 3  # a packed file in a packed file, and no more
_READ_BLOCK = 1 << 20


def plain_suffix(path: Path) -> str:
    """The ending without compression: ``.fa`` for ``x.FA.gz``, lower case."""
    name = path.name.lower()
    while name.endswith(ENDINGS):
        name = name.rpartition(".")[0]
    return Path(name).suffix


def suffix_inside(path: Path) -> str:
    """`plain_suffix`, or that of the single file in a zip archive."""
    suffix = plain_suffix(path)
    if not suffix and path.suffix.lower() == ".zip":
        with suppress(OSError), path.open("rb") as file:
            return plain_suffix(Path(zip_archive.member_name(file) or ""))
    return suffix


@contextmanager
def opened(
    path: Path, whole: bool = False, choose: Chooser | None = None, keep_archives: bool = False
) -> Iterator[BinaryIO]:
    """A path in, a stream of its bytes (with ``peek``) out, decompressed by content.

    Args:
        path: May be ``-`` or a pipe, and may then be opened again.
        whole: Whether the reader holds all of it in memory; less may then be unpacked.
        choose: Which of several files in a zip archive is meant.
        keep_archives: Whether a zip archive of several files is taken as the bytes that it is.

    Raises:
        InputError: If it is missing, a folder, cut short, damaged, an archive of several files, or
            unpacks without end; also for what goes wrong while it is read.
    """
    place = spooled(path)
    if place.is_dir():
        raise InputError(f"{path}: is a folder; name a file in it")
    try:
        with place.open("rb", _BUFFER) as file:
            yield cast("BinaryIO", _unpacked(file, str(path), whole, choose, keep_archives))
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except OSError as error:
        raise InputError(f"{path}: {unreadable(error)}") from error


def _unpacked(
    file: Any, where: str, whole: bool, choose: Chooser | None, keep_archives: bool
) -> Any:
    stream = file
    for _ in range(_LAYERS):
        head = stream.peek(HEAD)[:HEAD]
        raw: Unpacked
        if head.startswith(zip_archive.MAGIC):
            if stream is not file:
                raise InputError(f"{where}: is a zip archive in a packed file; unpack it")
            try:
                raw = zip_archive.opened_member(file, where, Allowance(whole), choose)
            except zip_archive.SeveralFiles:
                if not keep_archives:
                    raise
                file.seek(0)
                return file
        elif (packing := packing_of(head)) is not None:
            raw = Unpacked(stream, packing, where, Allowance(whole))
        else:
            return stream
        stream = io.BufferedReader(raw, _BUFFER)
    if packing_of(stream.peek(HEAD)[:HEAD]) is not None:
        raise InputError(f"{where}: is compressed more than {_LAYERS} times over; unpack it")
    return stream


@contextmanager
def opened_as_utf8(path: Path, encoding: str = "", whole: bool = False) -> Iterator[BinaryIO]:
    """The same for a reader of text as bytes: what is marked or said to be of another encoding
    comes as UTF-8 without a mark, and anything else just as it is.

    Raises:
        InputError: As `opened` does, or for a byte that fits no character.
    """
    with opened(path, whole) as stream:
        mark, marked = mark_of(cast("io.BufferedReader", stream).peek(4)[:4])
        if settled_encoding(encoding) or (mark and marked != "utf-8"):
            recoded = io.BufferedReader(AsUtf8(stream, str(path), encoding), _BUFFER)
            yield cast("BinaryIO", recoded)
        else:
            stream.read(len(mark))
            yield stream


def first_bytes(path: Path, choose: Chooser | None = None) -> bytes:
    """The first 512 bytes of a file's content.

    Raises:
        InputError: As `opened` does.
    """
    with opened(path, choose=choose) as stream:
        return cast("io.BufferedReader", stream).peek(HEAD)[:HEAD]


def refuse_foreign(path: Path, head: bytes, web_pages: bool = False) -> None:
    """Refuse a file of a format that text readers cannot use, and name it.

    Args:
        path: For the message.
        head: Its first bytes.
        web_pages: Whether HTML is text like any other.

    Raises:
        InputError: If it is a PDF, an archive, an image and the like; says what to do.
    """
    if (found := foreign(head)) is not None:
        raise InputError(f"{path}: is {found}")
    if not web_pages and is_web_page(head):
        raise InputError(
            f"{path}: is a web page (HTML), perhaps saved in place of the file that was meant; "
            "download that file again"
        )


def read_bytes(
    path: Path, most: int | None = None, what: str = "", choose: Chooser | None = None
) -> bytes:
    """A path in, its whole decompressed content out.

    Args:
        path: May be a pipe.
        most: Bytes that it may have; by itself what memory may hold.
        what: The kind of file that may have no more: ``a MIDI file``.
        choose: As `opened` has it.

    Raises:
        InputError: As `opened` does, or if it is larger.
    """
    limit = _most_held() if most is None else most
    parts, size = [], 0
    with opened(path, whole=True, choose=choose) as stream:
        while block := stream.read(_READ_BLOCK):
            parts.append(block)
            size += len(block)
            if size > limit:
                raise InputError(_too_large(path, limit, what))
    return b"".join(parts)


def _most_held() -> int:
    own = own_limit()
    return MOST_WHOLE if own is None else own


def _too_large(path: Path, limit: int, what: str = "") -> str:
    said = f"{path}: holds more than {size_said(limit)}"
    if what:
        return f"{said}, which is too much for {what}; is it another kind of file?"
    return f"{said}, too much to be read at once; cut it up, or set {VARIABLE}=8G"


def read_text_blocks(
    path: Path, encoding: str = "", whole: bool = False, besides: str = ""
) -> Generator[str]:
    r"""A file's text a block at a time: without its byte-order mark, line ends as ``\n``.

    Args:
        path: May be a pipe.
        encoding: What it is in where no mark says so; UTF-8 where nothing is given.
        whole: As `opened` has it.
        besides: What a message may propose besides: ``, or ...``.

    Raises:
        InputError: If it cannot be read, is no text, or not in that encoding (names the offset).
    """
    with opened(path, whole) as stream:
        head = cast("io.BufferedReader", stream).peek(HEAD)[:HEAD]
        refuse_foreign(path, head, web_pages=True)
        if is_web_page(head):
            add_remark("a web page (HTML): its tags are text like the rest")
        yield from text_blocks(stream, str(path), encoding, besides)


def read_text(path: Path, encoding: str = "", besides: str = "") -> str:
    """A path in, its whole text out.

    Raises:
        InputError: As `read_text_blocks` does, or if it is too large to be held.
    """
    limit, parts, size = _most_held(), [], 0
    for block in read_text_blocks(path, encoding, whole=True, besides=besides):
        parts.append(block)
        size += len(block)
        if size > limit:
            raise InputError(_too_large(path, limit))
    return "".join(parts)
