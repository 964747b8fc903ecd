"""FASTA or GenBank files, or a run's training data, in; the sequences of a library out. Sample
files in, queries out.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from seqforge.base.atomic_files import replacing
from seqforge.base.compression import ENDINGS
from seqforge.base.folders import disk_errors, make_folder, sha256_of
from seqforge.base.paths import spooled
from seqforge.core.data.domain import TrainingData
from seqforge.core.data.split import Cut
from seqforge.core.records import Record, joined
from seqforge.domains.genome.nucleotides import wrapped
from seqforge.domains.genome.similarity.hits import Query
from seqforge.domains.genome.similarity.kinds import SequenceKind, kind_of
from seqforge.domains.genome.similarity.parameters import LibrarySize, Residues
from seqforge.errors import InputError


@dataclass(frozen=True)
class Entry:
    """A sequence of a library."""

    id: str
    """First word of the header."""
    description: str
    """Rest of the header."""
    bases: bytes
    """A, C, G, T, N and the other IUPAC codes."""
    database: str
    """File name without endings."""
    source: str
    """The file."""


def read_library(paths: Sequence[Path], letters: Residues = "dna") -> Iterator[Entry]:
    """Files in, their normalised sequences out, without empty ones.

    Ambiguity codes are kept, since a search scores them.

    Raises:
        InputError: If a file is missing, damaged, empty, or of other letters.
    """
    kind = kind_of(letters)
    for path in paths:
        found = False
        for record, bases in kind.library_records(path):
            if bases:
                found = True
                yield Entry(record.name, record.description, bases, stem_of(path), str(path))
        if not found:
            raise InputError(
                f"{path}: holds no {kind.unit}s to search; give a FASTA file with some"
            )


class _HasBases(Protocol):
    @property
    def bases(self) -> Sized: ...


_Sequence = TypeVar("_Sequence", bound=_HasBases)


def in_portions(sequences: Iterable[_Sequence], letters: int) -> Iterator[list[_Sequence]]:
    """Sequences in, portions of about ``letters`` residues out."""
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
    """A library file in, its name without endings out: ``dmel`` for ``dmel.fa.gz``."""
    name = path.name
    while name.lower().endswith(ENDINGS):
        name = name.rpartition(".")[0]
    return Path(name).stem


def measure(paths: Sequence[Path], letters: Residues = "dna") -> LibrarySize:
    """Files in, the size of the library out.

    Raises:
        InputError: As `read_library`, and if there are no files.
    """
    if not paths:
        raise InputError("there is no library to search; name a FASTA file")
    total = sequences = 0
    for entry in read_library(paths, letters):
        total += len(entry.bases)
        sequences += 1
    return LibrarySize(total, sequences)


TRAINING = "training.fa.gz"


def write_training_library(learnt: TrainingData, folder: Path, letters: Residues = "dna") -> Path:
    """Training data in; writes ``training.fa.gz`` and returns its path."""
    path = make_folder(folder) / TRAINING
    write_training_part(learnt.files, learnt.corpus.partition.cuts["train"], path, letters)
    return path


def library_of(
    against: Sequence[Path], learnt: TrainingData | None, folder: Path, letters: Residues = "dna"
) -> list[Path]:
    """The ``against`` files and a run's training data in, the library for its samples out.

    If these are the run's own inputs, the library is the training part alone.
    """
    named = [spooled(path) for path in against]  # a pipe is readable only once
    if learnt is not None and {*map(sha256_of, named)} == {*map(sha256_of, learnt.files)}:
        return [write_training_library(learnt, folder, letters)]
    return list(against)


def write_training_part(
    paths: Sequence[Path], pieces: Iterable[Cut], target: Path, letters: Residues = "dna"
) -> None:
    """Input files and cuts in; writes the training part as gzipped FASTA.

    Names and coordinates are those of the input. Other parts of a record become N (X in proteins),
    or are cut off at its end. Memory is that of the longest record.

    Args:
        paths: Input files of the run without refused ones, in order.
        pieces: Cuts of the records that are trained on.
        target: Path of the FASTA file.
        letters: What the sequences are made of.

    Raises:
        InputError: If a file cannot be read.
        RunError: If it cannot be written.
    """
    cuts: dict[int, list[Cut]] = {}
    for cut in pieces:
        cuts.setdefault(cut.record, []).append(cut)
    with (
        disk_errors(target),
        replacing(target) as raw,
        gzip.GzipFile("", "wb", 1, raw, mtime=0) as stream,
    ):
        kind = kind_of(letters)
        for number, (record, bases) in enumerate(_records(paths, kind)):
            if number in cuts:
                stream.write(_entry(record, bases, cuts[number], kind))


def _records(paths: Sequence[Path], kind: SequenceKind) -> Iterator[tuple[Record, bytes]]:
    """Files in, the records that a run counts out: those with letters outside gaps."""
    for path in paths:
        for record, bases in joined(kind.blocks(path)):
            if record.pieces(len(bases)):
                yield record, bases


def _entry(record: Record, bases: bytes, cuts: Sequence[Cut], kind: SequenceKind) -> bytes:
    kept = bytearray(kind.any_letter.encode() * max(cut.stop for cut in cuts))
    for cut in cuts:
        kept[cut.start : cut.stop] = bases[cut.start : cut.stop]
    words = [record.name, record.description]
    if len(kept) < len(bases):
        words.append(f"(1-{len(kept)} of {len(bases)} {kind.unit}s: the training part)")
    title = f">{' '.join(filter(None, words))}".encode()
    return b"\n".join([title, *wrapped(bytes(kept)), b""])


def read_queries(files: Sequence[Path], letters: Residues = "dna") -> Iterable[Query]:
    """Files in, queries with unique names out; with several files the file's name is a prefix.

    A repeated name gets a number.

    Raises:
        InputError: If a file cannot be used.
    """
    seen: Counter[str] = Counter()
    for query in _named_queries(files, letters):
        seen[query.id] += 1
        again = seen[query.id]
        yield query if again == 1 else replace(query, id=f"{query.id}.{again}")


def _named_queries(files: Sequence[Path], letters: Residues) -> Iterator[Query]:
    for path in files:
        prefix = path.stem.removeprefix("samples-") + ":" if len(files) > 1 else ""
        for record, symbols in kind_of(letters).library_records(path):
            yield Query(prefix + record.name, symbols.decode("latin-1"))
