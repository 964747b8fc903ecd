"""Numbers in, pictures out: the empirical distribution function (ECDF) of groups and the
learning curve as SVG, pixels as PNG.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import bits, finite, format_number

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DEPTH, _RGB = 8, 2  # bits a value; colour type 2: red, green and blue


def png_bytes(picture: NDArray[np.uint8]) -> bytes:
    """A PNG file (W3C, Portable Network Graphics, third edition, section 5).

    Args:
        picture: (height, width, 3), RGB.
    """
    height, width, _ = picture.shape
    # Each row begins with the number of its filter; 0 leaves the bytes as they are.
    rows = np.zeros((height, 1 + 3 * width), np.uint8)
    rows[:, 1:] = picture.reshape(height, 3 * width)
    header = struct.pack(">IIBBBBB", width, height, _DEPTH, _RGB, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


ECDF_WIDTH, ECDF_HEIGHT = 720, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 692, 16, 264
_LEGEND_LINE = 22
_STYLES = ("first", "second", "third", "fourth")
"""Classes of the lines in turn; the first is the one that the picture is about."""

_ALONE = """
svg { background: #fcfcfa; font: 14px system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif }
text { fill: #63686e } .grid { stroke: #dcdcd6 } polyline { fill: none; stroke-width: 2 }
.first { stroke: #0b6e99; stroke-width: 3.5 } .second { stroke: #63686e; stroke-dasharray: 2 4 }
.third { stroke: #c26a1c; stroke-dasharray: 8 4 } .fourth { stroke: #1d1f21 }
@media (prefers-color-scheme: dark) {
  svg { background: #17191b } text { fill: #9ba1a7 } .grid { stroke: #35393d }
  .first { stroke: #58b6dd } .second { stroke: #9ba1a7 } .third { stroke: #e39a56 }
  .fourth { stroke: #e6e6e3 }
}
"""


@dataclass(frozen=True)
class EcdfChart:
    """Groups of values on one axis, placed from 0 (left) to 1 (right)."""

    label: str
    """What the axis shows."""
    ticks: Sequence[tuple[float, str]]
    """Places on the axis and what stands there."""
    groups: Mapping[str, Sequence[float]]
    """The places of each group's values, by the group's name; at most four groups."""

    def legend(self) -> list[tuple[str, str]]:
        """The class of each line in the picture, and the group's name."""
        return list(zip(_STYLES, self.groups, strict=False))

    def svg(self, alone: bool = False) -> str:
        """The picture: for each place the share of a group that lies there or further right.

        Args:
            alone: Whether it is a file of its own, with colours and a legend; a page has its own.
        """
        said = f"Share of each group by {self.label}"
        height = ECDF_HEIGHT + (_LEGEND_LINE * len(self.groups) + 8) * alone
        space = ' xmlns="http://www.w3.org/2000/svg"' * alone
        parts = [
            f'<svg{space} viewBox="0 0 {ECDF_WIDTH} {height}" role="img" '
            f'aria-label="{escape(said)}">',
            *([f"<style>{_ALONE}</style>"] if alone else []),
            *self._axes(),
            # The first last: it lies on top of the others.
            *(self._line(style, name) for style, name in reversed(self.legend())),
            *(self._legend_lines() if alone else []),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _axes(self) -> list[str]:
        parts = []
        for percent in (0, 25, 50, 75, 100):
            y = _y(percent / 100)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y}" y2="{y}"></line>')
            parts.append(
                f'<text x="{_LEFT - 8}" y="{y}" dy=".35em" text-anchor="end">{percent} %</text>'
            )
        for place, label in self.ticks:
            x = _x(place)
            parts.append(
                f'<line class="grid" x1="{x}" x2="{x}" y1="{_BOTTOM}" y2="{_BOTTOM + 6}"></line>'
            )
            parts.append(
                f'<text x="{x}" y="{_BOTTOM + 24}" text-anchor="middle">{escape(label)}</text>'
            )
        parts.append(
            f'<text x="{_RIGHT}" y="{ECDF_HEIGHT - 12}" text-anchor="end">'
            f"{escape(self.label)}</text>"
        )
        return parts

    def _line(self, style: str, name: str) -> str:
        places = sorted(self.groups[name])
        points = [(0.0, 1.0)]
        for number, place in enumerate(places, 1):
            points.append((place, points[-1][1]))
            points.append((place, 1 - number / len(places)))
        drawn = " ".join(f"{_x(x)},{_y(y)}" for x, y in points)
        return f'<polyline class="{style}" points="{drawn if places else ""}"></polyline>'

    def _legend_lines(self) -> list[str]:
        parts = []
        for number, (style, name) in enumerate(self.legend()):
            y = ECDF_HEIGHT + _LEGEND_LINE * number
            parts.append(
                f'<polyline class="{style}" points="{_LEFT},{y} {_LEFT + 36},{y}"></polyline>'
            )
            parts.append(f'<text x="{_LEFT + 46}" y="{y}" dy=".35em">{escape(name)}</text>')
        return parts


def _x(place: float) -> float:
    return round(_LEFT + min(1.0, max(0.0, place)) * (_RIGHT - _LEFT), 1)


def _y(share: float) -> float:
    return round(_BOTTOM - share * (_BOTTOM - _TOP), 1)


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
        x_ticks=tuple(Tick(x(t * divisor), format_number(t)) for t in _ticks(0.0, last / divisor)),
        y_ticks=tuple(Tick(y(t), f"{t:.4g}") for t in _ticks(low, high)),
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


def _ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two bounds, at most ``most`` and one."""
    rough = (high - low) / most or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def _best_label(metrics: Sequence[CurvePoint], value: float) -> str:
    step = next((point.step for point in metrics if point.valid_bits == value), None)
    return f"best {bits(value)}" + ("" if step is None else f" at step {format_number(step)}")
