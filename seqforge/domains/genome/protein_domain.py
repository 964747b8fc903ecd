"""The protein domain: FASTA in, amino acids as symbols, FASTA out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, ConfigDict, PositiveInt
from pydantic.dataclasses import dataclass

from seqforge.base.textio import checked_encoding
from seqforge.core.data.domain import Block, CopyUnits, Record, Sample
from seqforge.core.data.presentation import Measured, Wording
from seqforge.domains.genome.fasta_samples import WritesFasta
from seqforge.domains.genome.protein_composition import WORDINGS
from seqforge.domains.genome.sequence_search import SearchesSequences
from seqforge.errors import InputError

if TYPE_CHECKING:
    from seqforge.core.data.constraint import Constraint
    from seqforge.core.data.corpus import Corpus
    from seqforge.core.data.vocabulary import Vocabulary
    from seqforge.core.memory.memory import Arrays, Ids, Memory
    from seqforge.domains.genome.protein_composition import Proteins
    from seqforge.domains.genome.similarity.parameters import Residues

_HELD_OUT = 1_000_000  # residues, of whose proteins the lengths are measured


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ProteinDomain(WritesFasta, SearchesSequences):
    """FASTA of amino acids, upper-cased; each protein is a record, split at X and stops."""

    name: ClassVar[str] = "protein"
    suffix: ClassVar[str] = ".fa"
    suffixes: ClassVar[tuple[str, ...]] = (".fa", ".fasta", ".faa", ".fas", ".pep", ".aa")
    file_per_sample: ClassVar[bool] = False
    unit: ClassVar[str] = "residue"
    coding: ClassVar[tuple[str, ...]] = ()
    annotated: ClassVar[bool] = True
    wordings: ClassVar[Mapping[str, Wording]] = WORDINGS
    next_commands: ClassVar[tuple[tuple[str, str], ...]] = (
        (
            "seqforge blast --protein {run}/samples/samples-t0.8.fa",
            "searches again, here or in Swiss-Prot at EMBL-EBI",
        ),
    )
    copy_measure: ClassVar[str] = "20-mers found in training"

    line_width: PositiveInt = 60
    """Residues per line in FASTA output."""
    encoding: Annotated[str, AfterValidator(checked_encoding)] = ""
    """Encoding of files without a byte-order mark that cannot be read otherwise."""

    def read(self, path: Path) -> Iterator[Record]:
        """The proteins of a FASTA file; see `residues` for the rules."""
        from seqforge.domains.genome.protein_fasta import read_proteins

        return read_proteins(path, self.encoding)

    def read_blocks(self, path: Path) -> Iterator[Block]:
        """The same in blocks."""
        from seqforge.domains.genome.protein_fasta import protein_blocks

        return protein_blocks(path, self.encoding)

    def clusters(self, records: Iterable[str]) -> NDArray[np.int64]:
        """Isoforms and close relatives together; see `cluster_numbers`."""
        from seqforge.domains.genome.protein_clusters import cluster_numbers

        return cluster_numbers(records)

    def prime(self, source: str | Path) -> str:
        """Typed amino acids, or the first protein of a file; other letters are passed through."""
        from seqforge.domains.genome.residues import clean_typed

        if isinstance(source, str):
            return clean_typed(source)
        found = next((record.symbols for record in self.read(source) if record.symbols), "")
        if not found.strip("X"):
            raise InputError(
                f"{source}: holds no amino acids to begin with; give a FASTA with some"
            )
        return found

    def hint(self, symbol: str) -> str:
        """What a letter that is not an amino acid may be."""
        from seqforge.domains.genome.residues import GAPS

        return f"{symbol} is no amino acid: give a stretch without" if symbol in GAPS else ""

    def constraint(self, vocabulary: Vocabulary) -> Constraint | None:
        """No grammar."""
        return None

    def memory(self, vocabulary: Vocabulary, training: Ids, symbols: int, budget: int) -> Memory:
        """See `HasMemory.memory`: the last symbols and copies, as of symbols of any kind."""
        from seqforge.core.memory.slots import table_bytes
        from seqforge.core.memory.symbol_streams import general_memory

        return general_memory(training, len(vocabulary), table_bytes(symbols, budget))

    def saved_memory(self, vocabulary: Vocabulary, arrays: Arrays) -> Memory:
        """See `KeepsMemory`."""
        from seqforge.core.memory.symbol_streams import saved_general_memory

        return saved_general_memory(len(vocabulary), arrays)

    def copy_units(self, vocabulary: Vocabulary) -> CopyUnits:
        """20 amino acids."""
        ids = np.arange(len(vocabulary))
        return CopyUnits(20, ids > 0, ids)

    def searched_letters(self) -> Residues:
        """Proteins, which blastp's scores compare."""
        return "protein"

    def report(self, samples: Sequence[Sample], corpus: Corpus) -> dict[str, Any]:
        """Composition, lengths and copies, beside those of held-out proteins."""
        from seqforge.domains.genome.protein_composition import composition_report, copied_proteins

        drawn = _drawn(samples)
        held_out = _held_out(drawn.pieces, corpus)
        groups = {"samples": drawn.pieces, "held-out": held_out.pieces}
        return composition_report(drawn, held_out) | copied_proteins(groups, corpus.blocks("train"))

    def measure_groups(self, groups: Sequence[Sequence[Sample]], corpus: Corpus) -> list[Measured]:
        """See `MeasuresGroups`: all measures of the report."""
        from seqforge.domains.genome.protein_composition import measured_groups

        drawn = [_drawn(group) for group in groups]
        held_out = _held_out([piece for group in drawn for piece in group.pieces], corpus)
        return measured_groups(drawn, held_out, corpus.blocks("train"))


def _drawn(samples: Sequence[Sample]) -> Proteins:
    from seqforge.domains.genome.protein_composition import Proteins

    return Proteins([sample.symbols for sample in samples], [sample.drawn for sample in samples])


def _held_out(drawn: Sequence[str], corpus: Corpus) -> Proteins:
    """Held-out proteins, and pieces of them of the samples' lengths."""
    from seqforge.domains.genome.protein_composition import Proteins
    from seqforge.domains.genome.similarity.controls import HeldOut

    source = HeldOut.corpus(corpus)
    if source is None or corpus.held_out is None:
        return Proteins((), ())
    return Proteins(
        corpus.sequences(corpus.held_out, _HELD_OUT), source.pieces([len(piece) for piece in drawn])
    )
