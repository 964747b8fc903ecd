"""What can go wrong, as sentences for the person at the terminal.

SeqforgeError
├── InputError        a file, text or folder that cannot be used
├── ConfigError       an option or a recipe that cannot be used
├── CheckpointError   a model or a resume file that cannot be used
├── DomainError       a domain that is missing or cannot be loaded
├── RunError          a run folder that cannot be used
├── ProgramError      another program that is missing, failed or took too long
├── RenderError       a score that cannot be drawn
├── Unfinished        not done yet, but it can go on (exit code 3)
└── SaidElsewhere     another process of the same training says it

Users' mistakes raise one of these; callers' mistakes raise ValueError.
"""

from __future__ import annotations

import re

NO_MEMORY = (
    "not enough memory for this; give a smaller --batch-size, --hidden-size or input, or end other "
    "programs"
)
"""The sentence when memory runs out."""

_OUT_OF_MEMORY = re.compile(
    "out of memory|can(no|')t allocate memory|not enough memory|can't start new thread|"
    "failed to map segment",  # of a library that is loaded when it is first wanted
    re.IGNORECASE,
)


def out_of_memory(error: Exception) -> bool:
    """Whether memory ran out; torch has no error of its own for that."""
    return isinstance(error, MemoryError) or bool(_OUT_OF_MEMORY.search(str(error)))


class SeqforgeError(Exception):
    """Base class; ``str(error)`` is one sentence for the person at the terminal."""

    exit_code = 1


class InputError(SeqforgeError):
    """An input that cannot be used: names the file, the place and the remedy."""


class ConfigError(SeqforgeError):
    """An option or a recipe that cannot be used: names the key and what was expected."""


class CheckpointError(SeqforgeError):
    """A model or resume file that is damaged, foreign or of another format."""


class DomainError(SeqforgeError):
    """A domain that is not installed or that fails to load."""


class RunError(SeqforgeError):
    """A run folder that is locked, foreign, or not a folder."""


class ProgramError(SeqforgeError):
    """An external program that is missing, failed, or took too long."""


class RenderError(SeqforgeError):
    """A score that cannot be engraved, or not in time."""


class Unfinished(SeqforgeError):
    """The work is not finished but can be resumed."""

    exit_code = 3


class SaidElsewhere(SeqforgeError):
    """An error that another process of the same training reports; this one ends with its code."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code
