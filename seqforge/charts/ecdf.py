"""Groups of numbers in, their empirical distribution functions (ECDF) as SVG out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

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
