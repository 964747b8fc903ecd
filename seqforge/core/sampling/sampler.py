"""Drawing samples from a model, many at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqforge.core.checkpoint import Checkpoint
from seqforge.core.domain import Sample
from seqforge.core.sampling.constraints import Constraint
from seqforge.core.sampling.draws import Draws, choose, log_softmax, probabilities
from seqforge.core.sampling.recurrence import Recurrence, State
from seqforge.core.vocabulary import END
from seqforge.errors import CheckpointError

_BATCH = 64


@dataclass(frozen=True)
class SamplingOptions:
    """How to draw."""

    temperature: float = 1.0
    """0 is greedy."""
    top_k: int | None = None
    top_p: float | None = None
    length: int = 1000
    """Most symbols to draw, the prime not counted."""
    exact_length: bool = False
    """Hold the end symbol back, so that exactly ``length`` symbols come."""
    prime: str = ""
    seed: int = 0


class Sampler:
    """Draws from one model; needs no torch."""

    def __init__(self, checkpoint: Checkpoint, constraint: Constraint | None = None) -> None:
        """Lay the weights out for drawing.

        Raises:
            CheckpointError: If weights are missing or of the wrong shape.
        """
        card = checkpoint.card
        self.name = card.name
        self.vocabulary = card.vocabulary
        self.constraint = constraint
        try:
            self.recurrence = Recurrence(card.config.model.cell, checkpoint.weights)
            zero = self.recurrence.zero_state(1)
            logits, _ = self.recurrence.step(np.array([END]), zero)
        except (KeyError, ValueError, IndexError) as error:
            raise CheckpointError(f"{card.name}: its weights do not fit its settings") from error
        if logits.shape != (1, len(self.vocabulary)):
            raise CheckpointError(f"{card.name}: its weights do not fit its vocabulary")

    def draw(self, count: int, options: SamplingOptions) -> Iterator[Sample]:
        """Draw samples 1 to ``count``; each is the same however many are drawn beside it.

        Raises:
            InputError: If the prime has a symbol that the vocabulary lacks.
        """
        prime = self.vocabulary.encode(options.prime, "the prime").astype(np.int64)
        for first in range(1, count + 1, _BATCH):
            numbers = list(range(first, min(first + _BATCH, count + 1)))
            yield from _Batch(self, options, prime, numbers).run()

    def score(self, text: str) -> NDArray[np.float64]:
        """Bits of each symbol of a record (T,), read from the start.

        Raises:
            InputError: If the text has a symbol that the vocabulary lacks.
        """
        logits, state = self.recurrence.step(np.array([END]), self.recurrence.zero_state(1))
        found = np.empty(len(text))
        for place, i in enumerate(self.vocabulary.encode(text).tolist()):
            found[place] = -log_softmax(logits)[0, i] / np.log(2)
            logits, state = self.recurrence.step(np.array([i]), state)
        return found

    def read(self, ids: NDArray[np.int64], rows: int) -> tuple[NDArray[np.float32], State]:
        """Feed the start and a prime to every row."""
        logits, state = self.recurrence.step(np.full(rows, END), self.recurrence.zero_state(rows))
        for i in ids:
            logits, state = self.recurrence.step(np.full(rows, i), state)
        return logits, state


class _Batch:
    """A few samples drawn side by side."""

    def __init__(
        self,
        sampler: Sampler,
        options: SamplingOptions,
        prime: NDArray[np.int64],
        numbers: list[int],
    ) -> None:
        self._sampler, self._options, self._numbers = sampler, options, numbers
        self._prime = prime
        self._draws = Draws(options.seed, numbers)
        self._ids = np.zeros((len(numbers), options.length), np.int64)
        self._lengths = np.full(len(numbers), options.length)
        self._log_probs = np.zeros(len(numbers))
        self._places = np.full(len(numbers), self._walk(prime))

    def _walk(self, prime: NDArray[np.int64]) -> int:
        place = 0
        if self._sampler.constraint is not None:
            for i in prime:
                place = int(self._sampler.constraint.following[place, i])
        return place

    def run(self) -> list[Sample]:
        rows = len(self._numbers)
        logits, state = self._sampler.read(self._prime, rows)
        open_rows = np.ones(rows, bool)
        for position in range(self._options.length):
            ids = self._next(logits)
            gained = log_softmax(logits)[np.arange(rows), ids]
            self._log_probs += np.where(open_rows, gained, 0.0)
            ended = open_rows & (ids == END)
            self._lengths[ended] = position
            open_rows &= ~ended
            self._ids[:, position] = ids
            if not open_rows.any():
                break
            logits, state = self._sampler.recurrence.step(ids, state)
        return [self._sample(row, bool(~open_rows[row])) for row in range(rows)]

    def _next(self, logits: NDArray[np.float32]) -> NDArray[np.int64]:
        options, constraint = self._options, self._sampler.constraint
        masked = logits.astype(np.float64)
        if self._sampler.vocabulary.unknown:
            masked[:, self._sampler.vocabulary.unknown_id] = -np.inf  # nobody wants to read it
        if constraint is not None:
            masked[~constraint.allowed[self._places]] = -np.inf
        if options.exact_length:
            masked[:, END] = -np.inf
            stuck = ~np.isfinite(masked).any(axis=1)  # the grammar allows the end alone here
            masked[stuck, 1:] = logits[stuck, 1:]
        chances = probabilities(masked, options.temperature, options.top_k, options.top_p)
        ids = choose(chances, self._draws.next())
        if constraint is not None:
            self._places = constraint.following[self._places, ids]
        return ids

    def _sample(self, row: int, ended: bool) -> Sample:
        length = int(self._lengths[row])
        drawn = length + ended
        return Sample(
            symbols=self._options.prime + self._sampler.vocabulary.decode(self._ids[row, :length]),
            prime_length=len(self._options.prime),
            number=self._numbers[row],
            model=self._sampler.name,
            temperature=self._options.temperature,
            seed=self._options.seed,
            mean_log_prob=float(self._log_probs[row]) / drawn if drawn else None,
            ended=ended,
        )
