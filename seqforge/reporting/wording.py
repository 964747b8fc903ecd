"""Numbers and verdicts as a page says them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

MISSING = "\N{EN DASH}"
"""What stands where there is no number."""
MINUS = "\N{MINUS SIGN}"

_PLURALS = {"base": "bases", "character": "characters", "symbol": "symbols"}
_PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
"""Unicode's pictures of the control characters."""
_LEVEL_PERCENT = 0.05
"""Closer than this, rounding decides which is better."""


def finite(value: Any) -> float | None:
    """The value as a number, or None where it is none (null, text, a NaN)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is a mapping, else an empty one: anything in a summary may be null."""
    return value if isinstance(value, Mapping) else {}


def number(value: Any) -> str:
    """Any value of a summary as a cell of a table shows it."""
    if value is None or value == "" or value == {}:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _decimal(value)
    if isinstance(value, list | tuple):
        return ", ".join(number(item) for item in value) or MISSING
    return str(value)


def _decimal(value: float) -> str:
    if not math.isfinite(value):
        return MISSING
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def bits(value: Any) -> str:
    """Bits per symbol, to the thousandth."""
    known = finite(value)
    return MISSING if known is None else f"{known:.3f}"


def duration(seconds: Any) -> str:
    """Seconds as 12.3 s, 4 min 5 s or 2 h 10 min."""
    known = finite(seconds)
    if known is None:
        return MISSING
    if known < 59.95:
        return f"{known:.1f} s"
    minutes, rest = divmod(round(known), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def unit_name(summary: Mapping[str, Any]) -> str:
    """What one symbol is called: base, character, symbol."""
    return str(summary.get("unit") or "symbol")


def plural(unit: str) -> str:
    """More than one of a unit."""
    return _PLURALS.get(unit, f"{unit}s")


def percent(value: float, other: float) -> str:
    """How much more (+) or less ``value`` is than ``other``."""
    change = 100 * (value - other) / other
    if abs(change) < _LEVEL_PERCENT:
        return "±0 %"
    return f"{'+' if change > 0 else MINUS}{abs(change):.1f} %"


def verdict(model: float, other: float) -> str:
    """The model's bits against another's, in plain words; fewer are better."""
    saved = 100 * (other - model) / other
    if abs(saved) < _LEVEL_PERCENT:
        return "level with it"
    return f"{abs(saved):.1f} % {'better' if saved > 0 else 'worse'}"


def advice(summary: Mapping[str, Any]) -> list[str]:
    """What was said of the network's size before training and of its curves after, as sentences."""
    said = mapping(summary.get("advice"))
    sentences = (str(said.get(key) or "") for key in ("before", "after"))
    return [f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences if sentence]


def readable(key: str) -> str:
    """A key of a summary as words."""
    return str(key).replace("_", " ")


def printable(text: str) -> str:
    """Text with its control characters made visible; HTML has no place for them."""
    return text.replace("\r\n", "\n").translate(_PICTURES)
