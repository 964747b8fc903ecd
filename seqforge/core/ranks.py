"""Several processes that train one model: who is who, and what they agree on.

They are started by torchrun, which tells each its rank in the environment, and talk through
torch.distributed: gloo between CPUs, NCCL between GPUs. The wrapper DistributedDataParallel sees
only gradients that ``backward`` leaves in ``.grad``; lanes take theirs from torch.autograd.grad,
so the sum over ranks is made here. Rank 0 has the run folder, reads, decides and speaks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from seqforge.errors import ConfigError, RunError, SaidElsewhere, SeqforgeError

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

# Rank 0 may read a large input for long before the others hear of it. A process that has ended is
# noticed at once, by its closed connection, and not by this.
_PATIENCE = timedelta(days=7)


@dataclass(frozen=True)
class Ranks:
    """The processes of a training; this one is ``rank`` of ``world``."""

    rank: int = 0
    world: int = 1
    local_world: int = 1
    """Processes on this machine."""

    def sum(
        self, gradients: Sequence[Tensor], numbers: Sequence[float]
    ) -> tuple[list[Tensor], list[float]]:
        """Gradients and a few numbers, each summed over the ranks, in one exchange."""
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

    def agree(self, work: Callable[[], T]) -> T:
        """What rank 0 finds: it alone does the work.

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
            self._say(SaidElsewhere.of(error))
            raise
        self._say(found)
        return found

    def gather(self, value: T) -> list[T]:
        """On rank 0 the values of all ranks, in order; elsewhere nothing."""
        if self.world == 1:
            return [value]
        from torch import distributed

        found: list[Any] | None = [None] * self.world if self.rank == 0 else None
        with _together(self):
            distributed.gather_object(value, found)
        return found or []

    def check(self, problem: str | None) -> None:
        """Go on only if no rank has a problem.

        Raises:
            RunError: With the first problem, on rank 0; the others raise `SaidElsewhere`.
        """
        problems = [one for one in self.gather(problem) if one is not None]

        def first() -> None:
            if problems:
                raise RunError(problems[0])

        self.agree(first)

    def error(self, error: SeqforgeError) -> SeqforgeError:
        """What to raise for something that all ranks find at once: one of them says it."""
        return SaidElsewhere.of(error) if self.rank else error

    def _say(self, value: Any) -> None:
        from torch import distributed

        with _together(self):
            distributed.broadcast_object_list([value], 0)

    def _heard(self) -> Any:
        from torch import distributed

        heard = [None]
        with _together(self):
            distributed.broadcast_object_list(heard, 0)
        if isinstance(heard[0], SaidElsewhere):
            raise heard[0]
        return heard[0]


ALONE = Ranks()
"""One process, as it is without torchrun."""


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
def joined() -> Iterator[Ranks]:
    """This process among those that torchrun started; `ALONE` where it started none.

    Raises:
        ConfigError: If there are more processes on this machine than GPUs.
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
