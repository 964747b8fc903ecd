"""FASTA or GenBank files, or the training data of a run, in; the sequences of a search library
out. Files of samples in, queries out.
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
from seqforge.domains.genome.fasta import read_blocks, read_parts, read_sequences
from seqforge.domains.genome.genbank import RecordEnd, RecordStart
from seqforge.domains.genome.nucleotides import wrapped
from seqforge.domains.genome.similarity.hits import (
    Query,
    Residues,
)
from seqforge.errors import InputError


@dataclass(frozen=True)
class Entry:
    """A sequence of a library."""

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
    """Sequences and letters of a library, for E-values."""

    letters: int
    """Bases of all sequences, N included."""
    sequences: int


def read_library(paths: Sequence[Path]) -> Iterator[Entry]:
    """Files in, their cleaned sequences out, without empty ones.

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
    """Sequences in, portions of about so many letters out."""
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
    """Files in, the size of the library out.

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


TRAINING = "training.fa.gz"


def write_training_library(learnt: TrainingData, folder: Path) -> Path:
    """Write a run's training part as ``training.fa.gz``."""
    path = make_folder(folder) / TRAINING
    write_training_part(learnt.files, learnt.corpus.partition.cuts["train"], path)
    return path


def library_of(against: Sequence[Path], learnt: TrainingData | None, folder: Path) -> list[Path]:
    """The library for a run's samples, if ``against`` was given.

    Where that is what the run read, it is the part that it trained on: `write_training_library`.
    """
    named = [spooled(path) for path in against]  # a pipe can be read only once
    if learnt is not None and {*map(sha256_of, named)} == {*map(sha256_of, learnt.files)}:
        return [write_training_library(learnt, folder)]
    return list(against)


def write_training_part(paths: Sequence[Path], pieces: Iterable[Cut], target: Path) -> None:
    """Write what a run trains on as FASTA (.gz), names and coordinates as in its files.

    Whatever else a record has is N, or cut off where nothing follows it. Memory is that of the
    longest record.

    Args:
        paths: The files that the run reads, without those it refused, in its order.
        pieces: What of them it trains on.
        target: Where the FASTA goes.

    Raises:
        InputError: If a file cannot be read.
        RunError: If the disk refuses.
    """
    cuts: dict[int, list[Cut]] = {}
    for cut in pieces:
        cuts.setdefault(cut.record, []).append(cut)
    with (
        disk_errors(target),
        replacing(target) as raw,
        gzip.GzipFile("", "wb", 1, raw, mtime=0) as stream,
    ):
        for number, (record, bases) in enumerate(_records(paths)):
            if number in cuts:
                stream.write(_entry(record, bases, cuts[number]))


def _records(paths: Sequence[Path]) -> Iterator[tuple[Record, bytes]]:
    """Those that a run counts as records: with something outside gaps."""
    for path in paths:
        for record, bases in joined(read_blocks(path)):
            if record.pieces(len(bases)):
                yield record, bases


def _entry(record: Record, bases: bytes, cuts: Sequence[Cut]) -> bytes:
    kept = bytearray(b"N" * max(cut.stop for cut in cuts))
    for cut in cuts:
        kept[cut.start : cut.stop] = bases[cut.start : cut.stop]
    words = [record.name, record.description]
    if len(kept) < len(bases):
        words.append(f"(1-{len(kept)} of {len(bases)} bases: the training part)")
    title = f">{' '.join(filter(None, words))}".encode()
    return b"\n".join([title, *wrapped(bytes(kept)), b""])


_NO_LETTERS = b" \t\n-."


def read_queries(files: Sequence[Path], letters: Residues = "dna") -> Iterable[Query]:
    """Files in, queries by name out; with several files the names include them.

    A name that was there before gets a number, so that each stands for one sequence.

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
        if letters == "dna":
            for record in read_sequences(path, keep_codes=True):
                yield Query(prefix + record.name, record.symbols)
        else:
            for name, symbols in _proteins(path):
                yield Query(prefix + name, symbols)


def _proteins(path: Path) -> Iterator[tuple[str, str]]:
    """Names and letters of a FASTA file of proteins; a stop (*) at the end is none of them."""
    name, letters = "", b""
    for part in read_parts(path):
        if isinstance(part, RecordStart):
            name, letters = part.name, b""
        elif isinstance(part, RecordEnd):
            yield name, letters.decode("latin-1").upper().rstrip("*")
        else:
            letters += part.translate(None, _NO_LETTERS)
