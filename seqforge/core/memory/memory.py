"""The Memory protocol: symbols in, log-probabilities of symbols out, with the network's as one more
expert.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.vocabulary import Vocabulary

Ids = NDArray[np.unsignedinteger[Any]]
"""Symbols as ids (T,), the end symbol 0 between records."""
Arrays = Mapping[str, NDArray[Any]]
"""Of a saved memory, by their names."""
LogProbs = NDArray[np.float64]
Network = NDArray[np.float32]
"""The network's natural log-probabilities (T, V) of each symbol given those before."""


class Memory(Protocol):
    """Experts that count contexts and follow repeats, mixed online.

    Laws: the probability of a symbol depends only on those before it; probabilities of all
    symbols sum to 1 within 1e-9; a call over symbols in two pieces gives the same bits as in one.
    """

    def learn(self, ids: Ids) -> None:
        """Read training symbols (T,), END between records; counts and weights change.

        May be called several times, each call going on where the last one ended.
        """
        ...

    def score(self, ids: Ids, network: Network | None = None, adapt: bool = True) -> LogProbs:
        """Symbols (T,) in, the log-probability in nats of each out (T,), END included.

        Goes on where the last call of `learn` or `score` ended.

        Args:
            ids: What is scored.
            network: The network's log-probabilities of these symbols; None: the memory alone,
                with weights of its own.
            adapt: Counts and weights change while scoring. False: nothing changes but the place
                in the history, contexts and copy pointers.
        """
        ...

    def predict(self, network: NDArray[np.float32] | None = None) -> LogProbs:
        """The log-probabilities (V,) of what comes next; nothing changes.

        ``network``: the network's log-probabilities (V,), or None. What `score` gives for the
        next symbol is the same number.
        """
        ...

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All that `from_arrays` needs, as arrays to be saved."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Saved arrays in, the memory out: what it scores next has the same bits."""
        ...


class Streams(Protocol):
    """Sequences that are read beside each other (R rows) over what a memory has learnt.

    Nothing is learnt, and a row's numbers are the same whatever rows are beside it: those of
    `Memory.score` without adapting, from the beginning of a record.
    """

    ids: NDArray[np.int64]
    """(R,): the symbol that each row reads next; below 0 for none, which leaves it as it is."""
    network: Network
    """(R, V): the network's log-probabilities of what comes after those symbols."""
    log_probs: NDArray[np.float32]
    """(R, V): those of the mixture."""

    def read(self) -> None:
        """Read a symbol in each row, and fill in what comes next."""
        ...

    def rows(self, chosen: NDArray[np.int64]) -> Self:
        """A copy of the chosen rows."""
        ...

    def put(self, row: int, source: Self) -> None:
        """Copy the single row of others into a row."""
        ...


@runtime_checkable
class HasStreams(Protocol):
    """A memory that samples can be drawn with."""

    @property
    def history(self) -> Ids:
        """What it has learnt (T,), as ids; the end symbol between records."""
        ...

    def streams(self, rows: int, exact: bool = False) -> Streams:
        """Rows that have read nothing; those of several threads may be read at the same time.

        ``exact``: the mixture itself; else something near it may be calculated, where it is
        quicker.
        """
        ...


class SavedMemory(Memory, HasStreams, Protocol):
    """A memory that was saved, to score and to draw samples with."""


@runtime_checkable
class KeepsMemory(Protocol):
    """A domain that opens memories again that were saved."""

    def saved_memory(self, vocabulary: Vocabulary, arrays: Arrays) -> Memory:
        """What `Memory.to_arrays` gave in, the memory out.

        Raises:
            ValueError: If the arrays are not those of a memory of the vocabulary.
        """
        ...


@runtime_checkable
class ScoresTogether(Protocol):
    """A memory that mixes the same evidence in several ways at once, each way with weights of its
    own: one pass, one set of counts."""

    def score_together(self, ids: Ids, networks: Sequence[Network], adapt: bool = True) -> LogProbs:
        """Symbols (T,) in, their log-probabilities (1 + N, T) out: alone, with the first of N
        networks, with both; at most two.

        Else as `Memory.score`; the weights alone and with the first network are those of `score`.
        """
        ...

    def reader(self) -> Memory:
        """A memory with the same counts and weights and a place of its own in the history. It may
        only score without adapting, and leaves no trace."""
        ...


@runtime_checkable
class HasMemory(Protocol):
    """A domain with a memory of contexts and repeats, to stand beside its networks."""

    def memory(self, vocabulary: Vocabulary, training: Ids, symbols: int, budget: int) -> Memory:
        """A new memory that has learnt nothing yet.

        Args:
            vocabulary: What its symbols are.
            training: Symbols of the kind that it will learn, to suit itself to.
            symbols: About how many it will read.
            budget: Bytes that its tables may take, together with those of a copy if it is no
                `ScoresTogether`: each way to score it begins from a copy, two at a time.
        """
        ...


@runtime_checkable
class HasBestMemory(HasMemory, Protocol):
    """A domain with another memory too, that needs fewer bits at two or three times the time."""

    def best_memory(
        self, vocabulary: Vocabulary, training: Ids, symbols: int, budget: int
    ) -> Memory:
        """See `HasMemory.memory`."""
        ...


def check_names(arrays: Arrays, new: Memory) -> None:
    """See that arrays have the names of a new memory's.

    Raises:
        ValueError: If they have not.
    """
    if arrays.keys() != new.to_arrays().keys():
        raise ValueError("another version of seqforge wrote it")


def each_array(change: Callable[[NDArray[Any]], NDArray[Any]], rows: Any) -> Any:
    """A named tuple of arrays, also nested, with each array changed."""
    parts = (
        change(part) if isinstance(part, np.ndarray) else each_array(change, part) for part in rows
    )
    return type(rows)._make(parts)


def _arrays(rows: Any) -> Iterator[NDArray[Any]]:
    for part in rows:
        if isinstance(part, np.ndarray):
            yield part
        else:
            yield from _arrays(part)


class StreamRows:
    """What all `Streams` have: rows of named arrays (R, ...), and what goes in and out beside."""

    def __init__(self, rows: Any, count: int, vocab_size: int) -> None:
        self._rows = rows
        self.ids = np.full(count, -1)
        self.network, self.log_probs = np.zeros((2, count, vocab_size), np.float32)

    def put(self, row: int, source: Self) -> None:
        """See `Streams.put`."""
        for mine, theirs in zip(_arrays(self._rows), _arrays(source._rows), strict=True):
            mine[row] = theirs[0]
        self.log_probs[row] = source.log_probs[0]
