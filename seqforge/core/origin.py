"""How a sample came to be, in words without blanks: for a header, a comment, a table."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from seqforge.base.jsonable import as_json
from seqforge.core.records import Sample

TEMPERATURE_END = "temperature_end"
"""The setting that a temperature which changes on the way ends at."""

_compact = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_strict = json.JSONEncoder(allow_nan=False).encode


def temperature_of(sample: Sample) -> str | None:
    """The temperature, ``0.8``, or where it began and ended, ``1.2:0.5``."""
    end = sample.settings.get(TEMPERATURE_END)
    if sample.temperature is None:
        return None
    return f"{sample.temperature}" if end is None else f"{sample.temperature}:{word(end)}"


def settings_of(sample: Sample) -> dict[str, str]:
    """Every other setting by its name; a value has no blank and no line break."""
    return {
        word(name): word(value)
        for name, value in sample.settings.items()
        if name != TEMPERATURE_END or sample.temperature is None
    }


def word(value: Any) -> str:
    """A value without blanks and line breaks, which are written ``\\u0020`` and the like."""
    return line(value).replace(" ", "\\u0020")


def line(value: Any) -> str:
    """A value as JSON (a text as it is) in one line, without tabs."""
    text = as_json(value)
    if not isinstance(text, str):
        text = _compact(text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def sample_as_json(sample: Sample) -> str:
    """All that is known of a sample, as a JSON object in one line."""
    row = {field.name: getattr(sample, field.name) for field in fields(sample)}
    return _strict(as_json(row))
