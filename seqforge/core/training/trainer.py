"""Batches in, weights out: the training loop and its learning-rate schedule. It can be stopped and
resumed at any step.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from seqforge.core.config import Budget, TrainingConfig
from seqforge.core.evaluation.likelihood import bits
from seqforge.core.model.prepared import check_precision, precisions
from seqforge.core.training.autotune import autotune
from seqforge.core.training.distributed import ALONE, Ranks
from seqforge.core.training.ema import WeightAverage
from seqforge.core.training.events import (
    MOST_SCORED,
    RECENT_STEPS,
    Evaluation,
    StepReport,
    TrainingClock,
)
from seqforge.core.training.lanes import choose_lanes
from seqforge.core.training.scheduled_sampling import Objective
from seqforge.core.training.task import GradientLanes, LearningTask
from seqforge.errors import ConfigError, RunError, SeqforgeError


def used_share(budget: Budget, step: int, seconds: float, windows_per_epoch: int) -> float:
    """Share of the budget used, from 0; 1 and above is the end."""
    if budget.steps is not None:
        return step / budget.steps
    if budget.epochs is not None:
        return step / max(1, round(budget.epochs * windows_per_epoch))
    if budget.seconds is not None:
        return seconds / budget.seconds
    raise ValueError("an empty budget")


def learning_rate(config: TrainingConfig, share: float, fallen: float = 1.0) -> float:
    """The learning rate at a share of the budget: linear warm-up, then the schedule.

    Args:
        config: Highest rate, and the shape: ``cosine`` (Loshchilov and Hutter 2017) goes down to
            ``final_lr_ratio`` over the budget, ``plateau`` follows ``fallen``, ``constant`` stays.
        share: How much of the budget is used up, in [0, 1].
        fallen: How far the rate of ``plateau`` has come down, as a factor.
    """
    if share < config.warmup:
        return config.learning_rate * max(share / config.warmup, 1e-3)
    if config.schedule == "constant":
        return config.learning_rate
    if config.schedule == "plateau":
        return config.learning_rate * max(fallen, config.final_lr_ratio)
    falling = min(1.0, (share - config.warmup) / (1 - config.warmup))
    least = config.final_lr_ratio
    shape = least + (1 - least) * 0.5 * (1 + math.cos(math.pi * falling))
    return config.learning_rate * shape


_ALWAYS_ACCUMULATED = 1000  # windows a step, however small the input is


class TrainableModel(Protocol):
    """What a trainer needs of a model, beside what its task does with it."""

    cell: str

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """All weights by name."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """All weights."""

    def num_parameters(self) -> int:
        """Number of weights."""

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """A copy of the weights as plain arrays, by name."""

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """Take weights over."""


class Trainer:
    """Trains a model on the training part of a task's data.

    The caller gives what happens at an evaluation and after a step; the trainer itself writes no
    file. Its whole state is in the public attributes, which `resume.py` keeps. Among several
    processes each has one, and all take the same steps: what a step depends on is a function of
    what they share.
    """

    def __init__(
        self,
        model: TrainableModel,
        task: LearningTask,
        config: TrainingConfig,
        *,
        ranks: Ranks = ALONE,
    ) -> None:
        self.model, self.task, self.config, self.ranks = model, task, config, ranks
        self.budget = Budget.parse(config.budget)
        self.device = next(model.parameters()).device
        self.optimizer = _optimizer(model, config)
        ranks.broadcast_object(lambda: _check_held_out(config, task))
        ranks.broadcast_object(lambda: _check_accumulation(config, task.windows_per_epoch))
        self.average = None
        if config.ema_share:
            self.average = WeightAverage(list(model.parameters()), config.ema_share)
        self.lane_count = ranks.broadcast_object(
            lambda: choose_lanes(config.lanes, config.batch_size, self.device, ranks)
        )
        self.precisions = ranks.common(precisions(self.device))
        ranks.broadcast_object(
            lambda: check_precision(config.precision, self.precisions, self.device)
        )
        self.precision: str | None = None if config.precision == "auto" else config.precision
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=False)  # see use_precision
        self.evaluation_interval: int | None = None
        self.evaluation_symbols = MOST_SCORED
        self.rate_fallen = 1.0
        self.clock = TrainingClock()
        self.step = 0
        self.best_bits: float | None = None
        self.best_step = 0
        self.last_valid: float | None = None
        self.unseen_losses: list[float] = []
        self.gradient_norm = 0.0
        self.lanes = self.make_lanes(self.precision or "fp32")
        self._began = 0.0
        self._should_stop: Callable[[], bool] = lambda: False
        self._stopping = False

    def run(
        self,
        on_evaluation: Callable[[Evaluation], object],
        on_step: Callable[[StepReport], object] = lambda pulse: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Train until the budget is used up; returns whether it is.

        Args:
            on_evaluation: Called with each look at the held-out data; where it is the ``best``
                the model's weights of that moment are the ones to keep.
            on_step: Called after every step.
            should_stop: Asked after every step; True ends the run before its budget.
        """
        self.settle()
        self._should_stop = should_stop
        self._began = time.perf_counter() - self.clock.total
        recent = deque(self.unseen_losses, maxlen=RECENT_STEPS)
        while (share := self._share()) < 1 and not self._out_of_patience():
            recent.append(self._step(share))
            if self.step % (self.evaluation_interval or 1) == 0 or self._share() >= 1:
                began = time.perf_counter()
                evaluation = self.evaluate()
                self.clock.total = self.ranks.broadcast_object(self._elapsed)
                on_evaluation(evaluation)
                self.clock.looking += time.perf_counter() - began
                if self._out_of_patience():
                    return True
            # Last: what is saved here must not lie between a step and its evaluation.
            on_step(self._pulse(recent))
            if self._stopping if self.ranks.world > 1 else should_stop():
                return self._share() >= 1
        return True

    def use_lanes(self, count: int) -> None:
        """Divide the batch over ``count`` lanes per process from now on, with a zero state."""
        self.lanes.close()
        self.lane_count = count
        self.lanes = self.make_lanes(self.precision or "fp32")

    def make_lanes(self, precision: str) -> GradientLanes:
        """Make lanes of this process, with a zero state."""
        return self.task.lanes(self.model, self.lane_count, precision, self.ranks)

    def use_precision(self, precision: str) -> None:
        """Set the precision from now on; float16 needs a loss scale."""
        self.precision = self.lanes.precision = precision
        # Autocast runs cuDNN's recurrent layers in float16, whatever half precision was asked for.
        half = precision == "fp16" or (precision == "bf16" and self.device.type == "cuda")
        if self.scaler.is_enabled() != half:
            self.scaler = torch.amp.GradScaler(self.device.type, enabled=half)

    def close(self) -> None:
        """Stop the lanes' threads."""
        self.lanes.close()

    def _elapsed(self) -> float:
        return time.perf_counter() - self._began

    def _share(self) -> float:
        return used_share(self.budget, self.step, self.clock.total, self.steps_per_epoch)

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps per epoch."""
        return -(-self.task.windows_per_epoch // self.config.grad_accumulation)

    def _step(self, share: float) -> float:
        """One step at this share of the budget; returns its loss, in nats."""
        began = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, share, self.rate_fallen)
        loss, gradients, symbols = self._gradients(share)
        if self.ranks.world > 1:
            loss, gradients = self._over_ranks(loss, gradients)
        if not math.isfinite(loss):
            raise self._diverged()
        for parameter, gradient in zip(self.model.parameters(), gradients, strict=True):
            parameter.grad = gradient.contiguous()  # fused steps read numbers as they lie
        self.scaler.unscale_(self.optimizer)
        self.gradient_norm = float(clip_grad_norm_(self.model.parameters(), self.config.clip_norm))
        if not math.isfinite(self.gradient_norm) and not self.scaler.is_enabled():
            raise self._diverged()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        if self.average is not None:
            self.average.follow(self.step)
        self.unseen_losses.append(loss)
        self.clock.stepping += time.perf_counter() - began
        self.clock.symbols += symbols
        if self.ranks.world == 1:
            self.clock.total = self._elapsed()
        return loss

    def _diverged(self) -> SeqforgeError:
        diverged = RunError(
            f"training has diverged at step {self.step:,}: loss or gradient is no longer a number; "
            "start again with a lower --learning-rate"
        )
        return self.ranks.error(diverged)

    def _gradients(self, share: float) -> tuple[float, list[Tensor], int]:
        """Loss and gradients (this process's part of the mean), and all symbols of the step."""
        config = self.config
        objective = Objective(
            config.label_smoothing,
            config.scheduled_sampling * min(1.0, share),
            config.scheduled_sampling_temperature,
            float(self.scaler.scale(torch.ones((), device=self.device))),
        )
        total: list[Tensor] = []
        losses, symbols = [], 0
        windows = config.grad_accumulation
        for number in range(self.step * windows, (self.step + 1) * windows):
            window = self.task.window(number)
            loss, gradients = self.lanes.gradients(window, config.seed, number, objective)
            losses.append(loss)
            symbols += window.symbols
            if total:
                torch._foreach_add_(total, gradients)
            else:
                total = gradients
        if windows > 1:
            torch._foreach_div_(total, windows)
        return sum(losses) / len(losses), total, symbols

    def _over_ranks(self, loss: float, gradients: list[Tensor]) -> tuple[float, list[Tensor]]:
        """All-reduce of gradients, with the values that all ranks must agree on at each step."""
        seconds = 0.0 if self.ranks.rank else self._elapsed()
        said = [loss, seconds, float(self._should_stop())]
        gradients, (loss, self.clock.total, stopping) = self.ranks.sum(gradients, said)
        self._stopping = stopping > 0
        return loss, gradients

    def evaluate(self) -> Evaluation:
        """Score the valid part (or a large piece of it) and note whether it is the best so far."""
        valid = None
        if self.task.held_out:
            valid = self.ranks.broadcast_object(self._score)
        seen = self.unseen_losses
        best = valid is None or (
            math.isfinite(valid) and (self.best_bits is None or valid < self.best_bits)
        )
        if best:
            self.best_bits, self.best_step = valid, self.step
        elif self.config.schedule == "plateau":
            self.rate_fallen *= self.config.plateau_factor
        self.last_valid = valid
        found = Evaluation(
            step=self.step,
            elapsed_seconds=round(self.clock.total, 3),
            train_bits=bits(sum(seen) / max(1, len(seen))),
            valid_bits=valid,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            gradient_norm=round(self.gradient_norm, 5),
            symbols_per_second=round(self.clock.symbols_per_second, 1),
            best=best,
        )
        self.unseen_losses = []
        return found

    def _score(self) -> float:
        # The other processes wait meanwhile and leave their cores; a GPU takes a batch at a time.
        others = self.ranks.local_world if self.device.type == "cpu" else 1
        with self.kept_weights():
            return self.task.score(
                self.model,
                most=self.evaluation_symbols,
                precision=self.precision or "fp32",
                threads=self.lane_count * others,
            )

    def kept_weights(self) -> AbstractContextManager[None]:
        """Inside this block the model holds the weights to evaluate and save: the EMA if there
        is one."""
        return nullcontext() if self.average is None else self.average.swapped_in()

    def _out_of_patience(self) -> bool:
        if self.config.patience is None:
            return False
        interval = self.evaluation_interval or 1
        return self.step - self.best_step >= self.config.patience * interval

    def _pulse(self, recent: Collection[float]) -> StepReport:
        share, speed = min(1.0, self._share()), self.clock.symbols_per_second
        left = self.clock.total * (1 - share) / share if share else float("inf")
        mean = bits(sum(recent) / len(recent))
        return StepReport(self.step, share, mean, len(recent), self.last_valid, speed, left)

    def settle(self) -> None:
        """Measure and fix what is `auto`; fixed values stay."""
        autotune(self)


_BETAS = (0.9, 0.99)
_EPSILON = 1e-8


class FusedAdamW:
    """AdamW in torch's fused operator for the CPU (Loshchilov and Hutter 2019,
    https://arxiv.org/abs/1711.05101).

    Its numbers and its state are those of `torch.optim.AdamW`, which imports torch's compiler to
    say that it is not to be compiled: a second of every training, and 70 MB.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float
    ) -> None:
        self._parameters, self._weight_decay = list(parameters), weight_decay
        self.param_groups: list[dict[str, Any]] = [
            {"params": self._parameters, "lr": learning_rate}
        ]
        self.state: defaultdict[Tensor, dict[str, Tensor]] = defaultdict(dict)

    @torch.no_grad()
    def step(self) -> None:
        """Change each parameter by its gradient."""
        for parameter in self._parameters:
            if not self.state[parameter]:
                first, second = torch.zeros_like(parameter), torch.zeros_like(parameter)
                step = torch.zeros((), dtype=torch.float32)
                self.state[parameter] = {"step": step, "exp_avg": first, "exp_avg_sq": second}
        states = [self.state[parameter] for parameter in self._parameters]
        for state in states:
            state["step"] += 1
        torch.ops.aten._fused_adamw_(
            self._parameters,
            [parameter.grad for parameter in self._parameters],
            *([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq")),
            [],
            [state["step"] for state in states],
            lr=self.param_groups[0]["lr"],
            beta1=_BETAS[0],
            beta2=_BETAS[1],
            weight_decay=self._weight_decay,
            eps=_EPSILON,
            amsgrad=False,
            maximize=False,
        )


def _optimizer(model: TrainableModel, config: TrainingConfig) -> torch.optim.Optimizer:
    weights = list(model.parameters())
    device = weights[0].device.type
    if device == "cpu":  # it has all that is asked of one
        made = FusedAdamW(weights, config.learning_rate, config.weight_decay)
        return cast(torch.optim.Optimizer, made)
    return torch.optim.AdamW(
        weights,
        lr=config.learning_rate,
        betas=_BETAS,
        weight_decay=config.weight_decay,
        fused=device == "cuda",
    )


def _check_held_out(config: TrainingConfig, task: LearningTask) -> None:
    asked = {"schedule: plateau": config.schedule == "plateau", "patience": config.patience}
    for name in (name for name, wanted in asked.items() if wanted and not task.held_out):
        raise ConfigError(
            f"training.{name} looks at held-out data, and none are held out; give a --split "
            "whose middle number is above 0"
        )


def _check_accumulation(config: TrainingConfig, windows: int) -> None:
    """A step ends before the budget is looked at: it is no longer than an epoch, or short."""
    most = max(windows, _ALWAYS_ACCUMULATED)
    if config.grad_accumulation > most:
        raise ConfigError(
            f"training.grad_accumulation: {config.grad_accumulation:,} windows are more than an "
            f"epoch has ({windows:,}); give {most:,} or less"
        )
