"""Nucleotides from FASTA and GenBank files, cleaned by stated rules.

- Headers, line breaks, blanks and alignment gaps (``-``, ``.``) are never symbols.
- Lower case (soft-masking) becomes upper case, unless case is kept.
- U (RNA) is read as T.
- N and X carry nothing: a run of them is a gap, at which a record is split.
- Any other IUPAC code (Cornish-Bowden 1985) becomes one of the bases it stands for, in turn by
  its position in the record: R at positions 0, 1, 2 of a record is A, G, A.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from Bio import BiopythonWarning, SeqIO
from Bio.Seq import UndefinedSequenceError
from Bio.SeqIO.FastaIO import SimpleFastaParser
from numpy.typing import NDArray

from seqforge.core.domain import Record
from seqforge.core.opening import opened, plain_suffix
from seqforge.errors import InputError

GENBANK = (".gb", ".gbk", ".gbff", ".genbank")

_AMBIGUOUS = {
    "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG",
}  # fmt: skip
_DROPPED = b" \t\r\n-."
_FEWEST_BASES = 0.5  # below this share of A, C, G, T, U and N a sequence is taken for protein


def _bytes_of(letters: str) -> NDArray[np.uint8]:
    return np.frombuffer((letters + letters.lower()).encode(), np.uint8)


_KNOWN = np.zeros(256, bool)
_KNOWN[_bytes_of("ACGTUNX" + "".join(_AMBIGUOUS))] = True
_PLAIN = np.zeros(256, bool)
_PLAIN[_bytes_of("ACGTUNX")] = True
_GAP = np.zeros(256, bool)
_GAP[_bytes_of("NX")] = True
_TO_DNA = bytes.maketrans(b"UuXx", b"TtNn")


@dataclass(frozen=True)
class Nucleotides:
    """A cleaned sequence."""

    symbols: str
    """A, C, G, T and N (and a, c, g, t, n where case is kept)."""
    gaps: tuple[tuple[int, int], ...]
    note: str


class _NotNucleotides(ValueError):
    """A letter that no nucleotide code has; ``args`` are the letter and why."""


def clean(letters: str, keep_case: bool = False) -> Nucleotides:
    """A sequence by the rules above.

    Raises:
        ValueError: If it holds something else; the message says what.
    """
    try:
        raw = letters.encode("latin-1").translate(None, _DROPPED)
    except UnicodeEncodeError as error:
        raise _NotNucleotides(f"{letters[error.start]!r} is not a nucleotide code") from error
    codes = np.frombuffer(raw, np.uint8)
    known = _KNOWN[codes]
    if not known.all():
        wrong = chr(codes[known.argmin()])
        hint = "; this looks like protein" if wrong.upper() in "EFILPQZJO*" else ""
        raise _NotNucleotides(f"{wrong!r} is not a nucleotide code (ACGTUN or IUPAC){hint}")
    plain = _PLAIN[codes]
    if len(codes) and plain.mean() < _FEWEST_BASES:
        raise _NotNucleotides("most letters are not A, C, G, T or N; this looks like protein")
    notes = []
    if uracils := raw.count(b"U") + raw.count(b"u"):
        notes.append(f"{uracils} U read as T")
    if not plain.all():
        notes.append(f"{int((~plain).sum())} ambiguity codes resolved by position")
        codes = _resolved(codes, plain)
    dna = codes.tobytes().translate(_TO_DNA)
    symbols = (dna if keep_case else dna.upper()).decode("latin-1")
    gaps = _runs(_GAP[codes])
    if gaps:
        notes.append(f"split at {len(gaps)} runs of N ({sum(b - a for a, b in gaps)} in all)")
    return Nucleotides(symbols, gaps, ", ".join(notes))


def _resolved(codes: NDArray[np.uint8], plain: NDArray[np.bool_]) -> NDArray[np.uint8]:
    codes = codes.copy()
    places = np.flatnonzero(~plain)
    for place in places.tolist():
        letter = chr(codes[place])
        bases = _AMBIGUOUS[letter.upper()]
        base = bases[place % len(bases)]
        codes[place] = ord(base if letter.isupper() else base.lower())
    return codes


def _runs(mask: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """Half-open spans where the mask is True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False]))))
    return tuple((int(a), int(b)) for a, b in edges.reshape(-1, 2))


def read_sequences(path: Path, keep_case: bool = False) -> Iterator[Record]:
    """The records of a FASTA or GenBank file, each contig a group of its own.

    Raises:
        InputError: If it is neither, or holds no nucleotides; names the line.
    """
    for number, (title, letters) in enumerate(raw_sequences(path), 1):
        name = (title.split(maxsplit=1) or ["unnamed"])[0]
        found = cleaned(path, name, letters, keep_case)
        yield Record(found.symbols, name, f"{path}#{number}", found.gaps, found.note)


def cleaned(path: Path, name: str, letters: str, keep_case: bool = False) -> Nucleotides:
    """What `clean` makes of a record of a file.

    Raises:
        InputError: If it is not nucleotides; names the line where there is one.
    """
    try:
        return clean(letters, keep_case)
    except _NotNucleotides as error:
        line = _line_of_first_wrong(path)
        where = f"{path}:{line}" if line else f"{path}: record {name}"
        raise InputError(f"{where}: {error}; give DNA or RNA") from error


def raw_sequences(path: Path) -> Iterator[tuple[str, str]]:
    """Title and letters of each record of a FASTA or GenBank file, as they stand there.

    Raises:
        InputError: If it is neither.
    """
    with opened(path) as stream:
        start = _first_line(path, stream.peek(1 << 16) if hasattr(stream, "peek") else b"")
        text = io.TextIOWrapper(stream, encoding="latin-1")
        genbank = plain_suffix(path) in GENBANK or start.startswith("LOCUS")
        yield from _genbank(path, text) if genbank else _fasta(path, text)


def _first_line(path: Path, head: bytes) -> str:
    if head.startswith(b"MThd"):
        raise InputError(f"{path}: is a MIDI file, and a genome is read from FASTA or GenBank")
    if b"\0" in head:
        raise InputError(f"{path}: is no text file, and a genome is read from FASTA or GenBank")
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").split(b"\n", 1)[0].decode("latin-1")


def _fasta(path: Path, text: io.TextIOWrapper) -> Iterator[tuple[str, str]]:
    found = False
    for line in text:  # SimpleFastaParser would silently skip whatever stands before the first >
        stripped = line.lstrip("\ufeff\xef\xbb\xbf").strip()
        if stripped.startswith(">"):
            found = True
            break
        if stripped and not stripped.startswith((";", "#")):
            raise InputError(
                f"{path}: is neither FASTA nor GenBank: it begins with {stripped[:30]!r}, and a "
                "FASTA record begins with a line such as >chr1"
            )
    if not found:
        raise InputError(f"{path}: is empty; give a FASTA file with sequence in it")
    yield from SimpleFastaParser(chain([stripped], text))  # type: ignore[no-untyped-call]


def _genbank(path: Path, text: io.TextIOWrapper) -> Iterator[tuple[str, str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BiopythonWarning)  # odd headers do not matter here
        try:
            for record in SeqIO.parse(text, "genbank"):  # type: ignore[no-untyped-call]
                yield str(record.id), str(record.seq)
        except UndefinedSequenceError as error:
            raise InputError(
                f"{path}: a GenBank record without its sequence; download it with the sequence "
                "(ORIGIN) in it"
            ) from error
        except (ValueError, AssertionError, IndexError) as error:
            raise InputError(f"{path}: is not a GenBank file that can be read ({error})") from error


def _line_of_first_wrong(path: Path) -> int | None:
    """Of a FASTA file; letters of other lines than sequence do not count."""
    if plain_suffix(path) in GENBANK:
        return None
    with opened(path) as stream:
        for number, line in enumerate(stream, 1):
            codes = np.frombuffer(line.translate(None, _DROPPED), np.uint8)
            if not line.startswith((b">", b";", b"#")) and not _KNOWN[codes].all():
                return number
    return None
