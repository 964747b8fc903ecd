"""A cell's name in, an initialised layer out, run by torch; and what every network has: weights
that are counted and copied, dropout with masks that repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seqforge.core.cells.catalogue import FUSED, cell_type
from seqforge.core.cells.weights import gate_names
from seqforge.core.model.equation_layer import EquationLayer

_MODULES: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}

LayerState = tuple[Tensor, ...]
"""Carried state of a layer: (h, c) for an LSTM, (h,) for a GRU; each (B, H)."""

RecurrentLayer = nn.RNNBase | EquationLayer


def recurrent_layer(
    cell: str, input_size: int, hidden_size: int, forget_bias: float | None = None
) -> RecurrentLayer:
    """A cell's name and sizes in, an initialised layer out.

    Input weights are uniform (Glorot and Bengio 2010), recurrent weights orthogonal (Saxe et al.
    2014), each gate on its own by its own fan-in and fan-out; biases are zero but for that of the
    forget gate, which is the cell's own (1 for an LSTM: Jozefowicz et al. 2015), or as given. The
    IRNN begins as its paper says: the identity, small normal input weights (Le et al. 2015).
    """
    kind = cell_type(cell)
    made = _MODULES[cell] if cell in FUSED else partial(EquationLayer, cell)
    layer: RecurrentLayer = made(input_size, hidden_size)
    weights = dict(layer.named_parameters())
    with torch.no_grad():
        for gate in _gates(weights["weight_ih_l0"], hidden_size):
            if kind.start == "identity":
                nn.init.normal_(gate, std=_IDENTITY_STD)
            else:
                nn.init.xavier_uniform_(gate)
        for gate in _gates(weights.get("weight_hh_l0"), hidden_size):
            if kind.start == "identity":
                nn.init.eye_(gate)
            else:
                nn.init.orthogonal_(gate)
        for name in ("bias_ih_l0", "bias_hh_l0"):
            if name in weights:
                weights[name].zero_()
        if kind.forget is not None:
            first = kind.equations.blocks.index(kind.forget) * hidden_size
            bias = kind.forget_bias if forget_bias is None else forget_bias
            weights["bias_ih_l0"][first : first + hidden_size] = bias
    return layer


def _gates(weights: Tensor | None, hidden_size: int) -> tuple[Tensor, ...]:
    """The weights (G * H, K) gate by gate; nothing of none."""
    return () if weights is None else weights.chunk(len(weights) // hidden_size)


_IDENTITY_STD = 0.001  # Le et al. 2015


def zero_state(cell: str, batch: int, hidden_size: int, like: Tensor) -> LayerState:
    """The initial state of a layer: zeros (B, H)."""
    return tuple(like.new_zeros(batch, hidden_size) for _ in cell_type(cell).states)


def run_layer(
    layer: RecurrentLayer, x: Tensor, state: LayerState, w_hh: Tensor | None = None
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
    if isinstance(layer, EquationLayer):
        return layer.run(x, state, w_hh)
    hidden = tuple(part.unsqueeze(0) for part in state)
    given = (x, hidden if len(hidden) == 2 else hidden[0])
    if w_hh is None or w_hh is layer.weight_hh_l0:
        out, after = layer(*given)
    else:
        out, after = torch.func.functional_call(layer, {"weight_hh_l0": w_hh}, given)
    after = after if isinstance(after, tuple) else (after,)
    return out, tuple(part.squeeze(0) for part in after)


def activations(cell: str, layer: RecurrentLayer, x: Tensor, state: LayerState) -> Tensor:
    """Input (R, I) and the state before in, activations (R, blocks, H) as `block_names` has them
    out.
    """
    if isinstance(layer, EquationLayer):
        return layer.activations(x, state)
    weights, h, gates = dict(layer.named_parameters()), state[0], len(gate_names(cell))
    of_x = torch.addmm(weights["bias_ih_l0"], x, weights["weight_ih_l0"].t()).chunk(gates, 1)
    of_h = torch.addmm(weights["bias_hh_l0"], h, weights["weight_hh_l0"].t()).chunk(gates, 1)
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


class Network(nn.Module):
    """A network whose weights are kept by name."""

    def num_parameters(self) -> int:
        """Number of weights; shared ones count once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """A copy of the weights as plain arrays, by name."""
        return {
            name: tensor.detach().to("cpu", torch.float32).numpy().copy()
            for name, tensor in self.state_dict().items()
        }


def dropped(
    x: Tensor, rate: float, noise: torch.Generator | None, shape: tuple[int, ...] | None = None
) -> Tensor:
    """``x`` with a random mask at zero, and its mean kept.

    Args:
        x: Any tensor.
        rate: Share of the mask that is zero.
        noise: Where the mask is drawn from; None: nothing is dropped.
        shape: Of the mask, which is broadcast; None: that of x.
    """
    if noise is None or rate == 0:
        return x
    kept = torch.empty(tuple(x.shape) if shape is None else shape, dtype=x.dtype, device=x.device)
    return x * kept.bernoulli_(1 - rate, generator=noise).div_(1 - rate)
