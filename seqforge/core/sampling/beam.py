"""A request in, the most probable sequences out, as far as a beam search of a given width finds
them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.domain import Sample
from seqforge.core.sampling.logit_filters import END
from seqforge.core.sampling.request import SamplingRequest
from seqforge.core.sampling.sampling_kernel import Ids


@dataclass(frozen=True)
class Hypothesis:
    """A hypothesis of the beam."""

    ids: tuple[int, ...] = ()
    """Its symbols, without prime and end symbol."""
    log_prob: float = 0.0
    """Total log-probability, end symbol included, in nats."""
    ended: bool = False
    removed: float = 0.0
    """Sum over its symbols of the probability that the grammar forbade."""

    def score(self, length_penalty: float) -> float:
        """Log-probability over ((5 + n) / 6)^a (Wu et al. 2016, equation 14), a = 0 for none."""
        return self.log_prob / _norm(len(self.ids) + self.ended, length_penalty)

    def continued(self, symbol: int, log_prob: float, removed: float) -> Hypothesis:
        """The hypothesis extended by a symbol."""
        ids = self.ids if symbol == END else (*self.ids, symbol)
        return Hypothesis(ids, log_prob, symbol == END, self.removed + removed)


def _norm(length: int, length_penalty: float) -> float:
    return float(((5 + length) / 6) ** length_penalty)


def beam_search(
    plan: SamplingRequest, width: int, best: int, length_penalty: float = 0.0
) -> list[Sample]:
    """A prime and options in, the ``best`` sequences found out, the best one first.

    Graves 2012 (https://arxiv.org/abs/1211.3711) for sequences of a recurrent model: of all
    continuations of the sequences held, the ``width`` likeliest are held on. Only grammar, length
    and the plan's end apply; temperature and filters do not, for nothing is drawn.

    Args:
        plan: The model after the prime.
        width: Sequences held.
        best: How many to return, at most ``width``.
        length_penalty: Exponent a of the length normalisation; above 0 favours longer ones.

    Raises:
        ValueError: If ``best`` is more than ``width``, the penalty is not in [0, 100], or the plan
            has a suffix or more than one record.
    """
    if not 1 <= best <= width:
        raise ValueError(f"of {width} sequences held, {best} cannot be returned")
    if not 0 <= length_penalty <= 100:
        raise ValueError(f"length_penalty must lie in [0, 100], not {length_penalty}")
    if plan.options.suffix or plan.options.records > 1:
        raise ValueError("a search has no suffix, and finds one record")
    settings = {**plan.labels, "beam": width, "length_penalty": length_penalty}
    samples = [
        plan.sample(rank, plan.vocabulary.decode(h.ids), h.log_prob, h.removed, h.ended, first=True)
        for rank, h in enumerate(_Search(plan, width, best, length_penalty).run(), 1)
    ]
    return [replace(one, temperature=None, seed=None, settings=settings) for one in samples]


class _Search:
    """The beam: open hypotheses with the engine's state after each, and finished ones."""

    def __init__(self, plan: SamplingRequest, width: int, best: int, length_penalty: float) -> None:
        self._plan, self._width, self._best, self._penalty = plan, width, best, length_penalty
        self._held, self._done = [Hypothesis()], list[Hypothesis]()
        self._state = plan.engine.rows(plan.state, np.zeros(1, np.int64))
        self._places = plan.begun.places.copy()

    def run(self) -> list[Hypothesis]:
        """The best ones, in order."""
        for _ in range(self._plan.options.length):
            rows = self._continue()
            if not self._held or self._is_settled():
                break
            self._step(rows)
        return self._ranked([*self._done, *self._held])[: self._best]

    def _ranked(self, hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
        return sorted(hypotheses, key=lambda h: -h.score(self._penalty))

    def _continue(self) -> Ids:
        """Keep the most probable continuations; returns the rows they come from."""
        log_probs, removed = _continuations(
            self._plan, self._state, self._places, len(self._held[0].ids)
        )
        totals = np.array([[h.log_prob] for h in self._held]) + log_probs
        held, rows = [], []
        for place in np.argsort(-totals, axis=None, kind="stable")[: self._width].tolist():
            row, symbol = divmod(place, totals.shape[1])
            if totals[row, symbol] == -math.inf:
                break
            one = self._held[row].continued(symbol, float(totals[row, symbol]), removed[row])
            if one.ended or _stops(self._plan, one):
                self._done.append(one)
            else:
                held.append(one)
                rows.append(row)
        self._held, self._done = held, self._ranked(self._done)[: self._width]
        return np.array(rows, np.int64)

    def _is_settled(self) -> bool:
        """Whether no open hypothesis can still become one of the best."""
        if len(self._done) < self._best:
            return False
        worst = self._done[self._best - 1].score(self._penalty)
        longest = _norm(
            self._plan.options.length, self._penalty
        )  # log_prob only falls, its divisor grows
        return all(h.log_prob / longest <= worst for h in self._held)

    def _step(self, rows: Ids) -> None:
        """Feed the engine the last symbol of each hypothesis."""
        ids = np.array([h.ids[-1] for h in self._held], np.int64)
        self._state, self._places = self._plan.engine.rows(self._state, rows), self._places[rows]
        if len(self._plan.grammar.allowed):
            self._places = self._plan.grammar.following[self._places, ids]
        self._plan.engine.step(self._state, ids)


def _continuations(
    plan: SamplingRequest, state: Any, places: NDArray[np.int32], drawn: int
) -> tuple[NDArray[np.float64], list[float]]:
    """Log-probabilities (R, V) of each next symbol, minus infinity where it is forbidden.

    And how much of the model's probability the grammar forbids in each row. So many symbols have
    been drawn before.
    """
    wide = state.logits[:, : len(plan.vocabulary)].astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    wide -= np.log(np.exp(wide).sum(axis=1, keepdims=True))
    allowed = np.ones(wide.shape, bool)
    if len(plan.grammar.allowed):
        allowed = plan.grammar.allowed[places]
    removed = np.where(allowed, 0.0, np.exp(wide)).sum(axis=1)
    if plan.filters.unknown >= 0:
        wide[:, plan.filters.unknown] = -np.inf
    if drawn < plan.filters.least:
        wide[:, END] = -np.inf
    stuck = ~(allowed & np.isfinite(wide)).any(axis=1)  # as in a draw, the grammar gives way
    wide[~allowed & ~stuck[:, None]] = -np.inf
    return np.asarray(wide), removed.tolist()


def _stops(plan: SamplingRequest, hypothesis: Hypothesis) -> bool:
    """Whether a hypothesis ends with the text to stop at."""
    if plan.ending is None:
        return False
    prime = plan.options.prime
    symbols = prime + plan.vocabulary.decode(hypothesis.ids)
    return plan.ending(symbols, len(prime), True) is not None
