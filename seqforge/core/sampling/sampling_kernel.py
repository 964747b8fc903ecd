"""Packed weights and the state of a batch of rows in, drawn symbols out: the compiled sampling
loop.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.equation_step import equation_step, held_equation_step
from seqforge.core.kernels.intrinsics import add_scaled, dot, gates, held_gates, product
from seqforge.core.sampling.logit_filters import (
    END,
    FilterParams,
    Scratch,
    Weights,
    draw_symbol,
    filter_logits,
    log_total,
    philox_uniform,
    scratch,
    temperature_at,
)
from seqforge.core.sampling.packed_weights import Floats, PackedWeights, aligned

Ids = NDArray[np.int64]


class KernelState(NamedTuple):
    """What rows carry from symbol to symbol."""

    h: Floats
    """(L, R, H)."""
    kept: Floats
    """(L, R, K * H): the LSTM's cell, or h again; what a cell carries beside h."""
    logits: Floats
    """(R, width): of the symbol to come; padded places hold zeros."""
    pre: Floats
    """(R, stride), scratch."""
    ids: Ids
    """(R,), scratch: what the rows read next."""
    source: Floats
    """(R, H), scratch: what is multiplied with weights and is not h."""
    past: Floats
    """(R, w * span): the last states of the top layer, in a ring; w is 0 without attention."""
    oldest: Ids
    """(R,): the place in the ring of the oldest, which the next one replaces."""
    looks: Floats
    """(R, span), scratch: queries, then what is found."""
    top: Floats
    """(R, span), scratch: what the output layer reads."""
    scores: Floats
    """(w,), scratch."""
    chances: Weights
    """(w,), scratch: the scores' softmax."""


def zero_state(network: PackedWeights, rows: int) -> KernelState:
    """The state before anything was read."""
    shape = (len(network.layers), rows, network.hidden)
    window, span = network.window, network.span if network.window else 0
    return KernelState(
        aligned(*shape), aligned(*shape[:2], network.kept * network.hidden),
        aligned(rows, network.width), aligned(rows, network.stride), np.zeros(rows, np.int64),
        aligned(rows, network.hidden), aligned(rows, window * span), np.zeros(rows, np.int64),
        aligned(rows, span), aligned(rows, span), aligned(window), np.zeros(window),
    )  # fmt: skip


def copy_carried(
    target: KernelState, rows: int | slice, source: KernelState, others: int | Ids
) -> None:
    """Copy what rows of another state carry into rows."""
    target.h[:, rows], target.kept[:, rows] = source.h[:, others], source.kept[:, others]
    target.logits[rows] = source.logits[others]
    target.past[rows], target.oldest[rows] = source.past[others], source.oldest[others]


@kernel
def _copy(source: Floats, first: int, target: Floats, count: int) -> None:
    """Put so many numbers from ``first`` on at the beginning of the target."""
    for i in range(count):
        target[i] = source[first + i]


@kernel
def step_layer(network: PackedWeights, state: KernelState, ids: Ids, layer: int) -> None:
    """Read a symbol in each row of a layer whose input is read: h and what is kept change."""
    rows, h = len(ids), network.hidden
    parts = network.layers[layer]
    for row in range(rows):
        source = parts[0] + (ids[row] * network.columns if layer == 0 else 0)
        _copy(network.weights, source, state.pre[row], network.columns)
    if layer > 0:
        product(state.h, (layer - 1) * rows * h, h, network.weights, parts[1],
                state.pre, network.input_column, network.stride, network.from_input,
                rows)  # fmt: skip
    if network.equations != "":
        _follow_equations(network, state, layer, rows)
    else:
        _gated(network, state, layer, rows)


@kernel
def _follow_equations(network: PackedWeights, state: KernelState, layer: int, rows: int) -> None:
    if network.holds == "held":
        held_equation_step(
            network.cell, network.weights, network.layers[layer], state.pre, state.kept[layer],
            state.h[layer], state.source, network.hidden, network.stride, rows,
            network.scale[layer], network.shift[layer],
        )  # fmt: skip
    else:
        equation_step(
            network.cell, network.weights, network.layers[layer], state.pre, state.kept[layer],
            state.h[layer], state.source, network.hidden, network.stride, rows,
        )  # fmt: skip


@kernel
def _gated(network: PackedWeights, state: KernelState, layer: int, rows: int) -> None:
    """The product with h, and the gates."""
    h, parts = network.hidden, network.layers[layer]
    product(state.h, layer * rows * h, h, network.weights, parts[2], state.pre,
            network.state_column, network.stride, network.from_state, rows)  # fmt: skip
    for row in range(rows):
        before, at = row * network.stride, (layer * rows + row) * h
        if network.holds == "held":
            held_gates(network.cell, state.pre, before, state.kept, state.h, at, h,
                       network.scale[layer], network.shift[layer])  # fmt: skip
        else:
            gates(network.cell, state.pre, before, state.kept, state.h, at, h)


@kernel
def step_output(network: PackedWeights, state: KernelState) -> None:
    """The logits of the last layer's h, or of that and what attention finds."""
    rows, first = len(state.logits), (len(network.layers) - 1) * len(state.logits) * network.hidden
    biases = network.output - network.width
    for row in range(rows):
        _copy(network.weights, biases, state.logits[row], network.width)
    if network.attends != "":
        _look_back(network, state, first)
        product(state.top, 0, network.span, network.weights, network.output, state.logits, 0,
                network.width, network.width, rows)  # fmt: skip
    else:
        product(state.h, first, network.span, network.weights, network.output, state.logits, 0,
                network.width, network.width, rows)  # fmt: skip


@kernel
def _look_back(network: PackedWeights, state: KernelState, first: int) -> None:
    """See `model.attention`. The last layer's h, from ``first`` on, joins the ring of each row."""
    rows, span, h = len(state.logits), network.span, state.h[len(network.layers) - 1]
    for row in range(rows):
        for i in range(span):
            state.looks[row, i], state.top[row, i] = 0.0, 0.0
        _copy(h[row], 0, state.top[row], network.hidden)
    product(state.h, first, network.hidden, network.weights, network.query, state.looks, 0, span,
            span, rows)  # fmt: skip
    for row in range(rows):
        _find(network, state, row)
        oldest = state.oldest[row]
        for i in range(span):
            state.past[row, oldest * span + i] = state.top[row, i]
        state.oldest[row] = (oldest + 1) % network.window
    product(state.looks, 0, span, network.weights, network.mix, state.top, 0, span, span,
            rows)  # fmt: skip


@kernel
def _find(network: PackedWeights, state: KernelState, row: int) -> None:
    """A row's query in, the weighted sum of its states in the same place out."""
    window, span = network.window, network.span
    for slot in range(window):
        place = (slot - state.oldest[row]) % window
        found = dot(state.looks[row], 0, state.past[row], slot * span, span)
        state.scores[slot] = found + network.weights[network.position + place]
    log_total(state.scores, window, state.chances)
    for i in range(span):
        state.looks[row, i] = 0.0
    for slot in range(window):
        add_scaled(state.looks[row], 0, np.float32(state.chances[slot]), state.past[row],
                   slot * span, span)  # fmt: skip


@kernel
def step(network: PackedWeights, state: KernelState, ids: Ids) -> None:
    """Read a symbol in each row: ids (R,) change the state, logits and all."""
    for layer in range(len(network.layers)):
        step_layer(network, state, ids, layer)
    step_output(network, state)


class Grammar(NamedTuple):
    """A `Constraint` as the kernel reads it; no states for none."""

    allowed: NDArray[np.bool_]
    """(S, V)."""
    following: NDArray[np.int32]
    """(S, V)."""


NO_GRAMMAR = Grammar(np.zeros((0, 0), bool), np.zeros((0, 0), np.int32))


class BatchState(NamedTuple):
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
    room: Scratch


def closed_batch(rows: int, vocab_size: int, window: int, call: int) -> BatchState:
    """Rows that wait for a sample."""
    return BatchState(
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
        room=scratch(vocab_size),
    )


@kernel
def note(streams: BatchState, row: int, symbol: int, grammar: Grammar) -> None:
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


@kernel
def _forbid(
    streams: BatchState, row: int, filters: FilterParams, grammar: Grammar, chances: Weights,
    scores: Weights,
) -> float:  # fmt: skip
    """Put the scores of what may not be drawn to minus infinity.

    Where the grammar allows only what is never drawn or held back, it gives way for a symbol.

    Returns:
        The probability, under the model alone, of what the grammar forbids.
    """
    if filters.unknown >= 0:
        scores[filters.unknown] = -math.inf
    if streams.positions[row] - streams.begins[row] < filters.least:
        scores[END] = -math.inf
    if not len(grammar.allowed):
        return 0.0
    removed, left, allowed = 0.0, False, grammar.allowed[streams.places[row]]
    for i in range(len(chances)):
        if not allowed[i]:
            removed += chances[i]
        left |= allowed[i] and scores[i] > -math.inf
    if left:
        for i in range(len(chances)):
            if not allowed[i]:
                scores[i] = -math.inf
    return removed


@kernel
def draw(
    streams: BatchState, row: int, logits: Floats, filters: FilterParams, grammar: Grammar,
    column: int,
) -> int:  # fmt: skip
    """Draw the next symbol of a row into a column."""
    chances, scores = streams.room.chances, streams.room.scores
    size = len(chances)
    total = log_total(logits, size, chances)
    for i in range(size):
        scores[i] = float(logits[i]) - total
        if streams.recent.shape[1] and streams.counts[row, i] > 0:
            scores[i] *= filters.repetition_penalty
    removed = _forbid(streams, row, filters, grammar, chances, scores)
    temperature = temperature_at(filters, streams.positions[row] - streams.begins[row])
    filter_logits(size, temperature, filters, streams.room)
    number = philox_uniform(filters.seed, streams.numbers[row], streams.positions[row])
    symbol = draw_symbol(chances, size, number)
    streams.drawn[row, column] = symbol
    log_prob = float(logits[symbol]) - total
    streams.log_probs[row, column + 1] = streams.log_probs[row, column] + log_prob
    streams.removed[row, column + 1] = streams.removed[row, column] + removed
    streams.positions[row] += 1
    if streams.positions[row] == streams.limits[row]:
        streams.open[row] = False
    if symbol == END:
        streams.ends_left[row] -= 1
        streams.open[row] = streams.ends_left[row] > 0
        streams.begins[row] = streams.positions[row]
        streams.limits[row] = streams.positions[row] + filters.positions
    note(streams, row, symbol, grammar)
    return symbol


@kernel
def draw_rows(
    streams: BatchState, logits: Floats, filters: FilterParams, grammar: Grammar, column: int,
    ids: Ids,
) -> None:  # fmt: skip
    """The next symbol of every open row, into ``ids``; a closed row reads the end symbol."""
    for row in range(len(ids)):
        ids[row] = END
        if streams.open[row]:
            ids[row] = draw(streams, row, logits[row], filters, grammar, column)


@kernel
def begin_call(streams: BatchState) -> None:
    """Sums go on where the last call left them, and nothing is drawn yet."""
    for row in range(len(streams.open)):
        last = 0
        for column in range(streams.drawn.shape[1]):
            if streams.drawn[row, column] >= 0:
                last = column + 1
        streams.log_probs[row, 0] = streams.log_probs[row, last]
        streams.removed[row, 0] = streams.removed[row, last]
        for column in range(streams.drawn.shape[1]):
            streams.drawn[row, column] = -1


@kernel
def open_rows(streams: BatchState) -> int:
    """How many rows are open."""
    count = 0
    for row in range(len(streams.open)):
        count += int(streams.open[row])
    return count


@kernel
def read_and_draw(
    network: PackedWeights, state: KernelState, ids: Ids, log_probs: NDArray[np.float64],
    streams: BatchState, filters: FilterParams, grammar: Grammar,
) -> None:  # fmt: skip
    """Read given symbols (T, R); then draw in every open row as many as a call holds, or to its
    end.

    ``log_probs`` (R, T): filled in with how likely each given symbol was, in nats. Both are one
    kernel because both need the network's step, the larger part of the code.
    """
    for t in range(len(ids)):
        for row in range(len(log_probs)):
            total = log_total(state.logits[row], network.vocab_size, streams.room.chances)
            log_probs[row, t] = float(state.logits[row, ids[t, row]]) - total
        step(network, state, ids[t])
    begin_call(streams)
    for column in range(streams.drawn.shape[1]):
        if open_rows(streams) == 0:
            break
        draw_rows(streams, state.logits, filters, grammar, column, state.ids)
        step(network, state, state.ids)


@kernel
def draw_column(
    streams: BatchState, logits: Floats, filters: FilterParams, grammar: Grammar, column: int,
    ids: Ids,
) -> None:  # fmt: skip
    """One symbol a row, for an engine that has its steps elsewhere; column 0 begins a call."""
    if column == 0:
        begin_call(streams)
    draw_rows(streams, logits, filters, grammar, column, ids)


@kernel
def note_all(streams: BatchState, row: int, ids: Ids, grammar: Grammar) -> None:
    """Lead a row through symbols that were given."""
    for t in range(len(ids)):
        note(streams, row, ids[t], grammar)
