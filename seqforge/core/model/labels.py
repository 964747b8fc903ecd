"""Weights of a model with labels in, those of the plain model of one of them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import did_you_mean
from seqforge.core.data.vocabulary import END
from seqforge.errors import CheckpointError

LABEL_FED = "labels.fed"
LABEL_START = "labels.start"
_EMBEDDING = "embedding.weight"
_NAMED = 30  # labels, in a message


def weights_of_label(weights: Mapping[str, NDArray[Any]], label: int) -> dict[str, NDArray[Any]]:
    """Weights of a model with labels in, those of the plain model of one of them out."""
    embedding = weights[_EMBEDDING] + weights[LABEL_FED][label]
    embedding[END] = weights[_EMBEDDING][END] + weights[LABEL_START][label]
    plain = {n: array for n, array in weights.items() if n not in (LABEL_FED, LABEL_START)}
    return plain | {_EMBEDDING: np.ascontiguousarray(embedding)}


def label_number(label: str, labels: Sequence[str], where: str) -> int:
    """A label in, its number among those of a model out.

    Raises:
        CheckpointError: If there is no such label; names those there, and the nearest.
    """
    if label in labels:
        return labels.index(label)
    raise CheckpointError(
        f"{where}: has no label {label[:60]!r}; it has {labels_listed(labels)}"
        f"{did_you_mean(label, labels)}"
    )


def labels_listed(labels: Sequence[str]) -> str:
    """Labels in, a list of them for a sentence out."""
    more = f" and {len(labels) - _NAMED:,} more" if len(labels) > _NAMED else ""
    return ", ".join(labels[:_NAMED]) + more
