"""Packed files as streams of what is in them: gz, bgzip, bz2, xz, zst, and zip in `zip_member`.

The first bytes say what is packed and how, never the name. Bytes come a block at a time, so that
memory is flat whatever is in the file, and an `Allowance` ends what unpacks without end.
"""

from __future__ import annotations

import bz2
import io
import lzma
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, BinaryIO, Protocol

from seqforge.base.limits import VARIABLE, Allowance, size_said
from seqforge.base.remarks import remark
from seqforge.errors import InputError

ENDINGS = (".gz", ".bgz", ".bgzf", ".bz2", ".xz", ".zst", ".zip")
"""What names of packed files end in."""

_BLOCK = 1 << 16
_KNOWN_BY = 10  # bytes that tell how something is packed
_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError)
_XZ_MEMORY = 256 << 20  # xz -9 needs 65 MB


class Decompressor(Protocol):
    """What bz2, lzma and zstd of the standard library give."""

    @property
    def eof(self) -> bool:
        """Whether the end of the packed data was met."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether more packed bytes are needed before anything comes."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What was given behind the end."""
        ...

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """At most so many bytes, of what was given so far and now."""
        ...


class Inflater:
    """The same for zlib's streams: 31 window bits for gzip, -15 for bare deflate."""

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
        """Whether the end was met and its checksum was right."""
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        """What was given behind the end."""
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
    """A way of packing one stream of bytes."""

    name: str
    """The ending that such files have."""
    begins: Callable[[bytes], bool]
    """Whether it begins with these bytes (ten, where there are so many)."""
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
    """How what begins so is packed; None for not at all."""
    return next((packing for packing in PACKINGS if packing.begins(head)), None)


class Unpacked(io.RawIOBase):
    """What is in a packed stream, which may have several members one after the other."""

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
                f"{size_said(self._taken)}, which looks like harm; "
                f"if it is meant so, raise the limit with {VARIABLE}=8G"
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
        """Begin with the next member where there is one; zeros behind the last are padding."""
        rest = self._stream.unused_data.lstrip(b"\0")
        while len(rest) < _KNOWN_BY and (more := self._take()):
            rest = (rest + more).lstrip(b"\0")
        if rest and self._packing.begins(rest):
            self._stream, self._ahead = self._packing.make(), rest
            return
        if rest:
            remark(f"what stands behind the {self._packing.name} data was left out")
        self._done = True
