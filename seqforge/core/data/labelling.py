"""The protocol of a domain that labels its own sequences: files and an annotation in, labelled
examples, sensors, scores and a file of what was found out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import Advance
from seqforge.core.config import DataConfig
from seqforge.core.data.examples import IGNORED, ExampleSet, Ids

Floats = NDArray[np.float32]
Arrays = Mapping[str, NDArray[Any]]

TRAINING_ONLY = "training."
"""How arrays of sensors begin that only training reads: a model's file does not have them."""


@dataclass(frozen=True)
class Mirror:
    """How a sequence is read backwards."""

    ids: NDArray[np.int64]
    """(V,) for each id its partner."""
    labels: NDArray[np.int64]
    """(L,) for each label its partner."""
    columns: NDArray[np.int64]
    """(D,) for each column of the sensors its partner."""

    def source(self, ids: Ids) -> Ids:
        """Ids (T,) in, those of the mirrored sequence out."""
        return self.ids[ids[::-1]]

    def target(self, labels: Ids) -> Ids:
        """Labels (T,) in, those of the mirrored sequence out; what is ignored stays ignored."""
        turned = labels[::-1].astype(np.int64)
        known = turned != IGNORED
        return np.where(known, self.labels[np.where(known, turned, 0)], IGNORED)

    def sensors(self, features: Floats) -> Floats:
        """Sensors (T, D) in, those of the mirrored sequence out."""
        return np.ascontiguousarray(features[::-1, self.columns])


Sensed = Callable[[int, int], Floats]
"""Sensors (N, D) of the stretch from start to stop of one sequence."""
Labels = Callable[[Ids, Sensed], Iterator[Floats]]
"""A network: a sequence and its sensors in, probabilities of labels (N, L), stretch by stretch."""


@dataclass(frozen=True)
class Picture:
    """A picture of the page."""

    svg: str
    caption: str


@dataclass(frozen=True)
class LabelFindings:
    """How good labels are, in the words of the domain."""

    metrics: Mapping[str, float]
    baseline: str
    """What the simple model beside it is."""
    baseline_metrics: Mapping[str, float]
    tables: Mapping[str, Sequence[Mapping[str, Any]]]
    """Tables of the page, by their titles."""
    pictures: Sequence[Picture] = ()


class Labelling(Protocol):
    """What a domain's sensors have learnt, and what it does with labels."""

    @property
    def width(self) -> int:
        """D, the columns of its sensors."""

    @property
    def mirror(self) -> Mirror | None:
        """How sequences are read backwards; None if they are not."""

    def sensed(self, ids: Ids) -> Sensed:
        """The sensors of a new sequence."""

    def sensed_part(self, data: ExampleSet, part: str, example: int) -> Sensed:
        """Those of an example; of the training part by sensors that have not seen it."""

    def tuned(self, data: ExampleSet, label: Labels, progress: Advance) -> Arrays:
        """A trained network in, arrays out that are kept with the model from now on: what is
        chosen on the valid part."""

    def judge(self, data: ExampleSet, part: str, label: Labels) -> LabelFindings:
        """How good the network's labels of a held-out part are."""

    def lines(self, files: Sequence[Path], label: Labels) -> Iterator[str]:
        """Files of sequences in, the lines of a file of what is found on them out, as they come."""


@runtime_checkable
class LabelsSequences(Protocol):
    """A domain that labels its own sequences."""

    annotation_options: ClassVar[tuple[str, ...]]
    """Options that say what is learnt from; a model does not keep them."""

    def labelled(self, paths: Sequence[Path], data: DataConfig, progress: Advance) -> ExampleSet:
        """Files in, labelled examples by part, with the arrays of its sensors, out.

        Raises:
            ConfigError, InputError: If the files or what goes with them cannot be used.
        """

    def labelling(self, arrays: Arrays) -> Labelling:
        """The arrays of `labelled`, or of a model's file, in; what they say out."""


def labelling_of(domain: object, arrays: Arrays) -> Labelling | None:
    """What a domain's sensors have learnt; None where a model has none."""
    if not arrays or not isinstance(domain, LabelsSequences):
        return None
    return domain.labelling(arrays)


def joined_labels(found: Iterable[Floats]) -> Floats:
    """Probabilities of stretches in, those of the whole sequence (T, L) out."""
    return np.concatenate(list(found))
