"""Measures of samples in, rows of a table with a strip each out: held-out range and samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seqforge.base.messages import MISSING, format_number
from seqforge.reporting.summary import Measure

_MARGIN = 0.08
"""Of the strip's width, at both ends."""


@dataclass(frozen=True)
class Dot:
    """The samples of one temperature on a strip."""

    at: float
    """Percent of the strip's width."""
    temperature: str
    style: str
    """Class of its colour."""


@dataclass(frozen=True)
class MeasureRow:
    """A row of the table."""

    words: str
    cells: Sequence[str]
    """Of each temperature."""
    held_out: str
    band: tuple[float, float] | None
    """Left end and width of the held-out range on the strip, in percent."""
    dots: Sequence[Dot]
    outside: frozenset[str]
    """Temperatures whose samples lie outside the range."""
    said: str
    """What the strip shows, in words."""


@dataclass(frozen=True)
class MeasureTable:
    """The table of measures."""

    temperatures: Sequence[str]
    rows: Sequence[MeasureRow]

    @classmethod
    def of(cls, measures: Sequence[Measure]) -> MeasureTable:
        """Measures in, the table out."""
        temperatures = list(dict.fromkeys(t for one in measures for t in one.samples))
        return cls(temperatures, [_row(one, temperatures) for one in measures])

    @property
    def sentence(self) -> str:
        """By how many measures the samples of each temperature are not like held-out data."""
        known = [row for row in self.rows if row.band is not None]
        if not known:
            return ""
        counts = {t: sum(t in row.outside for row in known) for t in self.temperatures}
        said = ", ".join(f"{count} at temperature {t}" for t, count in counts.items())
        return (
            f"Of {len(known)} measures so many lie outside the range of held-out data of the same "
            f"size: {said}."
        )


def _row(measure: Measure, temperatures: Sequence[str]) -> MeasureRow:
    known = {t: value for t in temperatures if (value := measure.samples.get(t)) is not None}
    low, high = measure.low, measure.high
    band = None
    scale = _Scale([*known.values(), *(v for v in (low, high) if v is not None)])
    cells = [shown(measure.samples.get(t), measure.share) for t in temperatures]
    held_out, outside = MISSING, frozenset[str]()
    if low is not None and high is not None:
        band = (scale(low), max(1.0, scale(high) - scale(low)))
        ends = dict.fromkeys([shown(low, measure.share), shown(high, measure.share)])
        held_out = "\N{EN DASH}".join(ends).replace(" %\N{EN DASH}", "\N{EN DASH}")
        outside = frozenset(t for t, value in known.items() if not low <= value <= high)
    return MeasureRow(
        words=measure.words,
        cells=cells,
        held_out=held_out,
        band=band,
        dots=[Dot(scale(v), t, f"t{temperatures.index(t) % 4}") for t, v in known.items()],
        outside=outside,
        said=f"samples {', '.join(cells)}; held-out data {held_out}",
    )


def shown(value: float | None, share: bool) -> str:
    """A measure's value in, its text out: in percent if it is a share."""
    if value is None:
        return MISSING
    return f"{100 * value:.3g} %" if share else format_number(float(f"{value:.3g}"))


class _Scale:
    """From values to percent of a strip's width."""

    def __init__(self, values: Iterable[float]) -> None:
        known = list(values)
        self._low, self._high = min(known, default=0.0), max(known, default=0.0)

    def __call__(self, value: float) -> float:
        size = self._high - self._low
        share = 0.5 if not size else (value - self._low) / size
        return round(100 * (_MARGIN + share * (1 - 2 * _MARGIN)), 2)
