"""Contigs and an annotation in, labelled stretches by part out, with sensors that have learnt from
the training part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import Advance
from seqforge.core.config import DataConfig, Split
from seqforge.core.data.examples import Examples, ExampleSet
from seqforge.core.data.labelling import Arrays
from seqforge.core.data.split import PARTS
from seqforge.core.records import Record, resolve
from seqforge.domains.genome.fasta import read_sequences
from seqforge.domains.genome.genes.classical import CONTEXT, READINGS, readings
from seqforge.domains.genome.genes.finder import DEFAULT, codes_of, ids_of, model_arrays
from seqforge.domains.genome.genes.grammar import Lengths, lengths_of
from seqforge.domains.genome.genes.labels import NAMES, labels_of
from seqforge.domains.genome.genes.sensors import (
    SensorCounts,
    Sensors,
    count_sites_and_hexamers,
    left_out,
    sensors_of,
)
from seqforge.domains.genome.genes.transcripts import Annotation, read_transcripts
from seqforge.domains.genome.nucleotides import Codes, base_codes
from seqforge.errors import InputError

FOLDS = 10
"""Parts of the training data; what sensors say of one is learnt from the others."""
_FEWEST = 1000  # bases of a part


Fold = list[tuple[int, int, int]]
"""Example, first base, base behind the last."""
_UNREAD = np.zeros((len(READINGS), 0), np.uint8)


class Stretch(NamedTuple):
    """A stretch of a contig that is labelled."""

    contig: str
    start: int
    stop: int


@dataclass(frozen=True)
class Asked:
    """What a person says of the annotation."""

    gff: Path
    offset: int = 0
    region: str = ""
    """Where the annotation speaks; empty: everywhere."""
    encoding: str = ""


@dataclass
class Genome:
    """Contigs: their records with their sizes, and the codes of their bases."""

    records: list[tuple[Record, int]] = field(default_factory=list)
    codes: dict[str, Codes] = field(default_factory=dict)

    @classmethod
    def read(cls, paths: Sequence[Path], encoding: str) -> Genome:
        """Read FASTA files; names are unique."""
        made = cls()
        for path in paths:
            for one in read_sequences(path, encoding=encoding):
                if one.name in made.codes:
                    raise InputError(f"{path}: the name {one.name} stands for two sequences")
                made.codes[one.name] = base_codes(one.symbols)
                made.records.append((_without_bases(one), len(one.symbols)))
        return made

    def spans(self, text: str, option: str) -> list[Stretch]:
        """What regions name."""
        try:
            found = resolve(text, self.records)
        except InputError as error:
            raise InputError(str(error).replace("--hold-out", option, 1)) from None
        return [Stretch(self.records[n][0].name, a, b) for n, a, b in found]


def _without_bases(one: Record) -> Record:
    return Record(name=one.name, symbols="", group=one.group, description=one.description)


def labelled_examples(
    paths: Sequence[Path], asked: Asked, data: DataConfig, progress: Advance
) -> ExampleSet:
    """Read and split what is to be learnt.

    What ``hold_out`` names is the test part; of each stretch that is left the last bases are the
    valid part. A base outside the region carries no label and stands in no part.

    Raises:
        InputError: If the annotation does not fit the sequences, or a part has too few bases.
    """
    genome = Genome.read(paths, asked.encoding)
    annotation = read_transcripts(asked.gff, genome.codes, asked.offset)
    parts = _parts(genome, asked, data)
    labels = {
        name: labels_of(annotation.on(name), len(genome.codes[name]))
        for name in {one.contig for stretches in parts.values() for one in stretches}
    }
    made = {
        part: Examples.of(
            (ids_of(genome.codes[one.contig][one.start : one.stop]),
             labels[one.contig][one.start : one.stop])
            for one in stretches
        )
        for part, stretches in parts.items()
    }  # fmt: skip
    learnt = _learnt(genome, parts["train"], annotation)
    sensors = _sensors(made, learnt, annotation.stop_coding, progress)
    notes = tuple(_notes(annotation, parts, learnt))
    places = {f"training.{part}.transcripts": _kept(annotation, parts[part]) for part in PARTS}
    return ExampleSet("label", made, tuple("ACGT"), NAMES, {**sensors, **places}, notes)


def _parts(genome: Genome, asked: Asked, data: DataConfig) -> dict[str, list[Stretch]]:
    """Stretches of each part, in order."""
    region = genome.spans(asked.region, "--region") if asked.region else [
        Stretch(record.name, 0, size) for record, size in genome.records
    ]  # fmt: skip
    split = Split.parse(data.split)
    named = genome.spans(data.hold_out, "--hold-out") if data.hold_out else []
    parts: dict[str, list[Stretch]] = {part: [] for part in PARTS}
    for one in region:
        held = [_common(one, other) for other in named if other.contig == one.contig]
        parts["test"] += [each for each in held if each.start < each.stop]
        for left in _without(one, parts["test"]):
            test = 0 if named else round(split.test * (left.stop - left.start))
            valid = round(split.valid * (left.stop - left.start))
            cuts = [left.start, left.stop - test - valid, left.stop - test, left.stop]
            for part, a, b in zip(PARTS, cuts, cuts[1:], strict=False):
                if a < b:
                    parts[part].append(Stretch(left.contig, a, b))
    _check_sizes(parts, bool(named))
    return parts


def _common(one: Stretch, other: Stretch) -> Stretch:
    return Stretch(one.contig, max(one.start, other.start), min(one.stop, other.stop))


def _without(one: Stretch, held: Sequence[Stretch]) -> Iterator[Stretch]:
    """What is left of a stretch."""
    start = one.start
    for each in sorted(each for each in held if each.contig == one.contig):
        if each.start < one.start or each.stop > one.stop:
            continue
        if start < each.start:
            yield Stretch(one.contig, start, each.start)
        start = max(start, each.stop)
    if start < one.stop:
        yield Stretch(one.contig, start, one.stop)


def _check_sizes(parts: dict[str, list[Stretch]], named: bool) -> None:
    sizes = {part: sum(one.stop - one.start for one in each) for part, each in parts.items()}
    if named and not sizes["test"]:
        raise InputError("--hold-out: lies outside what --region names; hold out a part of it")
    if sizes["train"] < _FEWEST:
        raise InputError(
            f"{sizes['train']:,} bases are left to train on, and {_FEWEST:,} are the fewest; give "
            "a larger --region, or hold out less"
        )


def _learnt(genome: Genome, train: Sequence[Stretch], annotation: Annotation) -> Lengths:
    """Lengths of the genes of the training part."""
    found = [
        one
        for stretch in train
        for one in annotation.on(stretch.contig)
        if stretch.start <= one.span[0] and one.span[1] <= stretch.stop
    ]
    if not found:
        raise InputError("no gene of the annotation lies in what is left to train on")
    return lengths_of(found)


def _kept(annotation: Annotation, stretches: Sequence[Stretch]) -> NDArray[np.int64]:
    """Exons of the transcripts that touch a part's stretches: rows of example, transcript, strand
    (0 or 1), first base, base behind the last, in coordinates of the example."""
    rows = []
    number = 0
    for example, one in enumerate(stretches):
        for each in annotation.on(one.contig):
            if each.span[0] < one.stop and one.start < each.span[1]:
                for a, b in each.exons:
                    strand = int(each.strand == "-")
                    rows.append((example, number, strand, a - one.start, b - one.start))
                number += 1
    return np.array(rows, np.int64).reshape(-1, 5)


def _sensors(
    parts: dict[str, Examples], lengths: Lengths, stop_coding: bool, progress: Advance
) -> Arrays:
    """The arrays of the model, and those that only training reads."""
    folds = _folds(parts["train"])
    counts = []
    for number, pieces in enumerate(folds):
        progress(number, 2 * len(folds), "sensors")
        counts.append(_counted(parts["train"], pieces))
    full = sensors_of(reduce(SensorCounts.plus, counts))
    others = left_out(counts) if len(folds) > 1 else [full]
    rows = [(number, *piece) for number, pieces in enumerate(folds) for piece in pieces]
    found: dict[str, NDArray[Any]] = {
        **model_arrays(full, lengths, DEFAULT, stop_coding),
        "training.folds": np.array(rows, np.int64).reshape(-1, 4),
        "training.train.readings": _read_by(others, folds, parts["train"], lengths, progress),
    }
    for name in Sensors._fields:
        found[f"training.{name}"] = np.stack([getattr(one, name) for one in others])
    for part in ("valid", "test"):
        examples = parts[part]
        codes = (codes_of(examples.source(n)) for n in range(len(examples)))
        each = [readings(full, one, lengths) for one in codes]
        found[f"training.{part}.readings"] = np.concatenate([_UNREAD, *each], 1)
    return found


def _read_by(
    others: Sequence[Sensors], folds: Sequence[Fold], train: Examples, lengths: Lengths,
    progress: Advance,
) -> NDArray[np.uint8]:  # fmt: skip
    """Readings of the training part (R, T), each fold by the sensors that have not seen it."""
    read = np.zeros((len(_UNREAD), train.symbols), np.uint8)
    for number, (sensors, pieces) in enumerate(zip(others, folds, strict=True)):
        progress(len(folds) + number, 2 * len(folds), "readings")
        for example, a, b in pieces:
            first, low = train.source_start(example), max(a - CONTEXT, 0)
            codes = codes_of(train.source(example)[low : b + CONTEXT])
            piece = readings(sensors, codes, lengths)
            read[:, first + a : first + b] = piece[:, a - low : b - low]
    return read


def _folds(train: Examples) -> list[Fold]:
    """The training part in blocks of about the same size."""
    count = min(FOLDS, max(1, train.symbols // _FEWEST))
    cuts = np.linspace(0, train.symbols, count + 1).astype(int).tolist()
    found: list[Fold] = []
    for low, high in pairwise(cuts):
        pieces = []
        for example, length in enumerate(train.source_lengths.tolist()):
            first = train.source_start(example)
            a, b = max(low - first, 0), min(high - first, length)
            if a < b:
                pieces.append((example, a, b))
        found.append(pieces)
    return found


def _counted(train: Examples, pieces: Fold) -> SensorCounts:
    each = [
        count_sites_and_hexamers(
            codes_of(train.source(n)[a:b]),
            np.ascontiguousarray(train.target(n)[a:b].astype(np.uint8)),
        )
        for n, a, b in pieces
    ]
    return reduce(SensorCounts.plus, each)


def _notes(
    annotation: Annotation, parts: dict[str, list[Stretch]], lengths: Lengths
) -> Iterator[str]:
    genes = sum(len(each) for each in annotation.transcripts.values())
    yield f"{genes:,} transcripts with coding exons in the annotation"
    sizes = {p: sum(one.stop - one.start for one in each) for p, each in parts.items()}
    yield ", ".join(f"{size:,} bases {part}" for part, size in sizes.items())
    yield (
        f"shortest intron {lengths.intron} bases, fewest coding bases of a gene {lengths.gene}; "
        f"the stop codon {'is' if annotation.stop_coding else 'is not'} part of the annotated CDS"
    )
