"""``seqforge`` that is killed at a moment that is counted and not timed.

A script for `tests.forking.Command`: SIGKILL comes when a file called ``KILL_AT`` is put in place
for the ``KILL_TIMES``-th time, by any thread.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from itertools import count


def _kill_at(name: str, times: int) -> None:
    placed = count(1)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        of_it = event == "os.rename" and os.path.basename(os.fsdecode(arguments[1])) == name
        if of_it and next(placed) == times:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


if __name__ == "__main__":
    _kill_at(os.environ["KILL_AT"], int(os.environ["KILL_TIMES"]))
    runpy.run_module("seqforge", run_name="__main__", alter_sys=True)
