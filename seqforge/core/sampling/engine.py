"""Symbols and filters in, draws out: the engine interface, the CPU engine on the compiled kernel,
and the engine that mixes what another one says with a memory.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seqforge.core.cells.catalogue import CATALOGUE
from seqforge.core.cells.weights import attention_shapes, layer_shapes
from seqforge.core.kernels.compiler import bound, kernel
from seqforge.core.kernels.elementary import logarithm
from seqforge.core.sampling.logit_filters import (
    END,
    NO_FILTERS,
    FilterParams,
    Weights,
    log_total,
)
from seqforge.core.sampling.packed_weights import Floats, PackedWeights, aligned, pack_model
from seqforge.core.sampling.sampling_kernel import (
    NO_GRAMMAR,
    BatchState,
    Grammar,
    Ids,
    KernelState,
    closed_batch,
    copy_carried,
    draw_column,
    read_and_draw,
    step,
    zero_state,
)
from seqforge.core.sampling.states_kernel import States, read_states, room

if TYPE_CHECKING:
    from seqforge.core.data.domain import Domain
    from seqforge.core.data.vocabulary import Vocabulary
    from seqforge.core.memory.memory import HasStreams, Streams
    from seqforge.core.model.checkpoint import Checkpoint, ModelCard
    from seqforge.core.model_config import ModelConfig
    from seqforge.core.sampling.copy_limit import CopyGuard, CopyLimit

Unit = tuple[int, int]
"""Layer and unit, both from 0."""

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

    def stepping(self, state: Any, ids: Ids) -> Callable[[], None]:
        """`step` with these arrays, to be called many times while they are filled anew."""

    def read(self, state: Any, ids: Ids) -> NDArray[np.float64]:
        """Feed ids (T,) to every row; returns their log-probabilities (R, T), in nats."""

    def run(self, state: Any, streams: BatchState, filters: FilterParams, grammar: Grammar) -> None:
        """Draw in every open row as many symbols as a call holds, or to the row's end."""

    def rows(self, state: Any, chosen: Ids) -> Any:
        """A copy of the state with the chosen rows."""

    def put(self, state: Any, row: int, source: Any) -> None:
        """Copy the single row of another state into a row."""


class TracingEngine(Engine, Protocol):
    """An engine that shows its units."""

    def trace(self, state: Any, ids: Ids, gates: bool = False) -> States:
        """Feed ids (T, R); returns the states of all units after each."""


def prepare(cell: str, attention: bool = False) -> threading.Thread:
    """Begin to compile the kernel of a cell, with attention or without, or to load it, beside
    whatever else is done.

    A draw meanwhile waits for the rest. The thread is no daemon: LLVM must not be cut off.
    """
    smallest = KernelEngine(pack_model(cell, _smallest(cell, attention)))
    begun = threading.Thread(target=smallest.begin, args=(1,))
    begun.start()
    return begun


def prepare_for(model: Path) -> None:
    """The same for a model's file, before it is read; nothing where its cell cannot be found."""
    with suppress(OSError, ValueError), model.open("rb") as stream:
        head = stream.read(_HEAD)
        found = _CELL.search(head)
        if found and (cell := found[1].decode()) in CATALOGUE:
            prepare(cell, _ATTENTION.search(head) is not None)


_HEAD = 1 << 16  # bytes: the settings stand at the beginning of a header
_CELL = re.compile(rb'\\"cell\\": ?\\"([a-z0-9-]+)\\"')
_ATTENTION = re.compile(rb'\\"attention\\": ?[1-9]')


def prepare_mixture(card: ModelCard, domain: Domain) -> threading.Thread:
    """The same for the mixture of a network and a memory, beside the reading of the memory."""
    begun = threading.Thread(target=_try_out, args=(card.config.model, domain, card.vocabulary))
    begun.start()
    return begun


def _try_out(model: ModelConfig, domain: Domain, vocabulary: Vocabulary) -> None:
    """Have a small network and a small memory draw a symbol."""
    from seqforge.core.data.domain import copy_units
    from seqforge.core.memory.memory import HasMemory
    from seqforge.core.sampling.copy_limit import CopyLimit

    if not isinstance(domain, HasMemory):
        return
    size, ids = len(vocabulary), np.zeros(_FEW, vocabulary.dtype)
    with suppress(Exception):  # whoever needs the memory says what is wrong
        memory: Any = domain.memory(vocabulary, ids, len(ids), 0)
        units = copy_units(domain, vocabulary)
        limit = CopyLimit(memory.history, units, units.limit)
        smallest = _smallest(model.cell, model.attention > 0, size)
        network = KernelEngine(pack_model(model.cell, smallest))
        rows = closed_batch(1, size, 0, 1)
        rows.open[:], rows.limits[:], rows.ends_left[:] = True, 1, 1
        engine = MemoryEngine(network, memory, size, limit=limit)
        engine.run(engine.begin(1), rows, NO_FILTERS, NO_GRAMMAR)


_FEW = 64  # symbols that a memory is tried out with


def _smallest(cell: str, attention: bool, symbols: int = 2) -> dict[str, NDArray[np.float32]]:
    """The weights of the smallest network with a cell."""
    shapes: dict[str, tuple[int, ...]] = {
        "embedding.weight": (symbols, 1), "output.weight": (symbols, 1),
        "output.bias": (symbols,),
    }  # fmt: skip
    if attention:
        shapes |= attention_shapes(1, 1)
    shapes |= {f"layers.0.{name}": shape for name, shape in layer_shapes(cell, 1, 1).items()}
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


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
        from seqforge.core.model.checkpoint import check_weights

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

    def stepping(self, state: KernelState, ids: Ids) -> Callable[[], None]:
        """See `Engine.stepping`."""
        return bound(step, self.network, state, ids)

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

    def trace(self, state: KernelState, ids: Ids, gates: bool = False) -> States:
        """See `TracingEngine.trace`."""
        network, (steps, rows) = self.network, ids.shape
        found = room(network, steps, rows, gates)
        read_states(network, state, ids, found)
        count = network.columns // network.hidden
        blocks = found.gates.reshape(*found.gates.shape[:3], count, network.hidden)
        return States(
            found.logits[..., : network.vocab_size], found.hidden[..., : network.units],
            found.kept[..., : network.units], blocks[..., : network.units],
        )  # fmt: skip

    def held(self, units: Mapping[Unit, float]) -> KernelEngine:
        """An engine whose units stay at these values, whatever is read.

        What a unit carries (the LSTM's cell, or h) is set after every symbol; h follows from it.

        Raises:
            ValueError: If there is no such unit.
        """
        network, layers = self.network, len(self.network.layers)
        scale, shift = aligned(layers, network.hidden), aligned(layers, network.hidden)
        scale[:] = 1
        for (layer, unit), value in units.items():
            if not (0 <= layer < layers and 0 <= unit < network.units):
                raise ValueError(
                    f"there is no unit {layer}:{unit}: layers are 0 to {layers - 1}, and units "
                    f"0 to {network.units - 1}"
                )
            scale[layer, unit], shift[layer, unit] = 0, value
        return KernelEngine(network._replace(holds="held", scale=scale, shift=shift))

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
        copy_carried(found, slice(None), state, chosen)
        return found

    def put(self, state: KernelState, row: int, source: KernelState) -> None:
        """See `Engine.put`."""
        copy_carried(state, row, source, 0)


@dataclass
class MemoryState:
    """State of the rows in network and memory."""

    network: Any
    streams: Streams
    guard: CopyGuard | None
    """None: what is drawn may be copied."""
    normalised: Floats | None = None
    """The logits that `normalise` makes the streams' log-probabilities of."""
    normalise: Callable[[], None] = lambda: None

    @property
    def logits(self) -> Floats:
        """What may be drawn (R, V), if there is no grammar."""
        if self.guard is None:
            return self.streams.log_probs
        self.guard.offering(NO_GRAMMAR, np.zeros(len(self.streams.ids), np.int32))()
        return self.guard.offered


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
        self, network: Engine, memory: HasStreams, vocab_size: int, exact: bool = False,
        limit: CopyLimit | None = None,
    ) -> None:  # fmt: skip
        """
        Args:
            network: Reads and draws without the memory.
            memory: It has learnt, with this network.
            vocab_size: V, the end symbol counted.
            exact: See `HasStreams.streams`.
            limit: Forbids copies of what the memory has read.
        """
        self._network, self._memory, self._exact = network, memory, exact
        self._size, self._limit = vocab_size, limit

    def begin(self, rows: int) -> MemoryState:
        """See `Engine.begin`."""
        streams = self._memory.streams(rows, self._exact)
        guard = None if self._limit is None else self._limit.guard(streams)
        state = MemoryState(self._network.begin(rows), streams, guard)
        self._remember(state, np.full(rows, END))
        return state

    def step(self, state: MemoryState, ids: Ids) -> None:
        """See `Engine.step`."""
        self._network.step(state.network, ids)
        self._remember(state, ids)

    def stepping(self, state: MemoryState, ids: Ids) -> Callable[[], None]:
        """See `Engine.stepping`."""
        return partial(self.step, state, ids)

    def read(self, state: MemoryState, ids: Ids) -> NDArray[np.float64]:
        """See `Engine.read`."""
        rows = len(state.streams.ids)
        log_probs = np.empty((rows, len(ids)))
        for t, symbol in enumerate(ids):
            log_probs[:, t] = state.streams.log_probs[:, symbol]
            self.step(state, np.full(rows, symbol))
        return log_probs

    def run(
        self, state: MemoryState, streams: BatchState, filters: FilterParams, grammar: Grammar
    ) -> None:
        """See `Engine.run`."""
        ids, done = np.zeros(len(streams.open), np.int64), np.zeros(1, np.int64)
        offered, offer = state.streams.log_probs, None
        if state.guard is not None:
            offered, offer = state.guard.offered, state.guard.offering(grammar, streams.places)
        draw = bound(draw_next, streams, offered, filters, grammar, done, ids)
        step_network = self._network.stepping(state.network, ids)
        for column in range(streams.drawn.shape[1]):
            if column and not streams.open.any():
                break
            if offer is not None:
                offer()
            draw()
            step_network()
            self._remember(state, streams.drawn[:, column])

    def rows(self, state: MemoryState, chosen: Ids) -> MemoryState:
        """See `Engine.rows`."""
        network = self._network.rows(state.network, chosen)
        streams = state.streams.rows(chosen)
        guard = None if state.guard is None else state.guard.rows(chosen, streams)
        return MemoryState(network, streams, guard)

    def put(self, state: MemoryState, row: int, source: MemoryState) -> None:
        """See `Engine.put`."""
        self._network.put(state.network, row, source.network)
        state.streams.put(row, source.streams)
        if state.guard is not None and source.guard is not None:
            state.guard.put(row, source.guard)

    def _remember(self, state: MemoryState, ids: Ids) -> None:
        """Let the memory read what the network has read; ids below 0 are none."""
        streams, logits = state.streams, state.network.logits
        if state.normalised is not logits:
            state.normalised = logits
            chances = np.empty(self._size)
            state.normalise = bound(normalise, logits, chances, streams.network)
        state.normalise()
        streams.ids[:] = ids
        streams.read()
        if state.guard is not None:
            state.guard.read()
