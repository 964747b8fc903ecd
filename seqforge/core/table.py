"""A table of how samples were drawn, for files that hold their symbols alone."""

from __future__ import annotations

from typing import Any

from seqforge.base.jsonable import as_json
from seqforge.core.origin import line
from seqforge.core.records import Sample

COLUMNS = (
    "number", "model", "temperature", "seed", "settings", "prime_length", "suffix_length",
    "symbols", "mean_log_prob", "removed_mass", "ended",
)  # fmt: skip


def table_row(sample: Sample, first: bool) -> bytes:
    """The row of a sample, before the first one the names of the columns; tab-separated.

    What does not exist is an empty cell; the settings are a JSON object.
    """
    row: dict[str, Any] = {name: getattr(sample, name) for name in COLUMNS}
    row["symbols"] = len(sample.symbols)
    lines: list[tuple[str, ...]] = [COLUMNS] if first else []
    lines.append(tuple("" if as_json(value) is None else line(value) for value in row.values()))
    return "".join("\t".join(cells) + "\n" for cells in lines).encode()
