"""Tables of allowed and following symbols, or a function of state and symbol, in; a Constraint
out: a finite automaton over the vocabulary that the sampler must keep to (grammar mask).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import pairwise
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
Ids = NDArray[np.int64]
After = tuple[Following, Allowed, bool]
"""States that some lead to, whether they are allowed, and whether each of some allows any."""


@dataclass(frozen=True)
class PlanarTable:
    """An automaton with parts (planes) that are alike but for the states they lead to.

    S states, P planes, R rows, C codes. From a state of plane p and row r an id leads to the state
    ``leads[p, codes[r, id]]``.
    """

    codes: Ids
    """(R, V)."""
    leads: Following
    """(P, C)."""
    allowed: Allowed
    """(P, C)."""
    planes: Ids
    """(S,), ascending."""
    rows: Ids
    """(S,)."""
    begun: Begun
    """(S,), see `Constraint`."""

    def reachable(self) -> Constraint | None:
        """The part that is reachable from state 0, without filling the table of all; None if no
        symbol is allowed. States that allow nothing may be reached by a prime alone; whatever
        follows there is let through.
        """
        ordered = np.sort(self.codes, axis=1)
        is_new = np.diff(ordered, axis=1, prepend=-1) != 0
        different, count = ordered[is_new], is_new.sum(axis=1)
        first = np.cumsum(count) - count
        leads, allowed, width = self.leads.ravel(), self.allowed.ravel(), self.leads.shape[1]

        def after(states: Ids) -> After:
            rows = self.rows[states]
            counts = count[rows]
            begins = np.cumsum(counts) - counts
            codes = np.repeat(first[rows] - begins, counts)
            codes += np.arange(len(codes))
            codes = different[codes] + np.repeat(width * self.planes[states], counts)
            may = allowed[codes]
            return leads[codes], may, bool(np.logical_or.reduceat(may, begins).all())

        states = _reached(after, self.begun)
        return None if states is None else self._kept(states)

    def _kept(self, states: Ids) -> Constraint:
        """The automaton of these states alone."""
        number = _numbered(states, len(self.rows))
        following = np.empty((len(states), self.codes.shape[1]), np.int32)
        allowed = np.empty(following.shape, np.bool_)
        bounds = np.searchsorted(self.planes[states], np.arange(len(self.leads) + 1))
        for plane, (start, stop) in enumerate(pairwise(bounds)):
            codes = self.codes[self.rows[states[start:stop]]]
            following[start:stop] = number[self.leads[plane]][codes]
            allowed[start:stop] = self.allowed[plane][codes]
        return _let_through(allowed, following, number[self.begun[states]])


def _let_through(allowed: Allowed, following: Following, begun: Begun) -> Constraint:
    """The automaton, in which a state that allows nothing allows everything."""
    allowed[~allowed.any(axis=1)] = True
    return Constraint(allowed, following, begun)


def _numbered(states: Ids, size: int) -> Following:
    """The place of each state among some (S,); 0 for others."""
    number = np.zeros(size, np.int32)
    number[states] = np.arange(len(states), dtype=np.int32)
    return number


def _reached(after: Callable[[Ids], After], begun: Begun) -> Ids | None:
    """The states that are reachable from state 0, ascending; None if one allows nothing."""
    found, given = np.zeros((2, len(begun)), bool)
    fresh = np.zeros(1, np.int64)
    while len(fresh):  # what may be drawn
        found[fresh] = True
        following, allowed, alive = after(fresh)
        if not alive:
            return None
        given[following] = given[begun[fresh]] = True
        met = np.zeros_like(found)
        met[following[allowed]] = True
        fresh = np.flatnonzero(met & ~found)
    fresh = np.flatnonzero(given & ~found)
    while len(fresh):  # what a prime may hold
        found[fresh] = True
        given[after(fresh)[0]] = given[begun[fresh]] = True
        fresh = np.flatnonzero(given & ~found)
    return np.flatnonzero(found)
