"""Samples drawn side by side: what is known of each, and the loop over positions.

Shapes: R rows, V symbols, C most symbols of one call, S states of a grammar, W the window of the
repetition penalty.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.sampling.compiled import entry, inner
from seqforge.core.sampling.network import Floats, Ids, Network, State, step
from seqforge.core.sampling.uniform import uniform
from seqforge.core.sampling.weighing import (
    END,
    Rules,
    Weights,
    choose,
    log_total,
    temperature_at,
    weigh,
)


class Grammar(NamedTuple):
    """A `Constraint` as the kernel reads it; no states for none."""

    allowed: NDArray[np.bool_]
    """(S, V)."""
    following: NDArray[np.int32]
    """(S, V)."""


class Streams(NamedTuple):
    """The rows; one that is not open is left alone."""

    open: NDArray[np.bool_]
    """(R,)."""
    numbers: NDArray[np.uint64]
    """(R,): the stream of uniform numbers, which is the sample's number."""
    positions: Ids
    """(R,): symbols drawn, the end symbol counted."""
    begins: Ids
    """(R,): the position of the first symbol of the record under way."""
    limits: Ids
    """(R,): where to stop, if the record has not ended before."""
    ends_left: Ids
    """(R,): at how many more end symbols to stop."""
    places: NDArray[np.int32]
    """(R,): states of the grammar."""
    recent: NDArray[np.int32]
    """(R, W): the last symbols, in a ring."""
    seen: Ids
    """(R,): how many symbols have been through it."""
    counts: NDArray[np.int32]
    """(R, V): how often each is among them."""
    drawn: Ids
    """(R, C): what a call drew; the rest is -1."""
    log_probs: NDArray[np.float64]
    """(R, C + 1): the sum of log-probabilities before the call and after each of its symbols."""
    removed: NDArray[np.float64]
    """(R, C + 1): the same of the probability that the grammar took away."""


def closed_streams(rows: int, vocab_size: int, window: int, call: int) -> Streams:
    """Rows that wait for a sample."""
    return Streams(
        open=np.zeros(rows, bool),
        numbers=np.zeros(rows, np.uint64),
        positions=np.zeros(rows, np.int64),
        begins=np.zeros(rows, np.int64),
        limits=np.zeros(rows, np.int64),
        ends_left=np.zeros(rows, np.int64),
        places=np.zeros(rows, np.int32),
        recent=np.zeros((rows, window), np.int32),
        seen=np.zeros(rows, np.int64),
        counts=np.zeros((rows, vocab_size), np.int32),
        drawn=np.full((rows, call), -1, np.int64),
        log_probs=np.zeros((rows, call + 1)),
        removed=np.zeros((rows, call + 1)),
    )


@inner
def note(streams: Streams, row: int, symbol: int, grammar: Grammar) -> None:
    """What a symbol, drawn or given, changes for the symbols after it."""
    if len(grammar.allowed):
        streams.places[row] = grammar.following[streams.places[row], symbol]
    window = streams.recent.shape[1]
    if window:
        place = streams.seen[row] % window
        if streams.seen[row] >= window:
            streams.counts[row, streams.recent[row, place]] -= 1
        streams.recent[row, place] = symbol
        streams.counts[row, symbol] += 1
        streams.seen[row] += 1


@inner
def _forbid(
    streams: Streams, row: int, rules: Rules, grammar: Grammar, chances: Weights, scores: Weights
) -> float:  # fmt: skip
    """Put the scores of what may not be drawn to minus infinity.

    Where the grammar allows only what is never drawn or held back, it gives way for a symbol.

    Returns:
        The probability, under the model alone, of what the grammar forbids.
    """
    if rules.unknown >= 0:
        scores[rules.unknown] = -np.inf
    if streams.positions[row] - streams.begins[row] < rules.least:
        scores[END] = -np.inf
    if not len(grammar.allowed):
        return 0.0
    removed, left, allowed = 0.0, False, grammar.allowed[streams.places[row]]
    for i in range(len(chances)):
        if not allowed[i]:
            removed += chances[i]
        left |= allowed[i] and scores[i] > -np.inf
    if left:
        for i in range(len(chances)):
            if not allowed[i]:
                scores[i] = -np.inf
    return removed


@inner
def draw(
    streams: Streams, row: int, logits: Floats, rules: Rules, grammar: Grammar, column: int,
    chances: Weights, scores: Weights,
) -> int:  # fmt: skip
    """Draw the next symbol of a row into a column; ``chances`` and ``scores`` are scratch (V,)."""
    size = len(chances)
    total = log_total(logits, size, chances)
    for i in range(size):
        scores[i] = logits[i] - total
        if streams.recent.shape[1] and streams.counts[row, i] > 0:
            scores[i] *= rules.repetition_penalty
    removed = _forbid(streams, row, rules, grammar, chances, scores)
    temperature = temperature_at(rules, streams.positions[row] - streams.begins[row])
    weigh(scores, size, temperature, rules, chances)
    number = uniform(rules.seed, streams.numbers[row], streams.positions[row])
    symbol = choose(chances, size, number)
    streams.drawn[row, column] = symbol
    log_prob = logits[symbol] - total
    streams.log_probs[row, column + 1] = streams.log_probs[row, column] + log_prob
    streams.removed[row, column + 1] = streams.removed[row, column] + removed
    streams.positions[row] += 1
    if streams.positions[row] == streams.limits[row]:
        streams.open[row] = False
    if symbol == END:
        streams.ends_left[row] -= 1
        streams.open[row] = streams.ends_left[row] > 0
        streams.begins[row] = streams.positions[row]
        streams.limits[row] = streams.positions[row] + rules.positions
    note(streams, row, symbol, grammar)
    return symbol


@inner
def draw_rows(
    streams: Streams, logits: Floats, rules: Rules, grammar: Grammar, column: int, ids: Ids
) -> None:  # fmt: skip
    """The next symbol of every open row, into ``ids``; a closed row reads the end symbol."""
    size = streams.counts.shape[1]
    chances, scores = np.empty(size), np.empty(size)
    for row in range(len(ids)):
        ids[row] = END
        if streams.open[row]:
            ids[row] = draw(
                streams, row, logits[row], rules, grammar, column, chances, scores
            )  # fmt: skip


@inner
def begin_call(streams: Streams) -> None:
    """Sums go on where the last call left them, and nothing is drawn yet."""
    for row in range(len(streams.open)):
        last = 0
        for column in range(streams.drawn.shape[1]):
            if streams.drawn[row, column] >= 0:
                last = column + 1
        streams.log_probs[row, 0] = streams.log_probs[row, last]
        streams.removed[row, 0] = streams.removed[row, last]
        streams.drawn[row] = -1


@entry
def run_streams(
    network: Network, state: State, streams: Streams, rules: Rules, grammar: Grammar
) -> None:  # fmt: skip
    """Draw as many symbols as a call holds in every open row, or up to its end."""
    begin_call(streams)
    ids = np.empty(len(streams.open), np.int64)
    for column in range(streams.drawn.shape[1]):
        if not streams.open.any():
            break
        draw_rows(streams, state.logits, rules, grammar, column, ids)
        step(network, state, ids)


@entry
def draw_column(
    streams: Streams, logits: Floats, rules: Rules, grammar: Grammar, column: int, ids: Ids
) -> None:  # fmt: skip
    """One symbol a row, for an engine that has its steps elsewhere; column 0 begins a call."""
    if column == 0:
        begin_call(streams)
    draw_rows(streams, logits, rules, grammar, column, ids)


@entry
def read_rows(network: Network, state: State, ids: Ids, log_probs: NDArray[np.float64]) -> None:
    """Read given symbols (T,) in every row, and write down how likely each was (R, T), in nats."""
    rows, size = len(log_probs), network.vocab_size
    chances, same = np.empty(size), np.empty(rows, np.int64)
    for t in range(len(ids)):
        for row in range(rows):
            total = log_total(state.logits[row], size, chances)
            log_probs[row, t] = state.logits[row, ids[t]] - total
        same[:] = ids[t]
        step(network, state, same)


@entry
def note_all(streams: Streams, row: int, ids: Ids, grammar: Grammar) -> None:
    """Lead a row through symbols that were given."""
    for symbol in ids:
        note(streams, row, symbol, grammar)
