"""Opening text files, plain or compressed, with every mishap as one sentence."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from seqforge.errors import InputError

_PACKED: dict[str, Callable[[Path, str], Any]] = {".gz": gzip.open, ".bz2": bz2.open}


def plain_suffix(path: Path) -> str:
    """The ending that says what is inside: ``.fa`` for ``x.FA.gz``, lower case."""
    name = path.name.lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    return Path(name).suffix


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file open for reading bytes, unpacked where its name ends in .gz or .bz2.

    Raises:
        InputError: If it is missing, a folder, cut short or not packed as its name says; also
            for what goes wrong while it is read.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file in it")
    try:
        opener = _PACKED.get(path.suffix.lower(), open)
        with opener(path, "rb") as stream:
            yield cast("BinaryIO", stream)
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: is not a whole {path.suffix} file ({error})") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error


def read_bytes(path: Path) -> bytes:
    """A file's whole content, unpacked.

    Raises:
        InputError: As `opened` does.
    """
    with opened(path) as stream:
        return stream.read()


def read_text(path: Path) -> str:
    """A UTF-8 file's text; a byte-order mark is dropped and line ends become ``\\n``.

    Raises:
        InputError: If it cannot be read, is binary, or is not UTF-8 (names the byte offset).
    """
    data = read_bytes(path)
    if b"\0" in data:
        raise InputError(
            f"{path}: holds a zero byte at offset {data.index(0)}, so it is no text; "
            "give a text file, or --bytes to learn bytes"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: byte 0x{data[error.start]:02x} at offset {error.start} is not UTF-8; "
            "convert the file to UTF-8, or give --bytes to learn bytes"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")
