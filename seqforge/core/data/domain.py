"""The Domain protocol: files in, records of symbols out; samples in, files out; and its optional
parts, each a small protocol; that of tasks beside generation is `core.data.examples.ReadsExamples`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import Advance
from seqforge.core.records import Block, Prompt, Record, Sample

if TYPE_CHECKING:
    from pydantic import BaseModel

    from seqforge.core.data.constraint import Constraint
    from seqforge.core.data.corpus import Corpus
    from seqforge.core.data.vocabulary import Vocabulary


__all__ = [
    "Appends", "Baseline", "Block", "Clusters", "Coded", "DecodesSymbols", "Domain", "Governed",
    "HasBaselines", "HasDefaultInput", "HasKmers", "Hints", "Mirrored", "Opens",
    "Prompt", "Prompts", "ReadsBlocks", "Record", "Sample", "Searches", "Settles",
    "SettlesCounted", "Shows", "ShowsAsDrawn", "Spells", "StopsAfterUnits", "SymbolDecoder",
    "TrainingData", "WritesFormats",
]  # fmt: skip


class Domain(Protocol):
    """Files of one kind in, records of symbols out; samples in, files out.

    Law: reading what ``write`` wrote gives the same symbols back, for symbols that ``read`` gave.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    """Ending of the files it writes, with the dot."""
    suffixes: ClassVar[tuple[str, ...]]
    """Endings of files taken from a folder, lower case, without .gz or .bz2; () takes all."""
    file_per_sample: ClassVar[bool]
    """Whether ``write`` makes one or more files per sample, or one file for all."""
    unit: ClassVar[str]
    """The field's word for a symbol: base, character."""

    def read(self, path: Path) -> Iterator[Record]:
        """A file in, its records out.

        Raises:
            InputError: If the file cannot be used; the message names file, place and remedy.
        """
        ...

    def prime(self, source: str | Path) -> str:
        """Typed text (str) or a file (Path) in, symbols to begin a sample with out.

        Unknown symbols are passed through: the caller decides whether they are refused, left out or
        mapped.

        Raises:
            InputError: If the file cannot be used, or is empty.
        """
        ...

    def constraint(self, vocabulary: Vocabulary) -> Constraint | None:
        """A vocabulary in, the grammar mask of the sampler out; None for no grammar."""
        ...

    def write(self, samples: Sequence[Sample], path: Path) -> list[Path]:
        """Samples in, files in the domain's own format at (or beside) ``path`` out.

        Any symbols a model may draw are accepted. With ``file_per_sample``, ``seqforge sample``
        passes one sample at a time, each with a path made by `base.folders.numbered`.
        """
        ...

    def show(self, sample: Sample) -> str:
        """A sample in, its text for a terminal or a page out, ending with a line break."""
        ...

    def report(self, samples: Sequence[Sample], corpus: Corpus) -> dict[str, Any]:
        """Samples and a corpus in, measures of the samples beside those of held-out data out.

        Values are numbers, strings, or one level of dictionaries of them (rows of a table), all
        valid JSON. A string that ends with a full stop is shown as a sentence.
        """
        ...


@runtime_checkable
class HasDefaultInput(Protocol):
    """A domain that can run without input files."""

    def default_input(self) -> list[Path]:
        """Files that every installation has."""
        ...


@runtime_checkable
class ReadsBlocks(Protocol):
    """A domain with records that may be too long for memory."""

    def read_blocks(self, path: Path) -> Iterator[Block]:
        """The records of `Domain.read`, in blocks; raises the same errors."""
        ...


@runtime_checkable
class Clusters(Protocol):
    """A domain whose records may be variants of each other, which stay on one side of the split."""

    def clusters(self, records: Iterable[str]) -> NDArray[np.int64]:
        """Symbols of each record in, the number of its cluster (N,) out."""
        ...


@runtime_checkable
class Settles(Protocol):
    """A domain with options that depend on the files."""

    def settle(self, paths: Sequence[Path]) -> Self:
        """The same domain with every ``auto`` replaced by a value; the result is recorded."""
        ...


@runtime_checkable
class SettlesCounted(Protocol):
    """A domain whose symbols depend on how often something occurs in the files."""

    def settle_counted(self, paths: Sequence[Path], min_count: int) -> Self:
        """The same domain with a table of its symbols; the result is recorded.

        Args:
            paths: Files that are trained on.
            min_count: Rarer ones need no symbol of their own.
        """
        ...


@runtime_checkable
class Spells(Protocol):
    """A domain whose symbols stand for several characters each.

    It has `DecodesSymbols.deciphering`, by which texts are measured in characters.
    """

    def spelled(self, symbol: str) -> str:
        """A symbol in, what it stands for out."""
        ...

    def deciphering(self) -> SymbolDecoder:
        """See `DecodesSymbols`."""
        ...


@runtime_checkable
class Coded(Protocol):
    """A domain that names the options which decide what a symbol means.

    A model keeps these for all later reading. A domain without ``coding`` keeps all its options.
    """

    coding: ClassVar[tuple[str, ...]]
    """Names of these options."""


@runtime_checkable
class Mirrored(Protocol):
    """A domain whose sequences can also be read backwards, through a map of symbols.

    For DNA this is the reverse complement (Watson-Crick: A-T, C-G).
    """

    def mirror(self, vocabulary: Vocabulary) -> NDArray[np.int64] | None:
        """For each id its partner when read backwards (V,); None if not mirrored."""
        ...


@runtime_checkable
class HasKmers(Protocol):
    """A domain whose sequences are compared by k-mers, on both strands.

    Positions in its records are coordinates: held-out parts are written as BED.
    """

    kmer_size: ClassVar[int]

    def strand_codes(self, vocabulary: Vocabulary) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each id a code on its own strand and one for its partner on the other (V,), (V,).

        Equivalent symbols (upper and lower case) share a code; 0 is no base.
        """
        ...


@dataclass(frozen=True)
class Baseline:
    """The score of a model that a network should beat."""

    bits: float
    """Bits per symbol."""
    adaptive: bool = False
    """Whether it learns from the held-out symbols that it has already scored."""
    order: int | None = None
    """How many symbols it looks back, where that is a number."""


@runtime_checkable
class HasBaselines(Protocol):
    """A domain with baselines of its own field, beside n-grams and compressors."""

    def baselines(self, corpus: Corpus, progress: Advance) -> Mapping[str, Baseline]:
        """A corpus in, the scores of its ``held_out`` part by name (``summary.json`` has them) out.

        What is to be chosen is chosen on the valid part.
        """
        ...


@runtime_checkable
class Shows(Protocol):
    """A domain with images and audio of samples."""

    def picture(self, sample: Sample) -> NDArray[np.uint8] | None:
        """A sample in, an image (height, width, 3), RGB, out; None if there is nothing to see."""
        ...

    def sound(self, sample: Sample, rate: int) -> NDArray[np.float32] | None:
        """A sample in, audio (time,) in [-1, 1] at ``rate`` Hz out; None for silence."""
        ...


@runtime_checkable
class Appends(Protocol):
    """A domain with one file for all samples, written sample by sample.

    Law: ``write(samples, path)`` writes exactly the pieces of the samples, in order. Without this
    protocol samples are kept in memory until all are drawn, and a stopped command starts again.
    """

    annotated: ClassVar[bool]
    """Whether the file says how each sample was drawn; if not, a table beside it does."""

    def piece(self, sample: Sample, first: bool) -> bytes:
        """A sample in, its bytes in the file out; ``first`` is true for the first one."""
        ...


@runtime_checkable
class WritesFormats(Protocol):
    """A domain that writes files of several formats of a sample that has files of its own."""

    file_marks: ClassVar[tuple[bytes, ...]]
    """What says of a file that seqforge wrote it, beside ``seqforge NAME: ``; one is enough."""

    def endings(self) -> tuple[str, ...]:
        """Of the files that it writes for a sample, with the dot."""
        ...


@runtime_checkable
class ShowsAsDrawn(Protocol):
    """A domain that can show a sample while it is drawn.

    Law: the pieces joined equal ``show`` of the whole sample, however the symbols were cut.
    """

    def showing(self, sample: Sample, pieces: Iterable[str]) -> Iterator[str]:
        """Pieces of symbols in, pieces of the output of ``show`` out, as soon as they are certain.

        Args:
            sample: How it is drawn, with the prime as its symbols and no ``mean_log_prob``.
            pieces: All symbols in turn; the first piece is the prime.
        """
        ...


SymbolDecoder = Callable[[str, bool], str]
"""Pieces of symbols in (True with the last), readable text out; uncertain text comes with a later
piece."""


@runtime_checkable
class DecodesSymbols(Protocol):
    """A domain whose symbols are not the text that people read."""

    def deciphering(self) -> SymbolDecoder | None:
        """A new decoder; None if only ``show`` of the whole sample can decode."""
        ...


@runtime_checkable
class Hints(Protocol):
    """A domain that can explain symbols its models do not know."""

    def hint(self, symbol: str) -> str:
        """An unknown symbol in, an explanation for the error message out (``N stands for no
        base``), or ``""``."""
        ...


@runtime_checkable
class Prompts(Protocol):
    """A domain whose prime depends on what a model knows, or on which more is known of it."""

    def prompt(self, source: str | Path, vocabulary: Vocabulary) -> Prompt:
        """What `Domain.prime` gives, as near to the vocabulary as it can be, with what was changed.

        Raises:
            InputError: If the file cannot be used, or nothing is left of it.
        """
        ...


@runtime_checkable
class Opens(Protocol):
    """A domain whose models may have seen too few beginnings to start a sample by themselves."""

    def openings(self, files: int) -> tuple[str, ...]:
        """Openings for samples without a prime, the best first.

        The first that the model knows and expects is read before the sample; it is neither shown
        nor scored. If none fits, the sample begins as a record does.

        Args:
            files: Number of files the model was trained on.
        """
        ...


@runtime_checkable
class Governed(Protocol):
    """A domain that can report the effect of its grammar."""

    def grammar_report(self, samples: Sequence[Sample], free: Sequence[Sample]) -> dict[str, Any]:
        """Samples with and without the grammar in, further measures for the report out.

        Args:
            samples: Drawn with the grammar.
            free: The same draws without it.
        """
        ...


@runtime_checkable
class StopsAfterUnits(Protocol):
    """A domain whose sequences are made of units, which the option ``bars`` counts."""

    def unit_end(self, symbols: str, given: int, count: int, over: bool) -> int | None:
        """The end of the count-th unit that ends after the first ``given`` symbols, or None.

        While more may come (``over`` is false) a place is told only if nothing that comes could
        change it.
        """
        ...


@dataclass(frozen=True)
class CopyUnits:
    """What the length of a copied span is measured in."""

    limit: int
    """The most that a sample of a memory copies, unless it is said otherwise."""
    counted: NDArray[np.bool_]
    """Which ids count (V,)."""
    codes: NDArray[np.integer]
    """What an id is compared as (V,); 0 breaks a span."""
    partners: NDArray[np.integer] | None = None
    """The codes on the other strand, if there is one."""


@runtime_checkable
class MeasuresCopies(Protocol):
    """A domain that says how long a copied span is, and how long it may be."""

    def copy_units(self, vocabulary: Vocabulary) -> CopyUnits:
        """A vocabulary in, what counts of its symbols out."""
        ...


def copy_units(domain: Domain, vocabulary: Vocabulary) -> CopyUnits:
    """What the domain says; else each symbol counts, and 50 may be copied."""
    if isinstance(domain, MeasuresCopies):
        return domain.copy_units(vocabulary)
    ids = np.arange(len(vocabulary))
    ids[vocabulary.unknown_id or 0] = 0
    return CopyUnits(50, ids > 0, ids)


@dataclass(frozen=True)
class TrainingData:
    """The files a run was trained on, and their corpus with its held-out part."""

    files: tuple[Path, ...]
    """Files that were read, in order, without refused ones."""
    corpus: Corpus


@runtime_checkable
class Searches(Protocol):
    """A domain with a similarity search of its samples."""

    @staticmethod
    def search_options() -> type[BaseModel]:
        """What the table ``[search]`` of a recipe may hold, ``backend`` and ``against`` (library
        files) among it; the backend ``off`` searches nothing."""
        ...

    def search(
        self,
        samples: Sequence[Path],
        folder: Path,
        asked: Mapping[str, Any],
        learnt: TrainingData,
        seed: int,
        progress: Advance,
        say: Callable[[str], None],
    ) -> dict[str, Any]:
        """Search every sample of some files in a library; the hits are left in ``folder``.

        Args:
            samples: Files that the domain wrote.
            folder: An existing one.
            asked: The table ``[search]``, with all its values. No library file stands for what
                was trained on, without what was held out.
            learnt: What the samples' model comes from.
            seed: Of the controls.
            progress: Told how much is done, of how much, and what it is.
            say: Told what a person should know.

        Returns:
            ``library``, ``library_length``, ``sentence``, ``notes``, and ``table``: a list of rows;
            perhaps ``said``, the sentence with what it means, and
            ``controls``: ``sentence``, ``notes``, ``table``, ``copying`` and ``picture`` (the
            fields of a `charts.EcdfChart`).
        """
        ...
