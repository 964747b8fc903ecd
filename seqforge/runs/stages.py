"""A stage's work in, its result out, timed, recorded in the run folder and not done again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from seqforge.base.machine import peak_memory_mb, trim_memory
from seqforge.runs.folder import RunFolder
from seqforge.runs.progress import ProgressListener
from seqforge.runs.results import StageResult

_Result = TypeVar("_Result", bound=StageResult)


def timed_stage(
    folder: RunFolder, watcher: ProgressListener, name: str, kind: type[_Result],
    work: Callable[[], _Result],
) -> _Result:  # fmt: skip
    """The result of a stage, with its time and its peak of memory: read back if it is done.

    Raises:
        RunError: If what was kept is no such result.
    """

    def timed() -> _Result:
        trim_memory()
        watcher.stage(name)
        began = time.monotonic()
        result = work()
        seconds = round(max(time.monotonic() - began, result.least_seconds), 2)
        return result.model_copy(
            update={"wall_seconds": seconds, "peak_memory_mb": peak_memory_mb()}
        )

    return folder.stage(name, kind, timed)
