"""How long a test waits for what will come: long, for it is only a guard against a hang.

No claim may hang on a clock. A machine may be busy with ten other things; what is claimed of speed
is counted (``tests/steps.py``), goes by a clock of the test's own, or is measured in benchmarks/.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

PATIENCE = 900.0
"""Seconds after which something hangs; the machine may be slowed a hundredfold."""


def tries(seconds: float = PATIENCE) -> Iterator[None]:
    """Turns to look whether something has happened; after so long there are no more."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    for _ in tries():
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"it did not happen in {PATIENCE:g} s")
