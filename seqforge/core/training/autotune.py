"""A trainer in; out what it was to find out itself: precision and evaluation interval, measured."""

from __future__ import annotations

import time
from typing import Protocol

from seqforge.core.config import Budget, TrainingConfig
from seqforge.core.training.distributed import Ranks
from seqforge.core.training.events import TrainingClock, affordable_symbols
from seqforge.core.training.task import GradientLanes, LearningTask, StepData

_WINDOWS, _MOST_WINDOWS = 3, 20
_SECONDS = 1.0
_EXCHANGES = 3


class Tunable(Protocol):
    """The interface of `Trainer` that autotune needs."""

    budget: Budget
    config: TrainingConfig
    ranks: Ranks
    task: LearningTask
    clock: TrainingClock
    precisions: list[str]
    precision: str | None
    evaluation_interval: int | None
    evaluation_symbols: int

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps per epoch."""

    def make_lanes(self, precision: str) -> GradientLanes:
        """Make lanes of this process, with a zero state."""

    def use_precision(self, precision: str) -> None:
        """Set the precision from now on."""


def seconds_per_step(lanes: GradientLanes, window: StepData, windows: int, ranks: Ranks) -> float:
    """Lanes and windows in, seconds per step (loss and gradients) out; weights are not changed.

    Every rank measures itself at the same time, since that is how they will work, and then all
    measure the exchange of gradients, so often as was settled before.

    Args:
        lanes: What is measured; the state that they carry is used up.
        window: What it is measured on.
        windows: So many are read for one step.
        ranks: Among whom gradients are exchanged, once a step.
    """
    _, gradients = lanes.gradients(window, 0, 0)  # the first call chooses kernels
    times: list[float] = []
    while len(times) < _WINDOWS or (sum(times) < _SECONDS and len(times) < _MOST_WINDOWS):
        began = time.perf_counter()
        lanes.gradients(window, 0, 0)
        times.append(time.perf_counter() - began)
    reading = sorted(times)[len(times) // 2] * windows
    if ranks.world == 1:
        return reading
    ranks.sum(gradients, [])  # the first waits for the slowest rank
    began = time.perf_counter()
    for _ in range(_EXCHANGES):
        ranks.sum(gradients, [])
    return reading + (time.perf_counter() - began) / _EXCHANGES


def autotune(trainer: Tunable) -> None:
    """Measure and set the precision, the evaluation interval and the symbols scored per
    evaluation."""
    began = time.perf_counter()
    seconds: dict[str, float] = {}  # a step, in each precision that was tried
    if trainer.precision is None:
        seconds = {name: _probe(trainer, name) for name in trainer.precisions}
        trainer.precision = trainer.ranks.broadcast_object(
            lambda: min(seconds, key=seconds.__getitem__)
        )
    trainer.use_precision(trainer.precision)
    if trainer.evaluation_interval is None:
        plan = _planned_looks(trainer, seconds.get(trainer.precision))
        interval, symbols = trainer.ranks.broadcast_object(lambda: plan)
        trainer.evaluation_interval, trainer.evaluation_symbols = interval, symbols
    trainer.clock.probing += time.perf_counter() - began


def _planned_looks(trainer: Tunable, seconds_a_step: float | None) -> tuple[int, int]:
    """The evaluation interval in steps, and the symbols scored per evaluation.

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
    return max(1, round(steps / config.num_evaluations)), affordable_symbols(config, steps, share)


def _probe(trainer: Tunable, precision: str) -> float:
    """Seconds per step at a precision; weights and carried state are restored."""
    lanes = trainer.make_lanes(precision)
    window, windows = trainer.task.window(0), trainer.config.grad_accumulation
    seconds = seconds_per_step(lanes, window, windows, trainer.ranks)
    lanes.close()
    return seconds
