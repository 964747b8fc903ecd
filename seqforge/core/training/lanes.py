"""A batch in, loss and gradients out: the batch is split over threads and the gradients are
summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from seqforge.base.machine import usable_cores
from seqforge.core.data.batches import BatchWindow
from seqforge.core.model.cells import LayerState
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.prepared import PreparedModel, RnnState, prepare_model
from seqforge.core.training.distributed import ALONE, Ranks
from seqforge.core.training.scheduled_sampling import Objective, sampled_inputs
from seqforge.errors import ConfigError

_WEIGHTS = 2**32 - 1  # stands for the lane in the key of masks that all lanes share


def choose_lanes(
    wanted: int | str, batch_size: int, device: torch.device, ranks: Ranks = ALONE
) -> int:
    """The number of lanes of a process: on a CPU one per core, with at least four streams each.

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
    state: RnnState


_PLAIN = Objective()


class Lanes:
    """Computes loss and gradients of a window in threads; carries the state from call to call."""

    def __init__(
        self, model: CharRNN, count: int, batch_size: int, precision: str, ranks: Ranks = ALONE
    ) -> None:
        """Take the lanes of this process: of all, as many as any other process has."""
        self._model = model
        self._device = model.output.bias.device
        self._first, lanes = ranks.rank * count, ranks.world * count
        self._rows = [
            slice(batch_size * lane // lanes, batch_size * (lane + 1) // lanes)
            for lane in range(self._first, self._first + count)
        ]
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="lane")
        self.precision = precision
        self.states = [model.zero_state(rows.stop - rows.start) for rows in self._rows]

    def gradients(
        self, window: BatchWindow, seed: int, step: int, objective: Objective = _PLAIN
    ) -> tuple[float, list[Tensor]]:
        """A window in; its mean loss (nats a symbol) and gradients, summed over lanes in order,
        out.

        The state after the window replaces the carried one. Masks over values are a function of
        (seed, step, lane), the lanes of all processes being numbered through, those over weights
        of (seed, step). The loss is the plain one whatever the objective; the gradients are the
        objective's. Both are the part of this process: all add up to those of the window.
        """
        noise = random_of((seed, step, _WEIGHTS), self._device)
        network = prepare_model(
            self._model, self.precision, training=True, noise=noise, symbols=window.inputs.size
        )
        futures = [
            self._pool.submit(
                self._lane, network, lane, window, objective, (seed, step, self._first + lane)
            )
            for lane in range(len(self.states))
        ]
        results = [future.result() for future in futures]
        self.states = [result.state for result in results]
        total = list(results[0].gradients)
        for result in results[1:]:
            torch._foreach_add_(total, list(result.gradients))
        return sum(result.loss for result in results), network.parameter_gradients(total)

    def _lane(
        self, network: PreparedModel, lane: int, window: BatchWindow, objective: Objective,
        key: tuple[int, int, int],
    ) -> _LaneResult:  # fmt: skip
        rows = self._rows[lane]
        inputs, targets, resets = (
            self._moved(array[rows].T) for array in (window.inputs, window.targets, window.resets)
        )
        state = [_zeroed(layer, resets) for layer in self.states[lane]]
        noise = random_of(key, self._device)
        if objective.scheduled_sampling:
            inputs = sampled_inputs(network, inputs, state, objective, noise)
        logits, after = network.run(inputs, state, noise)
        loss = cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
        wanted = loss
        if smoothing := objective.label_smoothing:
            spread = -torch.log_softmax(logits, 2).mean(2).sum()
            wanted = (1 - smoothing) * loss + smoothing * spread
        weight = 1 / window.inputs.size
        gradients = torch.autograd.grad(wanted * (weight * objective.scale), network.leaves)
        carried = [tuple(part.detach() for part in layer) for layer in after]
        return _LaneResult(float(loss.detach()) * weight, gradients, carried)

    def _moved(self, array: NDArray[Any]) -> Tensor:
        """An array as a tensor on the device, copied asynchronously from pinned memory on a GPU."""
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if self._device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self._device, non_blocking=True)

    def carried(self) -> Tensor:
        """A copy of the carried state, (rows of this process, numbers of a row)."""
        lanes = [
            torch.cat([part.flatten(1) for layer in state for part in layer], 1)
            for state in self.states
        ]
        return torch.cat(lanes)

    def carry_on(self, carried: Tensor) -> None:
        """Restore the carried state from that of all processes, (B, numbers of a row)."""
        for rows, state in zip(self._rows, self.states, strict=True):
            left = carried[rows].to(self._device)
            for number, layer in enumerate(state):
                sizes = [part[0].numel() for part in layer]
                *parts, left = torch.split(left, [*sizes, left.shape[1] - sum(sizes)], 1)
                state[number] = tuple(
                    part.reshape(like.shape) for part, like in zip(parts, layer, strict=True)
                )

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown()


def _zeroed(layer: LayerState, resets: Tensor) -> LayerState:
    return tuple(part.masked_fill(resets.view(-1, *[1] * (part.dim() - 1)), 0.0) for part in layer)


def random_of(key: tuple[int, int, int], device: torch.device) -> torch.Generator:
    """The random generator of (seed, step, lane)."""
    (seed,) = np.random.SeedSequence(key).generate_state(1, np.uint64).tolist()
    return torch.Generator(device).manual_seed(seed >> 1)
