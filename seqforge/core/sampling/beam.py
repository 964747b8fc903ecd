"""Beam search: the likeliest sequences, as far as a search of a given width finds them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.domain import Sample
from seqforge.core.sampling.plan import Plan
from seqforge.core.sampling.weighing import END


@dataclass(frozen=True)
class Hypothesis:
    """A sequence that the search holds."""

    ids: tuple[int, ...]
    """What was found, the prime and the end symbol not among it."""
    log_prob: float
    """Of all of it, the end symbol's too, in nats."""
    ended: bool = False

    def score(self, length_penalty: float) -> float:
        """Log-probability over ((5 + n) / 6)^a (Wu et al. 2016, equation 14), a = 0 for none."""
        return self.log_prob / _norm(len(self.ids) + self.ended, length_penalty)


def _norm(length: int, length_penalty: float) -> float:
    return float(((5 + length) / 6) ** length_penalty)


def beam_search(plan: Plan, width: int, best: int, length_penalty: float = 0.0) -> list[Sample]:
    """The ``best`` sequences found, the best one first.

    Graves 2012 (https://arxiv.org/abs/1211.3711) for sequences of a recurrent model: of all
    continuations of the sequences held, the ``width`` likeliest are held on. Only grammar, length
    and the plan's end apply; temperature and filters do not, for nothing is drawn.

    Args:
        plan: The model after the prime.
        width: Sequences held.
        best: How many to return, at most ``width``.
        length_penalty: Exponent a of the length normalisation; above 0 favours longer ones.

    Raises:
        ValueError: If ``best`` is more than ``width``, or the penalty is below 0.
    """
    if not 1 <= best <= width:
        raise ValueError(f"of {width} sequences held, {best} cannot be returned")
    if not 0 <= length_penalty < math.inf:
        raise ValueError(f"length_penalty must be 0 or above, not {length_penalty}")
    held = [Hypothesis((), 0.0)]
    state, places = plan.engine.rows(plan.state, np.zeros(1, np.int64)), plan.begun.places.copy()
    done: list[Hypothesis] = []
    for _ in range(plan.limit):
        log_probs = _continuations(plan, state, places)
        chosen = _likeliest(held, log_probs, width)
        done += [_continued(held[row], END, log_prob) for row, i, log_prob in chosen if i == END]
        done = sorted(done, key=lambda h: -h.score(length_penalty))[:width]
        goes_on = [(row, i, log_prob) for row, i, log_prob in chosen if i != END]
        held = [_continued(held[row], i, log_prob) for row, i, log_prob in goes_on]
        stopped = [h for h in held if _stops(plan, h)]
        done += stopped
        kept = [n for n, h in enumerate(held) if h not in stopped]
        held = [held[n] for n in kept]
        if not held or _settled(plan, held, done, best, length_penalty):
            break
        rows, ids = (np.array([goes_on[n][part] for n in kept], np.int64) for part in (0, 1))
        state, places = plan.engine.rows(state, rows), places[rows]
        if len(plan.grammar.allowed):
            places = plan.grammar.following[places, ids]
        plan.engine.step(state, ids)
    found = sorted([*done, *held], key=lambda h: -h.score(length_penalty))[:best]
    return [_sample(plan, h, rank, width, length_penalty) for rank, h in enumerate(found, 1)]


def _continuations(plan: Plan, state: Any, places: NDArray[np.int32]) -> NDArray[np.float64]:
    """Log-probabilities (R, V) of each next symbol, minus infinity where it may not come."""
    wide = state.logits[:, : len(plan.vocabulary)].astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    wide -= np.log(np.exp(wide).sum(axis=1, keepdims=True))
    if plan.rules.unknown >= 0:
        wide[:, plan.rules.unknown] = -np.inf
    if plan.rules.hold_end:
        wide[:, END] = -np.inf
    if len(plan.grammar.allowed):
        allowed = plan.grammar.allowed[places]
        stuck = ~(allowed & np.isfinite(wide)).any(axis=1)  # as in a draw, the grammar gives way
        wide[~allowed & ~stuck[:, None]] = -np.inf
    return np.asarray(wide)


def _likeliest(
    held: Sequence[Hypothesis], log_probs: NDArray[np.float64], width: int
) -> list[tuple[int, int, float]]:
    """Row, symbol and log-probability of the ``width`` likeliest continuations."""
    totals = np.array([[h.log_prob] for h in held]) + log_probs
    flat = totals.ravel()
    order = np.argsort(-flat, kind="stable")[:width]
    return [
        (int(place) // totals.shape[1], int(place) % totals.shape[1], float(flat[place]))
        for place in order
        if flat[place] > -math.inf
    ]


def _continued(hypothesis: Hypothesis, symbol: int, log_prob: float) -> Hypothesis:
    if symbol == END:
        return Hypothesis(hypothesis.ids, log_prob, ended=True)
    return Hypothesis((*hypothesis.ids, symbol), log_prob)


def _stops(plan: Plan, hypothesis: Hypothesis) -> bool:
    """Whether the sequence has come to the end that was asked for."""
    return plan.ending is not None and (
        plan.ending(plan.vocabulary.decode(hypothesis.ids), True) is not None
    )


def _settled(
    plan: Plan, held: Sequence[Hypothesis], done: Sequence[Hypothesis], best: int, penalty: float
) -> bool:
    """Whether nothing that is held can still come among the best."""
    if len(done) < best:
        return False
    worst = sorted((h.score(penalty) for h in done), reverse=True)[best - 1]
    longest = _norm(plan.limit, penalty)  # a log-probability only falls, its divisor only grows
    return all(h.log_prob / longest <= worst for h in held)


def _sample(
    plan: Plan, hypothesis: Hypothesis, rank: int, width: int, length_penalty: float
) -> Sample:
    count = len(hypothesis.ids) + hypothesis.ended
    prime = plan.options.prime
    return Sample(
        symbols=prime + plan.vocabulary.decode(hypothesis.ids),
        prime_length=len(prime),
        number=rank,
        model=plan.model,
        mean_log_prob=hypothesis.log_prob / count if count else None,
        ended=hypothesis.ended,
        settings={"beam": width, "length_penalty": length_penalty},
    )
