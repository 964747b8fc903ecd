"""``seqforge`` that stops itself while it writes samples, at a moment that is counted.

A script for `tests.forking.Command`. The signal that ``STOP_BY`` numbers comes when the file that
``STOP_AT`` names is put in place for the fourth time: the note of how far a file of samples is. Its
writer, which writes a note a second, has a clock that goes by how often it is looked at.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from itertools import count

TIMES = 4
"""The first note tells of nothing, the second of one sample, the third of `LOOKS` more."""
LOOKS = 5


class _Clock:
    def __init__(self) -> None:
        self._looks = count()

    def monotonic(self) -> float:
        return next(self._looks) / LOOKS


def _stop_at(name: str, sign: int) -> None:
    placed = count(1)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        is_note = event == "os.rename" and os.path.basename(os.fsdecode(arguments[1])) == name
        if is_note and next(placed) == TIMES:
            signal.raise_signal(sign)

    sys.addaudithook(hook)


if __name__ == "__main__":
    from seqforge.core.output import writer

    writer.time = _Clock()
    _stop_at(os.environ["STOP_AT"], int(os.environ["STOP_BY"]))
    runpy.run_module("seqforge", run_name="__main__", alter_sys=True)
