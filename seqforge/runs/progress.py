"""What work under way tells whoever waits: the ProgressListener protocol.

A function below that only says how far it is takes a listener's method ``advance``
(`base.messages.Advance`), and one that only has sentences takes ``note``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from seqforge.core.training.events import Evaluation, StepReport


class ProgressListener(Protocol):
    """Receives the events of a run."""

    def stage(self, name: str) -> None:
        """A stage begins: ``reading``."""
        ...

    def note(self, text: str) -> None:
        """A sentence for the user."""
        ...

    def advance(self, done: float, total: float, what: str) -> None:
        """Progress of the stage."""
        ...

    def pulse(self, pulse: StepReport) -> None:
        """A training step is done."""
        ...

    def evaluation(self, evaluation: Evaluation) -> None:
        """An evaluation on held-out data is done."""
        ...

    def sample(self, step: int, text: str) -> None:
        """A sample of the model after a step; may have many lines."""
        ...

    def close(self) -> None:
        """The run is over."""
        ...


class NullProgress:
    """Ignores all events."""

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
