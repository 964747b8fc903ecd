"""Symbols and filters in, draws out: the engine on torch layers, for GPUs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from seqforge.base.machine import choose_device
from seqforge.core.cells.catalogue import cell_type
from seqforge.core.model.cells import activations
from seqforge.core.model.char_rnn import model_from_arrays
from seqforge.core.model.checkpoint import Checkpoint, check_weights
from seqforge.core.model.prepared import RnnState, TorchModel
from seqforge.core.sampling.logit_filters import END, FilterParams
from seqforge.core.sampling.sampling_kernel import BatchState, Grammar, Ids, draw_column
from seqforge.core.sampling.states_kernel import States


@dataclass
class TorchState:
    """State of the rows on the model's device; logits on the CPU, for the draws."""

    carried: RnnState
    logits: NDArray[np.float32]


class TorchEngine:
    """The GPU engine: steps in torch, draws by the kernel's compiled code."""

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        """Put the model on a device.

        Raises:
            CheckpointError: If the weights do not fit the settings, or are no numbers.
            ConfigError: If the device is not there.
        """
        check_weights(checkpoint)
        card, self._device = checkpoint.card, choose_device(device)
        self._model = model_from_arrays(
            len(card.vocabulary), card.config.model, checkpoint.weights, card.name
        ).to(self._device)
        self._network = TorchModel(self._model, "fp32", None)

    def begin(self, rows: int) -> TorchState:
        """See `Engine.begin`."""
        state = TorchState(self._model.zero_state(rows), np.empty((rows, 0), np.float32))
        self.step(state, np.full(rows, END))
        return state

    @torch.no_grad()
    def step(self, state: TorchState, ids: Ids) -> None:
        """See `Engine.step`."""
        given = torch.from_numpy(ids).to(self._device)[None]
        logits, state.carried = self._network.run(given, state.carried)
        state.logits = logits[0].cpu().numpy()

    def stepping(self, state: TorchState, ids: Ids) -> Callable[[], None]:
        """See `Engine.stepping`."""
        return partial(self.step, state, ids)

    def read(self, state: TorchState, ids: Ids) -> NDArray[np.float64]:
        """See `Engine.read`."""
        log_probs = np.empty((len(state.logits), len(ids)))
        for t, symbol in enumerate(ids):
            wide = state.logits.astype(np.float64)
            highest = wide.max(axis=1, keepdims=True)
            total = highest[:, 0] + np.log(np.exp(wide - highest).sum(axis=1))
            log_probs[:, t] = wide[:, symbol] - total
            self.step(state, np.full(len(wide), symbol))
        return log_probs

    def trace(self, state: TorchState, ids: Ids, gates: bool = False) -> States:
        """See `TracingEngine.trace`; a step at a time, for torch tells only the last state."""
        found: list[list[NDArray[np.float32]]] = [[], [], [], []]
        for symbols in ids:
            before, logits = state.carried, state.logits
            self.step(state, symbols)
            carried = (0, cell_type(self._model.cell).carried)
            parts = [logits, *(self._stacked(state.carried, which) for which in carried)]
            if gates:
                parts.append(self._gates(symbols, before, state.carried))
            for several, part in zip(found, parts, strict=False):
                several.append(part)
        rows = (len(self._model.layers), ids.shape[1])
        none = np.empty((0, *rows, 1, self._model.hidden_size), np.float32)
        logits, hidden, kept = map(np.stack, found[:3])
        return States(logits, hidden, kept, np.stack(found[3]) if gates else none)

    def _stacked(self, carried: RnnState, which: int) -> NDArray[np.float32]:
        """One of the tensors that layers carry: (L, R, H)."""
        layers = carried[: len(self._model.layers)]
        return torch.stack([layer[which] for layer in layers]).cpu().numpy()

    @torch.no_grad()
    def _gates(self, ids: Ids, before: RnnState, after: RnnState) -> NDArray[np.float32]:
        """Activations (L, R, blocks, H) of a step that has been made."""
        x = self._model.embedding(torch.from_numpy(ids).to(self._device))
        found = []
        for number, layer in enumerate(self._model.recurrent_layers()):
            found.append(activations(self._model.cell, layer, x, before[number]))
            x = after[number][0]
        return torch.stack(found).cpu().numpy()

    def run(
        self, state: TorchState, streams: BatchState, filters: FilterParams, grammar: Grammar
    ) -> None:
        """See `Engine.run`."""
        ids = np.zeros(len(streams.open), np.int64)
        for column in range(streams.drawn.shape[1]):
            if column and not streams.open.any():
                break
            draw_column(streams, state.logits, filters, grammar, column, ids)
            self.step(state, ids)

    def rows(self, state: TorchState, chosen: Ids) -> TorchState:
        """See `Engine.rows`."""
        index = torch.from_numpy(chosen).to(self._device)
        carried = [tuple(part[index] for part in layer) for layer in state.carried]
        return TorchState(carried, state.logits[chosen])

    def put(self, state: TorchState, row: int, source: TorchState) -> None:
        """See `Engine.put`."""
        for layer, other in zip(state.carried, source.carried, strict=True):
            for part, theirs in zip(layer, other, strict=True):
                part[row] = theirs[0]
        state.logits[row] = source.logits[0]
