"""A cell and sizes in, the names and shapes of a layer's weights out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.cells.catalogue import FUSED, cell_type

Shapes = dict[str, tuple[int, ...]]

_GATES = {
    "lstm": ("input", "forget", "cell", "output"),
    "gru": ("reset", "update", "new"),
    "rnn": ("hidden",),
}
"""Blocks of the cells that torch has layers of, in its order."""


def gate_names(cell: str) -> tuple[str, ...]:
    """Names of what the input feeds, and the bias, block by block."""
    return _GATES[cell] if cell in FUSED else cell_type(cell).equations.blocks


def layer_shapes(cell: str, inputs: int, hidden: int) -> Shapes:
    """The weights of a layer of ``hidden`` units that reads vectors of so many ``inputs``.

    Those of lstm, gru and rnn are named and shaped as in torch; for the others see `Equations`.
    """
    if cell in FUSED:
        rows = len(_GATES[cell]) * hidden
        return {
            "weight_ih_l0": (rows, inputs), "weight_hh_l0": (rows, hidden),
            "bias_ih_l0": (rows,), "bias_hh_l0": (rows,),
        }  # fmt: skip
    parts = cell_type(cell).equations
    shapes: Shapes = {"weight_ih_l0": (len(parts.from_input) * hidden, inputs)}
    if parts.products:
        shapes["weight_hh_l0"] = (parts.products * hidden, hidden)
    shapes["bias_ih_l0"] = (len(parts.blocks) * hidden,)
    if parts.diagonals:
        shapes["diagonal_l0"] = (len(parts.diagonals), hidden)
    return shapes


def attention_shapes(hidden: int, window: int) -> Shapes:
    """The weights of attention over so many states of ``hidden`` units."""
    return {
        "attention.query": (hidden, hidden), "attention.mix": (hidden, hidden),
        "attention.position": (window,),
    }  # fmt: skip


def rows_of(cell: str, weight: str) -> list[str]:
    """What each H rows of one of a layer's weights, or each diagonal, belong to: a block, or source
    to block.
    """
    if cell in FUSED:
        return list(_GATES[cell])
    parts = cell_type(cell).equations
    if weight == "weight_ih":
        return [parts.blocks[block] for block in parts.from_input]
    if weight == "bias_ih":
        return list(parts.blocks)
    if weight == "diagonal":
        return list(parts.diagonals)
    names = [
        (number, parts.blocks[block])
        for number, source in enumerate(parts.sources)
        for block in source.blocks
    ]
    return [block if number == 0 else f"{block}-{number + 1}" for number, block in names]


_LAYER, _ONE_LAYER = "layers.", "_l0"


def gate_arrays(
    cell: str, arrays: Mapping[str, NDArray[Any]]
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Arrays shaped like the weights in, the same arrays out, those of recurrent layers gate by
    gate.

    Args:
        cell: Its name.
        arrays: By the names that they have in a model; a recurrent one is (gates * H, ...).

    Yields:
        ``layer_0/forget/weight_hh`` and (H, ...); ``output/bias`` and the like as they are.
    """
    for name, array in arrays.items():
        if not name.startswith(_LAYER):
            yield name.replace(".", "/"), array
            continue
        _, layer, weight = name.split(".")
        kind = weight.removesuffix(_ONE_LAYER)
        gates = rows_of(cell, kind)
        for gate, part in zip(gates, np.split(array, len(gates)), strict=True):
            yield f"layer_{layer}/{gate}/{kind}", part.squeeze(0) if kind == "diagonal" else part
