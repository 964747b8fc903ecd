"""Lanes: a batch split over threads of one torch thread each, whose gradients are summed.

Recurrent layers gain next to nothing from threads inside an operation: each small step ends in a
barrier. A thread a lane is the same mathematics as one batch and uses the cores well.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from seqforge.core.cells import LayerState
from seqforge.core.machine import usable_cores
from seqforge.core.model import CharRNN, State
from seqforge.core.ranks import ALONE, Ranks
from seqforge.core.streams import Window
from seqforge.errors import ConfigError


def choose_lanes(
    wanted: int | str, batch_size: int, device: torch.device, ranks: Ranks = ALONE
) -> int:
    """How many lanes a process uses: on a CPU a core each, with at least four streams in a lane.

    Raises:
        ConfigError: If there are more processes than streams.
    """
    rows = batch_size // ranks.world
    if rows < 1:
        raise ConfigError(
            f"training.batch_size: {batch_size} streams are too few for {ranks.world} processes; "
            f"give a --batch-size of {ranks.world} or more"
        )
    if device.type != "cpu":
        return 1
    if wanted != "auto":
        return min(int(wanted), rows)
    return max(1, min(usable_cores() // ranks.local_world, rows // 4))


@dataclass(frozen=True)
class _LaneResult:
    loss: float
    gradients: Sequence[Tensor]
    state: State


class Lanes:
    """Computes loss and gradients of a window; the state is carried from call to call."""

    def __init__(
        self, model: CharRNN, count: int, batch_size: int, precision: str, ranks: Ranks = ALONE
    ) -> None:
        """Take the lanes of this process: of all, as many as any other process has."""
        self._model = model
        self._parameters = list(model.parameters())
        self._device = self._parameters[0].device
        self._first, lanes = ranks.rank * count, ranks.world * count
        bounds = [batch_size * lane // lanes for lane in range(lanes + 1)]
        self._bounds = bounds[self._first : self._first + count + 1]
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="lane")
        self.precision = precision
        self.states = [model.zero_state(rows.stop - rows.start) for rows in self.rows]

    @property
    def rows(self) -> list[slice]:
        """The rows of the batch that each lane takes."""
        return [slice(a, b) for a, b in zip(self._bounds, self._bounds[1:], strict=False)]

    def gradients(self, window: Window, seed: int, step: int) -> tuple[float, list[Tensor]]:
        """Mean loss of a window (nats a symbol) and its gradients, the sum over lanes in order.

        The state after the window replaces the carried one. Dropout masks are a function of
        (seed, step, lane).
        """
        weight = 1 / window.inputs.size
        futures = [
            self._pool.submit(self._lane, lane, window, weight, (seed, step, self._first + lane))
            for lane in range(len(self.states))
        ]
        results = [future.result() for future in futures]
        self.states = [result.state for result in results]
        total = [
            torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]
            for parts in zip(*(result.gradients for result in results), strict=True)
        ]
        return sum(result.loss for result in results), total

    def _lane(
        self, lane: int, window: Window, weight: float, key: tuple[int, int, int]
    ) -> _LaneResult:
        rows = self.rows[lane]
        inputs = torch.from_numpy(window.inputs[rows]).to(self._device)
        targets = torch.from_numpy(window.targets[rows]).to(self._device)
        resets = torch.from_numpy(window.resets[rows]).to(self._device)
        state = [_zeroed(layer, resets) for layer in self.states[lane]]
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            logits, after = self._model(inputs, state, _generator(key, self._device))
        loss = cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="sum")
        gradients = torch.autograd.grad(loss * weight, self._parameters)
        carried = [tuple(part.detach().float() for part in layer) for layer in after]
        return _LaneResult(float(loss.detach()) * weight, gradients, carried)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


def _zeroed(layer: LayerState, resets: Tensor) -> LayerState:
    return tuple(part.masked_fill(resets[:, None], 0.0) for part in layer)


def _generator(key: tuple[int, int, int], device: torch.device) -> torch.Generator:
    """A generator of its own for every (seed, step, lane)."""
    (seed,) = np.random.SeedSequence(key).generate_state(1, np.uint64).tolist()
    return torch.Generator(device).manual_seed(seed >> 1)
