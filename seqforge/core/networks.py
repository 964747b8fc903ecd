"""A model's weights made ready for one window, and the window read with them.

On a CPU that is the compiled kernels of `kernels/`, elsewhere torch's own layers. What is the same
for all lanes is done once: the table of the first layer, dropped weights, packing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.nn.functional import linear

from seqforge.core.cells import LayerState, run_layer
from seqforge.core.kernels.layer import layer_weights, pack_weights, run_window
from seqforge.core.kernels.vectors import HAS_BF16
from seqforge.errors import ConfigError

if TYPE_CHECKING:
    from seqforge.core.model import CharRNN

State = list[LayerState]


class Network(Protocol):
    """Weights made ready."""

    leaves: list[Tensor]
    """What a lane works out gradients for."""

    def run(
        self, ids: Tensor, state: State, noise: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        """Symbols (T, B) to logits (T, B, V), float32, and the state after them."""

    def parameter_gradients(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Gradients of the leaves to gradients of the model's parameters, in their order."""


def make_ready(
    model: CharRNN,
    precision: str,
    *,
    training: bool = False,
    whole_graph: bool = False,
    noise: torch.Generator | None = None,
) -> Network:
    """The network for the device that the model lies on.

    Args:
        model: Where the weights are from.
        precision: One of `precisions`.
        training: Whether gradients will be asked for.
        whole_graph: Whether gradients are to go through to the parameters at once; else they are
            worked out for the ``leaves``, lane by lane, and then taken on together.
        noise: Where masks over weights are drawn from.
    """
    if model.output.bias.device.type == "cpu":
        return CompiledNetwork(model, precision == "bf16", training, whole_graph, noise)
    return TorchNetwork(model, precision, noise)


def precisions(device: torch.device) -> list[str]:
    """Those that a device can compute in, plain float32 first."""
    if device.type == "cpu":
        return ["fp32", "bf16"] if HAS_BF16 else ["fp32"]
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return ["fp32", "fp16"]
    return ["fp32", "bf16"]


def check_precision(wanted: str, there: Sequence[str], device: torch.device) -> None:
    """Refuse a precision that is not among those that are there.

    Raises:
        ConfigError: Says which are there.
    """
    if wanted not in ("auto", *there):
        raise ConfigError(
            f"training.precision: this machine's {device.type} has no {wanted}; "
            f"give --precision auto or {' or '.join(there)}"
        )


class CompiledNetwork:
    """Runs in the compiled kernels."""

    def __init__(
        self,
        model: CharRNN,
        bf16: bool,
        training: bool,
        whole_graph: bool,
        noise: torch.Generator | None,
    ) -> None:
        self._model = model
        self._parameters = list(model.parameters())
        embedding, recurrent = model.dropped_weights(noise)
        with torch.set_grad_enabled(training), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            made = [
                layer_weights(model.cell, layer, w_hh, None if n else embedding)
                for n, (layer, w_hh) in enumerate(
                    zip(model.recurrent_layers(), recurrent, strict=True)
                )
            ]
        self._made = [tensor for weights in made for tensor in weights.tensors()]
        self._layers = made if whole_graph else [weights.leaves() for weights in made]
        self._packed = [pack_weights(model.cell, w, bf16, training) for w in self._layers]
        self._head = [model.output.weight, model.output.bias]
        self.leaves = [t for weights in self._layers for t in weights.tensors()] + self._head

    def run(
        self, ids: Tensor, state: State, noise: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        """Symbols (T, B) to logits (T, B, V), float32, and the state after them."""
        x, after = ids, []
        for weights, packed, before in zip(self._layers, self._packed, state, strict=True):
            x, layer_state = run_window(x, weights, packed, before)
            x = self._model.drop(x, noise)
            after.append(layer_state)
        weight, bias = self._head
        top = x[..., : self._model.hidden_size]
        return linear(top, weight.to(x.dtype)).float() + bias, after

    def parameter_gradients(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Gradients of the leaves to gradients of the model's parameters, in their order."""
        outputs = [*self._made, *self._head]
        return list(torch.autograd.grad(outputs, self._parameters, list(gradients)))


class TorchNetwork:
    """Runs in torch's own layers: cuDNN on a GPU."""

    def __init__(self, model: CharRNN, precision: str, noise: torch.Generator | None) -> None:
        self._model, self._precision = model, precision
        self._embedding, self._recurrent = model.dropped_weights(noise)
        self.leaves: list[Tensor] = list(model.parameters())

    def run(
        self, ids: Tensor, state: State, noise: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        """Symbols (T, B) to logits (T, B, V), float32, and the state after them."""
        model, after = self._model, []
        half = torch.float16 if self._precision == "fp16" else torch.bfloat16
        with torch.autocast(ids.device.type, half, enabled=self._precision != "fp32"):
            x = torch.nn.functional.embedding(ids, self._embedding)
            for layer, w_hh, before in zip(
                model.recurrent_layers(), self._recurrent, state, strict=True
            ):
                x, layer_state = run_layer(layer, x, before, w_hh)
                x = model.drop(x, noise)
                after.append(tuple(part.float() for part in layer_state))
            return model.output(x).float(), after

    def parameter_gradients(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """The same: the leaves are the parameters."""
        return list(gradients)
