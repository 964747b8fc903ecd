"""A FASTA (or GenBank) file in, cleaned sequences out."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seqforge.base.compression import HEAD
from seqforge.base.messages import add_remark, one_line
from seqforge.base.textio import opened_as_utf8, plain_suffix, refuse_foreign
from seqforge.core.data.domain import Block, Record
from seqforge.core.records import joined
from seqforge.domains.genome.genbank import (
    BLOCK,
    LONGEST_TITLE,
    RecordEnd,
    RecordPart,
    RecordStart,
    in_a_sentence,
    parse_genbank,
    start_of,
    text_blocks,
)
from seqforge.domains.genome.nucleotides import Cleaner, NotNucleotides, is_sequence
from seqforge.domains.genome.residues import NotProtein
from seqforge.errors import InputError

GENBANK = (".gb", ".gbk", ".gbff", ".genbank")

_BLOCK = BLOCK
_MARK = re.compile(rb"\n[>;]")  # a header or a comment begins
_NOTHING = np.empty(0, np.uint8)
_BOM = b"\xef\xbb\xbf"
_RELEASE = b"Genetic Sequence Data Bank"  # stands above the records of GenBank's own files

_OTHERS = (
    (b"MThd", "a MIDI file"),
    (b"ID   ", "an EMBL or UniProt file (seqret, or the database itself, gives FASTA)"),
    (b"##gff", "a GFF file: annotations, not the sequence"),
    (b"##fileformat=VCF", "a VCF file: variants, not the sequence"),
    (b"@HD\t", "a SAM file (samtools fasta gives FASTA)"),
    (b"@SQ\t", "a SAM file (samtools fasta gives FASTA)"),
    (b"CLUSTAL", "a Clustal alignment"),
    (b"# STOCKHOLM", "a Stockholm alignment"),
    (b"#NEXUS", "a NEXUS file"),
    (b"%PDF", "a PDF file"),
    (b"<", "HTML or XML (perhaps a page that says why there was nothing to download)"),
    (b"{", "JSON"),
)


def read_sequences(
    path: Path, keep_case: bool = False, encoding: str = "", *, keep_codes: bool = False
) -> Iterator[Record]:
    """A FASTA or GenBank file in, its records out, each contig a group of its own.

    Args:
        path: The file.
        keep_case: Whether lower case stays.
        encoding: What it is written in, where it does not say.
        keep_codes: Whether IUPAC codes stay what they are, and are not resolved.

    Raises:
        InputError: If it is neither, or holds no nucleotides; names the line.
    """
    for record, bases in joined(read_blocks(path, keep_case, encoding, keep_codes=keep_codes)):
        yield replace(record, symbols=bases.decode("latin-1"))


def read_blocks(
    path: Path, keep_case: bool = False, encoding: str = "", *, keep_codes: bool = False
) -> Iterator[Block]:
    """The same in blocks.

    Raises:
        InputError: As `read_sequences` does.
    """
    rules = ReadingRules(
        lambda: Cleaner(keep_case, keep_codes), is_sequence, lambda path, n: f"{path}#{n}"
    )
    return cleaned_blocks(path, rules, encoding)


class SequenceCleaner(Protocol):
    """Cleans a sequence block by block."""

    def clean(self, letters: bytes) -> NDArray[np.uint8]:
        """Letters in, symbols out; raises `NotNucleotides` or `NotProtein`."""
        ...

    def record(self, name: str, group: str, description: str) -> Record:
        """The record of all that was cleaned, without symbols; raises the same."""
        ...


@dataclass(frozen=True)
class ReadingRules:
    """How the sequences of a file are read."""

    cleaner: Callable[[], SequenceCleaner]
    """A new one for each sequence."""
    fits: Callable[[bytes], bool]
    """Whether all letters of a line are such."""
    group: Callable[[Path, int], str]
    """Given a file and the number of a record in it, from 1."""
    from_what: str = "a genome is read from FASTA or GenBank"
    genbank: bool = True
    """Whether GenBank is read as well."""


def cleaned_blocks(path: Path, rules: ReadingRules, encoding: str = "") -> Iterator[Block]:
    """A FASTA file (or GenBank) in, its cleaned records in blocks out.

    Raises:
        InputError: If it is neither, or holds other letters; names the line.
    """
    number, start, cleaner = 0, RecordStart(""), rules.cleaner()
    try:
        for part in read_parts(path, encoding, rules.from_what, genbank=rules.genbank):
            if isinstance(part, RecordStart):
                number, start, cleaner = number + 1, part, rules.cleaner()
            elif isinstance(part, RecordEnd):
                for note in part.notes:
                    add_remark(note)
                record = cleaner.record(start.name, rules.group(path, number), start.description)
                yield Block(_NOTHING, record)
            else:
                yield Block(cleaner.clean(part))
    except (NotNucleotides, NotProtein) as error:
        line = _line_of_first_wrong(path, encoding, rules.fits)
        if line is None and isinstance(error, NotProtein):
            line = _line_of_header(path, number, encoding)
        where = f"{path}:{line}" if line else f"{path}: record {in_a_sentence(start.name)}"
        raise InputError(f"{where}: {error}; {error.remedy}") from error


def read_parts(
    path: Path,
    encoding: str = "",
    from_what: str = ReadingRules.from_what,
    *,
    genbank: bool = True,
) -> Iterator[RecordPart]:
    """A file in, its letters and line breaks out, record by record.

    Args:
        path: The file.
        encoding: What it is written in, where it does not say.
        from_what: The end of the message that refuses other files.
        genbank: Whether GenBank is read as well.

    Raises:
        InputError: If it is neither FASTA nor GenBank; says what it is, where that is known.
    """
    with opened_as_utf8(path, encoding) as stream:
        blocks = text_blocks(stream, _BLOCK)
        head = b""
        while len(head) < _BLOCK and (block := next(blocks, b"")):
            head += block
        whole = chain([head], blocks)
        if _is_genbank(path, head, from_what):
            if not genbank:
                raise InputError(f"{path}: is a GenBank file, and {from_what}")
            yield from parse_genbank(path, whole)
        else:
            yield from _fasta(path, whole)


def _is_genbank(path: Path, head: bytes, from_what: str) -> bool:
    """Whether a file is GenBank and not FASTA.

    Raises:
        InputError: If it is something else.
    """
    if not head.strip():
        raise InputError(f"{path}: is empty; give a FASTA file with sequence in it")
    line = head.split(b"\n", 1)[0]
    what = next((what for begins, what in _OTHERS if head.startswith(begins)), "")
    if not what:
        refuse_foreign(path, head[:HEAD])
    if b"\0" in head[:_BLOCK] and not what:
        what = "no text file"
    if line.startswith(b"@") and re.search(rb"^\+", head, re.MULTILINE):
        what = "a FASTQ file: reads with their qualities (seqtk seq -a gives FASTA)"
    if what:
        raise InputError(f"{path}: is {what}, and {from_what}")
    if line.startswith((b">", b";")):
        return False
    return line.startswith(b"LOCUS") or _RELEASE in line or plain_suffix(path) in GENBANK


def _fasta(path: Path, blocks: Iterable[bytes]) -> Iterator[RecordPart]:
    number, empty, start, preamble = 0, True, RecordStart(""), b""
    for header, text in _split(blocks):
        if header:
            if number:
                yield _end(start, empty)
            number, empty, start = number + 1, True, start_of(text)
            yield start
        elif number:
            empty = empty and not text.strip()
            yield text
        else:
            preamble = _check_preamble(path, preamble + text)
    if not number:
        raise InputError(f"{path}: is empty; give a FASTA file with sequence in it")
    yield _end(start, empty)


def _end(start: RecordStart, empty: bool) -> RecordEnd:
    return RecordEnd((f"record {in_a_sentence(start.name)} has no sequence",) if empty else ())


def _split(blocks: Iterable[bytes]) -> Iterator[tuple[bool, bytes]]:
    """Headers (True) without ``>``, and blocks of the sequence between them (False).

    Lines that begin with ``;`` are comments.
    """
    marked, title, fresh = b"", b"", True  # the mark of the line under way; whether a line begins
    for block in blocks:
        place = 0
        while place < len(block):
            if fresh and block[place : place + 1] in (b">", b";"):
                marked, title, place = block[place : place + 1], b"", place + 1
            fresh = False
            if marked:
                end = block.find(b"\n", place)
                stop = len(block) if end < 0 else end
                title += block[place : min(stop, place + LONGEST_TITLE - len(title))]
                place = stop
                if end >= 0:
                    if marked == b">":
                        yield True, title
                    marked, fresh, place = b"", True, stop + 1
                continue
            mark = _MARK.search(block, place)
            stop = mark.start() + 1 if mark else len(block)
            yield False, block[place:stop]
            fresh, place = block[stop - 1 : stop] == b"\n", stop
    if marked == b">":
        yield True, title


def _check_preamble(path: Path, text: bytes) -> bytes:
    """Only comments are allowed before the first header.

    Returns:
        How the last line begins, which may go on in the next block.
    """
    lines = [line.strip() for line in text.split(b"\n")]
    for line in lines:
        if line and not line.startswith((b";", b"#")):
            begins = one_line(line[:30].decode("utf-8", "replace"))
            raise InputError(
                f"{path}: is neither FASTA nor GenBank: it begins with {begins!r}, and a FASTA "
                "record begins with a line such as >chr1"
            )
    return lines[-1][:1]


def _line_of_first_wrong(path: Path, encoding: str, fits: Callable[[bytes], bool]) -> int | None:
    """Of a FASTA file; letters of other lines than sequence do not count."""
    lines = _fasta_lines(path, encoding)
    return next((number for number, line, title in lines if not title and not fits(line)), None)


def _line_of_header(path: Path, record: int, encoding: str = "") -> int | None:
    """The line of the header of a record of a FASTA file, both from 1."""
    headers = (number for number, line, title in _fasta_lines(path, encoding)
               if title and line.lstrip().startswith(b">"))  # fmt: skip
    return next(islice(headers, record - 1, None), None)


def _fasta_lines(path: Path, encoding: str) -> Iterator[tuple[int, bytes, bool]]:
    """The pieces of the lines from the first header on: number, bytes, whether of a title or a
    comment. Of GenBank none.
    """
    with opened_as_utf8(path, encoding) as stream:
        text = io.TextIOWrapper(stream, encoding="latin-1", newline=None)
        number, begun, skipped, fresh = 1, False, False, True
        try:
            while piece := text.readline(_BLOCK):
                line = piece.encode("latin-1").replace(_BOM, b"")
                if not begun and line.startswith(b"LOCUS"):
                    return
                if fresh:
                    begun = begun or line.lstrip().startswith(b">")
                    skipped = line.lstrip().startswith((b">", b";")) or not begun
                if begun and (fresh or not skipped):
                    yield number, line, skipped
                fresh = line.endswith(b"\n")
                number += fresh
        finally:
            text.detach()  # it would close the file, which is not its own
