"""Automata for the sampler: what can be reached of a large table, as a `Constraint`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqforge.core.sampling.constraints import Constraint

Allowed = NDArray[np.bool_]
Following = NDArray[np.int32]
Begun = NDArray[np.int32]


def reachable(allowed: Allowed, following: Following, begun: Begun) -> Constraint | None:
    """The states that drawing or a prime can come to from state 0; None where none may be drawn.

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
    """Which states are come to from state 0 (S,)."""
    found = np.zeros(len(following), bool)
    fresh = np.zeros(1, np.int64)
    while len(fresh):
        found[fresh] = True
        after = np.zeros_like(found)
        after[following[fresh]] = True
        fresh = np.flatnonzero(after & ~found)
    return found
