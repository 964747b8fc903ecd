"""How far a budget is used up, and the learning rate that goes with it."""

from __future__ import annotations

import math

from seqforge.core.config import Budget, TrainingConfig


def used_share(budget: Budget, step: int, seconds: float, windows_per_epoch: int) -> float:
    """Share of a budget that is used up, from 0; 1 and above is the end."""
    if budget.steps is not None:
        return step / budget.steps
    if budget.epochs is not None:
        return step / max(1, round(budget.epochs * windows_per_epoch))
    if budget.seconds is not None:
        return seconds / budget.seconds
    raise ValueError("an empty budget")


def learning_rate(config: TrainingConfig, share: float) -> float:
    """Linear warm-up, then a cosine (Loshchilov and Hutter 2017) down to ``final_rate``.

    Args:
        config: Highest rate, and the shape.
        share: How much of the budget is used up, in [0, 1].
    """
    if share < config.warmup:
        return config.learning_rate * max(share / config.warmup, 1e-3)
    falling = min(1.0, (share - config.warmup) / (1 - config.warmup))
    shape = config.final_rate + (1 - config.final_rate) * 0.5 * (1 + math.cos(math.pi * falling))
    return config.learning_rate * shape
