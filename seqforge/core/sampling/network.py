"""A model's weights as one array the kernel reads, and one step of many rows through them.

Shapes: R rows, L layers, H hidden padded to the vector width, V symbols, N = blocks x H of a cell
(`kernels.pointwise.Layout`). Padded places hold zeros throughout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.pointwise import CELLS
from seqforge.core.kernels.products import padded
from seqforge.core.sampling.compiled import entry, inner
from seqforge.core.sampling.intrinsics import TILE, gru_gates, lstm_gates, product, rnn_gates

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]

_CELLS = ("lstm", "gru", "rnn")
_LSTM, _GRU = 0, 1
_LINE = 16  # float32 numbers in a cache line of 64 bytes


class Network(NamedTuple):
    """Everything `step` needs."""

    weights: Floats
    """All of them; every part begins at a cache line."""
    layers: NDArray[np.int64]
    """(L, 3): where a layer's start rows, packed input weights and packed state weights begin."""
    cell: int
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


class State(NamedTuple):
    """What rows carry from symbol to symbol."""

    h: Floats
    """(L, R, H)."""
    kept: Floats
    """(L, R, H): the LSTM's cell, or h again."""
    logits: Floats
    """(R, width): of the symbol to come; padded places hold zeros."""
    pre: Floats
    """(R, stride), scratch."""


def aligned(*shape: int) -> Floats:
    """Zeros that begin at a cache line."""
    size = int(np.prod(shape))
    raw = np.zeros(size + _LINE, np.float32)
    first = (-raw.ctypes.data // 4) % _LINE
    return raw[first : first + size].reshape(shape)


def zero_state(network: Network, rows: int) -> State:
    """The state before anything was read."""
    shape = (len(network.layers), rows, network.hidden)
    return State(
        aligned(*shape), aligned(*shape), aligned(rows, network.width),
        aligned(rows, network.stride),
    )  # fmt: skip


def build_network(cell: str, weights: Mapping[str, NDArray[Any]]) -> Network:
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
    return Network(
        parts.joined(), np.array(layers, np.int64), _CELLS.index(cell), hidden, len(out),
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


@inner
def step(network: Network, state: State, ids: Ids) -> None:
    """Read a symbol in each row: ids (R,) change the state, logits and all."""
    rows, h = len(ids), network.hidden
    for layer in range(len(network.layers)):
        begins, w_in, w_state = network.layers[layer]
        for row in range(rows):
            source = begins + (ids[row] * network.columns if layer == 0 else 0)
            state.pre[row, : network.columns] = network.weights[source : source + network.columns]
        if layer > 0:
            product(state.h, (layer - 1) * rows * h, h, network.weights, w_in,
                    state.pre, 0, network.stride, network.from_input, rows)  # fmt: skip
        product(state.h, layer * rows * h, h, network.weights, w_state, state.pre,
                network.state_column, network.stride, network.from_state, rows)  # fmt: skip
        for row in range(rows):
            before, at = row * network.stride, (layer * rows + row) * h
            if network.cell == _LSTM:
                lstm_gates(state.pre, before, state.kept, state.h, at, h)
            elif network.cell == _GRU:
                gru_gates(state.pre, before, state.kept, state.h, at, h)
            else:
                rnn_gates(state.pre, before, state.kept, state.h, at, h)
    biases = network.output - network.width
    for row in range(rows):
        state.logits[row] = network.weights[biases : biases + network.width]
    product(state.h, (len(network.layers) - 1) * rows * h, h, network.weights, network.output,
            state.logits, 0, network.width, network.width, rows)  # fmt: skip


@entry
def step_rows(network: Network, state: State, ids: Ids) -> None:
    """`step`, for Python."""
    step(network, state, ids)
