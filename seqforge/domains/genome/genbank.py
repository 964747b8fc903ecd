"""A GenBank flat file in, its records out in blocks; also what GenBank and FASTA readers share."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from seqforge.base.messages import one_line
from seqforge.errors import InputError

BLOCK = 1 << 18
LONGEST_TITLE = 1 << 16
"""Letters of a title that are kept: a line without end is no reason to hold it whole."""

_LONGEST_NAME = 80
_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"


@dataclass(frozen=True)
class RecordStart:
    """A record begins."""

    name: str
    description: str = ""


@dataclass(frozen=True)
class RecordEnd:
    """It ends."""

    notes: tuple[str, ...] = ()
    """What a person should know of it."""


RecordPart = RecordStart | bytes | RecordEnd


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


def start_of(title: bytes) -> RecordStart:
    """A record by its title: the first word is its name."""
    name, *description = title.split(maxsplit=1) or [b"unnamed"]
    rest = b"".join(description).rstrip()
    return RecordStart(text_of_title(name), text_of_title(rest))


_KEYWORD = re.compile(rb"(LOCUS|DEFINITION|ACCESSION|VERSION|ORIGIN|CONTIG|WGS\w*|TSA|TLS)(?:\s|$)")
_NEXT = re.compile(rb"^(?:[ \t]*//|" + _KEYWORD.pattern + rb")", re.MULTILINE)
_NAMING = {b"LOCUS", b"DEFINITION", b"ACCESSION", b"VERSION", b"ORIGIN"}
_END = re.compile(rb"^(?:[ \t]*//|LOCUS[ \t])", re.MULTILINE)
_NUMBERS = re.compile(rb"^[ \t]*[0-9]+", re.MULTILINE)
_LENGTH = re.compile(rb"(?<!\S)(\S+)\s+(bp|aa)(?:\s|$)", re.I)  # from the start of a word: linear
_MOST_LINES = 1000  # of a definition
_NO_LETTERS = b" \t\n0123456789"


@dataclass
class _Header:
    """What the lines before a sequence say."""

    number: int
    locus: bytes = b""
    length: bytes = b""
    """The word before ``bp``: a number, or a name that runs into one."""
    protein: bool = False
    definition: list[bytes] = field(default_factory=list)
    accession: bytes = b""
    version: bytes = b""
    elsewhere: bytes = b""
    """CONTIG or WGS: the sequence is in other records."""
    keyword: bytes = b""

    def line(self, line: bytes) -> bytes:
        """Take a line in; returns its keyword, or nothing where it has none of interest."""
        found = _KEYWORD.match(line)
        if found is None:
            long = len(self.definition) >= _MOST_LINES
            if self.keyword == b"DEFINITION" and line.startswith(b" ") and not long:
                self.definition.append(line.strip())
            elif line[:1].strip():
                self.keyword = b""
            return b""
        self.keyword, value = found[1], line[found.end() :].strip()
        if self.keyword == b"LOCUS":
            self._locus(value)
        elif self.keyword == b"DEFINITION":
            self.definition = [value]
        elif self.keyword == b"ACCESSION":
            self.accession = self.accession or b"".join(value.split()[:1])
        elif self.keyword == b"VERSION":
            self.version = self.version or b"".join(value.split()[:1])
        elif self.keyword != b"ORIGIN":
            self.elsewhere = self.keyword
        return self.keyword

    def _locus(self, value: bytes) -> None:
        self.locus = b"".join(value.split()[:1])
        if found := _LENGTH.search(value):
            self.length, self.protein = found[1], found[2].lower() == b"aa"

    @property
    def name(self) -> bytes:
        """As Biopython has it: with its version where there is one."""
        return self.version or self.accession or self.locus or b"unnamed"

    def start(self) -> RecordStart:
        """The record's name and what it is."""
        described = b" ".join(self.definition)[:LONGEST_TITLE].removesuffix(b".")
        return RecordStart(text_of_title(self.name), text_of_title(described))

    def notes(self, found: int, closed: bool) -> Iterator[str]:
        """What a person should know of it.

        Args:
            found: Letters, gaps among them.
            closed: Whether its end was there.
        """
        name = f"record {in_a_sentence(text_of_title(self.name))}"
        if self.protein:
            yield f"{name} refused: it is a protein, and a genome is read from DNA or RNA"
            return
        if not found:
            where = f" (its {self.elsewhere.decode()} names others)" if self.elsewhere else ""
            yield (
                f"{name} refused: a GenBank record without its sequence{where}; download it with "
                "the sequence (ORIGIN) in it"
            )
            return
        if self.length.isdigit() and int(self.length[:20]) != found:
            yield f"{name}: LOCUS says {int(self.length[:20]):,} bp, {found:,} found"
        elif not self.length.endswith(str(found).encode()) and not self.length.isdigit():
            length = in_a_sentence(text_of_title(self.length)) or "no length"
            yield f"{name}: LOCUS says {length}, {found:,} bases found"
        if not closed:
            yield f"{name}: the line // at its end is missing"


def parse_genbank(path: Path, blocks: Iterable[bytes]) -> Iterator[RecordPart]:
    """The records of a GenBank file.

    Args:
        path: For messages.
        blocks: Its text; see `genbank.text_blocks`.

    Raises:
        InputError: If it holds no record, none with a sequence, or FASTA beside its records.
    """
    reader = _Reader(path)
    for text in _whole_lines(blocks):
        place = 0
        while place < len(text):
            place = yield from reader.take(text, place)
    yield from reader.finish()


class _Reader:
    """Where in a file one is, and the end of the record before, held back for what follows it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header: _Header | None = None
        self._in_sequence = False
        self._found = self._number = self._sequences = 0
        self._stray = 0
        """Lines outside records since the last one."""
        self._refusal = ""
        self._held: RecordEnd | None = None

    def take(self, text: bytes, place: int) -> Generator[RecordPart, None, int]:
        """The next line, or all that there is of a sequence; returns the place after it."""
        if self._in_sequence:
            end = _END.search(text, place)
            stop = end.start() if end else len(text)
            yield from self._letters(text[place:stop])
            self._in_sequence = end is None
            return stop
        if self._header is not None and self._header.keyword != b"DEFINITION":
            found = _NEXT.search(text, place)  # features are passed over
            if found is None:
                return len(text)
            place = found.start()
        stop = text.find(b"\n", place) + 1 or len(text)
        yield from self._line(text[place:stop])
        return stop

    def _letters(self, text: bytes) -> Iterator[RecordPart]:
        text = _NUMBERS.sub(b"", text)
        self._found += len(text.translate(None, _NO_LETTERS))
        if self._header is not None and not self._header.protein:
            yield text

    def _line(self, line: bytes) -> Iterator[RecordPart]:
        if line.lstrip().startswith(b"//"):
            yield from self._close(closed=True)
            return
        keyword = _KEYWORD.match(line)
        begins = keyword is not None and keyword[1] in _NAMING
        if self._header is not None and line.startswith(b"LOCUS"):
            yield from self._close(closed=False)
        if self._header is None:
            if not begins:
                self._outside(line)
                return
            self._number += 1
            self._header = _Header(self._number)
        if self._header.line(line) == b"ORIGIN":
            self._in_sequence = True
            yield from self._begin(self._header)

    def _outside(self, line: bytes) -> None:
        if line.startswith(b">"):
            raise InputError(
                f"{self._path}: holds FASTA beside GenBank records; put each in a file of its own"
            )
        self._stray += bool(line.strip())

    def _begin(self, header: _Header) -> Iterator[RecordPart]:
        yield from self._release()
        yield header.start()

    def _close(self, closed: bool) -> Iterator[RecordPart]:
        """End the record under way, if there is one."""
        header, found = self._header, self._found
        if header is None:
            return
        if not self._in_sequence and not found:  # no ORIGIN: it has not begun
            yield from self._begin(header)
        notes = tuple(header.notes(found, closed))
        self._held = RecordEnd(notes)
        if found and not header.protein:
            self._sequences += 1
        else:
            self._refusal = self._refusal or notes[0]
        self._header, self._in_sequence, self._found = None, False, 0

    def _release(self) -> Iterator[RecordPart]:
        """The end of the record before, with what stood after it."""
        if self._held is not None:
            stray = (f"{self._stray} lines outside records left out",) if self._stray else ()
            yield RecordEnd((*self._held.notes, *stray))
        self._held, self._stray = None, 0

    def finish(self) -> Iterator[RecordPart]:
        """The file has ended."""
        yield from self._close(closed=False)
        yield from self._release()
        if not self._number:
            raise InputError(f"{self._path}: is not a GenBank file: no line begins with LOCUS")
        if not self._sequences:
            raise InputError(f"{self._path}: {self._refusal}")


def _whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same text cut where lines end; lines without end are cut anywhere."""
    carried = b""
    for block in blocks:
        text = carried + block
        stop = text.rfind(b"\n") + 1 or (len(text) if len(text) > BLOCK else 0)
        carried = text[stop:]
        if stop:
            yield text[:stop]
    if carried:
        yield carried
