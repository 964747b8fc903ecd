"""Named series of points in, one picture of all as SVG out: curves, or dots with their names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from seqforge.base.messages import format_number
from seqforge.charts.curve import round_ticks

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 720, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 700, 14, 284
_LETTER = 9  # width
_FEWEST = 3  # ticks of an axis
STYLES = 8
"""Colours; further series have the same ones, dashed."""


@dataclass(frozen=True)
class XyChart:
    """Series on two axes."""

    x_label: str
    y_label: str
    series: Mapping[str, Points]
    dots: bool = False
    """Whether points are dots with their series' name beside them; else a line joins them."""
    log_x: bool = False
    """Whether the axis runs by powers of ten; what is not positive is left out."""
    most_y: float | None = None
    """Higher values lie above the picture."""
    marks: Mapping[str, float] = field(default_factory=dict)
    """Upright lines at values of the first axis, which reaches as far, by what they are called."""

    def legend(self) -> list[tuple[str, str]]:
        """The class of each series in the picture, and its name."""
        return [(style(number), name) for number, name in enumerate(self.series)]

    def svg(self) -> str:
        """The picture; empty where nothing can be drawn."""
        shown = {name: self._kept(points) for name, points in self.series.items()}
        every = [point for points in shown.values() for point in points]
        if not every:
            return ""
        marks = [place for place in self.marks.values() if place > 0 or not self.log_x]
        x = _Axis(
            [*(px for px, _ in every), *marks], _LEFT, _RIGHT, self.log_x, from_zero=not self.dots
        )
        heights = [py for _, py in every]
        if self.most_y is not None:
            heights = [min(self.most_y, py) for py in heights]
        y = _Axis(heights, _BOTTOM, _TOP)
        said = escape(f"{self.y_label} over {self.x_label}")
        parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{said}">']
        parts += [*self._axes(x, y), *self._lines_of_marks(x)]
        for number, (name, points) in enumerate(shown.items()):
            draw = self._dots if self.dots else self._line
            parts += draw(name, points, style(number), x, y)
        return "\n".join([*parts, "</svg>"])

    def _kept(self, points: Points) -> list[tuple[float, float]]:
        return [
            (x, y) for x, y in points
            if math.isfinite(x) and math.isfinite(y) and (x > 0 or not self.log_x)
        ]  # fmt: skip

    def _axes(self, x: _Axis, y: _Axis) -> list[str]:
        parts = []
        for value, label in y.ticks():
            at = y(value)
            parts.append(
                f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{at}" y2="{at}"></line>'
                f'<text x="{_LEFT - 8}" y="{at}" dy=".35em" text-anchor="end">{label}</text>'
            )
        taken = 0.0
        for value, label in x.ticks():
            at, half = x(value), _LETTER * len(label) / 2
            at = min(at, _WIDTH - half)
            if at - half > taken:
                taken = at + half + _LETTER
                parts.append(
                    f'<text x="{at}" y="{_BOTTOM + 24}" text-anchor="middle">{label}</text>'
                )
        parts.append(
            f'<text x="{_RIGHT}" y="{_HEIGHT - 8}" text-anchor="end">{escape(self.x_label)}</text>'
        )
        return parts

    def _lines_of_marks(self, x: _Axis) -> list[str]:
        parts = []
        for name, value in self.marks.items():
            if value > 0 or not self.log_x:
                at = x(value)
                left = at > (_LEFT + _RIGHT) / 2
                beside, anchor = (at - 8, "end") if left else (at + 8, "start")
                parts.append(
                    f'<line class="mark" x1="{at}" x2="{at}" y1="{_TOP}" y2="{_BOTTOM}"></line>'
                    f'<text x="{beside:.1f}" y="{_TOP + 10}" text-anchor="{anchor}">'
                    f"{escape(name)}</text>"
                )
        return parts

    def _line(self, name: str, points: Points, of: str, x: _Axis, y: _Axis) -> list[str]:
        drawn = " ".join(f"{x(px)},{max(_TOP, y(py))}" for px, py in points)
        return [f'<polyline class="{of}" points="{drawn}"><title>{escape(name)}</title></polyline>']

    def _dots(self, name: str, points: Points, of: str, x: _Axis, y: _Axis) -> list[str]:
        parts = []
        for px, py in points:
            left = x(px) > (_LEFT + _RIGHT) / 2
            at, anchor = (x(px) - 10, "end") if left else (x(px) + 10, "start")
            parts.append(
                f'<circle class="{of}" cx="{x(px)}" cy="{y(py)}" r="6"></circle>'
                f'<text x="{at:.1f}" y="{y(py)}" dy=".35em" text-anchor="{anchor}">'
                f"{escape(name)}</text>"
            )
        return parts


def style(number: int) -> str:
    """The class of a series."""
    return f"run{number % STYLES}" + " dashed" * (number >= STYLES)


class _Axis:
    """From values to places in the picture."""

    def __init__(
        self, values: Sequence[float], start: float, end: float, log: bool = False,
        from_zero: bool = False,
    ) -> None:  # fmt: skip
        self._start, self._end, self._log = start, end, log
        known = [math.log10(value) for value in values] if log else list(values)
        low, high = min(known), max(known)
        margin = 0.06 * (high - low) or abs(high) * 0.02 or 0.5
        self._low = 0.0 if from_zero and not log else low - margin
        self._high = high if from_zero else high + margin

    def __call__(self, value: float) -> float:
        known = math.log10(value) if self._log else value
        share = (known - self._low) / (self._high - self._low or 1.0)
        return round(self._start + share * (self._end - self._start), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Round values with their labels."""
        if not self._log:
            return [(v, f"{v:.4g}") for v in round_ticks(self._low, self._high)]
        powers = range(math.floor(self._low), math.ceil(self._high) + 1)
        inside: list[float] = []
        for multiples in ((1, 2, 5),) if self._high - self._low < 2 else ((1,), (1, 3)):
            values = [m * 10.0**power for power in powers for m in multiples]
            inside = [v for v in values if self._low <= math.log10(v) <= self._high]
            if len(inside) >= _FEWEST:
                break
        if len(inside) < _FEWEST:  # a short piece of the axis: as on a plain one
            low, high = 10**self._low, 10**self._high
            inside = [v for v in round_ticks(low, high, most=4) if low <= v <= high]
        return [(v, format_number(v)) for v in inside]
