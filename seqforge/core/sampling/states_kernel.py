"""Symbols of many rows in, the state of every unit after each of them out: the compiled loop of
traces.
"""

from __future__ import annotations

from typing import NamedTuple

from seqforge.core.kernels.compiler import kernel
from seqforge.core.sampling.packed_weights import Floats, PackedWeights, aligned
from seqforge.core.sampling.sampling_kernel import Ids, KernelState, step_layer, step_output


class States(NamedTuple):
    """A window of T symbols in each of R rows; L layers, H units a layer (or more, padded)."""

    logits: Floats
    """(T, R, V or wider): before each symbol."""
    hidden: Floats
    """(T, L, R, H): h after each symbol."""
    kept: Floats
    """(T, L, R, H): the LSTM's cell, or h again."""
    gates: Floats
    """(T, L, R, N, or blocks, H): activations, block by block (`Layout.names`); T is 0 if they are
    not wanted."""


def room(network: PackedWeights, steps: int, rows: int, gates: bool) -> States:
    """Zeros for a window."""
    layers = len(network.layers)
    shape = steps, layers, rows, network.hidden
    return States(
        aligned(steps, rows, network.width), aligned(*shape), aligned(*shape),
        aligned(steps if gates else 0, layers, rows, network.columns),
    )  # fmt: skip


@kernel
def _copy_rows(source: Floats, target: Floats, rows: int, width: int) -> None:
    for row in range(rows):
        for i in range(width):
            target[row, i] = source[row, i]


@kernel
def read_states(network: PackedWeights, state: KernelState, ids: Ids, found: States) -> None:
    """Read given symbols (T, R), and fill in what is found."""
    rows, h = ids.shape[1], network.hidden
    for t in range(len(ids)):
        _copy_rows(state.logits, found.logits[t], rows, network.width)
        for layer in range(len(network.layers)):
            step_layer(network, state, ids[t], layer)
            _copy_rows(state.h[layer], found.hidden[t, layer], rows, h)
            _copy_rows(state.kept[layer], found.kept[t, layer], rows, h)
            if len(found.gates):
                _copy_rows(state.pre, found.gates[t, layer], rows, network.columns)
        step_output(network, state)
