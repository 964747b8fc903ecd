"""A zip archive in, the packed bytes of its one file out; an archive of several is refused by
name.
"""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

from seqforge.base.compression import (
    Allowance,
    Decompressor,
    Inflater,
    Packing,
    Unpacked,
    packing_of,
)
from seqforge.errors import InputError

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")

Chooser = Callable[[Sequence[str]], "str | None"]
"""Which of several files is meant, by their names; None for none."""


class SeveralFiles(InputError):
    """An archive of none or several files, none of which is the one that is meant."""


_MOST_DIRECTORY = 1 << 20  # bytes of an archive's list of files
_TAIL = 66_000  # where that list's end stands
# What zipfile has been seen to raise on damaged archives.
_NO_ARCHIVE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, OSError, EOFError, ValueError,
    RuntimeError, NotImplementedError, IndexError,
)  # fmt: skip
_DOCUMENTS = (
    ("word/", "a Word document", "save it as plain text"),
    ("xl/", "an Excel workbook", "export the sheet as text"),
    ("ppt/", "a PowerPoint file", "save its text as a plain text file"),
    ("META-INF/container.xml", "compressed MusicXML or an e-book", "unpack it"),
    ("META-INF/MANIFEST.MF", "a Java archive", "unpack it, and name what is in it"),
    ("mimetype", "an e-book or an OpenDocument file", "save it as plain text"),
)
_STORED, _DEFLATED, _BZ2, _ZSTD, _XZ = 0, 8, 12, 93, 95


class _Stored:
    """What is not packed: given back as it is."""

    needs_input = True
    unused_data = b""

    def __init__(self, size: int) -> None:
        self._left, self._held = size, b""

    @property
    def eof(self) -> bool:
        return self._left == 0

    def decompress(self, data: bytes, max_length: int) -> bytes:
        self._held += data
        given, self._held = self._held[:max_length], self._held[max_length:]
        self._left -= len(given)
        self.needs_input = not self._held
        return given


class _Slice(io.RawIOBase):
    """So many bytes of a file from a place on."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        file.seek(start)
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(min(len(buffer), self._left))
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)


class _Checked(Unpacked):
    """A member: at its end its size and checksum must be those that the archive says."""

    def __init__(self, file: BinaryIO, info: zipfile.ZipInfo, where: str, allowance: Allowance):
        begin = _data_offset(file, info)
        packed = cast("BinaryIO", io.BufferedReader(_Slice(file, begin, info.compress_size)))
        super().__init__(packed, _packing(info, where), where, allowance)
        self._info, self._sum, self._size = info, 0, 0

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        self._sum = zlib.crc32(memoryview(buffer)[:count], self._sum)
        self._size += count
        said = (self._info.CRC, self._info.file_size)
        if count < len(buffer) and (self._sum, self._size) != said:
            raise InputError(
                f"{self._where}: is not a whole .zip file (size or checksum of what is in it are "
                "wrong); copy or download it again"
            )
        return count


def opened_member(
    file: BinaryIO, where: str, allowance: Allowance, choose: Chooser | None
) -> Unpacked:
    """What is in the only file of an archive, or in the one that is chosen.

    Raises:
        InputError: If there are several, or none, or the archive is damaged or locked.
    """
    return _Checked(file, _member(file, where, choose), where, allowance)


def member_name(file: BinaryIO) -> str | None:
    """The name of the only file in an archive; None where there are more, or it is none."""
    try:
        return _member(file, "", None).filename
    except InputError:
        return None


def _member(file: BinaryIO, where: str, choose: Chooser | None) -> zipfile.ZipInfo:
    try:
        _check_directory(file, where)
        with zipfile.ZipFile(file) as archive:
            members = {info.filename: info for info in archive.infolist() if _counts(info)}
    except _NO_ARCHIVE as error:
        raise InputError(
            f"{where}: is not a whole .zip file ({' '.join(str(error).split())}); "
            "copy or download it again"
        ) from error
    names = list(members)
    chosen = choose(names) if choose is not None else None
    if chosen is None and len(names) == 1:
        (chosen,) = names
    if chosen is None:
        raise SeveralFiles(f"{where}: is {_said(names)}")
    info = members[chosen]
    if info.flag_bits & 1:
        raise InputError(f"{where}: is locked with a password; unpack it, and name what is in it")
    return info


def _check_directory(file: BinaryIO, where: str) -> None:
    """An archive of very many files is refused before all their names are in memory."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    place = tail.rfind(b"PK\x05\x06")
    if place >= 0 and len(tail) >= place + 16:
        (directory,) = struct.unpack_from("<I", tail, place + 12)
        if directory > _MOST_DIRECTORY:
            raise SeveralFiles(f"{where}: is a zip archive of many files; unpack it")
    file.seek(0)


def _counts(info: zipfile.ZipInfo) -> bool:
    """Not folders, and not what macOS puts in beside."""
    parts = PurePosixPath(info.filename).parts
    return not info.is_dir() and parts[:1] != ("__MACOSX",) and parts[-1:] != (".DS_Store",)


def _said(names: Sequence[str]) -> str:
    """What an archive of several files is, and what to do with it."""
    if not names:
        return "an empty zip archive; name one with a file in it"
    for beginning, what, remedy in _DOCUMENTS:
        if any(name.startswith(beginning) for name in names):
            return f"{what}; {remedy}"
    return f"a zip archive of {len(names):,} files; unpack it, and name the folder"


def _data_offset(file: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Where a member's bytes begin: behind its own header, which has lengths of its own."""
    file.seek(info.header_offset)
    header = file.read(30)
    name, extra = struct.unpack_from("<HH", header.ljust(30, b"\0"), 26)
    return info.header_offset + 30 + int(name) + int(extra)


def _packing(info: zipfile.ZipInfo, where: str) -> Packing:
    makers: dict[int, Callable[[], Decompressor]] = {
        _STORED: lambda: _Stored(info.compress_size),
        _DEFLATED: lambda: Inflater(-15),
        _BZ2: bz2.BZ2Decompressor,
    }
    for method, beginning in ((_ZSTD, b"\x28\xb5\x2f\xfd"), (_XZ, b"\xfd7zXZ\0")):
        packing = packing_of(beginning)
        if packing is not None:
            makers[method] = packing.make
    if info.compress_type not in makers:
        raise InputError(
            f"{where}: is a zip archive packed by a method ({info.compress_type}) that is not "
            "read; unpack it, and name what is in it"
        )
    return Packing(".zip", lambda head: False, makers[info.compress_type])
