"""A network whose units are held, silenced or reset in, what this does to its predictions out:
causal tests of what units are for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import Advance, unheard
from seqforge.core.inspection.annotations import Annotation
from seqforge.core.inspection.ranking import Table, Units, score_units
from seqforge.core.inspection.trace import Ids, Piece, kept_rows, read_pieces
from seqforge.core.model.checkpoint import Checkpoint
from seqforge.core.sampling.engine import KernelEngine, TracingEngine, Unit
from seqforge.core.sampling.params import SamplerParams
from seqforge.core.sampling.sampler import Sampler
from seqforge.core.sampling.states_kernel import States

Bits = NDArray[np.float32]

DRAWN = 64, 200
"""Samples that are drawn with a unit held at a value, and symbols of each."""

DISTANCES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Symbols that are read after a reset, before the one that is predicted."""

_PLACES, _APART = 256, 8  # that are predicted after a reset, at least so far from each other
_RIDGE = 1e-3  # of the mean variance of the units


def symbol_bits(engine: TracingEngine, records: Sequence[Ids], progress: Advance = unheard) -> Bits:
    """Surprise (N,) at each symbol of records."""
    flat = np.concatenate([np.asarray(ids, np.int64) for ids in records])
    found = np.empty(len(flat), np.float32)

    def visit(batch: list[Piece], step: int, window: States) -> None:
        for row, steps, places in kept_rows(batch, step, len(window.hidden)):
            logits = window.logits[steps, row].astype(np.float64)
            logits -= logits.max(axis=1, keepdims=True)
            total = np.log(np.exp(logits).sum(axis=1))
            came = logits[np.arange(len(logits)), flat[places]]
            found[places] = (total - came) / math.log(2)

    read_pieces(engine, records, visit, progress=progress)
    return found


@dataclass(frozen=True)
class Ablation:
    """What silencing a unit costs, in bits a symbol."""

    where: float
    """After symbols at which the annotation holds (for numbers: in the highest quarter)."""
    elsewhere: float


def rises(annotation: Annotation, rise: Bits, lengths: Sequence[int]) -> Ablation:
    """A rise of bits (N,) in, its means after symbols where the annotation holds and elsewhere out.

    A state that has read a symbol predicts the next one, so the rise at a symbol belongs to the
    annotation of the one before; a record's first symbol belongs to none.
    """
    holds = np.roll(annotation.holds(), 1)
    known = np.roll(np.isfinite(annotation.values), 1)
    known[np.cumsum([0, *lengths[:-1]])] = False
    where, elsewhere = rise[known & holds], rise[known & ~holds]
    return Ablation(
        float(where.mean()) if len(where) else 0.0,
        float(elsewhere.mean()) if len(elsewhere) else 0.0,
    )


def ablated(
    engine: KernelEngine, records: Sequence[Ids], whole: Bits, values: Mapping[Unit, float]
) -> dict[Unit, Bits]:
    """For each unit the rise of bits (N,) when it is held at its mean.

    Args:
        engine: The network.
        records: What it reads.
        whole: Its bits on it as it is.
        values: The mean of what each unit carries.
    """
    return {
        unit: symbol_bits(engine.held({unit: value}), records) - whole
        for unit, value in values.items()
    }


def driven_means(
    checkpoint: Checkpoint,
    engine: KernelEngine,
    annotate: Callable[[str], Mapping[str, NDArray[Any]]],
) -> dict[str, float]:
    """What an engine draws in, the mean of each annotation of it out: of truth values the share.

    Args:
        checkpoint: The model.
        engine: Its network, perhaps with units held.
        annotate: What is so at each symbol of a sample.
    """
    count, length = DRAWN
    how = SamplerParams(length=length, exact_length=True)
    found: dict[str, list[NDArray[Any]]] = {}
    for sample in Sampler(checkpoint, engine=engine).draw(count, how):
        for name, values in annotate(sample.symbols).items():
            found.setdefault(name, []).append(values.astype(np.float64))
    joined = {name: np.concatenate(values) for name, values in found.items()}
    return {name: float(np.nanmean(v)) for name, v in joined.items() if np.isfinite(v).any()}


def bits_after_reset(
    engine: TracingEngine, records: Sequence[Ids], whole: Bits
) -> dict[int | None, float]:
    """Bits of the same 256 symbols when only so many before each have been read since a reset.

    A reset is the beginning of a record. None: all of the record before it.
    """
    longest = DISTANCES[-1]
    starts = np.cumsum([0, *map(len, records)])[:-1]
    there = np.concatenate(
        [
            np.arange(start + longest, start + len(ids))
            for start, ids in zip(starts, records, strict=True)
        ]
    )
    if not len(there):
        return {}
    count = min(_PLACES, 1 + len(there) // _APART)
    places = there[np.linspace(0, len(there) - 1, count).astype(int)]
    flat = np.concatenate([np.asarray(ids, np.int64) for ids in records])
    found: dict[int | None, float] = {}
    for distance in DISTANCES:
        pieces = [flat[place - distance : place + 1] for place in places]
        bits = symbol_bits(engine, pieces).reshape(len(places), distance + 1)
        found[distance] = float(bits[:, -1].mean())
    found[None] = float(whole[places].mean())
    return found


def linear_probe(units: Units, annotations: Sequence[Annotation], columns: slice) -> list[float]:
    """r, or AUC, on the second half of what ridge regression on some units says, fitted on the
    first (Alain and Bengio 2016).

    Args:
        units: What they carry.
        annotations: What is to be told from them.
        columns: Which units: those of a layer.
    """
    half = len(units) // 2
    weights = [_ridge(units, one, columns, half) for one in annotations]
    told = _Told(units, columns, np.stack(weights, axis=1))
    scores = score_units(told, annotations)
    return [
        float(scores.second[a, a] if one.measure == "r" else (1 + scores.second[a, a]) / 2)
        for a, one in enumerate(annotations)
    ]


_BLOCK = 1 << 14


def _ridge(units: Units, annotation: Annotation, columns: slice, stop: int) -> Table:
    """Weights (U + 1,) of units and a constant."""
    width = units.units(0, 0)[:, columns].shape[1] + 1
    products, wanted = np.zeros((width, width)), np.zeros(width)
    for first in range(0, stop, _BLOCK):
        last = min(first + _BLOCK, stop)
        values = annotation.values[first:last]
        known = np.isfinite(values)
        x = _with_constant(units.units(first, last)[known, columns])
        products += x.T @ x
        wanted += x.T @ values[known].astype(np.float64)
    spread = np.trace(products) / width
    found: Table = np.linalg.solve(products + (_RIDGE * spread + 1e-9) * np.eye(width), wanted)
    return found


def _with_constant(x: NDArray[np.float32]) -> Table:
    return np.hstack([x.astype(np.float64), np.ones((len(x), 1))])


class _Told:
    """What probes say, in place of units; squeezed into [-1, 1] in order."""

    def __init__(self, units: Units, columns: slice, weights: Table) -> None:
        self._units, self._columns, self._weights = units, columns, weights
        sample = self._said(0, min(len(units), 1 << 15))
        self._middle = np.median(sample, axis=0) if len(sample) else 0.0
        spread = np.abs(sample - self._middle).max(axis=0, initial=0.0) if len(sample) else 1.0
        self._scale = np.maximum(spread, 1e-9)

    def __len__(self) -> int:
        return len(self._units)

    def units(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        said = (self._said(start, stop) - self._middle) / self._scale
        return np.asarray(np.clip(said, -1, 1), np.float32)

    def _said(self, start: int, stop: int | None) -> Table:
        found: Table = _with_constant(self._units.units(start, stop)[:, self._columns])
        said: Table = found @ self._weights
        return said
