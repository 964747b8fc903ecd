"""Nucleotides or proteins in, how a search reads and compares such sequences out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.presentation import Wording
from seqforge.core.records import Block, Record, joined
from seqforge.domains.genome.composition import WORDINGS as BASES
from seqforge.domains.genome.composition import copied_from
from seqforge.domains.genome.fasta import read_blocks
from seqforge.domains.genome.nucleotides import base_codes, dust_mask, searched_residues
from seqforge.domains.genome.protein_composition import WORDINGS as PROTEINS
from seqforge.domains.genome.protein_composition import copied_proteins
from seqforge.domains.genome.protein_fasta import protein_blocks
from seqforge.domains.genome.residues import (
    RESIDUES,
    low_complexity,
    residue_codes,
    searched_letters,
)
from seqforge.domains.genome.similarity.parameters import Residues

Copies = Callable[[Mapping[str, Sequence[str]], Iterable[str]], dict[str, dict[str, float | None]]]


@dataclass(frozen=True)
class SequenceKind:
    """How sequences of one kind are read, searched and compared."""

    letters: Residues
    unit: str
    domain: str
    """Whose runs have such samples."""
    program: str
    """Of BLAST+."""
    database_type: str
    """Of makeblastdb."""
    alphabet: str
    """The letters that stand for themselves."""
    any_letter: str
    """What stands for any of them."""
    signs: tuple[int, ...]
    """1 for the strand that is given, -1 for the other."""
    blocks: Callable[[Path], Iterator[Block]]
    """A file as a run reads it."""
    library_blocks: Callable[[Path], Iterator[Block]]
    """The same with its ambiguous letters."""
    stop: bytes
    """What may end a sequence and is no letter of it."""
    searched: Callable[[str], bytes]
    """Letters as a search scores them."""
    codes: Callable[[str], NDArray[np.uint8]]
    """Places in the alphabet; its length for other letters."""
    low_complexity: Callable[[str], NDArray[np.bool_]]
    wordings: Mapping[str, Wording]
    """Measures in words."""
    copied: Copies
    """What groups of sequences share with training data, given in blocks."""

    @property
    def strands(self) -> str:
        """Strands in words."""
        return "both strands" if len(self.signs) == 2 else "proteins"

    def library_records(self, path: Path) -> Iterator[tuple[Record, bytes]]:
        """The records of a file with their letters, ambiguous ones among them."""
        for record, letters in joined(self.library_blocks(path)):
            yield record, letters.rstrip(self.stop)

    def low_share(self, sequence: str) -> float:
        """The low-complexity share of a sequence; 0 for an empty one."""
        return float(self.low_complexity(sequence).mean()) if sequence else 0.0


_KINDS: dict[Residues, SequenceKind] = {
    "dna": SequenceKind(
        letters="dna",
        unit="base",
        domain="genome",
        program="blastn",
        database_type="nucl",
        alphabet="ACGT",
        any_letter="N",
        signs=(1, -1),
        blocks=read_blocks,
        library_blocks=lambda path: read_blocks(path, keep_codes=True),
        stop=b"",
        searched=searched_residues,
        codes=base_codes,
        low_complexity=lambda sequence: dust_mask(base_codes(sequence)),
        wordings=BASES,
        copied=copied_from,
    ),
    "protein": SequenceKind(
        letters="protein",
        unit="residue",
        domain="protein",
        program="blastp",
        database_type="prot",
        alphabet=RESIDUES,
        any_letter="X",
        signs=(1,),
        blocks=protein_blocks,
        library_blocks=lambda path: protein_blocks(path, searched=True),
        stop=b"*",
        searched=searched_letters,
        codes=residue_codes,
        low_complexity=low_complexity,
        wordings=PROTEINS,
        copied=copied_proteins,
    ),
}


def kind_of(letters: Residues) -> SequenceKind:
    """What sequences are made of in, their kind out."""
    return _KINDS[letters]
