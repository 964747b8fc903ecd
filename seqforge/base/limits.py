"""How much a packed file may unpack to: a file's packed size in, bytes out.

A few kilobytes can be packed so that they become gigabytes. What is streamed costs no memory, and
a genome may be of any size; what is held whole must also fit. ``SEQFORGE_UNPACK_LIMIT`` (``8G``)
stands in place of both rules.
"""

from __future__ import annotations

import os
import re

from seqforge.errors import ConfigError

VARIABLE = "SEQFORGE_UNPACK_LIMIT"
_FREE = 64_000_000  # so much may come of anything
_RATIO_STREAMED = 1000  # what gzip reaches at most is 1032
_RATIO_WHOLE = 200
MOST_WHOLE = 4_000_000_000
"""Bytes of a file that is held in memory whole."""
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def own_limit() -> int | None:
    """What ``SEQFORGE_UNPACK_LIMIT`` says, in bytes; None where it says nothing.

    Raises:
        ConfigError: If it is no size.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return None
    match = re.fullmatch(r"([0-9]{1,15})\s*([KMGT]?)(i?B)?", text, re.IGNORECASE)
    if match is None:
        raise ConfigError(f"{VARIABLE}: a size such as 500M or 8G is wanted (got {text[:40]!r})")
    return int(match[1]) * _UNITS[match[2].upper()]


class Allowance:
    """What one packed file may give."""

    def __init__(self, whole: bool) -> None:
        """Settle the rules; ``whole`` for a file that is held in memory."""
        self._own = own_limit()
        self._whole = whole

    def is_exceeded(self, packed: int, given: int) -> bool:
        """Whether ``given`` bytes are too much to come of ``packed`` bytes."""
        if self._own is not None:
            return given > self._own
        ratio = _RATIO_WHOLE if self._whole else _RATIO_STREAMED
        return given > _FREE + ratio * packed or (self._whole and given > MOST_WHOLE)


def size_said(count: int) -> str:
    """A size as people write it: ``64 MB``."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count} bytes"
