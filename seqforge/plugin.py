"""Public names for authors of domains: the Domain protocol and its optional parts, records,
samples, grammars, files, errors; and LineDomain to start from.

A plug-in imports from here or from `seqforge` alone; every other module may change. No name here
imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from seqforge.base.atomic_files import write_atomically
from seqforge.base.html_page import Section
from seqforge.base.textio import opened, read_text
from seqforge.core.data.constraint import Constraint, automaton
from seqforge.core.data.corpus import Corpus
from seqforge.core.data.domain import (
    Appends,
    Baseline,
    Clusters,
    Coded,
    DecodesSymbols,
    Domain,
    Governed,
    HasBaselines,
    HasDefaultInput,
    HasKmers,
    Hints,
    Mirrored,
    Opens,
    Prompts,
    ReadsBlocks,
    Settles,
    SettlesCounted,
    Shows,
    ShowsAsDrawn,
    Spells,
    StopsAfterUnits,
    SymbolDecoder,
    WritesFormats,
)
from seqforge.core.data.presentation import (
    Measured,
    MeasuresGroups,
    NamesCopies,
    ShowsOnPage,
    SuggestsCommands,
    Wording,
)
from seqforge.core.data.vocabulary import END, UNKNOWN, Vocabulary, narrowest
from seqforge.core.inspection.annotations import (
    Annotates,
    EngravesNotes,
    ReadsAnnotations,
    WritesNotes,
    WrittenNote,
    WrittenScore,
    WrittenTune,
)
from seqforge.core.records import Block, Prompt, Record, Sample
from seqforge.errors import (
    ConfigError,
    DomainError,
    InputError,
    ProgramError,
    RenderError,
    SeqforgeError,
)

__all__ = [
    "END", "UNKNOWN", "Annotates", "Appends", "Baseline", "Block", "Clusters", "Coded",
    "ConfigError", "Constraint", "Corpus", "DecodesSymbols", "Domain", "DomainError",
    "EngravesNotes", "Governed", "HasBaselines", "HasDefaultInput", "HasKmers", "Hints",
    "InputError", "LineDomain", "Measured", "MeasuresGroups", "Mirrored", "NamesCopies", "Opens",
    "ProgramError", "Prompt", "Prompts", "ReadsAnnotations", "ReadsBlocks", "Record", "RenderError",
    "Sample", "Section", "SeqforgeError", "Settles", "SettlesCounted", "Shows", "ShowsAsDrawn",
    "ShowsOnPage", "Spells",
    "StopsAfterUnits", "SuggestsCommands", "SymbolDecoder", "Vocabulary", "Wording",
    "WritesFormats", "WritesNotes", "WrittenNote", "WrittenScore", "WrittenTune", "automaton",
    "narrowest", "opened", "read_text", "write_atomically",
]  # fmt: skip


@dataclass(frozen=True)
class LineDomain:
    """A text file in, one record a line out; a domain to start from.

    A subclass sets ``name``, ``suffix`` and ``suffixes``, and overrides what differs.
    """

    name: ClassVar[str] = "lines"
    suffix: ClassVar[str] = ".txt"
    suffixes: ClassVar[tuple[str, ...]] = (".txt",)
    file_per_sample: ClassVar[bool] = False
    unit: ClassVar[str] = "symbol"
    annotated: ClassVar[bool] = False

    def read(self, path: Path) -> Iterator[Record]:
        """The lines that are not empty, each a record."""
        empty = True
        for number, line in enumerate(read_text(path).split("\n"), 1):
            if line:
                empty = False
                yield Record(line, f"{path.name}:{number}", str(path))
        if empty:
            raise InputError(f"{path}: is empty; give a file with a record a line")

    def prime(self, source: str | Path) -> str:
        """Typed text as it is; of a file the first record."""
        return source if isinstance(source, str) else next(iter(self.read(source))).symbols

    def constraint(self, vocabulary: Vocabulary) -> Constraint | None:
        """No grammar."""
        return None

    def write(self, samples: Sequence[Sample], path: Path) -> list[Path]:
        """One file: the pieces of all samples."""
        pieces = [self.piece(sample, not place) for place, sample in enumerate(samples)]
        write_atomically(path, b"".join(pieces))
        return [path]

    def piece(self, sample: Sample, first: bool) -> bytes:
        """The sample as a line."""
        return f"{sample.symbols}\n".encode("utf-8", "surrogatepass")

    def show(self, sample: Sample) -> str:
        """The sample as a line."""
        return f"{sample.symbols}\n"

    def report(self, samples: Sequence[Sample], corpus: Corpus) -> dict[str, Any]:
        """No measures."""
        return {}
