"""Automata for the sampler: what can be reached of a large table, as a `Constraint`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqforge.core.sampling.constraints import Constraint

Allowed = NDArray[np.bool_]
Following = NDArray[np.int32]


def reachable(allowed: Allowed, following: Following) -> Constraint | None:
    """The states that drawing or a prime can come to from state 0; None where none may be drawn.

    Args:
        allowed: (S, V).
        following: (S, V); states that allow nothing may be reached by a prime alone.
    """
    found = np.zeros(len(following), bool)
    fresh = np.zeros(1, np.int64)
    while len(fresh):
        found[fresh] = True
        after = np.zeros_like(found)
        after[following[fresh]] = True
        fresh = np.flatnonzero(after & ~found)
    states = np.flatnonzero(found)
    if not allowed[states].any(axis=1).all():
        return None
    renumbered = np.zeros(len(following), np.int32)
    renumbered[states] = np.arange(len(states), dtype=np.int32)
    return Constraint(allowed[states], renumbered[following[states]])
