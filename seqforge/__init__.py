"""Train small recurrent sequence models on your own text, genome or tunes, and sample them.

The public names of scripts; authors of domains find more in `seqforge.plugin`. A name is imported
at its first use: torch, numpy and the domains are slow to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from seqforge.version import __version__

if TYPE_CHECKING:
    from seqforge.api.model import Model, load, sample
    from seqforge.api.run import Run, run, train
    from seqforge.core.data.constraint import Constraint
    from seqforge.core.data.domain import Domain
    from seqforge.core.data.vocabulary import Vocabulary
    from seqforge.core.records import Record, Sample
    from seqforge.errors import (
        CheckpointError,
        ConfigError,
        DomainError,
        InputError,
        ProgramError,
        RenderError,
        RunError,
        SeqforgeError,
        Unfinished,
    )
    from seqforge.runs.progress import NullProgress, ProgressListener

__all__ = [
    "CheckpointError", "ConfigError", "Constraint", "Domain", "DomainError", "InputError", "Model",
    "NullProgress", "ProgramError", "ProgressListener", "Record", "RenderError", "Run", "RunError",
    "Sample", "SeqforgeError", "Unfinished", "Vocabulary", "__version__", "load", "run", "sample",
    "train",
]  # fmt: skip

_ERRORS = dict.fromkeys((name for name in __all__ if name.endswith("Error")), "seqforge.errors")
_HOME = {
    **_ERRORS, "Unfinished": "seqforge.errors",
    "Model": "seqforge.api.model", "load": "seqforge.api.model", "sample": "seqforge.api.model",
    "Run": "seqforge.api.run", "run": "seqforge.api.run", "train": "seqforge.api.run",
    "Record": "seqforge.core.records", "Sample": "seqforge.core.records",
    "Domain": "seqforge.core.data.domain", "Vocabulary": "seqforge.core.data.vocabulary",
    "Constraint": "seqforge.core.data.constraint",
    "NullProgress": "seqforge.runs.progress", "ProgressListener": "seqforge.runs.progress",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'seqforge' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOME[name]), name)
    return found


def __dir__() -> list[str]:
    """All public names, imported or not."""
    return sorted({*globals(), *__all__})
