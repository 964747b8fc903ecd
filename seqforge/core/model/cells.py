"""A name in, a recurrent cell out: LSTM, GRU, RNN; their gates and the shapes of their weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
"""Gates per cell, in torch's order: LSTM input, forget, cell, output; GRU reset, update, new."""

_MODULES: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}

LayerState = tuple[Tensor, ...]
"""Carried state of a layer: (h, c) for an LSTM, (h,) for the others; each (B, H)."""


def recurrent_layer(cell: str, input_size: int, hidden_size: int) -> nn.RNNBase:
    """A cell's name and sizes in, an initialised layer out.

    Input weights are uniform (Glorot and Bengio 2010), recurrent weights orthogonal (Saxe et al.
    2014), each gate on its own; biases are zero but for the LSTM's forget gate, which is 1
    (Jozefowicz et al. 2015).
    """
    layer = _MODULES[cell](input_size, hidden_size)
    weights = dict(layer.named_parameters())
    with torch.no_grad():
        for gate in weights["weight_ih_l0"].chunk(GATES[cell]):
            nn.init.xavier_uniform_(gate)
        for gate in weights["weight_hh_l0"].chunk(GATES[cell]):
            nn.init.orthogonal_(gate)
        weights["bias_ih_l0"].zero_()
        weights["bias_hh_l0"].zero_()
        if cell == "lstm":
            weights["bias_ih_l0"][hidden_size : 2 * hidden_size] = 1.0
    return layer


def zero_state(cell: str, batch: int, hidden_size: int, like: Tensor) -> LayerState:
    """The initial state of a layer: zeros (B, H)."""
    parts = 2 if cell == "lstm" else 1
    return tuple(like.new_zeros(batch, hidden_size) for _ in range(parts))


def run_layer(
    layer: nn.RNNBase, x: Tensor, state: LayerState, w_hh: Tensor | None = None
) -> tuple[Tensor, LayerState]:
    """A window and a state in, outputs and the next state out, by torch's own layer.

    Args:
        layer: From `recurrent_layer`.
        x: (T, B, I).
        state: The state before it.
        w_hh: Recurrent weights to use instead of the layer's own.

    Returns:
        (T, B, H), and the state after the window.
    """
    hidden = tuple(part.unsqueeze(0) for part in state)
    given = (x, hidden if len(hidden) == 2 else hidden[0])
    if w_hh is None or w_hh is layer.weight_hh_l0:
        out, after = layer(*given)
    else:
        out, after = torch.func.functional_call(layer, {"weight_hh_l0": w_hh}, given)
    after = after if isinstance(after, tuple) else (after,)
    return out, tuple(part.squeeze(0) for part in after)


def activations(cell: str, layer: nn.RNNBase, x: Tensor, h: Tensor) -> Tensor:
    """Input (R, I) and h before (R, H) in, activations (R, blocks, H) as `ops.Layout.names` has
    them out.
    """
    weights = dict(layer.named_parameters())
    of_x = torch.addmm(weights["bias_ih_l0"], x, weights["weight_ih_l0"].t()).chunk(GATES[cell], 1)
    of_h = torch.addmm(weights["bias_hh_l0"], h, weights["weight_hh_l0"].t()).chunk(GATES[cell], 1)
    both = [a + b for a, b in zip(of_x, of_h, strict=True)]
    if cell == "lstm":
        i, f, g, o = both
        found = [i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()]
    elif cell == "gru":
        reset, update = both[0].sigmoid(), both[1].sigmoid()
        found = [(of_x[2] + reset * of_h[2]).tanh(), reset, update, of_h[2]]
    else:
        found = [both[0].tanh()]
    return torch.stack(found, 1)


GATE_NAMES = {
    "lstm": ("input", "forget", "cell", "output"),
    "gru": ("reset", "update", "new"),
    "rnn": ("hidden",),
}
"""Names of the gates, in torch's order."""

_LAYER, _ONE_LAYER = "layers.", "_l0"


def gate_arrays(
    cell: str, arrays: Mapping[str, NDArray[Any]]
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Arrays shaped like the weights in, the same arrays out, those of recurrent layers gate by
    gate.

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
