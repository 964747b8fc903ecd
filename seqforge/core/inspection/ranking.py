"""Units and annotations of the same symbols in, how well each unit follows each annotation out:
correlation with numbers, area under the ROC curve (AUC) for what holds or does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seqforge.base.machine import usable_cores
from seqforge.core.inspection.annotations import Annotation, Measure, Values
from seqforge.core.kernels.compiler import kernel

Table = NDArray[np.float64]

BINS = 256
"""Steps between -1 and 1 that AUC tells apart."""

_ROWS = 1 << 14  # symbols at a time
_TOGETHER = 5  # annotations counted at a time: 3 ** 5 patterns fit in a byte
_KEPT = 1 << 27  # bytes of units in steps that are kept for the next annotations


class Units(Protocol):
    """What units carry at N symbols."""

    def __len__(self) -> int:
        """N."""

    def units(self, start: int = 0, stop: int | None = None) -> Values:
        """(n, U), in [-1, 1]."""


class Prefix:
    """The first symbols of others."""

    def __init__(self, units: Units, size: int) -> None:
        self._units, self._size = units, size

    def __len__(self) -> int:
        return self._size

    def units(self, start: int = 0, stop: int | None = None) -> Values:
        """See `Units.units`."""
        return self._units.units(start, self._size if stop is None else min(stop, self._size))


@dataclass(frozen=True)
class Scores:
    """How well units follow annotations on two halves of the symbols.

    A score is r, or 2 AUC - 1: 0 for what has nothing to do with the annotation, 1 or -1 at best.
    """

    measures: tuple[Measure, ...]
    first: Table
    """(A, U); by this half units are chosen."""
    second: Table
    """(A, U); by this half they are judged."""

    def best(self, annotation: int, count: int = 1) -> list[int]:
        """Units of the highest scores on the first half, the best one first."""
        order = np.argsort(-np.abs(self.first[annotation]), kind="stable")
        return [int(unit) for unit in order[:count]]

    def value(self, annotation: int, unit: int) -> float:
        """r, or AUC in the direction that the first half has, on the second half."""
        score = float(self.second[annotation, unit])
        if self.measures[annotation] == "r":
            return score
        return (1 + score * (1 if self.first[annotation, unit] >= 0 else -1)) / 2

    def values_of_best(self) -> list[float]:
        """The value of each annotation's best unit."""
        return [self.value(a, self.best(a)[0]) for a in range(len(self.measures))]


def score_units(units: Units, annotations: Sequence[Annotation]) -> Scores:
    """Units and annotations in, all scores out.

    The halves lie one after the other. AUC is worked out from 256 steps, of which a tie counts half
    (Mann and Whitney 1947). A score that cannot be known (nothing varies) is 0.
    """
    size = len(units)
    measures = tuple(one.measure for one in annotations)
    width = units.units(0, 0).shape[1]
    first, second = np.zeros((2, len(annotations), width))

    def work(part: tuple[Table, int, int, Measure]) -> None:
        found, start, stop, measure = part
        chosen = [i for i, one in enumerate(measures) if one == measure]
        if chosen:
            values = np.stack([annotations[i].values[start:stop] for i in chosen])
            found[chosen] = _SCORES[measure](units, start, stop, values)

    halves = ((first, 0, size // 2), (second, size // 2, size))
    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(work, [(*half, measure) for half in halves for measure in _SCORES]))
    return Scores(measures, first, second)


def _spans(start: int, stop: int) -> Iterator[tuple[int, int]]:
    for first in range(start, stop, _ROWS):
        yield first, min(first + _ROWS, stop)


def _correlations(units: Units, start: int, stop: int, values: Values) -> Table:
    """Pearson's r (A, U) of values (A, n) with the units of a span, where both are known."""
    known = np.isfinite(values)
    given = np.where(known, values, 0).astype(np.float32)
    given -= given.sum(1, keepdims=True) / np.maximum(known.sum(1, keepdims=True), 1)  # small sums
    given *= known
    masks = known.astype(np.float32)
    width = units.units(0, 0).shape[1]
    of_x, of_xx, of_xv = (np.zeros((len(values), width)) for _ in range(3))
    for first, last in _spans(start, stop):
        x, span = units.units(first, last), slice(first - start, last - start)
        of_x += masks[:, span] @ x
        of_xv += given[:, span] @ x
        of_xx += masks[:, span] @ np.square(x)
    count = np.maximum(known.sum(1), 1)[:, None]
    of_v, of_vv = given.sum(1, dtype=np.float64), np.square(given).sum(1, dtype=np.float64)
    together = of_xv - of_x * of_v[:, None] / count
    spread = (of_xx - of_x**2 / count) * (of_vv - of_v**2 / count[:, 0])[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = together / np.sqrt(spread)
    return np.where(spread > _NOISE * count**2, found, 0.0)


_NOISE = 1e-12  # what rounding leaves of the variance of something that does not vary


def _differences(units: Units, start: int, stop: int, values: Values) -> Table:
    """Somers' D, 2 AUC - 1, of truth values (A, n) for each unit (A, U)."""
    steps, groups = _Steps(units, start, stop), range(0, len(values), _TOGETHER)
    return np.concatenate([steps.somers(values[i : i + _TOGETHER]) for i in groups])


_SCORES: dict[Measure, Callable[[Units, int, int, Values], Table]] = {
    "r": _correlations,
    "auc": _differences,
}


class _Steps:
    """Units of a span as numbers of steps, for AUC."""

    def __init__(self, units: Units, start: int, stop: int) -> None:
        self._units, self._start, self._stop = units, start, stop
        self._kept: dict[int, NDArray[np.uint8]] = {}
        self._keep = (stop - start) * units.units(0, 0).shape[1] <= _KEPT

    def somers(self, values: Values) -> Table:
        """Of a few annotations (A, n)."""
        digits = np.where(np.isfinite(values), values > 0.5, 2).astype(np.int64)
        powers = 3 ** np.arange(len(values))
        patterns, codes = np.unique(powers @ digits, return_inverse=True)
        counts: NDArray[np.int32] | None = None
        for first, last in _spans(self._start, self._stop):
            steps = self._steps(first, last)
            if counts is None:
                counts = np.zeros((len(steps), len(patterns), BINS), np.int32)
            count_steps(steps, codes[first - self._start : last - self._start], counts)
        if counts is None:
            return np.zeros((len(values), self._units.units(0, 0).shape[1]))
        return np.stack([_difference(counts, patterns // power % 3) for power in powers])

    def _steps(self, first: int, last: int) -> NDArray[np.uint8]:
        if first not in self._kept:
            x = self._units.units(first, last)
            steps = np.clip((x + 1) * (BINS / 2), 0, BINS - 1).astype(np.uint8)
            found = np.ascontiguousarray(steps.T)
            if not self._keep:
                return found
            self._kept[first] = found
        return self._kept[first]


def _difference(counts: NDArray[np.int32], digit: NDArray[np.int64]) -> Table:
    """Counts (U, K, bins) and each pattern's digit (0 no, 1 yes, 2 unknown) in, Somers' D out."""
    yes = counts[:, digit == 1].sum(1, dtype=np.float64)
    no = counts[:, digit == 0].sum(1, dtype=np.float64)
    pairs = yes.sum(1) * no.sum(1)
    below = np.cumsum(no, axis=1) - no
    above = no.sum(1, keepdims=True) - below - no
    found: Table = (yes * (below - above)).sum(1) / np.maximum(pairs, 1)
    return found


@kernel
def count_steps(
    steps: NDArray[np.uint8], codes: NDArray[np.int64], counts: NDArray[np.int32]
) -> None:
    """Add to ``counts`` (U, K, bins) how often each unit (U, n) stands at a step under a code."""
    for unit in range(len(steps)):
        for t in range(len(codes)):
            counts[unit, codes[t], steps[unit, t]] += 1
