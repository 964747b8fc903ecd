"""Evaluations in, the learning curve, as a page draws it, out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from seqforge.base.messages import bits, finite, format_number

WIDTH, HEIGHT = 720, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 692, 16, 284
"""The plot's edges within WIDTH x HEIGHT, in units of the picture."""

_SETTLED = 0.15
"""The first part of the run may lie above the picture, so that the rest can be seen."""
_TIMES = ((3 * 3600.0, 3600.0, "hours"), (180.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))


class CurvePoint(Protocol):
    """An evaluation, as far as it is drawn; what is not known is None."""

    @property
    def step(self) -> float | None:
        """Steps of training so far."""
        ...

    @property
    def elapsed_seconds(self) -> float | None:
        """Time of training so far."""
        ...

    @property
    def train_bits(self) -> float | None:
        """Bits per symbol on what was trained on."""
        ...

    @property
    def valid_bits(self) -> float | None:
        """Bits per symbol on held-out data."""
        ...


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """One measure over time."""

    name: str
    """train or valid; also its class in the picture."""
    points: str
    """``x,y x,y`` as SVG writes it."""


@dataclass(frozen=True)
class LearningCurve:
    """Everything that the template needs to draw the learning curve."""

    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_label: str
    best: tuple[float, float] | None
    best_label: str
    ngram: float | None
    """Height of the best n-gram's line, where it is within the picture."""
    cut: bool
    """Whether the beginning lies above the picture."""


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def learning_curve(
    metrics: Sequence[CurvePoint], ngram: float | None = None
) -> LearningCurve | None:
    """Bits per symbol on train and valid over time (over steps where no time is known).

    Args:
        metrics: One evaluation each.
        ngram: Bits of the best n-gram, drawn as a line to beat.

    Returns:
        None when there is no evaluation to draw.
    """
    timed = bool(_series(metrics, _seconds, lambda point: point.valid_bits))
    place = _seconds if timed else lambda point: point.step
    series = {
        "train": _series(metrics, place, lambda point: point.train_bits),
        "valid": _series(metrics, place, lambda point: point.valid_bits),
    }
    points = [point for line in series.values() for point in line]
    if not points:
        return None
    last = max(x for x, _ in points)
    late = [y for x, y in points if x >= _SETTLED * last]
    beaten = [] if ngram is None else [ngram]
    highest = max(y for _, y in points)
    low, high = _padded(min(late + beaten), max(late + beaten))
    divisor, x_label = _x_axis(timed, last)
    x = _Scale(0.0, last or 1.0, LEFT, RIGHT)
    y = _Scale(low, high, BOTTOM, TOP)
    best = min(series["valid"], key=lambda point: point[1], default=None)
    return LearningCurve(
        lines=tuple(
            Line(name, " ".join(f"{x(a)},{y(b)}" for a, b in line))
            for name, line in series.items()
            if line
        ),
        x_ticks=tuple(
            Tick(x(t * divisor), format_number(t)) for t in round_ticks(0.0, last / divisor)
        ),
        y_ticks=tuple(Tick(y(t), f"{t:.4g}") for t in round_ticks(low, high)),
        x_label=x_label,
        best=best and (x(best[0]), y(best[1])),
        best_label="" if best is None else _best_label(metrics, best[1]),
        ngram=None if ngram is None else y(ngram),
        cut=highest > high,
    )


_Value = Callable[[CurvePoint], float | None]


def _seconds(point: CurvePoint) -> float | None:
    return point.elapsed_seconds


def _series(metrics: Sequence[CurvePoint], x_of: _Value, y_of: _Value) -> list[tuple[float, float]]:
    pairs = ((finite(x_of(point)), finite(y_of(point))) for point in metrics)
    return [(x, y) for x, y in pairs if x is not None and y is not None]


def _padded(low: float, high: float) -> tuple[float, float]:
    margin = 0.06 * (high - low) or 0.05
    return max(0.0, low - margin), high + margin


def _x_axis(timed: bool, last: float) -> tuple[float, str]:
    if not timed:
        return 1.0, "steps"
    return next((size, name) for least, size, name in _TIMES if last >= least)


def round_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two bounds, at most ``most`` and one."""
    rough = (high - low) / most or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def _best_label(metrics: Sequence[CurvePoint], value: float) -> str:
    step = next((point.step for point in metrics if point.valid_bits == value), None)
    return f"best {bits(value)}" + ("" if step is None else f" at step {format_number(step)}")
