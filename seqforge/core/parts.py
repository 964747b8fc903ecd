"""The weights of a network by layer and gate, under names that people can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.cells import GATES

GATE_NAMES = {
    "lstm": ("input", "forget", "cell", "output"),
    "gru": ("reset", "update", "new"),
    "rnn": ("hidden",),
}
"""Gates a cell, in the order in which torch stacks them."""

_LAYER, _ONE_LAYER = "layers.", "_l0"


def gate_arrays(
    cell: str, arrays: Mapping[str, NDArray[Any]]
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Arrays of the shape of the weights, those of recurrent layers a gate at a time.

    Args:
        cell: lstm, gru or rnn.
        arrays: By the names that they have in a model; a recurrent one is (gates * H, ...).

    Yields:
        ``layer_0/forget/weight_hh`` and (H, ...); ``output/bias`` and the like as they are.
    """
    for name, array in arrays.items():
        if not name.startswith(_LAYER):
            yield name.replace(".", "/"), array
            continue
        _, layer, weight = name.split(".")
        for gate, part in zip(GATE_NAMES[cell], np.split(array, GATES[cell]), strict=True):
            yield f"layer_{layer}/{gate}/{weight.removesuffix(_ONE_LAYER)}", part
