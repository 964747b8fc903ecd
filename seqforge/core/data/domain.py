"""The Domain protocol: files in, records of symbols out; samples in, files out; and its optional
parts, each a small protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import Advance
from seqforge.core.records import Block, Record, Sample

if TYPE_CHECKING:
    from pydantic import BaseModel

    from seqforge.core.data.constraint import Constraint
    from seqforge.core.data.corpus import Corpus
    from seqforge.core.data.vocabulary import Vocabulary


__all__ = [
    "Appends", "Barred", "Block", "Clusters", "Coded", "DecodesSymbols", "Domain", "Fits",
    "Governed", "HasDefaultInput", "HasKmers", "Hints", "Mirrored", "Opens", "ReadsBlocks",
    "Record", "Sample", "Searches", "Settles", "Shows", "ShowsAsDrawn", "SymbolDecoder",
    "TrainingData", "WritesFormats",
]  # fmt: skip


class Domain(Protocol):
    """A way between files of one kind and sequences of symbols.

    Law: reading what ``write`` wrote gives the same symbols back, for symbols that ``read`` gave.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    """The ending of the files it writes, with the dot."""
    suffixes: ClassVar[tuple[str, ...]]
    """Endings of the files taken from a folder, lower case, without .gz or .bz2; () takes all."""
    file_per_sample: ClassVar[bool]
    """Whether ``write`` makes a file (or several) for each sample, or one file for all."""
    unit: ClassVar[str]
    """What people call one symbol: base, character."""

    def read(self, path: Path) -> Iterator[Record]:
        """The records of one file.

        Raises:
            InputError: If the file cannot be used; the message names file, place and remedy.
        """
        ...

    def prime(self, source: str | Path) -> str:
        """Symbols to begin a sample with, from text typed (str) or from a file (Path).

        Only what is surely meant is changed. What stands for no symbol is handed through as it is:
        whether it is refused, left out or mapped is for whoever asked to say.

        Raises:
            InputError: If the file cannot be used, or nothing is in it.
        """
        ...

    def constraint(self, vocabulary: Vocabulary) -> Constraint | None:
        """The grammar that the sampler must keep to, or None for none."""
        ...

    def write(self, samples: Sequence[Sample], path: Path) -> list[Path]:
        """Keep samples in the domain's own format at (or beside) ``path``; returns the files.

        It accepts whatever a model may draw: it never raises over the symbols. With
        ``file_per_sample``, ``seqforge sample`` hands over one sample at a time, each with a path
        that `base.folders.numbered` made.
        """
        ...

    def show(self, sample: Sample) -> str:
        """The sample as a terminal or a page should show it, with a line break at the end."""
        ...

    def report(self, samples: Sequence[Sample], corpus: Corpus) -> dict[str, Any]:
        """Measures of the samples beside the same of held-out data.

        Values are numbers, strings, or one level of dictionaries of them (a row of a table);
        every value can be kept as JSON. A string that ends with a full stop is told, not tabulated.
        """
        ...


@runtime_checkable
class HasDefaultInput(Protocol):
    """A domain that can be tried without giving it a file."""

    def default_input(self) -> list[Path]:
        """Files that every installation has."""
        ...


@runtime_checkable
class ReadsBlocks(Protocol):
    """A domain whose records may be too long to be held whole."""

    def read_blocks(self, path: Path) -> Iterator[Block]:
        """What `Domain.read` gives, cut anywhere; raises what it raises."""
        ...


@runtime_checkable
class Clusters(Protocol):
    """A domain whose records may be variants of each other, all held out or none."""

    def clusters(self, records: Iterable[str]) -> NDArray[np.int64]:
        """For each record, in its symbols, the number of its cluster (N,)."""
        ...


@runtime_checkable
class Settles(Protocol):
    """A domain with options that depend on the files: ``auto`` becomes a decision."""

    def settle(self, paths: Sequence[Path]) -> Self:
        """The same domain with what was ``auto`` decided; what comes back is recorded."""
        ...


@runtime_checkable
class Coded(Protocol):
    """A domain that says which of its options decide what a symbol stands for.

    Those of a model hold for whatever is read for it later. A domain that does not say has all its
    options taken so.
    """

    coding: ClassVar[tuple[str, ...]]
    """Names of options."""


@runtime_checkable
class Mirrored(Protocol):
    """A domain whose sequences may as well be read backwards, through a map of symbols.

    For DNA this is the reverse complement (Watson-Crick: A-T, C-G).
    """

    def mirror(self, vocabulary: Vocabulary) -> NDArray[np.int64] | None:
        """For each id the id that stands for it when read backwards (V,); None for not at all."""
        ...


@runtime_checkable
class HasKmers(Protocol):
    """A domain whose sequences are compared by their k-mers, on both strands.

    Places in its records are coordinates: what is held out of them is written as BED.
    """

    kmer_size: ClassVar[int]

    def strand_codes(self, vocabulary: Vocabulary) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """A number for each id on its own strand and for its partner on the other (V,), (V,).

        Symbols that count as the same (upper and lower case) have the same number; 0 is none.
        """
        ...


@runtime_checkable
class Shows(Protocol):
    """A domain whose samples can be looked at and listened to, beside being read."""

    def picture(self, sample: Sample) -> NDArray[np.uint8] | None:
        """The sample as an image (height, width, 3), RGB; None where there is nothing to see."""
        ...

    def sound(self, sample: Sample, rate: int) -> NDArray[np.float32] | None:
        """The sample as audio (time,) in [-1, 1], ``rate`` values a second; None for silence."""
        ...


@runtime_checkable
class Appends(Protocol):
    """A domain with one file for all samples, which can be written sample by sample.

    Law: ``write(samples, path)`` writes exactly the pieces of the samples, one after the other.
    Without it samples are held until all are drawn, and a command that was stopped begins anew.
    """

    annotated: ClassVar[bool]
    """Whether the file itself says how each sample was drawn; where not, a table beside it does."""

    def piece(self, sample: Sample, first: bool) -> bytes:
        """What a sample adds to a file with those before it; ``first`` where there are none."""
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

    Law: joined, it is what ``show`` gives of the whole sample, however the symbols were cut.
    """

    def showing(self, sample: Sample, pieces: Iterable[str]) -> Iterator[str]:
        """What ``show`` gives, as far as it is certain after each piece.

        Args:
            sample: How it is drawn, with the prime as its symbols and no ``mean_log_prob``.
            pieces: All symbols in turn; the first piece is the prime.
        """
        ...


SymbolDecoder = Callable[[str, bool], str]
"""What symbols stand for, given a piece at a time (True with the last); what is not certain yet
comes with a later piece."""


@runtime_checkable
class DecodesSymbols(Protocol):
    """A domain whose symbols are not what a person reads; without it they are taken to be."""

    def deciphering(self) -> SymbolDecoder | None:
        """A beginning; None where only ``show`` says what symbols stand for, when all are there."""
        ...


@runtime_checkable
class Hints(Protocol):
    """A domain that knows what is meant by some symbols that its models do not know."""

    def hint(self, symbol: str) -> str:
        """What it may be, for a message that refuses it: ``N stands for no base``; or ``""``."""
        ...


@runtime_checkable
class Fits(Protocol):
    """A domain that can say what comes nearest to symbols that a model does not know."""

    def fitted(self, symbols: str, vocabulary: Vocabulary) -> tuple[str, list[str]]:
        """A prime that was read from a file in symbols of the vocabulary, as far as that goes.

        Returns:
            The symbols, and sentences that say what was changed.

        Raises:
            ValueError: If nothing is left of it; why, for a sentence that begins with its file.
        """
        ...


@runtime_checkable
class Opens(Protocol):
    """A domain whose models may have seen too few beginnings to begin by themselves."""

    def openings(self, files: int) -> tuple[str, ...]:
        """Symbols after which a sample can begin that nothing is given for, the best first.

        The first that its model knows and finds likely is read before the sample; it is neither
        shown nor scored. None at all: begin as a record does.

        Args:
            files: That the model was trained on.
        """
        ...


@runtime_checkable
class Governed(Protocol):
    """A domain that can say what its grammar did to the samples."""

    def grammar_report(self, samples: Sequence[Sample], free: Sequence[Sample]) -> dict[str, Any]:
        """What the report has besides.

        Args:
            samples: Drawn with the grammar.
            free: The same draws without it.
        """
        ...


@runtime_checkable
class Barred(Protocol):
    """A domain whose sequences have bars."""

    def bar_end(self, symbols: str, given: int, bars: int, over: bool) -> int | None:
        """Where the bars-th bar that ends after the first ``given`` symbols does, or None.

        While more may come (``over`` is false) a place is told only if nothing that comes could
        change it.
        """
        ...


@dataclass(frozen=True)
class TrainingData:
    """What a run was trained on, and what it held out of that."""

    files: tuple[Path, ...]
    """Those that were read, in their order; none that was refused."""
    corpus: Corpus


@runtime_checkable
class Searches(Protocol):
    """A domain that can look for its samples among known sequences."""

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
