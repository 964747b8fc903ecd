"""The Experiment protocol: settings in, independent trials; a row from each; a page of all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from pydantic import BaseModel

from seqforge.base.html_page import Section

Row = Mapping[str, Any]
"""What came out of a trial, as JSON has it."""


@dataclass(frozen=True)
class Trial:
    """One training, independent of all others: what it says repeats to the bit."""

    key: str
    """Names it among all trials of the experiment: ``lstm-3``."""
    fields: Mapping[str, Any]
    """What is particular to it; they stand in its row."""


class Experiment(Protocol):
    """What a recipe with ``experiment = NAME`` runs: a module's functions and constants."""

    TITLE: str
    SETTINGS: type[BaseModel]
    """The table ``[experiment]`` of the recipe."""
    PUBLISHED: Sequence[Row]
    """Rows of figures from papers, each with its ``source``."""

    def trials(self, settings: Any) -> list[Trial]:
        """All trials, in the order in which they are done."""

    def run(self, trial: Trial, settings: Any) -> Row:
        """Do a trial, in a process of its own with one thread; what came out beside its fields."""

    def sections(self, rows: Sequence[Row], settings: Any) -> list[Section]:
        """Tables and pictures of the rows of all trials."""

    def conclusion(self, rows: Sequence[Row], settings: Any) -> str:
        """What came out, in a sentence or two, with figures."""


EXPERIMENTS = {
    "counting": "counting",
    "greff": "greff",
    "jozefowicz": "jozefowicz",
    "memory-length": "memory_length",
    "temperature": "temperature",
}
"""Names and their modules in this package."""


def load_experiment(name: str) -> Experiment:
    """A name of `EXPERIMENTS` in, the module out."""
    found: Any = import_module(f"{__package__}.{EXPERIMENTS[name]}")
    experiment: Experiment = found
    return experiment
