"""The recurrence over plain arrays, a symbol at a time: what sampling needs, and no torch.

The product of embedding and first input weights is a table, worked out once: a row an id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
LayerState = tuple[Array, ...]
State = list[LayerState]


def _sigmoid(x: Array) -> Array:
    return np.asarray(0.5 * np.tanh(0.5 * x) + 0.5, dtype=np.float32)


def _lstm(x: Array, weights: Array, bias: Array, state: LayerState) -> LayerState:
    """Hochreiter and Schmidhuber 1997 with forget gates; gates i, f, g, o as in torch."""
    h, c = state
    i, f, g, o = np.split(x + h @ weights + bias, 4, axis=1)
    c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    return _sigmoid(o) * np.tanh(c), c


def _gru(x: Array, weights: Array, bias: Array, state: LayerState) -> LayerState:
    """Cho et al. 2014 as torch has it: the reset gate acts after the recurrent product."""
    (h,) = state
    xr, xz, xn = np.split(x, 3, axis=1)
    hr, hz, hn = np.split(h @ weights + bias, 3, axis=1)
    r, z = _sigmoid(xr + hr), _sigmoid(xz + hz)
    n = np.tanh(xn + r * hn)
    return ((1 - z) * n + z * h,)


def _rnn(x: Array, weights: Array, bias: Array, state: LayerState) -> LayerState:
    """Elman 1990, tanh."""
    (h,) = state
    return (np.tanh(x + h @ weights + bias),)


Step = Callable[[Array, Array, Array, LayerState], LayerState]
_STEPS: dict[str, tuple[Step, int]] = {"lstm": (_lstm, 2), "gru": (_gru, 1), "rnn": (_rnn, 1)}


@dataclass(frozen=True)
class _Layer:
    input_weights: Array  # (I, G*H); for the first layer a table (V, G*H) with the bias in it
    input_bias: Array  # (G*H,)
    recurrent_weights: Array  # (H, G*H)
    recurrent_bias: Array  # (G*H,)


class Recurrence:
    """The model's forward pass for a batch of samples, a symbol at a time."""

    def __init__(self, cell: str, weights: Mapping[str, NDArray[Any]]) -> None:
        """Take the arrays of a checkpoint; they are copied into the layout that steps want."""
        self._step, self._parts = _STEPS[cell]
        self._layers: list[_Layer] = []
        number = 0
        while f"layers.{number}.weight_hh_l0" in weights:
            self._layers.append(_layer(weights, number))
            number += 1
        self._output = np.ascontiguousarray(weights["output.weight"].T)
        self._output_bias = weights["output.bias"]
        self._hidden_size = len(self._output)

    def zero_state(self, batch: int) -> State:
        """The state before anything was read."""
        shape = (batch, self._hidden_size)
        return [
            tuple(np.zeros(shape, np.float32) for _ in range(self._parts)) for _ in self._layers
        ]

    def step(self, ids: NDArray[np.int64], state: State) -> tuple[Array, State]:
        """Read one symbol in each row: ids (n,) give logits (n, V) and the state after."""
        after: State = []
        x = self._layers[0].input_weights[ids]
        for number, (layer, before) in enumerate(zip(self._layers, state, strict=True)):
            if number:
                x = after[-1][0] @ layer.input_weights + layer.input_bias
            after.append(self._step(x, layer.recurrent_weights, layer.recurrent_bias, before))
        return after[-1][0] @ self._output + self._output_bias, after


def _layer(weights: Mapping[str, NDArray[Any]], number: int) -> _Layer:
    def get(name: str) -> Array:
        return np.asarray(weights[f"layers.{number}.{name}_l0"], np.float32)

    inputs, bias = get("weight_ih").T, get("bias_ih")
    if number == 0:
        inputs, bias = weights["embedding.weight"] @ inputs + bias, np.zeros_like(bias)
    return _Layer(
        np.ascontiguousarray(inputs),
        bias,
        np.ascontiguousarray(get("weight_hh").T),
        get("bias_hh"),
    )
