"""The Memory protocol: symbols in, log-probabilities of symbols out, with the network's as one more
expert.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.vocabulary import Vocabulary

Ids = NDArray[np.unsignedinteger[Any]]
"""Symbols as ids (T,), the end symbol 0 between records."""
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
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Saved arrays in, the memory out: what it scores next has the same bits."""
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
            budget: Bytes that its tables may take.
        """
        ...
