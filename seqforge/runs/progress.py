"""What work under way tells whoever waits: the ProgressListener protocol.

A function below that only says how far it is takes a listener's method ``advance``
(`base.messages.Advance`), and one that only has sentences takes ``note``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from seqforge.core.training.events import Evaluation, StepReport


class ProgressListener(Protocol):
    """Told what a run is doing."""

    def stage(self, name: str) -> None:
        """A stage of the run begins, in words: ``reading``."""
        ...

    def note(self, text: str) -> None:
        """One sentence that a person should see."""
        ...

    def advance(self, done: float, total: float, what: str) -> None:
        """How far the stage is."""
        ...

    def pulse(self, pulse: StepReport) -> None:
        """Training made a step."""
        ...

    def evaluation(self, evaluation: Evaluation) -> None:
        """Training looked at the held-out data."""
        ...

    def sample(self, step: int, text: str) -> None:
        """What the network wrote after a step; it may have many lines."""
        ...

    def close(self) -> None:
        """Nothing more will come."""
        ...


class NullProgress:
    """Says nothing."""

    def stage(self, name: str) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def advance(self, done: float, total: float, what: str) -> None:
        """Say nothing."""

    def pulse(self, pulse: StepReport) -> None:
        """Say nothing."""

    def evaluation(self, evaluation: Evaluation) -> None:
        """Say nothing."""

    def sample(self, step: int, text: str) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Say nothing."""
