"""Tables of allowed and following symbols, or a function of state and symbol, in; a Constraint
out: a finite automaton over the vocabulary that the sampler must keep to (grammar mask).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.vocabulary import END, Vocabulary

State = TypeVar("State", bound=Hashable)


@dataclass(frozen=True)
class Constraint:
    """Grammar mask of the sampler: a finite automaton over ids.

    State 0 is the start; the prime is read first. S states, V ids (0 is the end symbol). Forbidden
    symbols have a following state too, since a prime may hold them.
    """

    allowed: NDArray[np.bool_]
    """(S, V); every state allows at least one id."""
    following: NDArray[np.int32]
    """(S, V); the state after each id."""
    begun: NDArray[np.int32] | None = None
    """(S,); the state to sample from after a prime that ended in a state; None: the same state."""

    def __post_init__(self) -> None:
        if self.allowed.shape != self.following.shape or self.allowed.ndim != 2:
            raise ValueError("allowed and following must both have the shape (states, vocabulary)")
        if not self.allowed.any(axis=1).all():
            raise ValueError("a state of the constraint allows nothing")
        leads = [self.following, *([] if self.begun is None else [self.begun])]
        if any(to.min() < 0 or to.max() >= len(self.following) for to in leads):
            raise ValueError("the constraint leads to a state that does not exist")


def automaton(
    vocabulary: Vocabulary, start: State, after: Callable[[State, str], State | None]
) -> Constraint:
    """A start state and a transition function in, the automaton of all reachable states out.

    Args:
        vocabulary: The symbols of the model.
        start: Where a sample begins; states are any hashable values but None.
        after: The state after a symbol, or None where the symbol is forbidden. The symbol ``""``
            is the end of the record, which leads back to ``start``. A forbidden symbol in a prime
            leaves the state as it is.

    Raises:
        ValueError: If a reachable state forbids everything.
    """
    found, number = [start], {start: 0}
    rows: list[list[State | None]] = []
    for state in found:  # grows meanwhile
        rows.append([after(state, symbol) for symbol in ("", *vocabulary.symbols)])
        for to in rows[-1][1:]:
            if to is not None and to not in number:
                number[to] = len(found)
                found.append(to)
    allowed = np.array([[to is not None for to in row] for row in rows])
    following = np.array(
        [
            [place if to is None else number.get(to, 0) for to in row]
            for place, row in enumerate(rows)
        ],
        np.int32,
    )
    following[:, END] = 0
    return Constraint(allowed, following)


Allowed = NDArray[np.bool_]
Following = NDArray[np.int32]
Begun = NDArray[np.int32]


def reachable(allowed: Allowed, following: Following, begun: Begun) -> Constraint | None:
    """An automaton in, its part that is reachable from state 0 out; None if no symbol is allowed.

    Args:
        allowed: (S, V).
        following: (S, V). States that allow nothing may be reached by a prime alone; whatever
            follows there is let through.
        begun: (S,), see `Constraint`.
    """
    if not allowed[_found(np.where(allowed, following, 0))].any(axis=1).all():
        return None
    states = np.flatnonzero(_found(np.column_stack([following, begun])))
    renumbered = np.zeros(len(following), np.int32)
    renumbered[states] = np.arange(len(states), dtype=np.int32)
    kept = allowed[states]
    kept[~kept.any(axis=1)] = True
    return Constraint(kept, renumbered[following[states]], renumbered[begun[states]])


def _found(following: Following) -> NDArray[np.bool_]:
    """Which states are reachable from state 0 (S,)."""
    found = np.zeros(len(following), bool)
    fresh = np.zeros(1, np.int64)
    while len(fresh):
        found[fresh] = True
        after = np.zeros_like(found)
        after[following[fresh]] = True
        fresh = np.flatnonzero(after & ~found)
    return found
