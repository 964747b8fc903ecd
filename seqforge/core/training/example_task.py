"""Examples in, the gradients of a step and a held-out score out: what the tasks beside generation
are trained by. Batches are of examples of about the same length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqforge.core.config import TrainingConfig
from seqforge.core.data.examples import IGNORED, Examples, ExampleSet
from seqforge.core.data.labelling import Mirror
from seqforge.core.model.task_networks import Batch, TaskNetwork
from seqforge.core.training.distributed import ALONE, Ranks
from seqforge.core.training.lanes import random_of
from seqforge.core.training.scheduled_sampling import Objective
from seqforge.errors import InputError

_POOL = 32  # batches whose examples are ordered by length before they are dealt out
_PLAIN = Objective()
_LN2 = float(np.log(2))


class Stretch(Protocol):
    """Sensors of a stretch of a source."""

    def __call__(self, part: str, example: int, start: int, stop: int) -> NDArray[np.float32]:
        """(stop - start, D)."""


@dataclass(frozen=True)
class Piece:
    """An example, or a stretch of a long one."""

    example: int
    start: int
    stop: int
    mirrored: bool = False
    """Whether it is read backwards."""


@dataclass(frozen=True)
class ExampleWindow:
    """The pieces of one step."""

    pieces: tuple[Piece, ...]
    weight: float
    """Of all targets that are learnt."""

    @property
    def symbols(self) -> int:
        """Of all sources."""
        return sum(piece.stop - piece.start for piece in self.pieces)


class ExampleTask:
    """Learns a task from the training part of a set of examples."""

    def __init__(
        self, data: ExampleSet, config: TrainingConfig, class_weights: float = 0.0,
        sensed: Stretch | None = None, mirror: Mirror | None = None,
    ) -> None:  # fmt: skip
        """Lay the batches out.

        Args:
            data: What to learn.
            config: Batch size, seed; a labelled source longer than ``seq_len`` is read in
                stretches of that length.
            class_weights: Power of the inverse class frequency that weights a class: 0 weights
                all examples alike, 1 all classes alike.
            sensed: The domain's sensors.
            mirror: How a half of what is learnt is read backwards.

        Raises:
            InputError: If nothing is there to learn.
        """
        self.data, self._config, self._sensed = data, config, sensed
        self._mirror = mirror
        self._longest = config.seq_len if data.task == "label" else None
        if not len(data.parts["train"]):
            raise InputError("no example is left to train on; give more, or another --split")
        self.held_out = len(data.parts["valid"]) > 0
        self.class_weights = self._weights(class_weights)
        self._epoch, self._plan = -1, list[ExampleWindow]()
        self.windows_per_epoch = len(self._planned(0))

    def _weights(self, power: float) -> Tensor | None:
        """(C,), with mean 1 over the training part."""
        if not power or self.data.task == "translate":
            return None
        targets = self.data.parts["train"].targets
        counts = np.bincount(targets[targets != IGNORED], minlength=len(self.data.target_symbols))
        weights = np.maximum(counts, 1.0) ** -power
        return torch.from_numpy(weights * counts.sum() / (weights * counts).sum()).float()

    def window(self, step: int) -> ExampleWindow:
        """See `LearningTask`."""
        epoch, number = divmod(step, self.windows_per_epoch)
        planned = self._planned(epoch)
        return planned[number % len(planned)]

    def _planned(self, epoch: int) -> list[ExampleWindow]:
        """The batches of an epoch, a function of it and the seed."""
        if epoch == self._epoch:
            return self._plan
        draw = np.random.default_rng([self._config.seed, epoch, 7])
        part, size = self.data.parts["train"], self._config.batch_size
        pieces = list(self._pieces(part, int(draw.integers(self._longest or 1))))
        if self._mirror is not None:
            turned = (draw.random(len(pieces)) < 0.5).tolist()
            pieces = [replace(p, mirrored=t) for p, t in zip(pieces, turned, strict=True)]
        order = draw.permutation(len(pieces))
        batches: list[NDArray[np.int64]] = []
        for first in range(0, len(order), size * _POOL):
            pool = order[first : first + size * _POOL]
            lengths = [pieces[number].stop - pieces[number].start for number in pool]
            pool = pool[np.argsort(lengths, kind="stable")]
            batches += [pool[at : at + size] for at in range(0, len(pool), size)]
        self._plan = [
            self._window(part, tuple(pieces[number] for number in batches[place]))
            for place in draw.permutation(len(batches))
        ]
        self._epoch = epoch
        return self._plan

    def _pieces(self, part: Examples, shift: int) -> Iterator[Piece]:
        for number, length in enumerate(part.source_lengths.tolist()):
            longest = self._longest
            if longest is None or length <= longest:
                yield Piece(number, 0, length)
                continue
            cuts = [0, *range(shift or longest, length, longest), length]
            yield from (Piece(number, a, b) for a, b in pairwise(cuts))

    def _window(self, part: Examples, pieces: tuple[Piece, ...]) -> ExampleWindow:
        return ExampleWindow(pieces, max(1.0, float(sum(self._learnt(part, p) for p in pieces))))

    def _learnt(self, part: Examples, piece: Piece) -> int:
        target = part.target(piece.example)
        if self.data.task == "label":
            return int((target[piece.start : piece.stop] != IGNORED).sum())
        return len(target) + (self.data.task == "translate")

    def batch(
        self, part: str, pieces: Sequence[Piece], device: torch.device | str = "cpu"
    ) -> Batch:
        """Pieces of a part in, their ids, targets and sensors out."""
        examples, task = self.data.parts[part], self.data.task
        sources = [examples.source(p.example)[p.start : p.stop] for p in pieces]
        targets = [examples.target(piece.example) for piece in pieces]
        if task == "label":
            targets = [t[p.start : p.stop] for t, p in zip(targets, pieces, strict=True)]
        if task == "translate":
            targets = [np.append(target, 0) for target in targets]
        sensors: tuple[NDArray[np.float32], ...] = ()
        if self._sensed is not None:
            sensors = tuple(self._sensed(part, p.example, p.start, p.stop) for p in pieces)
        if self._mirror is not None:
            sources, targets, sensors = self._turned(pieces, sources, targets, sensors)
        made = Batch.of(sources, targets, sensors, device)
        if task != "classify":
            return made
        return Batch(made.ids, made.lengths, made.targets[0], made.sensors)

    def _turned(
        self, pieces: Sequence[Piece], sources: Sequence[Any], targets: Sequence[Any],
        sensors: Sequence[NDArray[np.float32]],
    ) -> tuple[list[Any], list[Any], tuple[NDArray[np.float32], ...]]:  # fmt: skip
        """The same, with those that are mirrored read backwards."""
        mirror = self._mirror
        assert mirror is not None
        turned = [piece.mirrored for piece in pieces]
        return (
            [mirror.source(s) if t else s for s, t in zip(sources, turned, strict=True)],
            [mirror.target(one) if t else one for one, t in zip(targets, turned, strict=True)],
            tuple(mirror.sensors(s) if t else s for s, t in zip(sensors, turned, strict=False)),
        )

    def lanes(
        self, model: TaskNetwork, count: int, precision: str, ranks: Ranks = ALONE
    ) -> ExampleLanes:
        """See `LearningTask`."""
        return ExampleLanes(self, model, count, precision, ranks)

    def score(self, model: TaskNetwork, most: int, precision: str, threads: int) -> float:
        """See `LearningTask`: bits a target, of the valid part or the beginning of it."""
        chosen: list[Piece] = []
        for piece in self._pieces(self.data.parts["valid"], 0):
            chosen.append(piece)
            most -= piece.stop - piece.start
            if most <= 0:
                break
        chosen.sort(key=lambda piece: piece.stop - piece.start)
        size = self._config.batch_size
        batches = [chosen[at : at + size] for at in range(0, len(chosen), size)]
        device = next(model.parameters()).device

        def nats(pieces: Sequence[Piece]) -> float:
            with torch.no_grad():
                return float(model.loss(self.batch("valid", pieces, device), precision)[0])

        with ThreadPoolExecutor(threads) as pool:
            total = sum(pool.map(nats, batches))
        part = self.data.parts["valid"]
        return total / _LN2 / max(1, sum(self._learnt(part, piece) for piece in chosen))


class ExampleLanes:
    """Threads that each read some examples of a step. Nothing is carried from step to step."""

    def __init__(
        self, task: ExampleTask, model: TaskNetwork, count: int, precision: str, ranks: Ranks
    ) -> None:
        self._task, self._model, self.precision = task, model, precision
        self._first, self._all = ranks.rank * count, ranks.world * count
        self._count = count
        self._device = next(model.parameters()).device
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="lane")

    def gradients(
        self, window: Any, seed: int, step: int, objective: Objective = _PLAIN
    ) -> tuple[float, list[Tensor]]:
        """See `GradientLanes`: dropout is a function of (seed, step, lane), the lanes of all
        processes being numbered through."""
        futures = [
            self._pool.submit(self._lane, window, lane, (seed, step, lane), objective)
            for lane in range(self._first, self._first + self._count)
        ]
        results = [future.result() for future in futures]
        loss, total = sum(one for one, _ in results), results[0][1]
        for _, gradients in results[1:]:
            torch._foreach_add_(total, gradients)
        return loss, total

    def _lane(
        self, window: ExampleWindow, lane: int, key: tuple[int, int, int], objective: Objective
    ) -> tuple[float, list[Tensor]]:
        parameters, size = list(self._model.parameters()), len(window.pieces)
        rows = slice(size * lane // self._all, size * (lane + 1) // self._all)
        pieces = window.pieces[rows]
        if not pieces:
            return 0.0, [torch.zeros_like(one) for one in parameters]
        batch, noise = self._task.batch("train", pieces, self._device), random_of(key, self._device)
        plain, wanted = self._model.loss(
            batch, self.precision, noise, objective.label_smoothing,
            self._task.class_weights, objective.scheduled_sampling,
        )  # fmt: skip
        found = torch.autograd.grad(
            wanted * (objective.scale / window.weight), parameters, allow_unused=True
        )
        gradients = [
            torch.zeros_like(one) if gradient is None else gradient
            for one, gradient in zip(parameters, found, strict=True)
        ]
        return float(plain) / window.weight, gradients

    def carried(self) -> Tensor:
        """Nothing, as a number a lane."""
        return torch.zeros(self._count, 1)

    def carry_on(self, carried: Tensor) -> None:
        """Nothing is carried."""

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown()
