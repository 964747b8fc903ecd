"""What training reports: evaluations on held-out data, the state after each step, times."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from seqforge.core.config import TrainingConfig

MOST_SCORED = 500_000  # symbols at each look; the final score is of all
RECENT_STEPS = 20  # whose mean is what a progress line shows
_FEWEST_SCORED = 20_000
_LOOKING = 0.08  # share of a budget of time that looks at held-out data may take
_SCORING_SPEED = 2.5  # scoring over training, in symbols a second


@dataclass(frozen=True)
class Evaluation:
    """An evaluation on held-out data during training."""

    step: int
    elapsed_seconds: float
    train_bits: float
    """Mean over the windows since the last evaluation."""
    valid_bits: float | None
    learning_rate: float
    gradient_norm: float
    symbols_per_second: float
    best: bool
    """Whether it is the best so far."""


class EvaluationRecord(BaseModel):
    """A line of ``metrics.jsonl``: an `Evaluation`, with loss and perplexity.

    Lines of older versions have fewer keys.
    """

    model_config = ConfigDict(frozen=True)

    step: int
    elapsed_seconds: float | None = None
    train_bits: float | None = None
    valid_bits: float | None = None
    learning_rate: float | None = None
    gradient_norm: float | None = None
    symbols_per_second: float | None = None
    best: bool = False
    train_loss: float | None = None
    """In nats a symbol."""
    train_perplexity: float | None = None
    valid_loss: float | None = None
    valid_perplexity: float | None = None


@dataclass(frozen=True)
class StepReport:
    """The state of training after a step, for progress listeners."""

    step: int
    share: float
    """Share of the budget used, at most 1."""
    train_bits: float
    """Mean of the last steps."""
    recent_steps: int
    """How many these are, at most `RECENT_STEPS`."""
    valid_bits: float | None
    symbols_per_second: float
    seconds_left: float


@dataclass
class TrainingClock:
    """Seconds, accumulated over resumes, and the results of `auto`."""

    total: float = 0.0
    """Training loop with evaluations."""
    stepping: float = 0.0
    """Training steps only."""
    looking: float = 0.0
    """Evaluations, and passing on their results."""
    probing: float = 0.0
    """Autotune, before the loop and not part of it."""
    symbols: int = 0
    """Symbols trained on in that time."""

    @property
    def symbols_per_second(self) -> float:
        """Training symbols over time in training steps."""
        return self.symbols / self.stepping if self.stepping else 0.0


def affordable_symbols(config: TrainingConfig, steps: float, machines: float = 1.0) -> int:
    """Speeds in, held-out symbols per evaluation out, so that evaluations take a small share of the
    time.

    Args:
        config: How much a step reads, and how many looks there are.
        steps: Of the whole budget.
        machines: Share of the machines that train which scores.
    """
    trained = steps * config.batch_size * config.seq_len * config.grad_accumulation
    affordable = trained * _LOOKING / config.num_evaluations * _SCORING_SPEED * machines
    return round(min(max(affordable, _FEWEST_SCORED), MOST_SCORED))
