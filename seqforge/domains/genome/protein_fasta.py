"""A FASTA file of proteins in, cleaned sequences out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from seqforge.core.data.domain import Block, Record
from seqforge.core.records import joined
from seqforge.domains.genome.fasta import ReadingRules, cleaned_blocks
from seqforge.domains.genome.residues import ResidueCleaner, are_residues


def protein_blocks(path: Path, encoding: str = "", *, searched: bool = False) -> Iterator[Block]:
    """A FASTA file in, its proteins in blocks out, all of them one group.

    Args:
        path: The file.
        encoding: What it is written in, where it does not say.
        searched: Whether ambiguous letters stay what they are, and are not resolved.

    Raises:
        InputError: If it is none, or holds no proteins; names the line.
    """
    rules = ReadingRules(
        lambda: ResidueCleaner(searched), are_residues, lambda path, number: str(path),
        "proteins are read from FASTA", genbank=False,
    )  # fmt: skip
    return cleaned_blocks(path, rules, encoding)


def read_proteins(path: Path, encoding: str = "") -> Iterator[Record]:
    """The same as records, as a run reads them; raises the same errors."""
    for record, letters in joined(protein_blocks(path, encoding)):
        yield replace(record, symbols=letters.decode("latin-1"))
