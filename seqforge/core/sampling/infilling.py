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
from seqforge.core.sampling.plan import Drawing, Plan
from seqforge.core.sampling.streams import Grammar

_CANDIDATE = 40  # bit of the stream's number from which the candidate is counted


def fill(plan: Plan, first: int, count: int, threads: int) -> Iterator[Sample]:
    """Draw samples ``first`` to ``first + count - 1`` that end with the plan's suffix.

    Where the grammar forbids the suffix after some candidates these are left out, unless after
    all.
    """
    suffix = plan.vocabulary.encode(plan.options.suffix, "the suffix").astype(np.int64)
    numbers = iter(range(first, first + count))
    with ThreadPoolExecutor(threads) as executor:
        while some := list(islice(numbers, threads)):
            yield from executor.map(lambda number: _fill(plan, suffix, number), some)


def _fill(plan: Plan, suffix: Ids, number: int) -> Sample:
    engine, rows = plan.engine, plan.options.candidates
    state = engine.rows(plan.state, np.zeros(rows, np.int64))
    streams = plan.streams(rows, plan.limit)
    for row in range(rows):
        plan.seat(streams, row, number + (row << _CANDIDATE))
    engine.run(state, streams, plan.rules, plan.grammar)
    weights = engine.read(state, suffix).sum(axis=1)
    fits = _fitting(plan.grammar, streams.places, suffix)
    if fits.any():
        weights[~fits] = -np.inf
    chances = np.exp(weights - weights.max())
    key = [plan.options.seed, number + (rows << _CANDIDATE)]
    wanted = np.random.Generator(np.random.Philox(key=key)).random() * chances.sum()
    chosen = int(np.searchsorted(np.cumsum(chances), wanted, side="right"))
    drawing = Drawing(plan, number)
    drawing.take(streams, min(chosen, rows - 1))
    (sample,) = drawing.done
    end = plan.options.suffix
    return replace(sample, symbols=sample.symbols + end, suffix_length=len(end))


def _fitting(grammar: Grammar, places: NDArray[np.int32], suffix: Ids) -> NDArray[np.bool_]:
    """From which states (R,) the grammar allows the suffix."""
    fits = np.ones(len(places), bool)
    if not len(grammar.allowed):
        return fits
    for symbol in suffix:
        fits &= grammar.allowed[places, symbol]
        places = grammar.following[places, symbol]
    return fits
