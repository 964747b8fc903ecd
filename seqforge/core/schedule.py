"""How far a budget is used up, and the learning rate that goes with it."""

from __future__ import annotations

import math

from seqforge.core.budget import Budget
from seqforge.core.config import TrainingConfig


def used_share(budget: Budget, step: int, seconds: float, windows_per_epoch: int) -> float:
    """Share of a budget that is used up, from 0; 1 and above is the end."""
    if budget.steps is not None:
        return step / budget.steps
    if budget.epochs is not None:
        return step / max(1, round(budget.epochs * windows_per_epoch))
    if budget.seconds is not None:
        return seconds / budget.seconds
    raise ValueError("an empty budget")


def learning_rate(config: TrainingConfig, share: float, fallen: float = 1.0) -> float:
    """Linear warm-up, then what the schedule says.

    Args:
        config: Highest rate, and the shape: ``cosine`` (Loshchilov and Hutter 2017) goes down to
            ``final_rate`` over the budget, ``plateau`` follows ``fallen``, ``constant`` stays.
        share: How much of the budget is used up, in [0, 1].
        fallen: How far the rate of ``plateau`` has come down, as a factor.
    """
    if share < config.warmup:
        return config.learning_rate * max(share / config.warmup, 1e-3)
    if config.schedule == "constant":
        return config.learning_rate
    if config.schedule == "plateau":
        return config.learning_rate * max(fallen, config.final_rate)
    falling = min(1.0, (share - config.warmup) / (1 - config.warmup))
    shape = config.final_rate + (1 - config.final_rate) * 0.5 * (1 + math.cos(math.pi * falling))
    return config.learning_rate * shape
