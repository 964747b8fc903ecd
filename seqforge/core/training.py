"""Training: windows in, weights out; it can be stopped at any step and gone on with."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from seqforge.core.averaging import WeightAverage
from seqforge.core.config import Budget, TrainingConfig
from seqforge.core.corpus import Corpus
from seqforge.core.lanes import Lanes, Objective, choose_lanes
from seqforge.core.model import CharRNN
from seqforge.core.networks import check_precision, precisions
from seqforge.core.schedule import learning_rate, used_share
from seqforge.core.scoring import bits, score
from seqforge.core.streams import Streams
from seqforge.errors import RunError

_FEWEST_SCORED, _MOST_SCORED = 20_000, 500_000  # at each look; the final score is of all
_LOOKING = 0.08  # share of a budget of time that looks at held-out data may take
_SCORING_SPEED = 2.5  # scoring over training, in symbols a second
_PROBE_WINDOWS = 3
_PROBE_SECONDS = 1.0


@dataclass(frozen=True)
class Evaluation:
    """A look at the model while it is trained; a line of ``metrics.jsonl``."""

    step: int
    elapsed_seconds: float
    train_bits: float
    """Mean over the windows since the look before."""
    valid_bits: float | None
    learning_rate: float
    gradient_norm: float
    symbols_per_second: float
    best: bool
    """Whether no look before was better."""


@dataclass(frozen=True)
class Pulse:
    """Where training stands after a step, for whoever watches."""

    step: int
    share: float
    """Share of the budget that is used up, at most 1."""
    train_bits: float
    """Running mean."""
    valid_bits: float | None
    symbols_per_second: float
    seconds_left: float


@dataclass
class Clock:
    """Times that add up over resumes, in seconds, and what `auto` came to."""

    total: float = 0.0
    """The training loop with its evaluations."""
    stepping: float = 0.0
    """Training steps alone."""
    symbols: int = 0
    """Symbols trained on in that time."""

    @property
    def symbols_per_second(self) -> float:
        """Training symbols over time in training steps."""
        return self.symbols / self.stepping if self.stepping else 0.0


class Trainer:
    """Fits a model to the train part of a corpus.

    The caller gives what happens at an evaluation and after a step; the trainer itself writes no
    file. Its whole state is in the public attributes, which `resume.py` keeps.
    """

    def __init__(
        self,
        model: CharRNN,
        corpus: Corpus,
        config: TrainingConfig,
        *,
        mirror: Any = None,
    ) -> None:
        self.model, self.corpus, self.config = model, corpus, config
        self.budget = Budget.parse(config.budget)
        self.device = next(model.parameters()).device
        self.streams = Streams(
            corpus.train,
            config.batch_size,
            config.seq_len,
            seed=config.seed,
            reset_probability=config.reset_probability,
            mirror=mirror,
        )
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
            lr=config.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=config.weight_decay,
            fused=self.device.type in ("cpu", "cuda"),
        )
        self.average = None
        if config.averaging:
            self.average = WeightAverage(list(model.parameters()), config.averaging)
        self.lane_count = choose_lanes(config.lanes, config.batch_size, self.device)
        check_precision(config.precision, self.device)
        self.precision: str | None = None if config.precision == "auto" else config.precision
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=config.precision == "fp16")
        self.evaluation_interval: int | None = None
        self.evaluation_symbols = _MOST_SCORED
        self.rate_fallen = 1.0
        self.clock = Clock()
        self.step = 0
        self.best_bits: float | None = None
        self.best_step = 0
        self.last_valid: float | None = None
        self.unseen_losses: list[float] = []
        self.gradient_norm = 0.0
        self.lanes = Lanes(model, self.lane_count, config.batch_size, self.precision or "fp32")

    def run(
        self,
        on_evaluation: Callable[[Evaluation], None],
        on_step: Callable[[Pulse], None] = lambda pulse: None,
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
        started, before = time.perf_counter(), self.clock.total
        running = bits(self.unseen_losses[-1]) if self.unseen_losses else 0.0
        while (share := self._share()) < 1 and not self._out_of_patience():
            running = self._step(share, running)
            self.clock.total = before + time.perf_counter() - started
            if self.step % (self.evaluation_interval or 1) == 0 or self._share() >= 1:
                evaluation = self.evaluate()
                self.clock.total = before + time.perf_counter() - started
                on_evaluation(evaluation)
                if self._out_of_patience():
                    return True
            # Last: what is saved here must not lie between a step and its evaluation.
            on_step(self._pulse(running))
            if should_stop():
                return self._share() >= 1
        return True

    def use_lanes(self, count: int) -> None:
        """Split the batch over ``count`` lanes from now on, from a zero state."""
        self.lanes.close()
        self.lane_count = count
        precision = self.precision or "fp32"
        self.lanes = Lanes(self.model, count, self.config.batch_size, precision)

    def use_precision(self, precision: str) -> None:
        """Compute in a precision from now on; float16 needs its gradients scaled."""
        self.precision = self.lanes.precision = precision
        if self.scaler.is_enabled() != (precision == "fp16"):
            self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "fp16")

    def close(self) -> None:
        """End the lanes' threads."""
        self.lanes.close()

    def _share(self) -> float:
        return used_share(self.budget, self.step, self.clock.total, self.steps_per_epoch)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of the optimiser in which every training symbol is read about once."""
        return -(-self.streams.windows_per_epoch // self.config.accumulate)

    def _step(self, share: float, running: float) -> float:
        began = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, share, self.rate_fallen)
        loss, gradients, symbols = self._gradients(share)
        if not math.isfinite(loss):
            raise RunError(
                f"training has diverged at step {self.step:,}: the loss is no longer a number; "
                "start again with a lower --learning-rate"
            )
        for parameter, gradient in zip(self.model.parameters(), gradients, strict=True):
            parameter.grad = gradient
        self.scaler.unscale_(self.optimizer)
        self.gradient_norm = float(clip_grad_norm_(self.model.parameters(), self.config.clip_norm))
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        if self.average is not None:
            self.average.follow(self.step)
        self.unseen_losses.append(loss)
        self.clock.stepping += time.perf_counter() - began
        self.clock.symbols += symbols
        return bits(loss) if running == 0 else 0.98 * running + 0.02 * bits(loss)

    def _gradients(self, share: float) -> tuple[float, list[Tensor], int]:
        """Loss, gradients and symbols of a step: the mean over its windows."""
        config = self.config
        objective = Objective(
            config.label_smoothing,
            config.own_inputs * min(1.0, share),
            config.own_temperature,
            float(self.scaler.scale(torch.ones((), device=self.device))),
        )
        total: list[Tensor] = []
        losses, symbols = [], 0
        for number in range(self.step * config.accumulate, (self.step + 1) * config.accumulate):
            window = self.streams.window(number)
            loss, gradients = self.lanes.gradients(window, config.seed, number, objective)
            losses.append(loss)
            symbols += window.inputs.size
            if total:
                torch._foreach_add_(total, gradients)
            else:
                total = gradients
        if config.accumulate > 1:
            torch._foreach_div_(total, config.accumulate)
        return sum(losses) / len(losses), total, symbols

    def evaluate(self) -> Evaluation:
        """Score the valid part (or a large piece of it) and note whether it is the best yet."""
        valid = None
        if self.corpus.valid.symbols:
            with self.kept_weights():
                valid = score(
                    self.model,
                    self.corpus.valid,
                    most=self.evaluation_symbols,
                    precision=self.precision or "fp32",
                    threads=self.lane_count,
                )
        seen = self.unseen_losses
        best = valid is None or self.best_bits is None or valid < self.best_bits
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

    def kept_weights(self) -> AbstractContextManager[None]:
        """Inside, the model holds the weights to score and to keep: their average if asked for."""
        return nullcontext() if self.average is None else self.average.standing_in()

    def _out_of_patience(self) -> bool:
        if self.config.patience is None:
            return False
        interval = self.evaluation_interval or 1
        return self.step - self.best_step >= self.config.patience * interval

    def _pulse(self, running: float) -> Pulse:
        share = min(1.0, self._share())
        left = self.clock.total * (1 - share) / share if share else float("inf")
        return Pulse(
            self.step, share, running, self.last_valid, self.clock.symbols_per_second, left
        )

    def settle(self) -> None:
        """Decide what is still `auto`, by measurement; what was decided stays."""
        if self.precision is None:
            seconds = {name: self._probe(name) for name in precisions(self.device)}
            self.precision = min(seconds, key=lambda name: seconds[name])
        self.use_precision(self.precision)
        if self.evaluation_interval is None:
            self._plan_evaluations()

    def _plan_evaluations(self) -> None:
        """Settle how many steps lie between two looks, and how much a look scores."""
        if self.budget.seconds is not None:
            window = self._probe(self.precision or "fp32")
            steps = self.budget.seconds / window / self.config.accumulate
            speed = self.config.batch_size * self.config.seq_len / window * _SCORING_SPEED
            affordable = self.budget.seconds * _LOOKING / self.config.evaluations * speed
            self.evaluation_symbols = round(min(max(affordable, _FEWEST_SCORED), _MOST_SCORED))
        elif self.budget.epochs is not None:
            steps = self.budget.epochs * self.steps_per_epoch
        else:
            steps = float(self.budget.steps or 1)
        self.evaluation_interval = max(1, round(steps / self.config.evaluations))

    def _probe(self, precision: str) -> float:
        """Seconds a window takes at a precision; weights and carried state stay as they are."""
        lanes = Lanes(self.model, self.lane_count, self.config.batch_size, precision)
        window = self.streams.window(0)
        lanes.gradients(window, 0, 0)  # the first call chooses kernels
        times: list[float] = []
        while len(times) < _PROBE_WINDOWS or (sum(times) < _PROBE_SECONDS and len(times) < 20):
            began = time.perf_counter()
            lanes.gradients(window, 0, 0)
            times.append(time.perf_counter() - began)
        lanes.close()
        return sorted(times)[len(times) // 2]
