"""A library to search: the sequences of FASTA or GenBank files, read one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from seqforge.base.packing import ENDINGS
from seqforge.core.records import joined
from seqforge.domains.genome.fasta import read_blocks
from seqforge.errors import InputError


@dataclass(frozen=True)
class Entry:
    """One sequence of a library."""

    id: str
    """The first word of its header."""
    description: str
    """The rest of its header."""
    bases: bytes
    """A, C, G, T, N and the other IUPAC codes."""
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
    """The sequences of all files in turn, cleaned by `nucleotides`' rules; empty ones left out.

    Ambiguity codes stay what they are: a search scores them.

    Raises:
        InputError: If a file is missing, damaged, empty, or not nucleotides.
    """
    for path in paths:
        found = False
        for record, bases in joined(read_blocks(path, keep_codes=True)):
            if bases:
                found = True
                yield Entry(record.name, record.description, bases, stem_of(path), str(path))
        if not found:
            raise InputError(f"{path}: holds no bases to search; give a FASTA file with some")


class _HasBases(Protocol):
    @property
    def bases(self) -> Sized: ...


_Sequence = TypeVar("_Sequence", bound=_HasBases)


def in_portions(sequences: Iterable[_Sequence], letters: int) -> Iterator[list[_Sequence]]:
    """Sequences in their order, each portion with so many letters, or a little more."""
    portion: list[_Sequence] = []
    held = 0
    for sequence in sequences:
        portion.append(sequence)
        held += len(sequence.bases)
        if held >= letters:
            yield portion
            portion, held = [], 0
    if portion:
        yield portion


def stem_of(path: Path) -> str:
    """A library file's name without its endings: ``dmel`` for ``dmel.fa.gz``."""
    name = path.name
    while name.lower().endswith(ENDINGS):
        name = name.rpartition(".")[0]
    return Path(name).stem


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
