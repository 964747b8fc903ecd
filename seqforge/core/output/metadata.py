"""A sample in; out how it was drawn, as words for a header, a JSON line or a row of a table."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from seqforge.base.atomic_files import as_json
from seqforge.core.records import Sample

TEMPERATURE_END = "temperature_end"
"""Setting with the last temperature of a schedule."""

_compact = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_strict = json.JSONEncoder(allow_nan=False).encode


def temperature_of(sample: Sample) -> str | None:
    """A sample's temperature, ``0.8``, or its schedule, ``1.2:0.5``."""
    end = sample.settings.get(TEMPERATURE_END)
    if sample.temperature is None:
        return None
    return f"{sample.temperature}" if end is None else f"{sample.temperature}:{header_word(end)}"


def settings_of(sample: Sample) -> dict[str, str]:
    """All other settings by name; values have no blanks and no line breaks."""
    return {
        header_word(name): header_word(value)
        for name, value in sample.settings.items()
        if name != TEMPERATURE_END or sample.temperature is None
    }


def header_word(value: Any) -> str:
    """A value without blanks and line breaks, which become ``\u0020`` and the like."""
    return header_line(value).replace(" ", "\\u0020")


def header_line(value: Any) -> str:
    """A value as JSON (text as it is) on one line, without tabs."""
    text = as_json(value)
    if not isinstance(text, str):
        text = _compact(text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def sample_as_json(sample: Sample) -> str:
    """A sample with all its settings as a JSON object on one line."""
    row = {field.name: getattr(sample, field.name) for field in fields(sample)}
    return _strict(as_json(row))


COLUMNS = (
    "number", "model", "temperature", "seed", "settings", "prime_length", "suffix_length",
    "symbols", "mean_log_prob", "removed_mass", "ended",
)  # fmt: skip


def table_row(sample: Sample, first: bool) -> bytes:
    """A sample's tab-separated row; before the first one the column names.

    What does not exist is an empty cell; the settings are a JSON object.
    """
    row: dict[str, Any] = {name: getattr(sample, name) for name in COLUMNS}
    row["symbols"] = len(sample.symbols)
    lines: list[tuple[str, ...]] = [COLUMNS] if first else []
    lines.append(
        tuple("" if as_json(value) is None else header_line(value) for value in row.values())
    )
    return "".join("\t".join(cells) + "\n" for cells in lines).encode()
