"""Values of this process in, sums and broadcasts over all processes (ranks) of a training out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from seqforge.errors import ConfigError, RunError, SaidElsewhere, SeqforgeError

if TYPE_CHECKING:
    from torch import Tensor

    from seqforge.core.model.checkpoint import Arrays

T = TypeVar("T")

# Rank 0 may read a large input for long before the others hear of it. A process that has ended is
# noticed at once, by its closed connection, and not by this.
_PATIENCE = timedelta(days=7)


@dataclass(frozen=True)
class Ranks:
    """The processes of a training (all-reduce, broadcast, gather); this one is ``rank`` of
    ``world``."""

    rank: int = 0
    world: int = 1
    local_world: int = 1
    """Processes on this machine."""

    def sum(
        self, gradients: Sequence[Tensor], numbers: Sequence[float]
    ) -> tuple[list[Tensor], list[float]]:
        """All-reduce: gradients and a few numbers, each summed over the ranks, in one exchange."""
        if self.world == 1:
            return list(gradients), list(numbers)
        import torch
        from torch import distributed

        extra = gradients[0].new_tensor(numbers)
        bucket = torch.cat([*(gradient.flatten() for gradient in gradients), extra])
        shared = bucket.cpu() if bucket.device.type == "mps" else bucket
        with _together(self):
            distributed.all_reduce(shared)
        sizes = [gradient.numel() for gradient in gradients]
        *parts, said = torch.split(shared.to(bucket.device), [*sizes, len(numbers)])
        summed = [part.view_as(one) for part, one in zip(parts, gradients, strict=True)]
        return summed, said.tolist()

    def broadcast_object(self, work: Callable[[], T]) -> T:
        """A JSON value computed on rank 0 alone, on all ranks.

        Raises:
            SeqforgeError: Where it does on rank 0; the other ranks raise `SaidElsewhere`.
        """
        if self.world == 1:
            return work()
        if self.rank:
            heard: T = self._heard()
            return heard
        try:
            found = work()
        except SeqforgeError as error:
            self._say({"error": str(error), "exit_code": error.exit_code})
            raise
        self._say({"found": found})
        return found

    def broadcast(self, arrays: Arrays) -> Arrays:
        """Arrays of rank 0, on all ranks."""
        if self.world == 1:
            return arrays
        import numpy as np
        import torch

        kinds = [(name, array.dtype.str, array.shape) for name, array in arrays.items()]
        found: Arrays = {}
        for name, kind, shape in self.broadcast_object(lambda: kinds):
            found[name] = arrays[name].copy() if self.rank == 0 else np.empty(shape, kind)
            self._broadcast(torch.from_numpy(found[name].reshape(-1)))
        return found

    def gather(self, values: Tensor) -> list[Tensor]:
        """On rank 0 the vectors of all ranks, of any length, in order; elsewhere an empty list."""
        if self.world == 1:
            return [values]
        import torch
        from torch import distributed

        own = torch.tensor([len(values)])
        sizes = [torch.zeros_like(own) for _ in range(self.world)]
        with _together(self):
            distributed.all_gather(sizes, own)
            padded = values.new_zeros(max(map(int, sizes)))
            padded[: len(values)] = values
            found = [torch.empty_like(padded) for _ in sizes] if self.rank == 0 else None
            distributed.gather(padded, found)
        return [one[: int(size)] for one, size in zip(found or [], sizes, strict=False)]

    def common(self, values: Sequence[str]) -> list[str]:
        """Items that all ranks have, in the order of rank 0."""
        found = self._told(list(values))
        return self.broadcast_object(
            lambda: [one for one in values if all(one in other for other in found)]
        )

    def check(self, problem: str | None) -> None:
        """Raise on all ranks if any rank has a problem.

        Raises:
            RunError: With the first problem, on rank 0; the others raise `SaidElsewhere`.
        """
        problems = [one for one in self._told(problem) if one is not None]

        def first() -> None:
            if problems:
                raise RunError(problems[0])

        self.broadcast_object(first)

    def error(self, error: SeqforgeError) -> SeqforgeError:
        """The error to raise for something that all ranks find at once: one rank reports it."""
        return SaidElsewhere(str(error), error.exit_code) if self.rank else error

    def _told(self, value: Any) -> list[Any]:
        """On rank 0 a JSON value from each rank; elsewhere an empty list."""
        if self.world == 1:
            return [value]
        return [_value(text) for text in self.gather(_text(value))]

    def _say(self, value: Any) -> None:
        import torch

        text = _text(value)
        self._broadcast(torch.tensor([len(text)]))
        self._broadcast(text)

    def _heard(self) -> Any:
        import torch

        self._broadcast(size := torch.tensor([0]))
        self._broadcast(text := torch.empty(int(size), dtype=torch.uint8))
        heard = _value(text)
        if "error" in heard:
            raise SaidElsewhere(heard["error"], heard["exit_code"])
        return heard["found"]

    def _broadcast(self, values: Tensor) -> None:
        """Fill a tensor with that of rank 0."""
        from torch import distributed

        with _together(self):
            distributed.broadcast(values, 0)


def _text(value: Any) -> Tensor:
    """A JSON value as bytes in a tensor."""
    import torch

    return torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)


def _value(text: Tensor) -> Any:
    return json.loads(text.numpy().tobytes())


ALONE = Ranks()
"""One process, without torchrun."""


@contextmanager
def _together(ranks: Ranks) -> Iterator[None]:
    """Turn a lost connection into one sentence."""
    try:
        yield
    except RuntimeError as error:  # the only kind that torch.distributed raises for it
        lost = RunError(
            f"another of the {ranks.world} processes of this training has ended; see what it "
            "said, and go on with --resume"
        )
        raise ranks.error(lost) from error


@contextmanager
def joined_process_group() -> Iterator[Ranks]:
    """This process in torchrun's group; `ALONE` without torchrun.

    Raises:
        ConfigError: If they do not find each other.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1 or "RANK" not in os.environ:
        yield ALONE
        return
    import torch
    from torch import distributed

    local = int(os.environ.get("LOCAL_RANK", "0"))
    local_world = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    backend = "gloo"
    if torch.cuda.is_available() and local_world <= torch.cuda.device_count():
        torch.cuda.set_device(local)
        backend = "cpu:gloo,cuda:nccl"
    try:
        distributed.init_process_group(backend, timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"the {world} processes do not find each other ({str(error).splitlines()[0]}); "
            "GLOO_SOCKET_IFNAME names the network to use"
        ) from error
    try:
        yield Ranks(distributed.get_rank(), world, local_world)
    finally:
        distributed.destroy_process_group()  # the others notice, should they be waiting
