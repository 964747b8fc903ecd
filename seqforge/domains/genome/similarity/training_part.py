"""The library that a run's samples are held against: what it trained on, and nothing it held out.

Held-out sequence is searched in it beside the samples; in the whole file it would find itself.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from seqforge.base.files import replacing
from seqforge.base.spooling import settled
from seqforge.core.domain import Learnt
from seqforge.core.files import disk_errors, make_folder, sha256_of
from seqforge.core.holdout import Cut
from seqforge.core.records import Record, joined
from seqforge.domains.genome.fasta import read_blocks

TRAINING = "training.fa.gz"
_LINE = 60


def training_library(learnt: Learnt, folder: Path) -> Path:
    """The training part of a run's input as ``training.fa.gz`` in a folder."""
    path = make_folder(folder) / TRAINING
    write_training_part(learnt.files, learnt.corpus.partition.cuts["train"], path)
    return path


def library_of(against: Sequence[Path], learnt: Learnt | None, folder: Path) -> list[Path]:
    """What samples of a run are to be searched in, where ``against`` was asked for.

    Where that is what the run read, it is the part that it trained on; see `training_library`.
    """
    named = [settled(path) for path in against]  # a pipe can be read but once
    if learnt is not None and {*map(sha256_of, named)} == {*map(sha256_of, learnt.files)}:
        return [training_library(learnt, folder)]
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
    lines = [bytes(kept[i : i + _LINE]) for i in range(0, len(kept), _LINE)]
    return b"\n".join([f">{' '.join(filter(None, words))}".encode(), *lines, b""])
