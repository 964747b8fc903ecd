"""Named rows of numbers in, a dot plot (Cleveland 1984) as SVG out: a line a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import ClassVar

from seqforge.charts.curve import round_ticks
from seqforge.charts.xy import style

_WIDTH, _LEFT, _RIGHT, _TOP = 720, 250, 700, 20
_ROW, _FOOT = 30, 60
_MARGIN = 0.05  # of the range of values, on either side
_RADIUS = 5


@dataclass(frozen=True)
class DotPlot:
    """Rows on one axis."""

    x_label: str
    rows: Mapping[str, Mapping[str, Sequence[float]]]
    """By the row's name: numbers by the series that they are of."""
    dots: ClassVar[bool] = False
    """Whether dots have names beside them: here the legend says whose they are."""

    def legend(self) -> list[tuple[str, str]]:
        """The class of each series in the picture, and its name."""
        names = dict.fromkeys(name for row in self.rows.values() for name in row)
        return [(style(number), name) for number, name in enumerate(names)]

    def svg(self) -> str:
        """The picture; empty where there is no number."""
        values = [x for row in self.rows.values() for series in row.values() for x in series]
        if not values:
            return ""
        margin = _MARGIN * (max(values) - min(values)) or 0.5
        low, high = min(values) - margin, max(values) + margin
        bottom = _TOP + _ROW * len(self.rows)

        def across(value: float) -> float:
            return round(_LEFT + (value - low) / (high - low) * (_RIGHT - _LEFT), 1)

        said = escape(f"{self.x_label} by row")
        parts = [
            f'<svg viewBox="0 0 {_WIDTH} {bottom + _FOOT}" role="img" aria-label="{said}">',
            *(_tick(across(value), bottom, f"{value:.4g}") for value in round_ticks(low, high, 4)),
        ]
        styles = {name: of for of, name in self.legend()}
        for number, (name, row) in enumerate(self.rows.items()):
            y = _TOP + _ROW * number + _ROW // 2
            parts.append(
                f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y}" y2="{y}"></line>'
                f'<text x="{_LEFT - 10}" y="{y}" dy=".35em" text-anchor="end">{escape(name)}</text>'
            )
            parts += [
                f'<circle class="{styles[series]}" cx="{across(x)}" cy="{y}" r="{_RADIUS}">'
                f"<title>{escape(f'{name}, {series}: {x:.4g}')}</title></circle>"
                for series, numbers in row.items()
                for x in numbers
            ]
        parts.append(
            f'<text x="{_RIGHT}" y="{bottom + 50}" text-anchor="end">{escape(self.x_label)}</text>'
        )
        return "\n".join([*parts, "</svg>"])


def _tick(x: float, bottom: int, label: str) -> str:
    return (
        f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP}" y2="{bottom}"></line>'
        f'<text x="{x}" y="{bottom + 22}" text-anchor="middle">{label}</text>'
    )
