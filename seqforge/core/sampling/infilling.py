"""Filling the gap between a given beginning and a given end.

A recurrent model draws from left to right; the end is still to come when the gap is drawn. The
distribution wanted is p(gap | beginning) p(end | beginning, gap), normalised. Several gaps are
drawn from the first factor and one of them is taken with chances in proportion to the second:
sampling/importance resampling (Rubin 1987, J. Am. Stat. Assoc. 82:543), which tends to that
distribution as candidates grow in number.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from seqforge.core.domain import Sample
from seqforge.core.sampling.network import Ids
from seqforge.core.sampling.plan import Plan, fitting
from seqforge.core.sampling.pool import Drawn

_CALL = 1024  # symbols that are drawn between two looks for Ctrl-C
_CANDIDATE = 40  # bit of the stream's number from which the candidate is counted


def fill(
    plan: Plan, first: int, count: int, threads: int, drawn: Drawn
) -> Iterator[Sample]:  # fmt: skip
    """Draw samples ``first`` to ``first + count - 1`` that end with the plan's suffix.

    Where the grammar forbids the suffix after some candidates these are left out, unless after
    all. ``drawn`` is told of the symbols of all candidates.
    """
    suffix = plan.vocabulary.encode(plan.options.suffix, "the suffix").astype(np.int64)
    numbers = iter(range(first, first + count))
    with ThreadPoolExecutor(threads) as executor:
        while some := list(islice(numbers, threads)):
            yield from executor.map(lambda number: _fill(plan, suffix, number, drawn), some)


def _fill(plan: Plan, suffix: Ids, number: int, drawn: Drawn) -> Sample:
    engine, rows = plan.engine, plan.options.candidates
    state = engine.rows(plan.state, np.zeros(rows, np.int64))
    streams = plan.streams(rows, _CALL)
    for row in range(rows):
        plan.seat(streams, row, number + (row << _CANDIDATE))
    parts: list[NDArray[np.unsignedinteger]] = []  # (C, T) each, as narrow as ids can be
    while streams.open.any():
        engine.run(state, streams, plan.rules, plan.grammar)
        new = streams.drawn[:, : int((streams.drawn[0] >= 0).sum())]  # all are of one length
        parts.append(new.astype(plan.vocabulary.dtype))
        drawn(new.size)
    last = parts[-1].shape[1]
    chosen = _chosen(plan, engine.read(state, suffix).sum(axis=1), streams.places, suffix, number)
    text = plan.vocabulary.decode(np.concatenate([part[chosen] for part in parts]).tolist())
    log_prob, removed = float(streams.log_probs[chosen, last]), float(streams.removed[chosen, last])
    sample = plan.sample(number, text, log_prob, removed, ended=False, first=True)
    end = plan.options.suffix
    return replace(sample, symbols=sample.symbols + end, suffix_length=len(end))


def _chosen(
    plan: Plan, log_probs: NDArray[np.float64], places: NDArray[np.int32], suffix: Ids, number: int
) -> int:  # fmt: skip
    """The candidate that is taken: chances in proportion to how likely the suffix is after it."""
    fits = fitting(plan.grammar, places, suffix)
    if fits.any():
        log_probs[~fits] = -np.inf
    chances = np.exp(log_probs - log_probs.max())
    key = [plan.options.seed, number + (len(chances) << _CANDIDATE)]
    wanted = np.random.Generator(np.random.Philox(key=key)).random() * chances.sum()
    chosen = int(np.searchsorted(np.cumsum(chances), wanted, side="right"))
    return min(chosen, len(chances) - 1)
