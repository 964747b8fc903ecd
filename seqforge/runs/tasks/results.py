"""Results of the stages of a task's run, typed."""

from __future__ import annotations

from seqforge.reporting.task_page import TaskFindings
from seqforge.runs.results import StageResult


class ReadResult(StageResult):
    """What reading left in ``examples.safetensors``."""

    examples: dict[str, int]
    """Of each part."""
    symbols: dict[str, int]
    """Of the sources of each part."""
    notes: tuple[str, ...] = ()


class TaskScores(StageResult, TaskFindings):
    """How good the model is on the part that is held out."""
