"""Packed weights and the state of a batch of rows in, drawn symbols out: the compiled sampling
loop.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.intrinsics import TILE, gates, product
from seqforge.core.kernels.ops import CELLS, padded
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

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]

_LINE = 16  # float32 numbers in a cache line of 64 bytes


class PackedWeights(NamedTuple):
    """Everything `step` needs."""

    weights: Floats
    """All of them; every part begins at a cache line."""
    layers: NDArray[np.int64]
    """(L, 3): where a layer's start rows, packed input weights and packed state weights begin."""
    cell: str
    hidden: int
    vocab_size: int
    columns: int
    """N."""
    from_input: int
    """Columns of the product with the input, a multiple of the tile; likewise ``from_state``."""
    from_state: int
    state_column: int
    """First of the columns that the state feeds."""
    stride: int
    """Numbers from a row of pre-activations to the next."""
    output: int
    """Where the packed output weights begin; the biases, padded, are right before them."""
    width: int
    """Logits of a row: V, padded to the tile."""


class KernelState(NamedTuple):
    """What rows carry from symbol to symbol."""

    h: Floats
    """(L, R, H)."""
    kept: Floats
    """(L, R, H): the LSTM's cell, or h again."""
    logits: Floats
    """(R, width): of the symbol to come; padded places hold zeros."""
    pre: Floats
    """(R, stride), scratch."""
    ids: Ids
    """(R,), scratch: what the rows read next."""


def aligned(*shape: int) -> Floats:
    """Zeros that begin at a cache line."""
    size = int(np.prod(shape))
    raw = np.zeros(size + _LINE, np.float32)
    first = (-raw.ctypes.data // 4) % _LINE
    return raw[first : first + size].reshape(shape)


def zero_state(network: PackedWeights, rows: int) -> KernelState:
    """The state before anything was read."""
    shape = (len(network.layers), rows, network.hidden)
    return KernelState(
        aligned(*shape), aligned(*shape), aligned(rows, network.width),
        aligned(rows, network.stride), np.zeros(rows, np.int64),
    )  # fmt: skip


def pack_model(cell: str, weights: Mapping[str, NDArray[Any]]) -> PackedWeights:
    """Lay a checkpoint's arrays out.

    Raises:
        KeyError: If one is missing.
        ValueError: If one has the wrong shape.
    """
    layout, parts = CELLS[cell].layout, _Parts()
    layers: list[list[int]] = []
    while f"layers.{len(layers)}.weight_hh_l0" in weights:
        layers.append(_layer(cell, weights, len(layers), parts))
    inner_size = weights["layers.0.weight_hh_l0"].shape[1]
    out = np.asarray(weights["output.weight"], np.float32)
    bias = np.asarray(weights["output.bias"], np.float32).reshape(len(out))
    if out.shape[1] != inner_size:
        raise ValueError("the output does not fit the hidden layer")
    hidden, width = padded(inner_size), _tiled(len(out))
    parts.add(np.pad(bias, (0, width - len(out))))
    output = parts.add(_packed(np.pad(out, ((0, 0), (0, hidden - inner_size)))))
    from_input, from_state = (
        _tiled(len(f) * hidden) for f in (layout.from_input, layout.from_state)
    )
    state_column = layout.first_from_state * hidden
    return PackedWeights(
        parts.joined(), np.array(layers, np.int64), cell, hidden, len(out),
        layout.blocks * hidden, from_input, from_state, state_column,
        max(from_input, state_column + from_state, layout.blocks * hidden), output, width,
    )  # fmt: skip


class _Parts:
    """Arrays put one after the other."""

    def __init__(self) -> None:
        self._arrays: list[Floats] = []
        self._size = 0

    def add(self, array: NDArray[Any]) -> int:
        """Put one more; returns where it begins."""
        flat = np.asarray(array, np.float32).ravel()
        begins, rest = self._size, -len(flat) % _LINE
        self._arrays.append(np.pad(flat, (0, rest)))
        self._size += len(flat) + rest
        return begins

    def joined(self) -> Floats:
        whole = aligned(self._size)
        np.concatenate(self._arrays, out=whole)
        return whole


def _layer(cell: str, weights: Mapping[str, NDArray[Any]], number: int, parts: _Parts) -> list[int]:
    """Where start rows, input weights and state weights of a layer begin."""
    layout = CELLS[cell].layout
    w_ih, w_hh, b_ih, b_hh = (
        np.asarray(weights[f"layers.{number}.{name}_l0"], np.float64)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    hidden, count = w_hh.shape[1], layout.blocks
    start = np.zeros((1, count, hidden))
    start[0, : len(layout.from_input)] += b_ih.reshape(-1, hidden)[list(layout.from_input)]
    first = layout.first_from_state
    start[0, first : first + len(layout.from_state)] += b_hh.reshape(-1, hidden)[
        list(layout.from_state)
    ]
    state_rows = _gates(w_hh, layout.from_state, hidden)
    if number == 0:  # a symbol's share of the sums, worked out once: no product for the embedding
        table = np.asarray(weights["embedding.weight"], np.float64) @ w_ih.T
        gates = table.reshape(len(table), -1, hidden)[:, list(layout.from_input)]
        start = np.repeat(start, len(table), axis=0)
        start[:, : len(layout.from_input)] += gates
    wide = np.pad(start, ((0, 0), (0, 0), (0, padded(hidden) - hidden)))
    begins = parts.add(wide)
    inputs = parts.add(_packed(_gates(w_ih, layout.from_input, hidden))) if number else 0
    return [begins, inputs, parts.add(_packed(state_rows))]


def _gates(weight: NDArray[Any], order: tuple[int, ...], hidden: int) -> NDArray[Any]:
    """Gates of (G * H, K) weights in a given order, both sides padded."""
    inner_size = weight.shape[1]
    gates = weight.reshape(-1, hidden, inner_size)[list(order)]
    rest = (0, padded(hidden) - hidden), (0, padded(inner_size) - inner_size)
    return np.pad(gates, ((0, 0), *rest)).reshape(-1, padded(inner_size))


def _packed(weight: NDArray[Any]) -> NDArray[Any]:
    """Weights (N, K) in the order in which a product reads them, N padded to the tile."""
    columns, inner_size = weight.shape
    whole = np.pad(weight, ((0, _tiled(columns) - columns), (0, 0)))
    return whole.reshape(-1, TILE, inner_size).transpose(0, 2, 1)


def _tiled(size: int) -> int:
    return -(-size // TILE) * TILE


@kernel
def _copy(source: Floats, first: int, target: Floats, count: int) -> None:
    """Put so many numbers from ``first`` on at the beginning of the target."""
    for i in range(count):
        target[i] = source[first + i]


@kernel
def step(network: PackedWeights, state: KernelState, ids: Ids) -> None:
    """Read a symbol in each row: ids (R,) change the state, logits and all."""
    rows, h = len(ids), network.hidden
    for layer in range(len(network.layers)):
        parts = network.layers[layer]
        for row in range(rows):
            source = parts[0] + (ids[row] * network.columns if layer == 0 else 0)
            _copy(network.weights, source, state.pre[row], network.columns)
        if layer > 0:
            product(state.h, (layer - 1) * rows * h, h, network.weights, parts[1],
                    state.pre, 0, network.stride, network.from_input, rows)  # fmt: skip
        product(state.h, layer * rows * h, h, network.weights, parts[2], state.pre,
                network.state_column, network.stride, network.from_state, rows)  # fmt: skip
        for row in range(rows):
            before, at = row * network.stride, (layer * rows + row) * h
            gates(network.cell, state.pre, before, state.kept, state.h, at, h)
    biases = network.output - network.width
    for row in range(rows):
        _copy(network.weights, biases, state.logits[row], network.width)
    product(state.h, (len(network.layers) - 1) * rows * h, h, network.weights, network.output,
            state.logits, 0, network.width, network.width, rows)  # fmt: skip


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
def _open_rows(streams: BatchState) -> int:
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
        if _open_rows(streams) == 0:
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
