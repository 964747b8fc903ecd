"""A packed file (gz, bgzip, bz2, xz, zst) in, a stream of its bytes out, with a limit on the
unpacked size; the first bytes of a file in, its format (file signature) out.
"""

from __future__ import annotations

import bz2
import io
import lzma
import os
import re
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, BinaryIO, Protocol

from seqforge.base.messages import add_remark
from seqforge.errors import ConfigError, InputError

VARIABLE = "SEQFORGE_UNPACK_LIMIT"
_FREE = 64_000_000  # so much may come of anything
_RATIO_STREAMED = 1000  # what gzip reaches at most is 1032
_RATIO_WHOLE = 200
MOST_WHOLE = 4_000_000_000
"""Most bytes of a file that is held in memory."""
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def own_limit() -> int | None:
    """The limit in ``SEQFORGE_UNPACK_LIMIT``, in bytes; None if it is not set.

    Raises:
        ConfigError: If it is no size.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return None
    match = re.fullmatch(r"([0-9]{1,15})\s*([KMGT]?)(i?B)?", text, re.IGNORECASE)
    if match is None:
        raise ConfigError(f"{VARIABLE}: a size such as 500M or 8G is wanted (got {text[:40]!r})")
    return int(match[1]) * _UNITS[match[2].upper()]


class Allowance:
    """How much a compressed file may unpack to."""

    def __init__(self, whole: bool) -> None:
        """Settle the rules; ``whole`` for a file that is held in memory."""
        self._own = own_limit()
        self._whole = whole

    def is_exceeded(self, packed: int, given: int) -> bool:
        """Whether ``given`` bytes are too many for ``packed`` bytes."""
        if self._own is not None:
            return given > self._own
        ratio = _RATIO_WHOLE if self._whole else _RATIO_STREAMED
        return given > _FREE + ratio * packed or (self._whole and given > MOST_WHOLE)


def size_said(count: int) -> str:
    """A size for people: ``64 MB``."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count} bytes"


ENDINGS = (".gz", ".bgz", ".bgzf", ".bz2", ".xz", ".zst", ".zip")
"""Endings of names of compressed files."""

_BLOCK = 1 << 16
_KNOWN_BY = 10  # bytes that tell how something is packed
_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError)
_XZ_MEMORY = 256 << 20  # xz -9 needs 65 MB


class Decompressor(Protocol):
    """Interface of the decompressors of bz2, lzma and zstd."""

    @property
    def eof(self) -> bool:
        """Whether the end of the compressed data is reached."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether more compressed bytes are needed."""
        ...

    @property
    def unused_data(self) -> bytes:
        """Bytes after the end."""
        ...

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Compressed bytes in, at most so many bytes out."""
        ...


class Inflater:
    """The same interface for zlib: 31 window bits for gzip, -15 for raw deflate."""

    def __init__(self, window_bits: int) -> None:
        self._stream = zlib.decompressobj(window_bits)
        self.needs_input = True

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """At most so many bytes."""
        given = self._stream.decompress(self._stream.unconsumed_tail + data, max_length)
        # A full block may mean that more is ready, though all input is taken.
        self.needs_input = len(given) < max_length and not self._stream.unconsumed_tail
        return given

    @property
    def eof(self) -> bool:
        """Whether the end is reached and its checksum is right."""
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        """Bytes after the end."""
        return self._stream.unused_data


def zstd_module() -> Any:
    """The standard library's from Python 3.14 on, else the same as a package."""
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    try:
        return import_module(name)
    except ImportError as error:
        raise InputError(f"reading .zst needs {name}; pip install backports.zstd") from error


def _zstd() -> Decompressor:
    found: Decompressor = zstd_module().ZstdDecompressor()
    return found


def _is_gzip(head: bytes) -> bool:
    return head[:3] == b"\x1f\x8b\x08" and (len(head) < 4 or head[3] & 0xE0 == 0)


def _is_bz2(head: bytes) -> bool:
    level, block = head[3:4], head[4:10]
    whole = block in (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90")
    return head[:3] == b"BZh" and level in b"123456789" and level != b"" and whole


def _is_zstd(head: bytes) -> bool:  # RFC 8878: a frame, or one that is to be skipped
    skippable = head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50
    return head[:4] == b"\x28\xb5\x2f\xfd" or skippable


@dataclass(frozen=True)
class Packing:
    """A compression format."""

    name: str
    """Its ending."""
    begins: Callable[[bytes], bool]
    """Whether a file with these first bytes (up to ten) has this format."""
    make: Callable[[], Decompressor]


PACKINGS = (
    Packing(".gz", _is_gzip, lambda: Inflater(31)),
    Packing(".bz2", _is_bz2, bz2.BZ2Decompressor),
    Packing(
        ".xz",
        lambda head: head[:6] == b"\xfd7zXZ\0",
        lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY),
    ),
    Packing(".zst", _is_zstd, _zstd),
)


def packing_of(head: bytes) -> Packing | None:
    """First bytes in, the compression format out; None if there is none."""
    return next((packing for packing in PACKINGS if packing.begins(head)), None)


class Unpacked(io.RawIOBase):
    """A stream of decompressed bytes, across several members."""

    def __init__(self, packed: BinaryIO, packing: Packing, where: str, allowance: Allowance):
        """Begin at the first byte of ``packed``; messages call the file ``where``."""
        self._packed, self._packing, self._where = packed, packing, where
        self._allowance = allowance
        self._stream = packing.make()
        self._errors: tuple[type[Exception], ...] = _ERRORS
        if packing.name == ".zst":
            self._errors += (zstd_module().ZstdError,)
        self._taken = self._given = 0
        self._ahead = b""  # taken, and not unpacked yet
        self._done = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there is anything.

        Raises:
            InputError: If it is damaged, cut short, or unpacks without end.
        """
        view, filled = memoryview(buffer).cast("B"), 0
        while filled < len(view) and not self._done:
            data = self._next(len(view) - filled)
            view[filled : filled + len(data)] = data
            filled += len(data)
        return filled

    def _next(self, most: int) -> bytes:
        """Some bytes, perhaps none."""
        if self._stream.eof:
            self._go_on()
            return b""
        data = self._take() if self._stream.needs_input else b""
        try:
            if self._stream.needs_input and not data:
                raise EOFError("it ends before its end")
            given = self._stream.decompress(data, most)
        except self._errors as error:
            raise InputError(self._damage(error)) from error
        self._given += len(given)
        if self._allowance.is_exceeded(self._taken, self._given):
            raise InputError(
                f"{self._where}: unpacks to more than {size_said(self._given)} from "
                f"{size_said(self._taken)}, a likely decompression bomb; if it is intended, "
                f"raise the limit with {VARIABLE}=8G"
            )
        return given

    def _damage(self, error: Exception) -> str:
        said = " ".join(str(error).split()) or type(error).__name__
        if "emory" in said:  # a window of gigabytes, by xz or zstd
            return f"{self._where}: needs too much memory to unpack ({said}); unpack it yourself"
        return (
            f"{self._where}: is not a whole {self._packing.name} file ({said}); "
            "copy or download it again"
        )

    def _take(self) -> bytes:
        data, self._ahead = self._ahead, b""
        if not data:
            data = self._packed.read(_BLOCK)
            self._taken += len(data)
        return data

    def _go_on(self) -> None:
        """Start the next member if there is one; zeros after the last are padding."""
        rest = self._stream.unused_data.lstrip(b"\0")
        while len(rest) < _KNOWN_BY and (more := self._take()):
            rest = (rest + more).lstrip(b"\0")
        if rest and self._packing.begins(rest):
            self._stream, self._ahead = self._packing.make(), rest
            return
        if rest:
            add_remark(f"what follows the {self._packing.name} data was left out")
        self._done = True


HEAD = 512
"""Number of first bytes that identify any format."""

_UNPACK = "unpack it, and name what is in it"
_TEXT = "save its text as a plain text file"
_SOUND = "no notes or letters can be read from sound or pictures"

_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF-", "a PDF", _TEXT),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\x1f\x9d", "packed by compress (.Z)", "unpack it with gunzip"),
    (b"\x04\x22\x4d\x18", "packed by lz4", "unpack it with lz4 -d"),
    (b"LZIP", "packed by lzip", "unpack it with lzip -d"),
    (b"\x89LZO\0", "packed by lzop", "unpack it with lzop -d"),
    (b"!<arch>\n", "an ar archive", _UNPACK),
    (b"MSCF\0\0\0\0", "a cabinet archive", _UNPACK),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Word, Excel or PowerPoint file", _TEXT),
    (b"{\\rtf", "rich text (RTF)", _TEXT),
    (b"SQLite format 3\0", "an SQLite database", "export the table that is meant as text"),
    (b"\x89PNG\r\n\x1a\n", "an image (PNG)", _SOUND),
    (b"\xff\xd8\xff", "an image (JPEG)", _SOUND),
    (b"GIF87a", "an image (GIF)", _SOUND),
    (b"GIF89a", "an image (GIF)", _SOUND),
    (b"II*\0", "an image (TIFF)", _SOUND),
    (b"MM\0*", "an image (TIFF)", _SOUND),
    (b"OggS", "sound (Ogg)", _SOUND),
    (b"fLaC", "sound (FLAC)", _SOUND),
    (b"ID3", "sound (MP3)", _SOUND),
    (b"\x7fELF", "a program", "name a file with data in it"),
    (b"\xca\xfe\xba\xbe", "a program", "name a file with data in it"),
    (b"\xcf\xfa\xed\xfe", "a program", "name a file with data in it"),
    (b"\0asm", "a program", "name a file with data in it"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "export what is meant as text"),
    (b"\x93NUMPY", "a NumPy array", "export what is meant as text"),
    (b"PAR1", "a Parquet table", "export the column that is meant as text"),
    (b"ARROW1", "an Arrow table", "export the column that is meant as text"),
    (b"wOFF", "a font", "name a file with data in it"),
    (b"wOF2", "a font", "name a file with data in it"),
    (b"BAM\x01", "a BAM file of alignments", "write its sequences with samtools fasta"),
    (b"CRAM", "a CRAM file of alignments", "write its sequences with samtools fasta"),
    (b"\x43\x27\x41\x1a", "a .2bit genome", "write it as FASTA with twoBitToFa"),
    (b"\x1a\x41\x27\x43", "a .2bit genome", "write it as FASTA with twoBitToFa"),
)

_RIFF = {
    b"WAVE": ("sound (WAV)", _SOUND),
    b"AVI ": ("a video", _SOUND),
    b"WEBP": ("an image (WebP)", _SOUND),
}

_BLANK = b"\xef\xbb\xbf \t\r\n"
_WEB = (b"<!doctype html", b"<html", b"<head>", b"<body")


def is_tar(head: bytes) -> bool:
    """Whether these are the first bytes of a tar archive (POSIX: ``ustar`` at offset 257)."""
    return head[257:262] == b"ustar"


def is_web_page(head: bytes) -> bool:
    """Whether these are the first bytes of HTML, or XHTML after its XML declaration."""
    start = head.lstrip(_BLANK).lower()
    if start.startswith(b"<?xml"):
        start = start.partition(b"?>")[2].lstrip(_BLANK)
    return start.startswith(_WEB)


def foreign(head: bytes) -> str | None:
    """First bytes in, the format and remedy as the end of a sentence out (``a PDF; save its text
    ...``); None if unknown.

    Args:
        head: The first bytes, `HEAD` of them where there are so many.
    """
    if is_tar(head):
        return f"a tar archive; {_UNPACK}"
    if head[:4] == b"RIFF" and head[8:12] in _RIFF:
        what, remedy = _RIFF[head[8:12]]
        return f"{what}; {remedy}"
    if head[4:8] == b"ftyp":
        return f"sound or video (MP4); {_SOUND}"
    if head[:2] == b"BM" and head[6:10] == bytes(4) and len(head) > 26:
        return f"an image (BMP); {_SOUND}"
    if head[8:10] == b'{"' and head[2:8] == bytes(6):  # a length below 65536, then JSON
        return "a model (.safetensors); name it as MODEL or with --init"
    for beginning, what, remedy in _BEGINNINGS:
        if head.startswith(beginning):
            return f"{what}; {remedy}"
    return None
