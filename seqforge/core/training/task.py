"""A corpus in, windows, gradients and the held-out score of next-symbol prediction out: the task of
all models that generate; and the protocol of all tasks.
"""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from seqforge.core.config import TrainingConfig
from seqforge.core.data.batches import TbpttBatches
from seqforge.core.data.corpus import Corpus
from seqforge.core.evaluation.likelihood import score
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.training.distributed import ALONE, Ranks
from seqforge.core.training.lanes import Lanes
from seqforge.core.training.scheduled_sampling import Objective


class StepData(Protocol):
    """The data of one step."""

    @property
    def symbols(self) -> int:
        """How many symbols it is, for the speed."""


class GradientLanes(Protocol):
    """Threads that compute loss and gradients of a step's data."""

    precision: str

    def gradients(
        self, window: Any, seed: int, step: int, objective: Objective = ...
    ) -> tuple[float, list[Tensor]]:
        """This process's part of the loss (nats a target) and of the gradients, in the order of
        the model's parameters."""

    def carried(self) -> Tensor:
        """What is carried from step to step, (rows of this process, ...)."""

    def carry_on(self, carried: Tensor) -> None:
        """Restore what is carried from that of all processes."""

    def close(self) -> None:
        """Stop the threads."""


class LearningTask(Protocol):
    """What a trainer learns: data of each step, their gradients, a score on held-out data."""

    windows_per_epoch: int
    held_out: bool
    """Whether there are data to score."""

    def window(self, step: int) -> StepData:
        """The data of step ``step`` (from 0): a function of it and of the seed."""

    def lanes(self, model: Any, count: int, precision: str, ranks: Ranks = ALONE) -> GradientLanes:
        """Lanes of this process, with nothing carried."""

    def score(self, model: Any, most: int, precision: str, threads: int) -> float:
        """Bits a target on held-out data, or about ``most`` symbols of them."""


class NextSymbol:
    """The next symbol of a corpus, from all before it."""

    def __init__(self, corpus: Corpus, config: TrainingConfig, mirror: Any = None) -> None:
        """Lay the streams out; ``mirror`` is that of `TbpttBatches`.

        Raises:
            ConfigError, InputError: See `TbpttBatches`.
        """
        self.corpus, self._config = corpus, config
        self._streams = TbpttBatches(
            corpus.train,
            config.batch_size,
            config.seq_len,
            seed=config.seed,
            reset_probability=config.reset_probability,
            mirror=mirror,
            symbols=len(corpus.vocabulary) if corpus.labels else 0,
        )
        self.window = self._streams.window
        self.windows_per_epoch = self._streams.windows_per_epoch
        self.held_out = bool(corpus.valid.symbols)

    def lanes(
        self, model: CharRNN, count: int, precision: str, ranks: Ranks = ALONE
    ) -> GradientLanes:
        """See `LearningTask`."""
        return Lanes(model, count, self._config.batch_size, precision, ranks)

    def score(self, model: CharRNN, most: int, precision: str, threads: int) -> float:
        """See `LearningTask`."""
        return score(model, self.corpus.valid, most=most, precision=precision, threads=threads)
