"""A piece of held-out text and what a network made of it in, a section of the page out: the text
coloured by surprise and by units.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np
from pydantic import BaseModel, ConfigDict

from seqforge.base.html_page import Section
from seqforge.reporting.coloured_text import coloured_text, darkest_bits, scale_legend, style


class RankedUnit(BaseModel):
    """A unit, what it follows, and how well: r or AUC on symbols by which it was not chosen."""

    model_config = ConfigDict(frozen=True)

    layer: int
    unit: int
    annotation: str
    measure: str
    value: float


class ExcerptUnit(RankedUnit):
    """A unit that was found, and what it carries in the excerpt."""

    untrained: float
    """The best of five untrained networks."""
    values: tuple[float, ...]
    """In [-1, 1], one for each symbol."""


class Excerpt(BaseModel):
    """Symbols of the held-out part, as the network reads them."""

    model_config = ConfigDict(frozen=True)

    part: str
    symbols: str
    bits: tuple[float, ...]
    units: tuple[ExcerptUnit, ...] = ()
    looked_for: tuple[str, ...] = ()
    """Annotations that units were compared with."""
    ranked: int = 0
    """Symbols by which units were chosen and judged."""


def excerpt_section(found: Excerpt, command: str) -> Section:
    """The section; ``command`` shows more of it."""
    bits = np.array(found.bits)
    darkest = darkest_bits(bits)
    parts = [
        "<p>Held-out data as the network reads them: the darker, the more bits a symbol took it "
        "by surprise.</p>",
        scale_legend("surprise", darkest),
        coloured_text(found.symbols, bits, "surprise", "Held-out data, by surprise", darkest),
        *_units(found),
        f"<p class=note>All units, with tests of what they do: <code>{escape(command)}</code></p>",
    ]
    return Section(
        "coloured", "What it sees in held-out data", "".join(parts), style(), after="learning"
    )


def _units(found: Excerpt) -> Iterator[str]:
    if not found.units:
        if found.looked_for:
            yield (
                f"<p>No single unit follows {escape(' or '.join(found.looked_for))} better than "
                f"untrained networks do, on {found.ranked:,} symbols.</p>"
            )
        return
    for unit in found.units:
        name, measure = f"{unit.layer}:{unit.unit}", "r" if unit.measure == "r" else "AUC"
        yield (
            f"<p>Unit {name} follows <b>{escape(unit.annotation)}</b>: {measure} = "
            f"{unit.value:.2f} on {found.ranked // 2:,} other symbols; untrained networks reach "
            f"{unit.untrained:.2f}.</p>"
        )
        yield scale_legend("unit")
        yield coloured_text(
            found.symbols, np.array(unit.values), "unit", f"The same, by unit {name}"
        )
