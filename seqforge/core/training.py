"""Training: windows in, weights out; it can be stopped at any step and gone on with."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from seqforge.core.config import Budget, TrainingConfig
from seqforge.core.corpus import Corpus
from seqforge.core.lanes import Lanes, choose_lanes
from seqforge.core.model import CharRNN
from seqforge.core.probing import seconds_a_window
from seqforge.core.ranks import ALONE, Ranks
from seqforge.core.schedule import learning_rate, used_share
from seqforge.core.scoring import bits, score
from seqforge.core.streams import Streams, Window
from seqforge.errors import RunError

_FEWEST_SCORED, _MOST_SCORED = 20_000, 500_000  # at each look; the final score is of all
_LOOKING = 0.08  # share of a budget of time that looks at held-out data may take
_SCORING_SPEED = 2.5  # scoring over training, in symbols a second


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
        ranks: Ranks = ALONE,
    ) -> None:
        self.model, self.corpus, self.config, self.ranks = model, corpus, config, ranks
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
        self.lane_count = ranks.agree(
            lambda: choose_lanes(config.lanes, config.batch_size, self.device, ranks)
        )
        self.precision: str | None = None if config.precision == "auto" else config.precision
        self.evaluation_interval: int | None = None
        self.evaluation_symbols = _MOST_SCORED
        self.clock = Clock()
        self.step = 0
        self.best_bits: float | None = None
        self.best_step = 0
        self.last_valid: float | None = None
        self.unseen_losses: list[float] = []
        self.gradient_norm = 0.0
        self.lanes = self._lanes(self.precision or "fp32")
        self._began = 0.0
        self._stopping = False

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
        self._began = time.perf_counter() - self.clock.total
        running = bits(self.unseen_losses[-1]) if self.unseen_losses else 0.0
        while (share := self._share()) < 1 and not self._out_of_patience():
            running = self._step(share, running, should_stop)
            if self.step % (self.evaluation_interval or 1) == 0 or self._share() >= 1:
                evaluation = self.evaluate()
                self.clock.total = self.ranks.agree(self._elapsed)
                on_evaluation(evaluation)
                if self._out_of_patience():
                    return True
            # Last: what is saved here must not lie between a step and its evaluation.
            on_step(self._pulse(running))
            if self._stopping or (self.ranks.world == 1 and should_stop()):
                return self._share() >= 1
        return True

    def use_lanes(self, count: int) -> None:
        """Split the batch over ``count`` lanes a process from now on, from a zero state."""
        self.lanes.close()
        self.lane_count = count
        self.lanes = self._lanes(self.precision or "fp32")

    def _lanes(self, precision: str) -> Lanes:
        batch_size = self.config.batch_size
        return Lanes(self.model, self.lane_count, batch_size, precision, self.ranks)

    def _elapsed(self) -> float:
        return time.perf_counter() - self._began

    def close(self) -> None:
        """End the lanes' threads."""
        self.lanes.close()

    def _share(self) -> float:
        windows = self.streams.windows_per_epoch
        return used_share(self.budget, self.step, self.clock.total, windows)

    def _step(self, share: float, running: float, should_stop: Callable[[], bool]) -> float:
        began = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, share)
        window = self.streams.window(self.step)
        loss, gradients = self._gradients(window, should_stop)
        if not math.isfinite(loss):
            diverged = RunError(
                f"training has diverged at step {self.step:,}: the loss is no longer a number; "
                "start again with a lower --learning-rate"
            )
            raise self.ranks.error(diverged)
        for parameter, gradient in zip(self.model.parameters(), gradients, strict=True):
            parameter.grad = gradient
        self.gradient_norm = float(clip_grad_norm_(self.model.parameters(), self.config.clip_norm))
        self.optimizer.step()
        self.step += 1
        self.unseen_losses.append(loss)
        self.clock.stepping += time.perf_counter() - began
        self.clock.symbols += window.inputs.size
        if self.ranks.world == 1:
            self.clock.total = self._elapsed()
        return bits(loss) if running == 0 else 0.98 * running + 0.02 * bits(loss)

    def _gradients(
        self, window: Window, should_stop: Callable[[], bool]
    ) -> tuple[float, list[Tensor]]:
        """Loss and gradients over all ranks; with them goes what the ranks have to agree on."""
        loss, gradients = self.lanes.gradients(window, self.config.seed, self.step)
        if self.ranks.world > 1:
            seconds = 0.0 if self.ranks.rank else self._elapsed()
            said = [loss, seconds, float(should_stop())]
            gradients, (loss, self.clock.total, stopping) = self.ranks.sum(gradients, said)
            self._stopping = stopping > 0
        return loss, gradients

    def evaluate(self) -> Evaluation:
        """Score the valid part (or a large piece of it) and note whether it is the best yet."""
        valid = None
        if self.corpus.valid.symbols:
            self.model.eval()
            valid = self.ranks.agree(self._score)
        seen = self.unseen_losses
        best = valid is None or self.best_bits is None or valid < self.best_bits
        if best:
            self.best_bits, self.best_step = valid, self.step
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
        return score(
            self.model,
            self.corpus.valid,
            most=self.evaluation_symbols,
            precision=self.precision or "fp32",
            threads=self.lane_count * self.ranks.local_world,  # the others wait meanwhile
        )

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
            seconds = {name: self._probe(name) for name in ("fp32", "bf16")}
            self.precision = self.ranks.agree(lambda: min(seconds, key=lambda name: seconds[name]))
        self.lanes.precision = self.precision
        if self.evaluation_interval is None:
            plan = self._planned_evaluations()
            self.evaluation_interval, self.evaluation_symbols = self.ranks.agree(lambda: plan)

    def _planned_evaluations(self) -> tuple[int, int]:
        """How many steps lie between two looks, and how much a look scores."""
        symbols = self.evaluation_symbols
        if self.budget.seconds is not None:
            window = self._probe(self.precision or "fp32")
            steps = self.budget.seconds / window
            speed = self.config.batch_size * self.config.seq_len / window * _SCORING_SPEED
            speed *= self.ranks.local_world / self.ranks.world  # one machine scores
            affordable = self.budget.seconds * _LOOKING / self.config.evaluations * speed
            symbols = round(min(max(affordable, _FEWEST_SCORED), _MOST_SCORED))
        elif self.budget.epochs is not None:
            steps = self.budget.epochs * self.streams.windows_per_epoch
        else:
            steps = float(self.budget.steps or 1)
        return max(1, round(steps / self.config.evaluations)), symbols

    def _probe(self, precision: str) -> float:
        lanes = self._lanes(precision)
        seconds = seconds_a_window(lanes, self.streams.window(0), self.ranks)
        lanes.close()
        return seconds
