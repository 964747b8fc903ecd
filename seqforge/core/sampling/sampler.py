"""Drawing samples from a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.checkpoint import Checkpoint, ModelCard
from seqforge.core.domain import Domain, Opens, Sample
from seqforge.core.machine import usable_cores
from seqforge.core.sampling.constraints import Constraint
from seqforge.core.sampling.engine import Engine, KernelEngine
from seqforge.core.sampling.infilling import fill
from seqforge.core.sampling.options import Ending, SamplingOptions
from seqforge.core.sampling.plan import Plan, check_stop, make_plan
from seqforge.core.sampling.pool import Drawn, draw_samples
from seqforge.core.sampling.stream import Stream
from seqforge.core.sampling.streams import Grammar

__all__ = ["Ending", "Sampler", "SamplingOptions", "openings_of"]

_ROWS = 128
"""Rows of a thread: enough to share each weight while it is in the cache."""


def openings_of(domain: Domain, card: ModelCard) -> tuple[str, ...]:
    """After what the samples of a model begin that have no prime; () for as a record does."""
    return domain.openings(len(card.provenance.inputs)) if isinstance(domain, Opens) else ()


class Sampler:
    """Draws from one model; the kernel needs no torch."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        constraint: Constraint | None = None,
        *,
        openings: Sequence[str] = (),
        engine: Engine | None = None,
        rows: int = _ROWS,
        threads: int | None = None,
    ) -> None:
        """Lay the weights out for drawing.

        Args:
            checkpoint: The model.
            constraint: The grammar to keep to.
            openings: After what a sample may begin that has no prime; see `openings_of`.
            engine: What reads and draws; the compiled kernel where it is not given.
            rows: Most samples that a thread draws side by side.
            threads: Most threads; the cores where it is not given.

        Raises:
            CheckpointError: If weights are missing or of the wrong shape.
            ValueError: If the grammar is not one over the model's vocabulary.
        """
        self.name = checkpoint.card.name
        self.vocabulary = checkpoint.card.vocabulary
        self._engine: Engine = engine or KernelEngine.of(checkpoint)
        self._openings = tuple(openings)
        self._rows, self._threads = rows, threads or usable_cores()
        size = len(self.vocabulary)
        self._grammar = Grammar(np.zeros((0, size), bool), np.zeros((0, size), np.int32))
        self._begun = None if constraint is None else constraint.begun
        if constraint is not None:
            if constraint.allowed.shape[1] != size:
                raise ValueError("the constraint is not one over the model's vocabulary")
            self._grammar = Grammar(
                np.ascontiguousarray(constraint.allowed, bool),
                np.ascontiguousarray(constraint.following, np.int32),
            )

    def draw(
        self, count: int, options: SamplingOptions, *, first: int = 1, ending: Ending | None = None
    ) -> Iterator[Sample]:
        """Draw samples ``first`` to ``first + count - 1``.

        Each is the same however many are drawn beside it, in whatever order. With more than one
        record each of these streams gives up to so many samples.

        Args:
            count: How many.
            options: How to draw.
            first: Number of the first, from 1.
            ending: Where a sample is to end besides.

        Raises:
            InputError: If what is given has a symbol that the vocabulary lacks.
        """
        return self.samples(self.plan(options, ending), count, first)

    def samples(
        self, plan: Plan, count: int, first: int = 1, drawn: Drawn = lambda symbols: None
    ) -> Iterator[Sample]:
        """Draw samples of a plan, as `draw` does; ``drawn`` is told of symbols as they come."""
        if plan.options.suffix:
            return fill(plan, first, count, self._threads, drawn)
        return draw_samples(plan, first, count, self._rows, self._threads, drawn)

    def stream(
        self, options: SamplingOptions, number: int = 1, ending: Ending | None = None
    ) -> Stream:
        """Draw one sample, a few symbols at a time; raises what `draw` and `Stream` raise."""
        return Stream(self.plan(options, ending), number)

    def plan(
        self, options: SamplingOptions, ending: Ending | None = None,
        labels: Mapping[str, Any] | None = None,
    ) -> Plan:  # fmt: skip
        """The prime read, and all that samples share; raises what `draw` raises.

        Args:
            options: How to draw.
            ending: Where a sample is to end besides.
            labels: What samples are to say of themselves besides the options.
        """
        plan = make_plan(
            self.name, self.vocabulary, options, self._grammar, ending, self._engine, labels or {},
            self._openings,
        )  # fmt: skip
        if options.prime and self._begun is not None:
            plan.begun.places[:] = self._begun[plan.begun.places]
        return plan

    def check(self, options: SamplingOptions) -> None:
        """Refuse to wait for what can never be drawn.

        Raises:
            InputError: If what to stop at holds a symbol that the vocabulary lacks or that is
                never drawn, is longer than what is drawn, or stands against the grammar.
        """
        check_stop(self.vocabulary, options, self._grammar)

    def score(self, text: str) -> NDArray[np.float64]:
        """Bits of each symbol of a record (T,), read from the start.

        Raises:
            InputError: If the text has a symbol that the vocabulary lacks.
        """
        ids = self.vocabulary.encode(text).astype(np.int64)
        return np.asarray(-self._engine.read(self._engine.begin(1), ids)[0] / np.log(2))
