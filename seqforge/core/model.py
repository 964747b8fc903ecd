"""The recurrent model: embedding, layers, output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seqforge.core.cells import LayerState, recurrent_layer, run_layer, zero_state
from seqforge.core.config import ModelConfig
from seqforge.errors import CheckpointError

State = list[LayerState]
"""What the model carries from window to window, a layer an entry."""


class CharRNN(nn.Module):
    """Predicts the next symbol from all before it (Graves 2013, https://arxiv.org/abs/1308.0850).

    Shapes: B batch, T time, V vocabulary, H hidden, E embedding.
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        cell: str = "lstm",
        hidden_size: int = 256,
        num_layers: int = 1,
        embedding_size: int | None = None,
        dropout: float = 0.0,
        tied: bool = False,
    ) -> None:
        """Make a model with fresh weights.

        Raises:
            ValueError: If ``tied`` is asked for with an embedding of another width.
        """
        super().__init__()
        embedding_size = embedding_size or hidden_size
        if tied and embedding_size != hidden_size:
            raise ValueError("tied weights need an embedding as wide as the hidden layer")
        self.cell, self.hidden_size, self.dropout = cell, hidden_size, dropout
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        widths = [embedding_size] + [hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(recurrent_layer(cell, width, hidden_size) for width in widths)
        self.output = nn.Linear(hidden_size, vocab_size)
        nn.init.normal_(self.embedding.weight, std=embedding_size**-0.5 if tied else 0.1)
        nn.init.zeros_(self.output.bias)
        if tied:
            self.output.weight = self.embedding.weight

    def zero_state(self, batch: int) -> State:
        """The state before anything was read."""
        like = self.embedding.weight
        return [zero_state(self.cell, batch, self.hidden_size, like) for _ in self.layers]

    def forward(
        self, ids: Tensor, state: State | None = None, noise: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        """Logits of the symbol after each one.

        Args:
            ids: (B, T).
            state: What was carried here; zeros where it is not given.
            noise: Where dropout masks are drawn from; without it nothing is dropped.

        Returns:
            Logits (B, T, V), and the state after the last symbol.
        """
        state = state if state is not None else self.zero_state(len(ids))
        x = self.embedding(ids)
        after: State = []
        for layer, before in zip(self.layers, state, strict=True):
            x, layer_state = run_layer(layer, x, before)
            x = self._drop(x, noise)
            after.append(layer_state)
        return self.output(x), after

    def _drop(self, x: Tensor, noise: torch.Generator | None) -> Tensor:
        if noise is None or self.dropout == 0:
            return x
        kept = torch.empty_like(x).bernoulli_(1 - self.dropout, generator=noise)
        return x * kept.div_(1 - self.dropout)

    def num_parameters(self) -> int:
        """Number of weights; shared ones count once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """A copy of the weights as plain arrays, by name."""
        return {
            name: tensor.detach().to("cpu", torch.float32).numpy().copy()
            for name, tensor in self.state_dict().items()
        }


def model_from_arrays(
    vocab_size: int, config: ModelConfig, arrays: Mapping[str, NDArray[Any]], where: str
) -> CharRNN:
    """A model with given weights.

    Raises:
        CheckpointError: If the weights are not those of such a model.
    """
    model = CharRNN(vocab_size, **config.model_dump())
    weights = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{where}: its weights do not fit its settings ({error})") from error
    return model
