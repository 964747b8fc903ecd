"""Weights and dropout masks in, a model prepared for a window out: on CPU kernels or in torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from seqforge.core.kernels.equation_window import equation_weights
from seqforge.core.kernels.llvm import HAS_BF16
from seqforge.core.kernels.recurrence import layer_weights
from seqforge.core.model.attention import PastAttention
from seqforge.core.model.cells import LayerState, RecurrentLayer, run_layer
from seqforge.core.model.equation_layer import EquationLayer
from seqforge.errors import ConfigError

RnnState = list[LayerState]
"""What each layer carries; then, of a model with attention, its last states of the top layer."""


class RecurrentModel(Protocol):
    """The interface of `CharRNN` that a prepared model needs."""

    cell: str
    hidden_size: int
    embedding: nn.Embedding
    output: nn.Linear
    attention: PastAttention | None

    def parameters(self) -> Iterator[nn.Parameter]:
        """All weights, shared ones once."""

    def recurrent_layers(self) -> list[RecurrentLayer]:
        """The recurrent layers, the first one first."""

    def dropped_weights(self, noise: torch.Generator | None) -> tuple[Tensor, list[Tensor | None]]:
        """The embedding and each layer's recurrent weights, with dropout applied."""

    def drop(self, x: Tensor, noise: torch.Generator | None) -> Tensor:
        """Dropout on a layer's output (T, B, H)."""


class PreparedModel(Protocol):
    """Weights and dropout masks prepared for a window."""

    leaves: list[Tensor]
    """Tensors that lanes compute gradients of."""

    def run(
        self, ids: Tensor, state: RnnState, noise: torch.Generator | None = None
    ) -> tuple[Tensor, RnnState]:
        """Symbols (T, B) to logits (T, B, V), float32, and the state after them."""

    def parameter_gradients(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Gradients of the leaves to gradients of the model's parameters, in their order."""


def prepare_model(
    model: RecurrentModel,
    precision: str,
    *,
    training: bool = False,
    whole_graph: bool = False,
    noise: torch.Generator | None = None,
    symbols: int | None = None,
) -> PreparedModel:
    """A model in, its prepared form for its device out.

    Args:
        model: Where the weights are from.
        precision: One of `precisions`.
        training: Whether gradients will be asked for.
        whole_graph: Whether gradients are to go through to the parameters at once; else they are
            worked out for the ``leaves``, lane by lane, and then taken on together.
        noise: Where masks over weights are drawn from.
        symbols: How many will be read with it, if that is known.
    """
    if model.output.bias.device.type != "cpu":
        return TorchModel(model, precision, noise)
    return CompiledModel(model, precision == "bf16", training, whole_graph, noise, symbols)


def precisions(device: torch.device) -> list[str]:
    """Precisions a device supports, float32 first."""
    if device.type == "cpu":
        return ["fp32", "bf16"] if HAS_BF16 else ["fp32"]
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return ["fp32", "fp16"]
    return ["fp32", "bf16"] if device.type == "cuda" else ["fp32"]


def check_precision(wanted: str, there: Sequence[str], device: torch.device) -> None:
    """Refuse a precision that the device does not support.

    Raises:
        ConfigError: Says which are there.
    """
    if wanted not in ("auto", *there):
        raise ConfigError(
            f"training.precision: this machine's {device.type} has no {wanted}; "
            f"give --precision auto or {' or '.join(there)}"
        )


class CompiledModel:
    """A model prepared for the compiled CPU kernels."""

    def __init__(
        self,
        model: RecurrentModel,
        bf16: bool,
        training: bool,
        whole_graph: bool,
        noise: torch.Generator | None,
        symbols: int | None = None,
    ) -> None:
        self._model, self._kind = model, torch.bfloat16 if bf16 else torch.float32
        self._parameters = list(model.parameters())
        embedding, recurrent = model.dropped_weights(noise)
        self._rows = len(embedding)
        # A table of more rows than will be looked up costs more than it saves.
        table = symbols is None or self._rows <= symbols
        first = embedding if table else None
        with torch.set_grad_enabled(training), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            made: list[Any] = [
                laid_out(model.cell, layer, w_hh, None if n else first)
                for n, (layer, w_hh) in enumerate(
                    zip(model.recurrent_layers(), recurrent, strict=True)
                )
            ]
        self._made = [tensor for weights in made for tensor in weights.tensors()]
        cut = training and not whole_graph
        self._layers = [weights.leaves() for weights in made] if cut else made
        self._packed = [weights.packed(bf16, training) for weights in self._layers]
        looking = [] if model.attention is None else list(model.attention.parameters())
        self._ends: list[Tensor] = [*looking, model.output.weight, model.output.bias]
        if not table:
            self._made.append(embedding)
            self._ends.insert(0, embedding.detach().requires_grad_() if cut else embedding)
        self._made += looking
        self.leaves = [t for weights in self._layers for t in weights.tensors()] + self._ends

    def run(
        self, ids: Tensor, state: RnnState, noise: torch.Generator | None = None
    ) -> tuple[Tensor, RnnState]:
        """Symbols (T, B) to logits (T, B, V), float32, and the state after them.

        Raises:
            IndexError: If there is no such symbol.
        """
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < self._rows:
            raise IndexError(f"symbol {int(ids.max())} of {self._rows}")
        x, after = self._inputs(ids), []
        for number, (weights, packed) in enumerate(zip(self._layers, self._packed, strict=True)):
            x, layer_state = packed.run(x, weights, state[number])
            after.append(layer_state)
            x = self._model.drop(looked_back(self._model, x, state, after), noise)
        weight, bias = self._ends[-2:]
        top = x[..., : self._model.hidden_size]
        if top.dtype == torch.float32:
            return linear(top, weight, bias), after
        return linear(top, weight.to(top.dtype)).float() + bias, after

    def _inputs(self, ids: Tensor) -> Tensor:
        """Inputs of the first layer: ids for its table, or embeddings (T, B, E)."""
        if self._layers[0].w_in is None:
            return ids
        x = torch.nn.functional.embedding(ids, self._ends[0])
        width = self._layers[0].w_in.shape[1] - x.shape[2]
        return torch.nn.functional.pad(x, (0, width)).to(self._kind).contiguous()

    def parameter_gradients(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Gradients of the leaves to gradients of the model's parameters, in their order."""
        outputs = [*self._made, self._model.output.weight, self._model.output.bias]
        start = _Gradients.apply(gradients, *outputs)  # type: ignore[no-untyped-call]  # torch's
        return list(torch.autograd.grad(start, self._parameters))


def laid_out(
    cell: str, layer: RecurrentLayer, w_hh: Tensor | None, embedding: Tensor | None
) -> Any:
    """A layer's weights as its kernel reads them."""
    if isinstance(layer, EquationLayer):
        return equation_weights(cell, layer, w_hh, embedding)
    assert w_hh is not None, "each of torch's layers has recurrent weights"
    return layer_weights(cell, layer, w_hh, embedding)


class _Gradients(torch.autograd.Function):
    """A number whose gradients are those given.

    Given to `torch.autograd.grad` itself, they have it import SymPy: half a second.
    """

    @staticmethod
    def forward(ctx: Any, gradients: Sequence[Tensor], *outputs: Tensor) -> Tensor:
        """Keep them."""
        ctx.gradients = gradients
        return outputs[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor | None, ...]:
        """Give them."""
        return (None, *ctx.gradients)


def looked_back(model: RecurrentModel, x: Tensor, state: RnnState, after: RnnState) -> Tensor:
    """What a layer gives (T, B, H), with attention over the past if it is the top layer of a model
    that has it.

    Args:
        model: Whose layer it is.
        x: What it gives.
        state: The state before the window.
        after: The state after the window of all layers so far; the attention's is put behind it.
    """
    if model.attention is None or len(after) < len(model.recurrent_layers()):
        return x
    x, past = model.attention.run(x, *state[-1])
    after.append((past,))
    return x


class TorchModel:
    """A model prepared for torch's own layers (cuDNN on a GPU)."""

    def __init__(
        self, model: RecurrentModel, precision: str, noise: torch.Generator | None
    ) -> None:
        self._model, self._precision = model, precision
        self._embedding, self._recurrent = model.dropped_weights(noise)
        self.leaves: list[Tensor] = list(model.parameters())

    def run(
        self, ids: Tensor, state: RnnState, noise: torch.Generator | None = None
    ) -> tuple[Tensor, RnnState]:
        """Symbols (T, B) to logits (T, B, V), float32, and the state after them."""
        model, after = self._model, []
        half = torch.float16 if self._precision == "fp16" else torch.bfloat16
        with torch.autocast(ids.device.type, half, enabled=self._precision != "fp32"):
            x = torch.nn.functional.embedding(ids, self._embedding)
            layers = zip(model.recurrent_layers(), self._recurrent, strict=True)
            for number, (layer, w_hh) in enumerate(layers):
                x, layer_state = run_layer(layer, x, state[number], w_hh)
                after.append(tuple(part.float() for part in layer_state))
                x = model.drop(looked_back(model, x, state, after), noise)
            return model.output(x).float(), after

    def parameter_gradients(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """The same gradients: the leaves are the parameters."""
        return list(gradients)
