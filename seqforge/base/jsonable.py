"""A value in, the same as JSON can keep it: the one form in which settings are compared.

What was asked for is compared with what TOML, JSON or a header brought back: a tuple is a list
there, a path is a text. Both sides go through `as_json` first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from typing import Any


def as_json(value: Any) -> Any:
    """A value as JSON can keep it: infinity becomes ``"inf"``, and what is no number null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else f"{value}"
    if isinstance(value, Mapping):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(one) for one in value]
    if isinstance(value, Set):  # in an order that is not another one in every process
        return sorted((as_json(one) for one in value), key=repr)
    return value if value is None or isinstance(value, str | int | float) else str(value)
