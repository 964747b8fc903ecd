"""Arrays of a model's file in, a gene finder out: sensors for the network, the grammar that reads
its labels, scores, GFF3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import Advance
from seqforge.core.data.examples import Examples, ExampleSet, Ids
from seqforge.core.data.labelling import (
    Arrays,
    Floats,
    LabelFindings,
    Labels,
    Mirror,
    Sensed,
    joined_labels,
)
from seqforge.domains.genome.fasta import read_sequences
from seqforge.domains.genome.genes.classical import READING_FEATURES, reading_features, readings
from seqforge.domains.genome.genes.gff3 import Found, gff3_lines
from seqforge.domains.genome.genes.grammar import Lengths, Weights, find_genes
from seqforge.domains.genome.genes.judging import judged
from seqforge.domains.genome.genes.labels import PARTNERS
from seqforge.domains.genome.genes.sensors import FEATURES, Sensors, features
from seqforge.domains.genome.genes.transcripts import Transcript
from seqforge.domains.genome.genes.tuning import STARTS, Stretch, tuned_weights
from seqforge.domains.genome.nucleotides import Codes, base_codes

DEFAULT = Weights(gene=-10.0, intron=-4.0, coding=0.02, site=1.0, network=0.05, sensors=1.0)
"""Weights of the grammar where nothing is held out to choose them on."""
_MOST_TUNED = 8  # stretches of the valid part that they are chosen on, its first
_TUNED_ON = 500_000  # bases of each, at most
_FEWEST_TUNED = 15_000  # ... and of all, at least


def ids_of(codes: Codes) -> NDArray[np.uint8]:
    """Codes of bases (0 to 3, 4 for none) in, ids of a network out (1 to 4, 0)."""
    return (codes + np.uint8(1)) % np.uint8(5)


def codes_of(ids: Ids) -> Codes:
    """The other way round."""
    return (ids.astype(np.uint8) + np.uint8(4)) % np.uint8(5)


def model_arrays(
    sensors: Sensors, lengths: Lengths, weights: Weights, stop_coding: bool
) -> dict[str, NDArray[Any]]:
    """What a model's file keeps."""
    return {
        **sensors._asdict(),
        "lengths": np.array(lengths, np.float32),
        "weights": np.array(weights, np.float32),
        "stop_coding": np.array([stop_coding], np.float32),
    }


def _half(columns: int, shift: int) -> NDArray[np.int64]:
    half = columns // 2
    return np.concatenate([np.arange(half, columns), np.arange(half)]) + shift


MIRROR = Mirror(
    np.array([0, 4, 3, 2, 1]),
    PARTNERS.astype(np.int64),
    np.concatenate([_half(FEATURES, 0), _half(READING_FEATURES, FEATURES)]),
)
"""The reverse complement."""


@dataclass(frozen=True)
class GeneFinder:
    """See `core.data.labelling.Labelling`."""

    arrays: Arrays
    both: bool = True
    """Whether the network reads both strands."""

    @property
    def width(self) -> int:
        """Sensors, and readings by them and the grammar alone."""
        return FEATURES + READING_FEATURES

    @property
    def mirror(self) -> Mirror | None:
        """The reverse complement."""
        return MIRROR if self.both else None

    @cached_property
    def sensors(self) -> Sensors:
        """Of the whole training part."""
        return Sensors.of(self.arrays)

    @cached_property
    def lengths(self) -> Lengths:
        """Of introns and genes."""
        whole = [round(float(n)) for n in self.arrays["lengths"][:3]]
        return Lengths(*whole, *(float(n) for n in self.arrays["lengths"][3:]))

    @property
    def weights(self) -> Weights:
        """Of the grammar."""
        return Weights(*(round(float(n), 6) for n in self.arrays["weights"]))

    def sensed(self, ids: Ids) -> Sensed:
        """Of a contig; it is read by the grammar first."""
        codes = codes_of(ids)
        read = readings(self.sensors, codes, self.lengths)
        return lambda start, stop: _beside(
            features(self.sensors, codes, start, stop), read[:, start:stop]
        )

    def sensed_part(self, data: ExampleSet, part: str, example: int) -> Sensed:
        """Of an example, from what reading left."""
        examples = data.parts[part]
        first = examples.source_start(example)
        read, codes = self.arrays[f"training.{part}.readings"], codes_of(examples.source(example))
        pieces = self._folds(example) if part == "train" else [(self.sensors, 0, len(codes))]

        def sensed(start: int, stop: int) -> Floats:
            found = [
                features(sensors, codes, max(a, start), min(b, stop))
                for sensors, a, b in pieces
                if a < stop and start < b
            ]
            return _beside(np.concatenate(found), read[:, first + start : first + stop])

        return sensed

    def _folds(self, example: int) -> list[tuple[Sensors, int, int]]:
        """Stretches of an example of the training part, and sensors that have not seen them."""
        rows = self.arrays["training.folds"].tolist()
        return [(self._others[fold], a, b) for fold, of, a, b in rows if of == example]

    @cached_property
    def _others(self) -> list[Sensors]:
        names = [f"training.{name}" for name in Sensors._fields]
        each = [np.ascontiguousarray(self.arrays[name], np.float32) for name in names]
        return [Sensors(*parts) for parts in zip(*each, strict=True)]

    def stretches(self, data: ExampleSet, part: str, label: Labels) -> Iterator[Stretch]:
        """The examples of a part with the network's probabilities and the true transcripts."""
        examples = data.parts[part]
        for number in range(len(examples)):
            ids = examples.source(number)
            chances = joined_labels(label(ids, self.sensed_part(data, part, number)))
            yield Stretch(codes_of(ids), chances, self._true(part, number))

    def _true(self, part: str, example: int) -> list[Transcript]:
        rows = self.arrays[f"training.{part}.transcripts"]
        each = groupby(rows[rows[:, 0] == example].tolist(), lambda row: (row[1], row[2]))
        return [
            Transcript("+-"[strand], tuple((row[3], row[4]) for row in exons), 0)
            for (_, strand), exons in each
        ]

    def tuned(self, data: ExampleSet, label: Labels, progress: Advance) -> Arrays:
        """Weights of the grammar that find the genes of the valid part best."""
        kept = [
            one._replace(codes=one.codes[:_TUNED_ON], probabilities=one.probabilities[:_TUNED_ON])
            for one in islice(self.stretches(data, "valid", label), _MOST_TUNED)
        ]
        if sum(len(one.codes) for one in kept) < _FEWEST_TUNED:
            return {}
        weights = tuned_weights(
            kept, self.lengths, self.sensors, STARTS[:6], rounds=2, progress=progress
        )
        return {"weights": np.array(weights, np.float32)}

    def judge(self, data: ExampleSet, part: str, label: Labels) -> LabelFindings:
        """See `judging`."""
        names = _odds_names(data.parts)
        stretches = list(self.stretches(data, part, label))
        targets = [data.parts[part].target(n) for n in range(len(data.parts[part]))]
        train = data.parts[names]
        seen = [(codes_of(train.source(n)), train.target(n)) for n in range(len(train))]
        return judged(stretches, targets, seen, self.sensors, self.lengths, self.weights)

    def lines(self, files: Sequence[Path], label: Labels) -> Iterator[str]:
        """GFF3, contig by contig."""
        return gff3_lines(self._found(files, label), bool(self.arrays["stop_coding"][0]))

    def _found(self, files: Sequence[Path], label: Labels) -> Iterator[Found]:
        for path in files:
            for record in read_sequences(path):
                codes = base_codes(record.symbols)
                ids = ids_of(codes)
                blocks = label(ids, self.sensed(ids)) if len(ids) else iter(())
                genes = find_genes(codes, blocks, self.weights, self.lengths, self.sensors)
                yield Found(record.name, codes, genes)


def _odds_names(parts: Mapping[str, Examples]) -> str:
    """The part that the threshold of the baseline is chosen on."""
    return "valid" if len(parts["valid"]) else "train"


def _beside(sensed: Floats, read: NDArray[np.uint8]) -> Floats:
    return np.concatenate([sensed, reading_features(read)], 1)
