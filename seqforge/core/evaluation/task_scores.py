"""True and predicted classes, labels or sequences in, the measures of a task out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BINS = 10


@dataclass(frozen=True)
class ClassScores:
    """How predicted classes agree with true ones."""

    confusion: NDArray[np.int64]
    """(C, C): true class, predicted class."""

    @classmethod
    def of(cls, true: NDArray[np.integer], found: NDArray[np.integer], classes: int) -> ClassScores:
        """Classes (N,) in."""
        codes = true.astype(np.int64) * classes + found
        return cls(np.bincount(codes, minlength=classes**2).reshape(classes, classes))

    @property
    def accuracy(self) -> float:
        """Share that is right."""
        return float(self.confusion.trace() / max(1, self.confusion.sum()))

    @property
    def precision(self) -> NDArray[np.float64]:
        """(C,), 0 for a class that is never predicted."""
        return _share(self.confusion.diagonal(), self.confusion.sum(0))

    @property
    def recall(self) -> NDArray[np.float64]:
        """(C,), 0 for a class that never stands there."""
        return _share(self.confusion.diagonal(), self.confusion.sum(1))

    @property
    def f1(self) -> NDArray[np.float64]:
        """(C,), the harmonic mean of both."""
        both = self.confusion.sum(0) + self.confusion.sum(1)
        return _share(2 * self.confusion.diagonal(), both)

    @property
    def macro_f1(self) -> float:
        """Mean of the F1 of the classes that stand there or are predicted."""
        there = (self.confusion.sum(0) + self.confusion.sum(1)) > 0
        return float(self.f1[there].mean()) if there.any() else 0.0

    def most_confused(self, most: int = 10) -> list[tuple[int, int, int]]:
        """Pairs of a true and a predicted class that are taken for one another, and how often."""
        wrong = self.confusion.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:most]
        pairs = [divmod(int(place), len(wrong)) for place in order]
        return [(a, b, int(wrong[a, b])) for a, b in pairs if wrong[a, b]]


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.where(whole > 0, part / np.maximum(whole, 1), 0.0)
    return found


@dataclass(frozen=True)
class CalibrationBin:
    """Predictions of about the same probability."""

    probability: float
    """Mean probability of the predicted class."""
    right: float
    """Share that is right."""
    count: int


def calibration(
    probabilities: NDArray[np.floating], true: NDArray[np.integer]
) -> tuple[list[CalibrationBin], float]:
    """Probabilities (N, C) and true classes in, bins and the expected calibration error (Guo et
    al. 2017) out."""
    highest, right = probabilities.max(1), probabilities.argmax(1) == true
    places = np.minimum((highest * _BINS).astype(int), _BINS - 1)
    bins, error = [], 0.0
    for place in range(_BINS):
        inside = places == place
        if count := int(inside.sum()):
            one = CalibrationBin(float(highest[inside].mean()), float(right[inside].mean()), count)
            bins.append(one)
            error += count / len(true) * abs(one.probability - one.right)
    return bins, error


@dataclass(frozen=True)
class SequenceScores:
    """How predicted sequences agree with true ones."""

    exact: float
    """Share that is right as a whole."""
    token_accuracy: float
    """Share of symbols that are right, by place."""

    @classmethod
    def of(cls, true: Sequence[Sequence[int]], found: Sequence[Sequence[int]]) -> SequenceScores:
        """Sequences in; a symbol that is missing or too many is wrong."""
        exact = sum(list(a) == list(b) for a, b in zip(true, found, strict=True))
        pairs = list(zip(true, found, strict=True))
        right = sum(sum(x == y for x, y in zip(a, b, strict=False)) for a, b in pairs)
        total = sum(max(len(a), len(b)) for a, b in pairs)
        return cls(exact / max(1, len(true)), right / max(1, total))
