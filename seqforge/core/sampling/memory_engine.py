"""A sampling engine and a memory in, an engine that draws from the mixture of both out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import bound, kernel
from seqforge.core.kernels.elementary import logarithm
from seqforge.core.memory.memory import HasStreams, Streams
from seqforge.core.sampling.engine import Engine
from seqforge.core.sampling.logit_filters import END, FilterParams, Weights, log_total
from seqforge.core.sampling.sampling_kernel import BatchState, Floats, Grammar, Ids, draw_column


@dataclass
class MemoryState:
    """State of the rows in network and memory."""

    network: Any
    streams: Streams

    @property
    def logits(self) -> Floats:
        """What is drawn from (R, V)."""
        return self.streams.log_probs


@kernel
def normalise(logits: Floats, chances: Weights, log_probs: Floats) -> None:
    """Fill in the log-probabilities (R, V) of logits (R, V or wider)."""
    size = len(chances)
    for row in range(len(log_probs)):
        log_total(logits[row], size, chances)
        for i in range(size):
            log_probs[row, i] = max(logarithm(chances[i]), -700.0)


@kernel
def draw_next(
    streams: BatchState, logits: Floats, filters: FilterParams, grammar: Grammar, done: Ids,
    ids: Ids,
) -> None:  # fmt: skip
    """One symbol a row, into the column behind those that are ``done`` (1,)."""
    draw_column(streams, logits, filters, grammar, done[0], ids)
    done[0] += 1


class MemoryEngine:
    """Reads with network and memory, draws from their mixture.

    The mixture is frozen: a row's numbers are the same whatever is drawn beside it.
    """

    def __init__(
        self, network: Engine, memory: HasStreams, vocab_size: int, exact: bool = False
    ) -> None:
        """
        Args:
            network: Reads and draws without the memory.
            memory: It has learnt, with this network.
            vocab_size: V, the end symbol counted.
            exact: See `HasStreams.streams`.
        """
        self._network, self._memory, self._exact = network, memory, exact
        self._size = vocab_size

    def begin(self, rows: int) -> MemoryState:
        """See `Engine.begin`."""
        state = MemoryState(self._network.begin(rows), self._memory.streams(rows, self._exact))
        self._remember(state, np.full(rows, END))
        return state

    def step(self, state: MemoryState, ids: Ids) -> None:
        """See `Engine.step`."""
        self._network.step(state.network, ids)
        self._remember(state, ids)

    def read(self, state: MemoryState, ids: Ids) -> NDArray[np.float64]:
        """See `Engine.read`."""
        rows = len(state.logits)
        log_probs = np.empty((rows, len(ids)))
        for t, symbol in enumerate(ids):
            log_probs[:, t] = state.logits[:, symbol]
            self.step(state, np.full(rows, symbol))
        return log_probs

    def run(
        self, state: MemoryState, streams: BatchState, filters: FilterParams, grammar: Grammar
    ) -> None:
        """See `Engine.run`."""
        ids, done = np.zeros(len(streams.open), np.int64), np.zeros(1, np.int64)
        draw = bound(draw_next, streams, state.logits, filters, grammar, done, ids)
        for column in range(streams.drawn.shape[1]):
            if column and not streams.open.any():
                break
            draw()
            self._network.step(state.network, ids)
            self._remember(state, streams.drawn[:, column])

    def rows(self, state: MemoryState, chosen: Ids) -> MemoryState:
        """See `Engine.rows`."""
        network = self._network.rows(state.network, chosen)
        return MemoryState(network, state.streams.rows(chosen))

    def put(self, state: MemoryState, row: int, source: MemoryState) -> None:
        """See `Engine.put`."""
        self._network.put(state.network, row, source.network)
        state.streams.put(row, source.streams)

    def _remember(self, state: MemoryState, ids: Ids) -> None:
        """Let the memory read what the network has read; ids below 0 are none."""
        streams = state.streams
        normalise(state.network.logits, np.empty(self._size), streams.network)
        streams.ids[:] = ids
        streams.read()
