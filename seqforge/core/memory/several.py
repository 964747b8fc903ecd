"""Several memories of the same symbols in, the mean of what they say out: each has ways of its own
to see the symbols, and where one errs the others mostly do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import bound, kernel
from seqforge.core.kernels.elementary import exponential, logarithm
from seqforge.core.memory.memory import Arrays, Ids, LogProbs, Memory, Network, SavedMemory, Streams

Found = TypeVar("Found")


class _Member(SavedMemory, Protocol):
    """A memory that may be one of several."""

    def score_together(self, ids: Ids, networks: Sequence[Network], adapt: bool = True) -> LogProbs:
        """See `ScoresTogether`."""
        ...

    def reader(self) -> Self:
        """See `ScoresTogether`."""
        ...


@kernel
def _mean(log_probs: NDArray[Any], found: NDArray[Any]) -> None:
    """The logarithms (T,) of the means of probabilities (N, T), whose logarithms these are."""
    for t in range(len(found)):
        highest, total = float(log_probs[0, t]), 0.0
        for n in range(1, len(log_probs)):
            highest = max(highest, float(log_probs[n, t]))
        for n in range(len(log_probs)):
            total += exponential(float(log_probs[n, t]) - highest)
        found[t] = highest + logarithm(total / float(len(log_probs)))


def mean(parts: Sequence[LogProbs]) -> LogProbs:
    """Log-probabilities in nats, of the same shape, in; those of their mean out."""
    stacked = np.stack(parts)
    found = np.empty(stacked[0].size)
    _mean(stacked.reshape(len(parts), -1), found)
    return found.reshape(stacked[0].shape)


class SeveralMemories:
    """A memory whose probabilities are the means of those of others; see `SavedMemory` and
    `ScoresTogether`. Each of them works in a thread of its own."""

    kind: ClassVar[Any]
    """The class of the others."""

    def __init__(self, memories: Sequence[_Member]) -> None:
        """Take memories of the same vocabulary, which have learnt the same symbols."""
        self._memories = tuple(memories)

    def learn(self, ids: Ids) -> None:
        """See `Memory.learn`."""
        self._each(lambda memory: memory.learn(ids))

    def score(self, ids: Ids, network: Network | None = None, adapt: bool = True) -> LogProbs:
        """See `Memory.score`."""
        return mean(self._each(lambda memory: memory.score(ids, network, adapt)))

    def score_together(self, ids: Ids, networks: Sequence[Network], adapt: bool = True) -> LogProbs:
        """See `ScoresTogether`."""
        return mean(self._each(lambda memory: memory.score_together(ids, networks, adapt)))

    def predict(self, network: NDArray[np.float32] | None = None) -> LogProbs:
        """See `Memory.predict`."""
        return mean([memory.predict(network) for memory in self._memories])

    def reader(self) -> Self:
        """See `ScoresTogether`."""
        return type(self)([memory.reader() for memory in self._memories])

    @property
    def history(self) -> Ids:
        """See `HasStreams.history`."""
        return self._memories[0].history

    def streams(self, rows: int, exact: bool = False) -> MeanStreams:
        """See `HasStreams.streams`."""
        return MeanStreams([memory.streams(rows, exact) for memory in self._memories])

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """See `Memory`; each memory's names have its number before them."""
        return {
            f"{number}.{name}": array
            for number, memory in enumerate(self._memories)
            for name, array in memory.to_arrays().items()
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """See `Memory`."""
        return cls([cls.kind.from_arrays(part) for part in parts_of(arrays)])

    def _each(self, work: Callable[[_Member], Found]) -> list[Found]:
        with ThreadPoolExecutor(len(self._memories)) as threads:
            return list(threads.map(work, self._memories))


def parts_of(arrays: Arrays) -> list[dict[str, NDArray[Any]]]:
    """The arrays of several memories in, those of each out; none where they are those of one.

    Raises:
        ValueError: If one is missing.
    """
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        number, _, rest = name.partition(".")
        if number.isdecimal():
            found.setdefault(number, {})[rest] = array
    if found and list(map(str, range(len(found)))) != sorted(found, key=int):
        raise ValueError("a memory is missing")
    return [found[number] for number in sorted(found, key=int)]


def restored(
    several: type[SeveralMemories], one: Callable[[Mapping[str, NDArray[Any]]], Any], arrays: Arrays
) -> Memory:
    """Saved arrays in, the memory out that was saved: one, or several.

    Raises:
        ValueError: If ``one`` does, or a memory is missing.
    """
    parts = parts_of(arrays)
    found: Memory = several([one(part) for part in parts]) if parts else one(arrays)
    return found


class MeanStreams:
    """Streams of several memories that read the same; see `Streams`."""

    def __init__(self, parts: Sequence[Streams]) -> None:
        """Take those of each memory, which stand at the same places."""
        self._parts, first = tuple(parts), parts[0]
        self.ids, self.network = np.full_like(first.ids, -1), np.zeros_like(first.network)
        self.log_probs = np.zeros_like(first.log_probs)
        self._stacked = np.zeros((len(parts), first.log_probs.size), np.float32)
        self._join = bound(_mean, self._stacked, self.log_probs.reshape(-1))

    def read(self) -> None:
        """See `Streams.read`."""
        for part in self._parts:
            part.ids[:], part.network[:] = self.ids, self.network
            part.read()
        self._mix()

    def rows(self, chosen: NDArray[np.int64]) -> Self:
        """See `Streams.rows`."""
        found = type(self)([part.rows(chosen) for part in self._parts])
        found._mix()
        return found

    def put(self, row: int, source: Self) -> None:
        """See `Streams.put`."""
        for mine, theirs in zip(self._parts, source._parts, strict=True):
            mine.put(row, theirs)
        self.log_probs[row] = source.log_probs[0]

    def _mix(self) -> None:
        for part, stacked in zip(self._parts, self._stacked, strict=True):
            stacked[:] = part.log_probs.reshape(-1)
        self._join()
