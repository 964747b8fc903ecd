"""Symbols and filters in, draws out: the engine on torch layers, for GPUs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from seqforge.base.machine import choose_device
from seqforge.core.model.char_rnn import model_from_arrays
from seqforge.core.model.checkpoint import Checkpoint, check_weights
from seqforge.core.model.prepared import RnnState, TorchModel
from seqforge.core.sampling.logit_filters import END, FilterParams
from seqforge.core.sampling.sampling_kernel import BatchState, Grammar, Ids, draw_column


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
