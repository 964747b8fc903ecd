"""One sample, symbol by symbol as it is drawn: for a terminal, and for a conversation."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from seqforge.core.domain import Sample
from seqforge.core.sampling.plan import Drawing, Plan
from seqforge.core.sampling.streams import Streams

FIRST_CALL, CALL = 8, 64  # symbols: something to see at once, then little cost a call


class Stream:
    """Sample ``number`` of a plan while it is drawn; the same that `Sampler.draw` gives."""

    def __init__(self, plan: Plan, number: int) -> None:
        """Begin.

        Raises:
            ValueError: If there is a suffix: how to fill is known only when all is drawn.
        """
        if plan.options.suffix:
            raise ValueError("a sample with a suffix cannot be drawn symbol by symbol")
        self._plan = plan
        self._state = plan.engine.rows(plan.state, np.zeros(1, np.int64))
        self._drawing = Drawing(plan, number)
        self._streams = plan.streams(1, FIRST_CALL)
        plan.seat(self._streams, 0, number)

    def __iter__(self) -> Iterator[str]:
        """What is drawn, a few symbols at a time; all at once where its end is known last."""
        if self._plan.waits:
            deque(self._pieces(), maxlen=0)
            yield "".join(sample.drawn for sample in self.samples)
        else:
            yield from self._pieces()

    def _pieces(self) -> Iterator[str]:
        plan = self._plan
        while self._drawing.open:
            plan.engine.run(self._state, self._streams, plan.rules, plan.grammar)
            new = self._drawing.take(self._streams, 0)
            if new:
                yield new
            if self._streams.drawn.shape[1] < CALL:
                self._streams = _longer(self._streams, min(CALL, plan.options.length))

    @property
    def begun(self) -> Sample:
        """The sample before anything is drawn: the prime, and how it will be."""
        return self._plan.sample(self._drawing.number, "", 0.0, 0.0, ended=False, first=True)

    @property
    def samples(self) -> list[Sample]:
        """The sample (the samples, for a plan with several records), once all was drawn."""
        return self._drawing.done


def _longer(streams: Streams, call: int) -> Streams:
    """The same row with room for more symbols a call, its sums brought along."""
    rest = call - streams.drawn.shape[1]
    return streams._replace(
        drawn=np.pad(streams.drawn, ((0, 0), (0, rest)), constant_values=-1),
        log_probs=np.pad(streams.log_probs, ((0, 0), (0, rest))),
        removed=np.pad(streams.removed, ((0, 0), (0, rest))),
    )
