"""What a training decides by measurement before its first step, and never again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from seqforge.core import probing
from seqforge.core.looks import affordable_symbols

if TYPE_CHECKING:
    from seqforge.core.training import Trainer


def settle(trainer: Trainer) -> None:
    """Choose the precision, how many steps lie between two looks, and how much a look scores."""
    began = time.perf_counter()
    seconds: dict[str, float] = {}  # a step, in each precision that was tried
    if trainer.precision is None:
        seconds = {name: _probe(trainer, name) for name in trainer.precisions}
        trainer.precision = trainer.ranks.agree(lambda: min(seconds, key=seconds.__getitem__))
    trainer.use_precision(trainer.precision)
    if trainer.evaluation_interval is None:
        plan = _planned_looks(trainer, seconds.get(trainer.precision))
        interval, symbols = trainer.ranks.agree(lambda: plan)
        trainer.evaluation_interval, trainer.evaluation_symbols = interval, symbols
    trainer.clock.probing += time.perf_counter() - began


def _planned_looks(trainer: Trainer, seconds_a_step: float | None) -> tuple[int, int]:
    """How many steps lie between two looks, and how much a look scores.

    Args:
        trainer: Its precision is settled.
        seconds_a_step: If it was measured.
    """
    budget, config = trainer.budget, trainer.config
    share = trainer.ranks.local_world / trainer.ranks.world  # one machine scores
    if budget.seconds is not None:
        steps = budget.seconds / (seconds_a_step or _probe(trainer, trainer.precision or "fp32"))
    elif budget.epochs is not None:
        steps = budget.epochs * trainer.steps_per_epoch
    else:
        steps = float(budget.steps or 1)
    return max(1, round(steps / config.evaluations)), affordable_symbols(config, steps, share)


def _probe(trainer: Trainer, precision: str) -> float:
    """Seconds a step takes at a precision; weights and carried state stay as they are."""
    lanes = trainer.make_lanes(precision)
    window, windows = trainer.streams.window(0), trainer.config.accumulate
    seconds = probing.seconds_a_step(lanes, window, windows, trainer.ranks)
    lanes.close()
    return seconds
