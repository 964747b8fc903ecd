"""The genome domain: FASTA and GenBank in, bases as symbols, FASTA out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, ConfigDict, PositiveInt
from pydantic.dataclasses import dataclass

from seqforge.base.messages import Advance
from seqforge.base.paths import data_folder
from seqforge.base.textio import checked_encoding
from seqforge.core.data.domain import Block, CopyUnits, Record, Sample
from seqforge.core.data.presentation import Measured, Wording
from seqforge.core.records import parse_regions
from seqforge.domains.genome.composition import WORDINGS
from seqforge.domains.genome.fasta_samples import WritesFasta, pieces_like
from seqforge.domains.genome.sequence_search import SearchesSequences
from seqforge.errors import ConfigError, InputError

if TYPE_CHECKING:
    from seqforge.core.config import DataConfig
    from seqforge.core.data.constraint import Constraint
    from seqforge.core.data.corpus import Corpus
    from seqforge.core.data.domain import Baseline
    from seqforge.core.data.examples import Example, ExampleSet, TaskName
    from seqforge.core.data.vocabulary import Vocabulary
    from seqforge.core.memory.memory import Arrays, Ids, Memory
    from seqforge.domains.genome.genes.examples import Asked
    from seqforge.domains.genome.genes.finder import GeneFinder

_COMPLEMENT = dict(zip("ACGTacgt", "TGCAtgca", strict=True))


def _checked_regions(text: str) -> str:
    if text:
        parse_regions(text)
    return text


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class GenomeDomain(WritesFasta, SearchesSequences):
    """FASTA or GenBank nucleotides, upper-cased; each contig is a record, split at runs of N."""

    name: ClassVar[str] = "genome"
    suffix: ClassVar[str] = ".fa"
    suffixes: ClassVar[tuple[str, ...]] = (
        ".fa", ".fasta", ".fna", ".ffn", ".fas", ".frn", ".gb", ".gbk", ".gbff", ".genbank",
    )  # fmt: skip
    file_per_sample: ClassVar[bool] = False
    unit: ClassVar[str] = "base"
    coding: ClassVar[tuple[str, ...]] = ("keep_case",)
    annotated: ClassVar[bool] = True
    annotation_suffixes: ClassVar[tuple[str, ...]] = (".gff", ".gff3", ".gtf", ".bed")
    annotation_options: ClassVar[tuple[str, ...]] = ("gff", "gff_offset", "region")
    kmer_size: ClassVar[int] = 24
    wordings: ClassVar[Mapping[str, Wording]] = WORDINGS
    next_commands: ClassVar[tuple[tuple[str, str], ...]] = (
        ("seqforge blast {run}/samples/samples-t0.8.fa", "searches again, here or at EMBL-EBI"),
    )
    copy_measure: ClassVar[str] = "24-mers found in training"

    strands: Literal["both", "forward"] = "both"
    """Whether half of the streams read the reverse complement."""
    keep_case: bool = False
    """Whether lower-case bases (soft-masking) are symbols of their own."""
    labels: bool = False
    """Records have labels, which condition the model: the names of their files."""
    line_width: PositiveInt = 60
    """Bases per line in FASTA output."""
    encoding: Annotated[str, AfterValidator(checked_encoding)] = ""
    """Encoding of files without a byte-order mark that cannot be read otherwise."""
    gff: str = ""
    """GFF3 or GTF file of coding exons (CDS), for --task label."""
    gff_offset: int = 0
    """Added to each coordinate of it."""
    region: Annotated[str, AfterValidator(_checked_regions)] = ""
    """Where it speaks of genes, ``chr2R:2000001-7000000`` (1-based, inclusive); default:
    everywhere."""

    def read(self, path: Path) -> Iterator[Record]:
        """The contigs of a FASTA or GenBank file; see `nucleotides` for the rules."""
        from seqforge.domains.genome.fasta import read_sequences

        return read_sequences(path, self.keep_case, self.encoding)

    def read_blocks(self, path: Path) -> Iterator[Block]:
        """The same in blocks; a chromosome is never in memory whole."""
        from seqforge.domains.genome.fasta import read_blocks

        label = path.name.removesuffix("".join(path.suffixes)) or path.name
        for block in read_blocks(path, self.keep_case, self.encoding):
            if self.labels and block.ends is not None:
                yield replace(block, ends=replace(block.ends, label=label))
            else:
                yield block

    def prime(self, source: str | Path) -> str:
        """Typed bases, or the first contig of a file; other letters are passed through.

        A file with letters that are no nucleotide codes is refused: it is no file of bases.
        """
        from seqforge.domains.genome.fasta import read_sequences
        from seqforge.domains.genome.nucleotides import clean_typed

        if isinstance(source, str):
            return clean_typed(source, self.keep_case)
        found = (record.symbols for record in read_sequences(source, self.keep_case, self.encoding))
        bases = next(filter(None, found), "")
        if not bases.strip("Nn"):
            raise InputError(f"{source}: holds no bases to begin with; give a FASTA that does")
        return bases

    def hint(self, symbol: str) -> str:
        """What a letter that is not a base may be."""
        from seqforge.domains.genome.nucleotides import PROTEIN

        if symbol.upper() in "NX":
            return f"{symbol} stands for no base: give a stretch without it"
        return "this looks like protein" if symbol.upper() in PROTEIN else ""

    def annotate(self, symbols: str) -> Mapping[str, NDArray[Any]]:
        """Composition, repeats, low complexity; see `annotate_bases`."""
        from seqforge.domains.genome.annotations import annotate_bases

        return annotate_bases(symbols)

    def read_annotations(
        self, path: Path, records: Sequence[Record]
    ) -> Mapping[str, Sequence[NDArray[Any]]]:
        """Features of a GFF3, GTF or BED file; see `read_features`."""
        from seqforge.domains.genome.annotations import read_features

        return read_features(path, records)

    def constraint(self, vocabulary: Vocabulary) -> Constraint | None:
        """No grammar."""
        return None

    def memory(self, vocabulary: Vocabulary, training: Ids, symbols: int, budget: int) -> Memory:
        """See `HasMemory.memory`."""
        from seqforge.domains.genome.memory.genome_memory import GenomeMemory

        return GenomeMemory.of(vocabulary.symbols, symbols, budget)

    def saved_memory(self, vocabulary: Vocabulary, arrays: Arrays) -> Memory:
        """See `KeepsMemory`."""
        from seqforge.domains.genome.memory.genome_memory import GenomeMemory

        return GenomeMemory.saved(vocabulary.symbols, arrays)

    def copy_units(self, vocabulary: Vocabulary) -> CopyUnits:
        """100 bases, on either strand and in either case."""
        codes, partners = self.strand_codes(vocabulary)
        return CopyUnits(100, codes > 0, codes, partners)

    def mirror(self, vocabulary: Vocabulary) -> NDArray[np.int64] | None:
        """The complement of each id (V,)."""
        return None if self.strands == "forward" else _partners(vocabulary)

    def reads_both_strands(self) -> bool:
        """Whether both strands are trained on."""
        return self.strands == "both"

    def baselines(self, corpus: Corpus, progress: Advance) -> dict[str, Baseline]:
        """Order-k models with inverted repeats, whichever strands the network reads."""
        from seqforge.domains.genome.inverted_repeats import inverted_repeats

        return inverted_repeats(corpus, _partners(corpus.vocabulary), progress)

    def strand_codes(self, vocabulary: Vocabulary) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Bases and complements as code points, regardless of case; 0 for other symbols."""
        bases = [symbol.upper() if symbol in _COMPLEMENT else "" for symbol in vocabulary.symbols]
        here = [0, *(ord(base) if base else 0 for base in bases)]
        there = [0, *(ord(_COMPLEMENT[base]) if base else 0 for base in bases)]
        return np.array(here, np.int64), np.array(there, np.int64)

    def report(self, samples: Sequence[Sample], corpus: Corpus) -> dict[str, Any]:
        """Composition and copies, beside those of held-out sequence."""
        from seqforge.domains.genome.composition import composition_report, copy_report

        drawn = [sample.drawn.upper() for sample in samples]
        held_out = pieces_like(drawn, corpus)
        blocks = (block.upper() for block in corpus.blocks("train"))
        return composition_report(drawn, held_out) | copy_report(drawn, held_out, blocks)

    def measure_groups(self, groups: Sequence[Sequence[Sample]], corpus: Corpus) -> list[Measured]:
        """See `MeasuresGroups`: all measures of composition and copies."""
        from seqforge.domains.genome.composition import measured_groups

        drawn = [[sample.drawn.upper() for sample in group] for group in groups]
        held_out = pieces_like([bases for group in drawn for bases in group], corpus)
        return measured_groups(drawn, held_out, (block.upper() for block in corpus.blocks("train")))

    def labelled(self, paths: Sequence[Path], data: DataConfig, progress: Advance) -> ExampleSet:
        """Genes of an annotation, as labels of bases; see `genes`."""
        from seqforge.domains.genome.genes.examples import labelled_examples

        return labelled_examples(paths, self._annotation("labels genes"), data, progress)

    def examples(self, task: TaskName, paths: Sequence[Path]) -> Iterator[Example]:
        """Files of a class each; or coding sequences with their proteins."""
        if task == "classify":
            from seqforge.core.data.examples import Example

            for path in paths:
                for record in self.read(path):
                    where = f"{path}: {record.name}"
                    yield Example(record.symbols, (path.name.split(".")[0],), record.symbols, where)
            return
        from seqforge.domains.genome.genes.coding import coding_examples

        yield from coding_examples(paths, self._annotation("translates coding sequences"))

    def _annotation(self, does: str) -> Asked:
        """What a model does in; out the annotation that it learns that from."""
        from seqforge.domains.genome.genes.examples import Asked

        if not self.gff:
            raise ConfigError(
                f"a model that {does} learns from an annotation; give --gff FILE, a GFF3 or GTF "
                "file with CDS rows"
            )
        return Asked(Path(self.gff), self.gff_offset, self.region, self.encoding)

    def labelling(self, arrays: Mapping[str, NDArray[Any]]) -> GeneFinder:
        """A gene finder."""
        from seqforge.domains.genome.genes.finder import GeneFinder

        return GeneFinder(arrays, self.reads_both_strands())

    def default_input(self) -> list[Path]:
        """The slice of Drosophila chromosome 2R that ships."""
        return [data_folder() / "dm3-chr2R-slice.fa.gz"]


def _partners(vocabulary: Vocabulary) -> NDArray[np.int64] | None:
    """The complement of each id (V,)."""
    ids = {symbol: number for number, symbol in enumerate(vocabulary.symbols, 1)}
    other = [ids.get(_COMPLEMENT.get(symbol, symbol)) for symbol in vocabulary.symbols]
    if None in other:  # a base without its partner: the data have one strand's symbols only
        return None
    return np.array([0, *other], np.int64)
