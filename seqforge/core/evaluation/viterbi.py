"""Scores of labels and a state machine in, the best path of states out (Viterbi), block by block.

A machine is plain arrays. A path is in one state at each symbol, and pays the score of that state's
label there. It stays, or goes to another state along an edge; an edge may need a site, such as a
start codon, where its target begins, and a state may have a least length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel

NEVER = -1e30
"""A weight or score of what cannot be."""
_POSSIBLE = -1e29

Scores = NDArray[np.float32]
Weights = NDArray[np.float64]
Numbers = NDArray[np.int64]
Path = NDArray[np.uint8]
"""States by their number."""


class Edge(NamedTuple):
    """A way from one state to another."""

    source: int
    target: int
    weight: float = 0.0
    site: int = -1
    """Column of the sites whose score is added at the first symbol of the target; -1: none."""


class StateMachine(NamedTuple):
    """States (S of them) and edges (E), sorted by target."""

    labels: Numbers
    """(S,) the label of each state."""
    least: Numbers
    """(S,) symbols that a state is kept for once it is entered; what a sequence begins with may be
    shorter, but for what ends it."""
    stay: Weights
    """(S,) paid for each further symbol in a state; `NEVER` where it is kept no longer."""
    begin: Weights
    """(S,) paid for a state at the first symbol."""
    end: Weights
    """(S,) paid for a state at the last symbol."""
    first: Numbers
    """(S + 1,) where the edges to each state begin."""
    source: Numbers
    """(E,)"""
    weight: Weights
    """(E,)"""
    site: Numbers
    """(E,) see `Edge`."""

    @classmethod
    def of(
        cls, labels: Sequence[int], edges: Iterable[Edge], least: Sequence[int] | None = None,
        stay: Sequence[float] | None = None, begin: Sequence[float] | None = None,
        end: Sequence[float] | None = None,
    ) -> StateMachine:  # fmt: skip
        """States by their labels, and edges; lengths are 1 and weights 0 if not given."""
        ordered = sorted(edges, key=lambda edge: edge.target)
        states = len(labels)
        targets = np.array([edge.target for edge in ordered], np.int64)
        sources, weights, sites = ([edge[n] for edge in ordered] for n in (0, 2, 3))
        free = [0.0] * states
        kept, started, ended = (
            np.array(free if each is None else each, np.float64) for each in (stay, begin, end)
        )
        return cls(
            np.array(labels, np.int64), np.array(least or [1] * states, np.int64),
            kept, started, ended,
            np.searchsorted(targets, np.arange(states + 1)).astype(np.int64),
            np.array(sources, np.int64), np.array(weights, np.float64), np.array(sites, np.int64),
        )  # fmt: skip


class _Rings(NamedTuple):
    """What is kept of the last symbols, by their place modulo R."""

    best: Weights
    """(R, S) score of the best path that ends here, by its state."""
    entered: Weights
    """(R, S) score of the best path that enters a state here, before this symbol's label."""
    edges: Numbers
    """(R, S) by which edge, counted from 1 among those of the state."""
    sums: Weights
    """(R, L) running sums of scores, before this symbol."""


class Decoder:
    """Decodes one sequence, block by block.

    What all paths that may still win agree on is given out, and forgotten: memory is that of the
    stretch which is not settled yet, S bytes a symbol.
    """

    def __init__(self, machine: StateMachine) -> None:
        states = len(machine.labels)
        if machine.first[-1] > 0 and np.diff(machine.first).max() > 254:
            raise ValueError("no more than 254 edges lead to a state")
        size, labels = int(machine.least.max()) + 1, int(machine.labels.max()) + 1
        self._machine = machine
        self._rings = _Rings(
            np.full((size, states), NEVER), np.full((size, states), NEVER),
            np.zeros((size, states), np.int64), np.zeros((size, labels)),
        )  # fmt: skip
        self._done = 0
        """Symbols read."""
        self._settled = 0
        """Symbols whose states are given out."""
        self._back = np.zeros((0, states), np.uint8)
        """By which edge each state was reached, 0 for staying, from the first unsettled symbol."""

    def read(self, scores: Scores, sites: Scores) -> Path:
        """Scores of labels (N, L) and of sites (N, F) at the next symbols in, the states of those
        that are settled now out (M,); M may be 0, or more than N.

        Scores are logarithms; `NEVER` where there is no such site.
        """
        back = np.zeros((len(scores), self._back.shape[1]), np.uint8)
        said, there = (np.ascontiguousarray(each, np.float32) for each in (scores, sites))
        _forward(self._machine, said, there, self._done, self._rings, back)
        self._done += len(scores)
        self._back = np.concatenate([self._back, back])
        return self._settle(self._agreed())

    def finish(self) -> Path:
        """The states of the other symbols.

        Raises:
            ValueError: If no path leads through the machine.
        """
        if not self._done:
            return np.zeros(0, np.uint8)
        last = self._last() + self._machine.end
        if last.max() < _POSSIBLE:
            raise ValueError("no path of the machine fits the sites")
        return self._settle(self._traced(int(last.argmax()), len(self._back)))

    def _last(self) -> Weights:
        last: Weights = self._rings.best[(self._done - 1) % len(self._rings.best)]
        return last

    def _traced(self, state: int, size: int) -> Path:
        """The best path to a state, so many symbols behind what is settled."""
        path: Path = np.zeros(size, np.uint8)
        _trace(self._machine, self._back, state, path)
        return path

    def _agreed(self) -> Path:
        """The states of the symbols on which all paths agree that may still win."""
        marks = np.zeros_like(self._back)
        crossing = np.zeros(len(marks) + 1, np.int64)
        cut = _common_node(
            self._machine, self._back, self._done - self._settled, self._settled, self._rings,
            marks, crossing,
        )  # fmt: skip
        size, state = divmod(cut, marks.shape[1])
        return self._traced(state, size + 1)

    def _settle(self, path: Path) -> Path:
        self._settled += len(path)
        self._back = self._back[len(path) :]
        return path


def decode(machine: StateMachine, blocks: Iterable[tuple[Scores, Scores]]) -> Iterator[Path]:
    """A machine and blocks of scores (see `Decoder.read`) in, the states of the best path out."""
    decoder = Decoder(machine)
    for scores, sites in blocks:
        yield decoder.read(scores, sites)
    yield decoder.finish()


@kernel
def _forward(
    machine: StateMachine, scores: Scores, sites: Scores, done: int, rings: _Rings,
    back: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Read symbols; ``done`` of them were read before."""
    size = len(rings.best)
    for i in range(len(scores)):
        t = done + i
        now, before, after = t % size, (t + size - 1) % size, (t + 1) % size
        if t == 0:
            for state in range(len(machine.labels)):
                label = int(machine.labels[state])
                rings.best[0, state] = machine.begin[state] + float(scores[0, label])
        else:
            for state in range(len(machine.labels)):
                _enter(machine, sites, i, state, rings, before, now)
                _extend(machine, scores, i, t, state, rings, back)
        for label in range(rings.sums.shape[1]):
            rings.sums[after, label] = rings.sums[now, label] + float(scores[i, label])


@kernel
def _enter(
    machine: StateMachine, sites: Scores, i: int, state: int, rings: _Rings, before: int, now: int
) -> None:  # fmt: skip
    """The best way into a state."""
    best, by, first = NEVER, 0, int(machine.first[state])
    for edge in range(first, int(machine.first[state + 1])):
        total = rings.best[before, int(machine.source[edge])] + machine.weight[edge]
        if machine.site[edge] >= 0:
            total += float(sites[i, int(machine.site[edge])])
        if total > best:
            best, by = total, edge - first + 1
    rings.entered[now, state] = best
    rings.edges[now, state] = by


@kernel
def _extend(
    machine: StateMachine, scores: Scores, i: int, t: int, state: int, rings: _Rings,
    back: NDArray[np.uint8],
) -> None:  # fmt: skip
    """The best path to a state: it stays, or was entered its least length ago."""
    size, label, least = len(rings.best), int(machine.labels[state]), int(machine.least[state])
    now, score = t % size, float(scores[i, label])
    best = rings.best[(t + size - 1) % size, state] + machine.stay[state] + score
    back[i, state] = 0
    start = t - least + 1
    if start > 0:
        then = start % size
        sums = rings.sums[now, label] - rings.sums[then, label] + score
        total = rings.entered[then, state] + sums
        if total > best:
            best = total
            back[i, state] = int(rings.edges[then, state])
    rings.best[now, state] = max(best, NEVER)


@kernel
def _common_node(
    machine: StateMachine, back: NDArray[np.uint8], count: int, settled: int, rings: _Rings,
    marks: NDArray[np.uint8], crossing: Numbers,
) -> int:  # fmt: skip
    """The last symbol and state, as one number, that all paths go through; negative if none."""
    states = len(machine.labels)
    _mark_ends(machine, count, settled, rings, marks, crossing)
    for behind in range(count):
        i = count - 1 - behind
        for state in range(states):
            if marks[i, state] != 0:
                edge, length, source = int(back[i, state]), 1, state
                if edge > 0:
                    length = int(machine.least[state])
                    source = int(machine.source[int(machine.first[state]) + edge - 1])
                _mark(i - length, source, i, marks, crossing)
    found, crossed = 0 - states, 0
    for i in range(count):
        crossed += int(crossing[i])
        nodes, last = 0, 0
        for state in range(states):
            if marks[i, state] != 0:
                nodes, last = nodes + 1, state
        if nodes == 1 and crossed == 0:
            found = i * states + last
    return found


@kernel
def _mark(
    i: int, state: int, stop: int, marks: NDArray[np.uint8], crossing: Numbers
) -> None:  # fmt: skip
    """Mark a node, and that a path leads from it to ``stop`` without nodes between."""
    if i >= 0:
        marks[i, state] = 1
    crossing[max(i + 1, 0)] += 1
    crossing[stop] -= 1


@kernel
def _mark_ends(
    machine: StateMachine, count: int, settled: int, rings: _Rings, marks: NDArray[np.uint8],
    crossing: Numbers,
) -> None:  # fmt: skip
    """Mark what paths come from after the last symbol: states there, and those that were left for
    one that is not long enough yet."""
    size, done = len(rings.best), settled + count
    for state in range(len(machine.labels)):
        if rings.best[(done - 1) % size, state] > _POSSIBLE:
            marks[count - 1, state] = 1
        for t in range(max(done - int(machine.least[state]) + 1, 1), done):
            if rings.entered[t % size, state] > _POSSIBLE:
                edge = int(machine.first[state]) + int(rings.edges[t % size, state]) - 1
                _mark(t - settled - 1, int(machine.source[edge]), count, marks, crossing)


@kernel
def _trace(
    machine: StateMachine, back: NDArray[np.uint8], state: int, path: NDArray[np.uint8]
) -> None:  # fmt: skip
    """The states of a path whose last one is given, from the last to the first that is known."""
    t = len(path) - 1
    while t >= 0:
        edge = int(back[t, state])
        length = int(machine.least[state]) if edge > 0 else 1
        for place in range(min(length, t + 1)):
            path[t - place] = state
        t -= length
        if edge > 0:
            state = int(machine.source[int(machine.first[state]) + edge - 1])
