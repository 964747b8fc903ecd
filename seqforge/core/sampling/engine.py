"""Symbols and filters in, draws out: the engine interface and the CPU engine on the compiled
kernel.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seqforge.core.config import ModelConfig
from seqforge.core.model.checkpoint import Checkpoint, weight_shapes
from seqforge.core.sampling.logit_filters import END, NO_FILTERS, FilterParams
from seqforge.core.sampling.sampling_kernel import (
    NO_GRAMMAR,
    BatchState,
    Grammar,
    Ids,
    KernelState,
    PackedWeights,
    closed_batch,
    pack_model,
    read_and_draw,
    step,
    zero_state,
)
from seqforge.errors import CheckpointError

_READ = 1 << 14  # symbols that are read between two looks for Ctrl-C


class Engine(Protocol):
    """Interface of sampling engines: reads and draws symbols. R rows, T time, V symbols.

    A state is the engine's own; ``state.logits`` (R, V or wider), float32, is of the symbol that
    comes next.
    """

    def begin(self, rows: int) -> Any:
        """The state at the start of a record."""

    def step(self, state: Any, ids: Ids) -> None:
        """Feed ids (R,), one per row."""

    def read(self, state: Any, ids: Ids) -> NDArray[np.float64]:
        """Feed ids (T,) to every row; returns their log-probabilities (R, T), in nats."""

    def run(self, state: Any, streams: BatchState, filters: FilterParams, grammar: Grammar) -> None:
        """Draw in every open row as many symbols as a call holds, or to the row's end."""

    def rows(self, state: Any, chosen: Ids) -> Any:
        """A copy of the state with the chosen rows."""

    def put(self, state: Any, row: int, source: Any) -> None:
        """Copy the single row of another state into a row."""


def check_weights(checkpoint: Checkpoint) -> None:
    """Refuse weights that are missing, of wrong shapes, or not finite.

    Raises:
        CheckpointError: If they are not.
    """
    card = checkpoint.card
    for name, shape in weight_shapes(len(card.vocabulary), card.config.model).items():
        array = checkpoint.weights.get(name)
        if array is None or array.shape != shape:
            found = "is missing" if array is None else f"has the shape {array.shape}, not {shape}"
            raise CheckpointError(
                f"{card.name}: its weights do not fit its settings: {name} {found}; train it again"
            )
        if not np.isfinite(array).all():
            raise CheckpointError(
                f"{card.name}: some of its weights are infinite or NaN; train it again"
            )


def prepare(cell: str) -> threading.Thread:
    """Begin to compile the kernel of a cell, or to load it, beside whatever else is done.

    A draw meanwhile waits for the rest. The thread is no daemon: LLVM must not be cut off.
    """
    least = weight_shapes(2, ModelConfig(cell=cell, hidden_size=1, num_layers=1))
    smallest = {name: np.zeros(shape, np.float32) for name, shape in least.items()}
    begun = threading.Thread(target=KernelEngine(pack_model(cell, smallest)).begin, args=(1,))
    begun.start()
    return begun


class KernelEngine:
    """The CPU engine: the compiled kernel, without torch.

    A row's numbers are the same whatever rows are beside it: every sum has one order.
    """

    def __init__(self, network: PackedWeights) -> None:
        self.network = network

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> KernelEngine:
        """The engine of a model.

        Raises:
            CheckpointError: If weights are missing, of the wrong shape, or no numbers.
        """
        check_weights(checkpoint)
        return cls(pack_model(checkpoint.card.config.model.cell, checkpoint.weights))

    def begin(self, rows: int) -> KernelState:
        """See `Engine.begin`."""
        state = zero_state(self.network, rows)
        self._read(state, np.full((1, rows), END))
        return state

    def step(self, state: KernelState, ids: Ids) -> None:
        """See `Engine.step`."""
        step(self.network, state, ids)

    def read(self, state: KernelState, ids: Ids) -> NDArray[np.float64]:
        """See `Engine.read`."""
        rows = len(state.logits)
        log_probs, call = np.empty((rows, len(ids))), max(1, _READ // rows)
        for first in range(0, len(ids), call):
            some = ids[first : first + call]
            log_probs[:, first : first + call] = self._read(state, np.tile(some[:, None], rows))
        return log_probs

    def _read(self, state: KernelState, ids: Ids) -> NDArray[np.float64]:
        """Feed ids (T, R)."""
        log_probs, none = np.empty(ids.shape[::-1]), closed_batch(0, self.network.vocab_size, 0, 0)
        read_and_draw(self.network, state, ids, log_probs, none, NO_FILTERS, NO_GRAMMAR)
        return log_probs

    def run(
        self, state: KernelState, streams: BatchState, filters: FilterParams, grammar: Grammar
    ) -> None:
        """See `Engine.run`."""
        rows = len(state.logits)
        ids, log_probs = np.empty((0, rows), np.int64), np.empty((rows, 0))
        read_and_draw(self.network, state, ids, log_probs, streams, filters, grammar)

    def rows(self, state: KernelState, chosen: Ids) -> KernelState:
        """See `Engine.rows`."""
        found = zero_state(self.network, len(chosen))
        found.h[:], found.kept[:] = state.h[:, chosen], state.kept[:, chosen]
        found.logits[:] = state.logits[chosen]
        return found

    def put(self, state: KernelState, row: int, source: KernelState) -> None:
        """See `Engine.put`."""
        state.h[:, row], state.kept[:, row] = source.h[:, 0], source.kept[:, 0]
        state.logits[row] = source.logits[0]
