"""A library to search: the sequences of FASTA or GenBank files, read one at a time."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from Bio.SeqIO.FastaIO import SimpleFastaParser

from seqforge.core.opening import opened, plain_suffix
from seqforge.domains.genome.fasta import GENBANK, clean, read_sequences
from seqforge.errors import InputError

_parse_fasta: Callable[[Iterator[str]], Iterator[tuple[str, str]]] = SimpleFastaParser


@dataclass(frozen=True)
class Entry:
    """One sequence of a library."""

    id: str
    """The first word of its header."""
    description: str
    """The rest of its header."""
    bases: bytes
    """A, C, G, T and N."""
    database: str
    """The file's name without its endings."""
    source: str
    """The file."""


@dataclass(frozen=True)
class LibrarySize:
    """What E-values are counted against."""

    letters: int
    """Bases of all sequences, N among them."""
    sequences: int


def read_library(paths: Sequence[Path]) -> Iterator[Entry]:
    """The sequences of all files in turn, cleaned by the rules of `fasta`; empty ones left out.

    Raises:
        InputError: If a file is missing, damaged, empty, or not nucleotides.
    """
    for path in paths:
        found = False
        database = path.name.removesuffix(path.suffix if path.suffix in {".gz", ".bz2"} else "")
        for name, description, symbols in _sequences(path):
            if symbols:
                found = True
                bases = symbols.encode("ascii")
                yield Entry(name, description, bases, Path(database).stem, str(path))
        if not found:
            raise InputError(f"{path}: holds no bases to search; give a FASTA file with some")


def measure(paths: Sequence[Path]) -> LibrarySize:
    """The size of a library; it is read once for this.

    Raises:
        InputError: As `read_library` does, and if there is no file at all.
    """
    if not paths:
        raise InputError("there is no library to search; name a FASTA file")
    letters = sequences = 0
    for entry in read_library(paths):
        letters += len(entry.bases)
        sequences += 1
    return LibrarySize(letters, sequences)


def _sequences(path: Path) -> Iterator[tuple[str, str, str]]:
    """Name, description and clean bases of each record."""
    if plain_suffix(path) in GENBANK:
        yield from ((record.name, "", record.symbols) for record in read_sequences(path))
        return
    with opened(path) as stream:
        lines = io.TextIOWrapper(stream, encoding="latin-1")
        for title, letters in _parse_fasta(_from_first_header(path, lines)):
            name, _, description = title.partition(" ")
            try:
                yield name or "unnamed", description.strip(), clean(letters).symbols
            except ValueError as error:
                raise InputError(
                    f"{path}: record {name or 'unnamed'}: {error}; give DNA or RNA"
                ) from error


def _from_first_header(path: Path, lines: Iterable[str]) -> Iterator[str]:
    """The lines from the first ``>`` on, which SimpleFastaParser would go to without a word."""
    rest = iter(lines)
    for line in rest:
        bare = line.lstrip("\ufeff\xef\xbb\xbf").strip()
        if bare.startswith(">"):
            return chain([bare + "\n"], rest)
        if bare and not bare.startswith((";", "#")):
            raise InputError(
                f"{path}: is not FASTA: it begins with {bare[:30]!r}, and a FASTA record begins "
                "with a line such as >chr1"
            )
    raise InputError(f"{path}: is empty; give a FASTA file with sequence in it")
