"""Bytes of a sequence file in, blocks of text with plain line breaks out; and a record's parts.

Both readers (`fasta`, `genbank`) give the same three things in turn: a `Start`, letters in blocks,
an `End`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from seqforge.base.printable import one_line

BLOCK = 1 << 18
LONGEST_TITLE = 1 << 16
"""Letters of a title that are kept: a line without end is no reason to hold it whole."""

_LONGEST_NAME = 80
_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"


@dataclass(frozen=True)
class Start:
    """A record begins."""

    name: str
    description: str = ""


@dataclass(frozen=True)
class End:
    """It ends."""

    notes: tuple[str, ...] = ()
    """What a person should know of it."""


Part = Start | bytes | End


def text_blocks(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """The bytes in blocks: no byte-order mark, no blanks before everything, ``\\n`` ends lines.

    ``\\r\\n`` becomes two line breaks: a blank line more.
    """
    carried, begun = b"", False
    for read in iter(partial(stream.read, size), b""):
        block = carried + read
        held = next(n for n in (2, 1, 0) if block.endswith(_BOM[:n]))  # the mark may go on
        carried = block[len(block) - held :]
        block = block[: len(block) - held].replace(_BOM, b"").replace(b"\r", b"\n")
        block = block if begun else block.lstrip(_BLANKS)
        begun = begun or bool(block)
        yield block
    yield carried


def text_of_title(title: bytes) -> str:
    """A title that every terminal and table can show: UTF-8, or latin-1 where it is not that."""
    try:
        text = title.decode("utf-8")
    except UnicodeDecodeError:
        text = title.decode("latin-1")
    return one_line(text.replace("\t", " "))


def in_a_sentence(name: str) -> str:
    """A record's name for a message: the beginning of a long one."""
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."


def start_of(title: bytes) -> Start:
    """A record by its title: the first word is its name."""
    name, *description = title.split(maxsplit=1) or [b"unnamed"]
    rest = b"".join(description).rstrip()
    return Start(text_of_title(name), text_of_title(rest))
