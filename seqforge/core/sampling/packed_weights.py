"""A checkpoint's arrays in, the same weights laid out for the compiled step out."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.cells import symbols
from seqforge.core.cells.catalogue import cell_type
from seqforge.core.cells.weights import gate_names
from seqforge.core.kernels.equation_step import kept_parts
from seqforge.core.kernels.intrinsics import LANES, TILE
from seqforge.core.kernels.kernel_cache import digest_of
from seqforge.core.kernels.ops import CELLS, padded

Floats = NDArray[np.float32]

_LINE = 16  # float32 numbers in a cache line of 64 bytes

_NONE: Floats = np.zeros((0, 0), np.float32)


class PackedWeights(NamedTuple):
    """Everything `step` needs."""

    weights: Floats
    """All of them; every part begins at a cache line."""
    layers: NDArray[np.int64]
    """(L, 3 or more): where a layer's start rows, packed input weights and packed state weights
    begin; of a cell made from equations, start rows, input weights, diagonals, and the weights of
    each source."""
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
    units: int
    """Of a layer, without the padding."""
    holds: str = ""
    """Whether any unit is held at a value: "held", or nothing; such kernels are compiled apart."""
    scale: Floats = _NONE
    """(L, H): 0 for a unit that is held, 1 for the others."""
    shift: Floats = _NONE
    """(L, H): the values of those that are held, 0 for the others."""
    equations: str = ""
    """A digest of the cell's equations; nothing for a cell whose gates are written by hand."""
    input_column: int = 0
    """First of the columns that the input feeds."""
    kept: int = 1
    """How many vectors of H numbers a row keeps beside h."""
    attends: str = ""
    """Whether there is attention over the past: "past", or nothing; compiled apart."""
    window: int = 0
    """How many states before the present one it sees."""
    span: int = 0
    """Numbers that the output layer reads of a row: H, padded to the tile if there is attention."""
    query: int = 0
    """Where the packed weights of queries, over the square root of H, begin; likewise ``mix``."""
    mix: int = 0
    position: int = 0
    """Where the biases of its places begin, the oldest first."""


def aligned(*shape: int) -> Floats:
    """Zeros that begin at a cache line."""
    size = int(np.prod(shape))
    raw = np.zeros(size + _LINE, np.float32)
    first = (-raw.ctypes.data // 4) % _LINE
    return raw[first : first + size].reshape(shape)


def pack_model(cell: str, weights: Mapping[str, NDArray[Any]]) -> PackedWeights:
    """Lay a checkpoint's arrays out.

    Raises:
        KeyError: If one is missing.
        ValueError: If one has the wrong shape.
    """
    parts, one_layer = _Parts(), _layer if cell in CELLS else _equation_layer
    layers: list[list[int]] = []
    while f"layers.{len(layers)}.weight_ih_l0" in weights:
        layers.append(one_layer(cell, weights, len(layers), parts))
    out = np.asarray(weights["output.weight"], np.float32)
    inner_size = len(weights["layers.0.bias_ih_l0"]) // len(gate_names(cell))
    bias = np.asarray(weights["output.bias"], np.float32).reshape(len(out))
    if out.shape[1] != inner_size:
        raise ValueError("the output does not fit the hidden layer")
    hidden, width = padded(inner_size), _tiled(len(out))
    attends = "attention.query" in weights
    span = _spanned(inner_size) if attends else hidden
    parts.add(np.pad(bias, (0, width - len(out))))
    output = parts.add(_packed(np.pad(out, ((0, 0), (0, span - inner_size)))))
    attention = _attention(weights, hidden, span, parts) if attends else {}
    made = PackedWeights(
        parts.joined(), np.array(layers, np.int64), cell, hidden, len(out), 0, 0, 0, 0, 0, output,
        width, inner_size, span=span, **attention,
    )  # fmt: skip
    return made._replace(**_hand_written(cell, hidden) if cell in CELLS else _made(cell, hidden))


def _attention(
    weights: Mapping[str, NDArray[Any]], hidden: int, span: int, parts: _Parts
) -> dict[str, Any]:
    """Where the attention's weights are, and its window."""
    query, mix, position = (
        np.asarray(weights[f"attention.{name}"], np.float64)
        for name in ("query", "mix", "position")
    )
    units = len(query)
    query, mix = (
        np.pad(weight, ((0, span - units), (0, inputs - units)))
        for weight, inputs in ((query * units**-0.5, hidden), (mix, span))
    )
    return {
        "attends": "past", "window": len(position), "query": parts.add(_packed(query)),
        "mix": parts.add(_packed(mix)), "position": parts.add(position),
    }  # fmt: skip


def _hand_written(cell: str, hidden: int) -> dict[str, Any]:
    """Where the columns of a cell's blocks are."""
    layout = CELLS[cell].layout
    columns, state_column = layout.blocks * hidden, layout.first_from_state * hidden
    from_input, from_state = (
        _tiled(len(f) * hidden) for f in (layout.from_input, layout.from_state)
    )
    return {
        "columns": columns, "from_input": from_input, "from_state": from_state,
        "state_column": state_column,
        "stride": max(from_input, state_column + from_state, columns),
    }  # fmt: skip


def _made(cell: str, hidden: int) -> dict[str, Any]:
    """The same, and what else is to be known of a cell that is made from its equations."""
    kind = cell_type(cell)
    equations = kind.equations
    fed = [equations.from_input, *(source.blocks for source in equations.sources)]
    ends = [blocks[0] * hidden + _tiled(len(blocks) * hidden) for blocks in fed]
    columns = len(equations.blocks) * hidden
    said = f"{equations!r} {digest_of(symbols.__name__)}"
    return {
        "columns": columns, "from_input": _tiled(len(equations.from_input) * hidden),
        "input_column": equations.from_input[0] * hidden, "stride": max(*ends, columns),
        "kept": len(kept_parts(kind)), "equations": sha256(said.encode()).hexdigest()[:16],
    }  # fmt: skip


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


def _equation_layer(
    cell: str, weights: Mapping[str, NDArray[Any]], number: int, parts: _Parts
) -> list[int]:
    """Where start rows, input weights, diagonals and the weights of each source begin."""
    equations = cell_type(cell).equations

    def given(name: str) -> NDArray[Any]:
        return np.asarray(weights[f"layers.{number}.{name}_l0"], np.float64)

    w_ih, start = given("weight_ih"), given("bias_ih").reshape(1, len(equations.blocks), -1)
    hidden = start.shape[2]
    rest = padded(hidden) - hidden
    if number == 0:
        table = np.asarray(weights["embedding.weight"], np.float64) @ w_ih.T
        start = np.repeat(start, len(table), axis=0)
        start[:, list(equations.from_input)] += table.reshape(len(table), -1, hidden)
    begins = parts.add(np.pad(start, ((0, 0), (0, 0), (0, rest))))
    every = tuple(range(len(equations.from_input)))
    inputs = parts.add(_packed(_gates(w_ih, every, hidden))) if number else 0
    diagonals = 0
    if equations.diagonals:
        diagonals = parts.add(np.pad(given("diagonal"), ((0, 0), (0, rest))))
    w_hh = given("weight_hh") if equations.products else np.zeros((0, hidden))
    found, used = [begins, inputs, diagonals], 0
    for source in equations.sources:
        rows = w_hh[used : used + len(source.blocks) * hidden]
        found.append(parts.add(_packed(_gates(rows, tuple(range(len(source.blocks))), hidden))))
        used += len(rows)
    return found


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


def _spanned(size: int) -> int:
    """The next size that `product` and `dot` both take."""
    return -(-size // max(TILE, LANES)) * max(TILE, LANES)
