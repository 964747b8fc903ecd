"""Genes and curves along a sequence in, one picture out, track over track as a genome browser has
them, as SVG.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple

_LEFT, _WIDTH, _BOX, _CURVE, _GAP = 96, 860, 44, 46, 10


class Box(NamedTuple):
    """Something with parts, as a gene with exons."""

    above: bool
    """Whether it stands above the line of its track."""
    parts: tuple[tuple[int, int], ...]
    span: tuple[int, int]


class Tracks(NamedTuple):
    """Tracks from ``start`` to ``stop``."""

    start: int
    stop: int
    boxes: Mapping[str, Sequence[Box]]
    curves: Mapping[str, Sequence[float]]
    """Values from 0 to 1, at equal distances."""

    def svg(self) -> str:
        """The picture."""
        height = len(self.boxes) * (_BOX + _GAP) + len(self.curves) * (_CURVE + _GAP) + 24
        width = _LEFT + _WIDTH + _GAP
        parts = [
            f'<svg class="tracks" viewBox="0 0 {width} {height}" style="max-width:{width}px" '
            'role="img" aria-label="genes along a sequence">'
        ]
        y = 0
        for number, (name, boxes) in enumerate(self.boxes.items()):
            parts += [_name(name, y + _BOX / 2), *self._track(boxes, y, number)]
            y += _BOX + _GAP
        for name, values in self.curves.items():
            parts += [_name(name, y + _CURVE / 2), *self._curve(values, y)]
            y += _CURVE + _GAP
        return "\n".join([*parts, *self._axis(y), "</svg>"])

    def _x(self, place: float) -> float:
        share = (place - self.start) / max(1, self.stop - self.start)
        return round(_LEFT + _WIDTH * min(max(share, 0.0), 1.0), 1)

    def _track(self, boxes: Sequence[Box], y: int, number: int) -> Iterator[str]:
        middle = y + _BOX // 2
        yield f'<path class="line" d="M{_LEFT} {middle}h{_WIDTH}"/>'
        for box in boxes:
            top = y + 4 if box.above else middle + 3
            a, b = (self._x(place) for place in box.span)
            yield f'<path class="intron" d="M{a} {top + 7.5}H{b}"/>'
            for first, last in box.parts:
                a, b = self._x(first), self._x(last)
                strand = "+" if box.above else "-"
                yield (
                    f'<rect class="exon of{number}" x="{a}" y="{top}" '
                    f'width="{max(b - a, 0.8):.1f}" height="15">'
                    f"<title>{first + 1:,}-{last:,} {strand}</title></rect>"
                )

    def _curve(self, values: Sequence[float], y: int) -> Iterator[str]:
        base = y + _CURVE
        yield f'<path class="line" d="M{_LEFT} {base}h{_WIDTH}"/>'
        step = _WIDTH / max(1, len(values))
        points = " ".join(
            f"{_LEFT + step * (n + 0.5):.1f},{base - _CURVE * value:.1f}"
            for n, value in enumerate(values)
        )
        yield (
            f'<polygon class="chance" points="{_LEFT},{base} {points} {_LEFT + _WIDTH},{base}"/>'
        )

    def _axis(self, y: int) -> Iterator[str]:
        for share in (0, 0.25, 0.5, 0.75, 1):
            place = round(self.start + share * (self.stop - self.start))
            anchor = "start" if share == 0 else "end" if share == 1 else "middle"
            yield f'<text x="{self._x(place)}" y="{y + 12}" text-anchor="{anchor}">{place:,}</text>'


def _name(name: str, y: float) -> str:
    return f'<text x="{_LEFT - _GAP}" y="{y:g}" dy=".35em" text-anchor="end">{escape(name)}</text>'


STYLE = """svg.tracks .line { stroke: var(--rule); fill: none; }
svg.tracks .intron { stroke: var(--ink); fill: none; }
svg.tracks .exon { fill: var(--ink); }
svg.tracks .exon.of1, svg.tracks .chance { fill: var(--model); }"""
"""Rules of CSS that a page with such a picture needs."""
