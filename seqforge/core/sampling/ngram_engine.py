"""The engine of n-gram models: counts are looked up, symbols drawn by the compiled loop. Also the
CPU's engine of any model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import bound, kernel
from seqforge.core.kernels.elementary import logarithm
from seqforge.core.model.checkpoint import Checkpoint
from seqforge.core.model.ngram import (
    NgramModel,
    chance_of_symbol,
    fill_chances,
    ngram_model,
    push,
)
from seqforge.core.sampling.engine import Engine, KernelEngine
from seqforge.core.sampling.logit_filters import END, FilterParams
from seqforge.core.sampling.packed_weights import Floats
from seqforge.core.sampling.sampling_kernel import (
    BatchState,
    Grammar,
    Ids,
    begin_call,
    draw_rows,
    open_rows,
)


class NgramState(NamedTuple):
    """What R rows have read."""

    history: Ids
    """(R, order) the last symbols of each, the last one first."""
    logits: Floats
    """(R, V) log-probabilities of what comes next; minus infinity where it never came."""
    seen: Ids
    """(R,) symbols of the history that the logits go by."""
    ids: Ids
    """(R,) room."""
    chances: NDArray[np.float64]
    """(V,) room."""


@kernel
def _look_up(model: NgramModel, state: NgramState, row: int, longest: int) -> None:
    """Fill in the logits of a row by contexts of at most ``longest`` symbols."""
    state.seen[row] = fill_chances(model, state.history[row], longest, state.chances)
    for symbol in range(len(state.chances)):
        chance, logit = state.chances[symbol], -math.inf
        if chance > 0.0:
            logit = logarithm(chance)
        state.logits[row, symbol] = logit


@kernel
def step(model: NgramModel, state: NgramState, ids: Ids) -> None:
    """Feed ids (R,)."""
    for row in range(len(ids)):
        push(state.history[row], ids[row])
        _look_up(model, state, row, model.order)


@kernel
def read(model: NgramModel, state: NgramState, ids: Ids, chances: NDArray[np.float64]) -> None:
    """Feed ids (T,) to every row, and fill in how likely each was (R, T)."""
    for row in range(len(chances)):
        for t in range(len(ids)):
            chances[row, t] = chance_of_symbol(model, state.history[row], ids[t])
            push(state.history[row], ids[t])
        _look_up(model, state, row, model.order)


@kernel
def _may_go_on(
    state: NgramState, row: int, streams: BatchState, filters: FilterParams, grammar: Grammar
) -> bool:
    """Whether a symbol that may be drawn has a chance."""
    held = streams.positions[row] - streams.begins[row] < filters.least
    for symbol in range(len(state.chances)):
        allowed = symbol != filters.unknown and not (symbol == END and held)
        if allowed and len(grammar.allowed):
            allowed = grammar.allowed[streams.places[row], symbol]
        if allowed and state.logits[row, symbol] > -math.inf:
            return True
    return False


@kernel
def _offer(
    model: NgramModel, state: NgramState, streams: BatchState, filters: FilterParams,
    grammar: Grammar,
) -> None:  # fmt: skip
    """Fall back to shorter contexts in rows that could not go on, at last to all symbols alike."""
    for row in range(len(state.ids)):
        while streams.open[row] and not _may_go_on(state, row, streams, filters, grammar):
            if state.seen[row] == 0:
                for symbol in range(len(state.chances)):
                    state.logits[row, symbol] = 0.0
                break
            _look_up(model, state, row, state.seen[row] - 1)


@kernel
def draw(
    model: NgramModel, state: NgramState, streams: BatchState, filters: FilterParams,
    grammar: Grammar,
) -> None:  # fmt: skip
    """Draw in every open row as many symbols as a call holds, or to the row's end."""
    begin_call(streams)
    for column in range(streams.drawn.shape[1]):
        if open_rows(streams) == 0:
            break
        if not model.smoothed:
            _offer(model, state, streams, filters, grammar)
        draw_rows(streams, state.logits, filters, grammar, column, state.ids)
        step(model, state, state.ids)


class NgramEngine:
    """See `Engine`.

    Without smoothing a context that was never seen is drawn from as the longest part of it that
    was; read symbols are scored by the whole context alone.
    """

    def __init__(self, model: NgramModel) -> None:
        self.model = model

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> NgramEngine:
        """The engine of a model."""
        card = checkpoint.card
        smoothing = card.config.model.smoothing
        return cls(ngram_model(checkpoint.weights, len(card.vocabulary), smoothing))

    def fallback(self, ids: Ids) -> str | None:
        """How a record begins (T,) in, a sentence where training never had that context out."""
        state, order = self.begin(1), self.model.order
        self.read(state, ids)
        seen = int(state.seen[0])
        if seen == order:
            return None
        last = f"its last {order:,} symbols" if len(ids) >= order else "a record that begins so"
        by = f"the last {seen:,}" if seen > 1 else "the last symbol alone"
        return (
            f"training never had {last}; what comes next goes by "
            f"{by if seen else 'how often symbols come at all'}"
        )

    def begin(self, rows: int) -> NgramState:
        """See `Engine.begin`."""
        state = self._room(rows)
        step(self.model, state, np.full(rows, END))
        return state

    def step(self, state: NgramState, ids: Ids) -> None:
        """See `Engine.step`."""
        step(self.model, state, ids)

    def stepping(self, state: NgramState, ids: Ids) -> Callable[[], None]:
        """See `Engine.stepping`."""
        return bound(step, self.model, state, ids)

    def read(self, state: NgramState, ids: Ids) -> NDArray[np.float64]:
        """See `Engine.read`; minus infinity for a symbol without a chance."""
        chances = np.empty((len(state.ids), len(ids)))
        read(self.model, state, ids, chances)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(chances))

    def run(
        self, state: NgramState, streams: BatchState, filters: FilterParams, grammar: Grammar
    ) -> None:
        """See `Engine.run`."""
        draw(self.model, state, streams, filters, grammar)

    def rows(self, state: NgramState, chosen: Ids) -> NgramState:
        """See `Engine.rows`."""
        found = self._room(len(chosen))
        found.history[:], found.logits[:] = state.history[chosen], state.logits[chosen]
        found.seen[:] = state.seen[chosen]
        return found

    def put(self, state: NgramState, row: int, source: NgramState) -> None:
        """See `Engine.put`."""
        state.history[row], state.logits[row] = source.history[0], source.logits[0]
        state.seen[row] = source.seen[0]

    def _room(self, rows: int) -> NgramState:
        model = self.model
        return NgramState(
            np.zeros((rows, model.order), np.int64),
            np.zeros((rows, model.vocab_size), np.float32),
            np.zeros(rows, np.int64), np.zeros(rows, np.int64), np.zeros(model.vocab_size),
        )  # fmt: skip


def cpu_engine(checkpoint: Checkpoint) -> Engine:
    """A model in, what reads and draws with it on the CPU out.

    Raises:
        CheckpointError: If the weights of a network are missing, of the wrong shape, or no numbers.
    """
    if checkpoint.card.config.model.is_ngram:
        return NgramEngine.of(checkpoint)
    return KernelEngine.of(checkpoint)
