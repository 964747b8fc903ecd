"""What the page says of samples beside their controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seqforge.core.distributions import Distributions
from seqforge.reporting.tables import Table, records_table
from seqforge.reporting.wording import finite, mapping


@dataclass(frozen=True)
class ShownControls:
    """Everything that the template needs."""

    sentence: str
    notes: tuple[str, ...]
    table: Table
    picture: str
    """SVG that has escaped what it was given; nothing where there is nothing to draw."""
    legend: tuple[tuple[str, str], ...]
    """The class of each line, and what it is of."""
    copying: Table
    source: str
    """What copies were looked for in."""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> ShownControls | None:
        """From ``controls`` of a search's summary, where anything may be null."""
        if not found:
            return None
        picture = _picture(mapping(found.get("picture")))
        labels = mapping(found.get("labels"))
        copying = [
            {"measure": name, **{str(labels.get(kind) or kind): v for kind, v in row.items()}}
            for name, row in mapping(found.get("copying")).items()
            if isinstance(row, Mapping)
        ]
        return cls(
            sentence=_sentence(found.get("sentence")),
            notes=tuple(map(_sentence, found.get("notes") or [])),
            table=records_table([mapping(row) for row in found.get("table") or []]),
            picture=picture.svg() if picture else "",
            legend=tuple(picture.legend()) if picture else (),
            copying=records_table(copying),
            source=str(found.get("copied_from") or "the training data"),
        )


def _picture(found: Mapping[str, Any]) -> Distributions | None:
    groups = {
        str(name): [place for place in map(finite, places or []) if place is not None]
        for name, places in mapping(found.get("groups")).items()
    }
    if not any(groups.values()):
        return None
    ticks = [(place, str(label)) for place, label in found.get("ticks") or []]
    return Distributions(str(found.get("label") or ""), ticks, groups)


def _sentence(text: Any) -> str:
    said = str(text or "")
    return f"{said[:1].upper()}{said[1:].removesuffix('.')}." if said else ""
