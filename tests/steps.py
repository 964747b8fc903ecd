"""Work -> how many steps it took: the same number on an idle machine and on a busy one.

A step is a line of Python that is run, or a call into C. What one call into C does in itself
(a regular expression, numpy) is not seen: give it an input on which a square would be seen to.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def steps(work: Callable[[], object]) -> int:
    """How many steps ``work`` takes in this thread."""
    count = 0

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return line

    def call(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "c_call"

    traced, profiled, collects = sys.gettrace(), sys.getprofile(), gc.isenabled()
    gc.disable()  # what is collected when hangs on what ran before
    sys.setprofile(call)
    sys.settrace(line)
    try:
        work()
    finally:
        sys.settrace(traced)
        sys.setprofile(profiled)
        if collects:
            gc.enable()
    return count


def growth(work: Callable[[int], object], size: int, times: int = 4) -> float:
    """How many times more steps an input takes that is so many times larger; linear is 1.

    A square gives ``times`` in place of 1. Caches are warmed first.
    """
    work(size)
    return steps(lambda: work(times * size)) / steps(lambda: work(size)) / times
