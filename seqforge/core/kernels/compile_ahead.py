"""A network's cell and sizes in, a thread that compiles its layers out, or loads them."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from seqforge.core.kernels.equation_kernels import equation_kernels
from seqforge.core.kernels.layer_kernels import Shape, kernels
from seqforge.core.kernels.ops import CELLS, padded


def prepare_layers(
    cell: str, hidden: int, num_layers: int, kinds: Sequence[bool]
) -> threading.Thread:
    """Begin to compile the layers of a network, or to load them, beside whatever else is done.

    A pass meanwhile waits for its own function. ``kinds``: whether products are of bfloat16.
    """
    width = padded(hidden)
    shapes = [
        Shape(cell, width, inputs, bf16)
        for bf16 in kinds
        for inputs in (None, width)[: min(num_layers, 2)]
    ]

    def work() -> None:
        for shape in shapes:
            found = kernels(shape) if cell in CELLS else equation_kernels(shape)
            _ = found.forward, found.backward

    begun = threading.Thread(target=work)  # no daemon: LLVM must not be cut off
    begun.start()
    return begun
