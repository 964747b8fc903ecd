"""Measures of a few pieces beside those of many: medians, ranges and how near they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = Mapping[str, Sequence[float]]
"""The values of each measure over a group's pieces; a piece may lack any of them."""
Rows = dict[str, dict[str, Any]]

_Numbers = Sequence[float] | NDArray[np.float64]

_DRAWS = 200


def closeness(some: _Numbers, reference: _Numbers) -> float:
    """One less the Kolmogorov-Smirnov distance of two groups of values, neither empty.

    1 where both are distributed alike, 0 where all values of one lie beyond those of the other. It
    needs no width of a bar or a kernel, as areas of overlap do, and holds for values of any kind.
    """
    points = np.concatenate([some, reference])
    shares = [
        np.searchsorted(np.sort(values), points, side="right") / len(values)
        for values in (some, reference)
    ]
    return float(1 - np.abs(shares[0] - shares[1]).max())


def closeness_of_few(group: _Numbers, size: int, reference: _Numbers) -> NDArray[np.float64]:
    """The closeness of each of 200 random choices of ``size`` of a group's values (of all it has).

    What chance leaves of closeness where there are so few.
    """
    random = np.random.default_rng(0)
    size = min(size, len(group))
    chosen = [random.choice(group, size, replace=False) for _ in range(_DRAWS)]
    return np.array([closeness(values, reference) for values in chosen])


def compared(groups: Mapping[str, Values]) -> Rows:
    """Two rows a measure: its medians and how near they are to training, and its ranges.

    Args:
        groups: The measured ``samples``, ``held-out``, ``training`` and ``random notes``; any may
            be empty.

    Returns:
        For each measure a row of medians, a group a column, with ``closeness`` (of the samples to
        training), ``closeness, held-out`` and ``closeness, random``: the median over choices of as
        many pieces as there are samples. After these rows, for each measure one with ``10-90 %``
        (a dash) at the end of its name: the ranges of the groups, and of the closeness of held-out
        choices. None for what is not known.
    """
    rows: Rows = {}
    ranges: Rows = {}
    for name in dict.fromkeys(name for measured in groups.values() for name in measured):
        values = {group: measured.get(name, ()) for group, measured in groups.items()}
        samples, training = values["samples"], values["training"]
        near: dict[str, _Numbers] = {}
        if len(samples) and len(training):
            near = {
                group: closeness_of_few(values[group], len(samples), training)
                for group in ("samples", "held-out", "random notes")
                if len(values[group])
            }
        rows[name] = {group: _median(found) for group, found in values.items()} | {
            "closeness": _median(near.get("samples", ())),
            "closeness, held-out": _median(near.get("held-out", ())),
            "closeness, random": _median(near.get("random notes", ())),
        }
        ranges[f"{name}, 10\N{EN DASH}90 %"] = {g: _range(found) for g, found in values.items()} | {
            "closeness, held-out": _range(near.get("held-out", ())),
        }
    return rows | ranges


def gathered(measured: Sequence[Mapping[str, float | None]]) -> dict[str, list[float]]:
    """The values of each measure, from the measures of each piece; what is None is left out."""
    found: dict[str, list[float]] = {}
    for one in measured:
        for name, value in one.items():
            found.setdefault(name, []).extend([] if value is None else [value])
    return found


def share(hits: Sequence[bool]) -> float | None:
    """The share that is true, or None of none."""
    return round(float(np.mean(hits)), 3) if len(hits) else None


def _median(values: _Numbers) -> float | None:
    return round(float(np.median(values)), 3) if len(values) else None


def _range(values: _Numbers) -> str | None:
    if not len(values):
        return None
    low, high = np.quantile(values, (0.1, 0.9))
    digits = 2 if high < 10 else 1 if high < 100 else 0
    return f"{round(low, digits):g}\N{EN DASH}{round(high, digits):g}"
