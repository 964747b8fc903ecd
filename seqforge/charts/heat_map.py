"""A table of shares in, one picture out, the darker the greater, as SVG: confusion, attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_LETTER, _GAP, _MOST_SIDE = 8, 8, 26


@dataclass(frozen=True)
class HeatMap:
    """Cells in rows and columns with names."""

    row_label: str
    column_label: str
    rows: Sequence[str]
    columns: Sequence[str]
    shares: Sequence[Sequence[float]]
    """Of each row's cells, from 0 to 1."""
    titles: Sequence[Sequence[str]] | None = None
    """What a cell says when it is pointed at; None: its share."""

    def svg(self) -> str:
        """The picture; empty without cells."""
        if not self.rows or not self.columns:
            return ""
        named = max(len(self.row_label) + 3, *map(len, self.rows))
        left = _GAP * 2 + _LETTER * named
        top = _GAP * 2 + _LETTER * max(map(len, self.columns)) + 18
        side = min(_MOST_SIDE, max(6, 900 // len(self.columns)))
        width, height = left + side * len(self.columns) + _GAP, top + side * len(self.rows) + _GAP
        said = escape(f"{self.row_label} by {self.column_label}")
        parts = [
            f'<svg viewBox="0 0 {width} {height}" style="max-width:{width}px" role="img" '
            f'aria-label="{said}">',
            f'<text x="{left}" y="14">{escape(self.column_label)} →</text>',
            f'<text x="0" y="{top - _GAP}">{escape(self.row_label)} ↓</text>',
        ]
        for number, name in enumerate(self.columns):
            x = left + side * number + side / 2
            parts.append(
                f'<text transform="translate({x + 4:g} {top - _GAP}) rotate(-90)">'
                f"{escape(name)}</text>"
            )
        for number, name in enumerate(self.rows):
            y = top + side * number
            parts.append(
                f'<text x="{left - _GAP}" y="{y + side / 2:g}" dy=".35em" text-anchor="end">'
                f"{escape(name)}</text>"
            )
            parts += self._cells(number, left, y, side)
        return "\n".join([*parts, "</svg>"])

    def _cells(self, row: int, left: int, y: float, side: int) -> list[str]:
        found = []
        for number, share in enumerate(self.shares[row]):
            title = f"{share:.2f}" if self.titles is None else self.titles[row][number]
            found.append(
                f'<rect class="cell" x="{left + side * number}" y="{y}" width="{side - 1}" '
                f'height="{side - 1}" fill-opacity="{0.04 + 0.96 * min(1.0, share):.3f}">'
                f"<title>{escape(title)}</title></rect>"
            )
        return found


STYLE = "svg .cell { fill: var(--model); }"
"""Rules of CSS that a page with such a picture needs."""
