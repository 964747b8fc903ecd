"""A grammar for the sampler: a finite automaton over the vocabulary, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Constraint:
    """What may be drawn in each state, and where a drawn symbol leads.

    State 0 is where a sample begins; a prime is walked through first. S states, V ids (0 is the
    end symbol). A symbol that a state does not allow (only a prime can hold one) still leads
    somewhere, so that any prime can be gone on from.
    """

    allowed: NDArray[np.bool_]
    """(S, V); every state allows at least one id."""
    following: NDArray[np.int32]
    """(S, V); the state after that id."""
    begun: NDArray[np.int32] | None = None
    """(S,); where drawing begins after a prime that led to a state; None for that state itself."""

    def __post_init__(self) -> None:
        if self.allowed.shape != self.following.shape or self.allowed.ndim != 2:
            raise ValueError("allowed and following must both have the shape (states, vocabulary)")
        if not self.allowed.any(axis=1).all():
            raise ValueError("a state of the constraint allows nothing")
        leads = [self.following, *([] if self.begun is None else [self.begun])]
        if any(to.min() < 0 or to.max() >= len(self.following) for to in leads):
            raise ValueError("the constraint leads to a state that does not exist")
