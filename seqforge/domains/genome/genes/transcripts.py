"""A GFF3 or GTF file of coding exons (CDS) in, transcripts by contig out, checked against the
bases. The stop codon is no part of a transcript here, whether the file counts it as coding or not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seqforge.base.messages import did_you_mean, shown
from seqforge.domains.genome.annotations import feature_lines
from seqforge.domains.genome.nucleotides import Codes, base_codes, complemented
from seqforge.errors import InputError

Interval = tuple[int, int]
"""Bases from 0, half-open, on the forward strand."""

SPLICE_SITES = ("GTAG", "GCAG")
"""First and last two bases of introns that a gene may have."""
STOPS = ("TAA", "TAG", "TGA")
FEWEST_SPLICED = 0.5
"""Least share of introns with such ends; of an annotation of another assembly it is a few
hundredths."""
_FEWEST_JUDGED = 8  # introns
_NAMED = 3

_ID = re.compile(r'transcript_id[ =]+"?([^";]+)"?')
_PARENT = re.compile(r"(?:^|;)\s*Parent=([^;]+)")
_OWN = re.compile(r"(?:^|;)\s*(?:ID|protein_id|Name)=([^;]+)")
_STOP_CODES = frozenset(bytes(base_codes(stop)) for stop in STOPS)


class Transcript(NamedTuple):
    """The coding exons of one transcript, without a stop codon behind them."""

    strand: str
    """``+`` or ``-``."""
    exons: tuple[Interval, ...]
    """In order of the forward strand, not overlapping."""
    phase: int
    """Bases before the first whole codon, in reading direction."""
    name: str = ""

    @property
    def span(self) -> Interval:
        """From its first coding base to behind its last."""
        return self.exons[0][0], self.exons[-1][1]

    @property
    def introns(self) -> list[Interval]:
        """What lies between its exons."""
        return [(a[1], b[0]) for a, b in zip(self.exons, self.exons[1:], strict=False)]


@dataclass(frozen=True)
class Annotation:
    """Transcripts of a genome."""

    transcripts: Mapping[str, Sequence[Transcript]]
    """By contig, in order of their spans."""
    stop_coding: bool = False
    """Whether the file counts the stop codon as coding."""

    def on(self, contig: str) -> Sequence[Transcript]:
        """The transcripts of a contig."""
        return self.transcripts.get(contig, ())


class _Row(NamedTuple):
    """A line of CDS."""

    line: int
    start: int
    stop: int
    phase: int | None


def read_transcripts(path: Path, sequences: Mapping[str, Codes], offset: int = 0) -> Annotation:
    """A file in, its transcripts out.

    Args:
        path: GFF3 or GTF, packed or not.
        sequences: Codes of bases (T,) of each contig, as `base_codes` gives them.
        offset: Added to each coordinate of the file.

    Raises:
        InputError: If it has no coding exons, one lies on a contig that is not there or outside
            it, exons of one transcript overlap (all of these name the line), or its introns do
            not end as introns do.
    """
    found: dict[tuple[str, str, str], list[_Row]] = {}
    for contig, strand, name, row in _coding_rows(path, offset):
        if contig not in sequences:
            raise InputError(_no_contig(path, row.line, contig, sequences))
        _check_inside(path, row, contig, len(sequences[contig]), offset)
        found.setdefault((contig, strand, name), []).append(row)
    made: dict[str, list[Transcript]] = {}
    for (contig, strand, name), rows in found.items():
        made.setdefault(contig, []).append(_transcript(path, strand, name, rows))
    _check_introns(path, sequences, made, offset)
    return _without_stops(sequences, made)


def _coding_rows(path: Path, offset: int) -> Iterator[tuple[str, str, str, _Row]]:
    """Contig, strand, name of the transcript and interval of each coding exon.

    Raises:
        InputError: If there are none.
    """
    others, found = Counter[str](), False
    for number, line in feature_lines(path):
        cells = line.split("\t")
        if len(cells) < 8 or not _is_feature(cells):
            raise InputError(f"{path}:{number}: {shown(line, 60)} is no line of GFF3 or GTF")
        if cells[2] != "CDS":
            others[cells[2]] += 1
            continue
        found = True
        yield from _rows_of(path, number, cells, offset)
    if not found:
        raise InputError(f"{path}: {_nothing_coding(others)}")


def _is_feature(cells: Sequence[str]) -> bool:
    a, b = cells[3:5]
    return all(n.isascii() and n.isdigit() and len(n) < 16 for n in (a, b)) and 0 < int(a) <= int(b)


def _nothing_coding(others: Mapping[str, int]) -> str:
    kinds = ", ".join(list(others)[:_NAMED])
    has = f"has features ({kinds}), but no CDS among them" if others else "has no features"
    return f"{has}; genes are learnt from the CDS rows of a GFF3 or GTF file"


def _rows_of(
    path: Path, number: int, cells: Sequence[str], offset: int
) -> Iterator[tuple[str, str, str, _Row]]:
    contig, strand, phase = cells[0], cells[6], cells[7]
    if strand not in ("+", "-"):
        raise InputError(
            f"{path}:{number}: a CDS on strand {shown(strand, 20)}; it has to be + or -"
        )
    known = int(phase) if phase in ("0", "1", "2") else None
    row = _Row(number, int(cells[3]) - 1 + offset, int(cells[4]) + offset, known)
    for name in _names(cells[8] if len(cells) > 8 else "") or [f"line {number}"]:
        yield contig, strand, name, row


def _names(attributes: str) -> list[str]:
    """The transcripts that a row says it is of; GFF3 allows several."""
    if found := _ID.search(attributes):
        return [found[1]]
    if found := _PARENT.search(attributes):
        return found[1].split(",")
    found = _OWN.search(attributes)
    return [found[1]] if found else []


def _no_contig(path: Path, line: int, contig: str, sequences: Mapping[str, Codes]) -> str:
    names = list(sequences)
    near = did_you_mean(contig, names) or f"; there are {', '.join(names[:_NAMED])}"
    return f"{path}:{line}: there is no sequence {shown(contig, 60)} in the input{near}"


def _check_inside(path: Path, row: _Row, contig: str, size: int, offset: int) -> None:
    if row.start < 0 or row.stop > size:
        moved = f" (moved by {offset:,})" if offset else ""
        raise InputError(
            f"{path}:{row.line}: {row.start + 1:,}-{row.stop:,}{moved} lies outside "
            f"{shown(contig, 60)}, which has {size:,} bases; is it of another assembly?"
        )


def _transcript(path: Path, strand: str, name: str, rows: Iterable[_Row]) -> Transcript:
    """Rows of one transcript, in any order, a row perhaps more than once."""
    kept: list[_Row] = []
    for row in sorted(rows, key=lambda row: (row.start, row.stop, row.line)):
        if kept and (row.start, row.stop) == (kept[-1].start, kept[-1].stop):
            continue
        if kept and row.start < kept[-1].stop:
            first, last = sorted((row.line, kept[-1].line))
            raise InputError(
                f"{path}:{last}: this exon of transcript {shown(name, 60)} overlaps another of its "
                f"exons, in line {first}"
            )
        kept.append(row)
    begins = kept[0 if strand == "+" else -1]
    return Transcript(strand, _joined(kept), begins.phase or 0, name)


def _joined(rows: Iterable[_Row]) -> tuple[Interval, ...]:
    """Exons that touch are one: an aligner has cut them where the genome lacks bases."""
    found: list[Interval] = []
    for row in rows:
        if found and found[-1][1] == row.start:
            found[-1] = (found[-1][0], row.stop)
        else:
            found.append((row.start, row.stop))
    return tuple(found)


def bases_of(codes: Codes, strand: str, intervals: Iterable[Interval]) -> Codes:
    """The bases of intervals put together, in reading direction."""
    parts = [codes[max(a, 0) : max(b, 0)] for a, b in intervals]
    whole = np.concatenate(parts) if parts else codes[:0]
    return whole if strand == "+" else complemented(whole)


def intron_ends(codes: Codes, strand: str, intron: Interval) -> str:
    """The first and last two bases of an intron, ``GTAG`` of most."""
    a, b = intron
    ends = bases_of(codes, strand, [(a, min(a + 2, b)), (max(b - 2, a), b)])
    return "".join("ACGTN"[base] for base in ends.tolist())


def _check_introns(
    path: Path,
    sequences: Mapping[str, Codes],
    made: Mapping[str, Sequence[Transcript]],
    offset: int,
) -> None:
    introns = {
        (contig, one.strand, intron)
        for contig, transcripts in made.items()
        for one in transcripts
        for intron in one.introns
    }
    spliced = sum(intron_ends(sequences[c], strand, i) in SPLICE_SITES for c, strand, i in introns)
    if len(introns) >= _FEWEST_JUDGED and spliced < FEWEST_SPLICED * len(introns):
        given = f"an offset of {offset:,}" if offset else "coordinates as they are"
        raise InputError(
            f"{path}: with {given}, {spliced:,} of its {len(introns):,} introns begin with GT and "
            "end with AG, and nearly all should: the coordinates are shifted or of another "
            "assembly; give --gff-offset, or the FASTA file that it was made for"
        )


def _without_stops(
    sequences: Mapping[str, Codes], made: Mapping[str, Sequence[Transcript]]
) -> Annotation:
    """Stop codons taken off where a transcript ends with one."""
    ends = [_ends_with_stop(sequences[c], one) for c, each in made.items() for one in each]
    coding = sum(ends) > len(ends) / 2
    kept: dict[str, list[Transcript]] = {}
    for contig, transcripts in made.items():
        cut = [_cut(one) if _ends_with_stop(sequences[contig], one) else one for one in transcripts]
        kept[contig] = sorted((one for one in cut if one.exons), key=lambda one: one.span)
    return Annotation(kept, coding)


def _ends_with_stop(codes: Codes, one: Transcript) -> bool:
    bases = bases_of(codes, one.strand, one.exons)[one.phase :]
    return len(bases) % 3 == 0 and bytes(bases[-3:]) in _STOP_CODES


def _cut(one: Transcript) -> Transcript:
    """A transcript without its last three bases, which may lie in two exons or three."""
    left, exons = 3, list(one.exons)
    while exons and left:
        place = -1 if one.strand == "+" else 0
        a, b = exons.pop(place)
        taken = min(left, b - a)
        left -= taken
        if b - a > taken and one.strand == "+":
            exons.append((a, b - taken))
        elif b - a > taken:
            exons.insert(0, (a + taken, b))
    return one._replace(exons=tuple(exons))


def with_stop(one: Transcript, codes: Codes) -> Transcript:
    """A transcript and the stop codon that follows it directly, if one does."""
    a, b = one.span
    place = (b, b + 3) if one.strand == "+" else (a - 3, a)
    if bytes(bases_of(codes, one.strand, [place])) not in _STOP_CODES:
        return one
    exons = list(one.exons)
    if one.strand == "+":
        exons[-1] = (exons[-1][0], b + 3)
    else:
        exons[0] = (a - 3, exons[0][1])
    return one._replace(exons=tuple(exons))


def clusters(transcripts: Iterable[Transcript]) -> list[list[Transcript]]:
    """Genes: transcripts of a strand whose spans overlap, by strand and place."""
    found: list[list[Transcript]] = []
    end = 0
    for one in sorted(transcripts, key=lambda one: (one.strand, one.span)):
        if not found or found[-1][0].strand != one.strand or one.span[0] >= end:
            found.append([])
            end = 0
        found[-1].append(one)
        end = max(end, one.span[1])
    return found
