"""Sequences of FASTA and GenBank files, cleaned by the rules of `nucleotides`.

Headers are never symbols. A FASTA file is read in blocks: a chromosome is never held whole.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from typing import BinaryIO

import numpy as np
from Bio import BiopythonWarning, SeqIO
from Bio.Seq import UndefinedSequenceError

from seqforge.core.domain import Block, Record
from seqforge.core.opening import opened, plain_suffix
from seqforge.core.records import joined
from seqforge.domains.genome.nucleotides import Cleaner, NotNucleotides, is_sequence
from seqforge.errors import InputError

GENBANK = (".gb", ".gbk", ".gbff", ".genbank")

_BLOCK = 1 << 18
_BLANK = b"\xef\xbb\xbf \t\r\n"  # what may stand before everything: a byte-order mark, blanks
_NOTHING = np.empty(0, np.uint8)

_Part = tuple[int, str, bytes]  # number of the record from 1, its title, some of its letters


def read_sequences(path: Path, keep_case: bool = False) -> Iterator[Record]:
    """The records of a FASTA or GenBank file, each contig a group of its own.

    Raises:
        InputError: If it is neither, or holds no nucleotides; names the line.
    """
    for record, bases in joined(read_blocks(path, keep_case)):
        yield replace(record, symbols=bases.decode("latin-1"))


def read_blocks(path: Path, keep_case: bool = False) -> Iterator[Block]:
    """The same in blocks.

    Raises:
        InputError: As `read_sequences` does.
    """
    for (number, title), parts in groupby(_parts(path), key=lambda part: part[:2]):
        name, *description = title.split(maxsplit=1) or ["unnamed"]
        cleaner = Cleaner(keep_case)
        try:
            for _, _, letters in parts:
                yield Block(cleaner.clean(letters))
            record = cleaner.record(name, f"{path}#{number}", "".join(description))
        except NotNucleotides as error:
            line = _line_of_first_wrong(path)
            where = f"{path}:{line}" if line else f"{path}: record {name}"
            raise InputError(f"{where}: {error}; give DNA or RNA") from error
        yield Block(_NOTHING, record)


def _parts(path: Path) -> Iterator[_Part]:
    """The letters of a file as they stand there, line breaks among them."""
    with opened(path) as stream:
        start = _first_line(path, stream.peek(1 << 16) if hasattr(stream, "peek") else b"")
        genbank = plain_suffix(path) in GENBANK or start.startswith("LOCUS")
        yield from _genbank(path, stream) if genbank else _fasta(path, stream)


def _first_line(path: Path, head: bytes) -> str:
    if head.startswith(b"MThd"):
        raise InputError(f"{path}: is a MIDI file, and a genome is read from FASTA or GenBank")
    if b"\0" in head:
        raise InputError(f"{path}: is no text file, and a genome is read from FASTA or GenBank")
    return head.lstrip(_BLANK).split(b"\n", 1)[0].decode("latin-1")


def _fasta(path: Path, stream: BinaryIO) -> Iterator[_Part]:
    number, title, preamble = 0, "", b""
    for header, text in _split(stream):
        if header:
            number, title = number + 1, text.decode("latin-1").rstrip()
            yield number, title, b""
        elif number:
            yield number, title, text
        else:
            preamble = _check_preamble(path, preamble + text)
    if not number:
        raise InputError(f"{path}: is empty; give a FASTA file with sequence in it")


def _split(stream: BinaryIO) -> Iterator[tuple[bool, bytes]]:
    """Headers (True) without their ``>``, and blocks of what stands between them (False)."""
    blocks = iter(partial(stream.read, _BLOCK), b"")
    carried = b"\n"  # a header is known by the line break before it
    for block in chain([next(blocks, b"").lstrip(_BLANK)], blocks, [b"\n"]):
        text = carried + block.replace(b"\r", b"\n")
        carried = text[-1:] if text.endswith(b"\n") else b""
        place = 0
        while (mark := text.find(b"\n>", place)) >= 0:
            if mark > place:
                yield False, text[place:mark]
            place = text.find(b"\n", mark + 1)
            if place < 0:  # the header goes on in the next block
                carried, place = text[mark:], len(text)
                break
            yield True, text[mark + 2 : place]
        if place < len(text):
            yield False, text[place:]


def _check_preamble(path: Path, text: bytes) -> bytes:
    """Only comments may stand before the first header: nothing is skipped in silence.

    Returns:
        How the last line begins, which may go on in the next block.
    """
    lines = [line.strip() for line in text.split(b"\n")]
    for line in lines:
        if line and not line.startswith((b";", b"#")):
            raise InputError(
                f"{path}: is neither FASTA nor GenBank: it begins with "
                f"{line[:30].decode('latin-1')!r}, and a FASTA record begins with a line such as "
                ">chr1"
            )
    return lines[-1][:1]


def _genbank(path: Path, stream: BinaryIO) -> Iterator[_Part]:
    text = io.TextIOWrapper(stream, encoding="latin-1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BiopythonWarning)  # odd headers do not matter here
        try:
            for number, record in enumerate(SeqIO.parse(text, "genbank"), 1):  # type: ignore[no-untyped-call]
                yield number, str(record.id), str(record.seq).encode("latin-1")
        except UndefinedSequenceError as error:
            raise InputError(
                f"{path}: a GenBank record without its sequence; download it with the sequence "
                "(ORIGIN) in it"
            ) from error
        except (ValueError, AssertionError, IndexError) as error:
            raise InputError(f"{path}: is not a GenBank file that can be read ({error})") from error
        finally:
            text.detach()  # it would close the file, which is not its own


def _line_of_first_wrong(path: Path) -> int | None:
    """Of a FASTA file; letters of other lines than sequence do not count."""
    if plain_suffix(path) in GENBANK:
        return None
    with opened(path) as stream:
        begun = False
        for number, line in enumerate(stream, 1):
            line = line.lstrip(_BLANK) if number == 1 else line
            begun = begun or line.startswith(b">")
            other = line.startswith(b">" if begun else (b">", b";", b"#"))
            if not other and not is_sequence(line):
                return number
    return None
