"""Ids in, logits out: the recurrent model (embedding, recurrent layers, output)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seqforge.base.machine import physical_memory
from seqforge.core.model.attention import PastAttention
from seqforge.core.model.cells import Network, RecurrentLayer, dropped, recurrent_layer, zero_state
from seqforge.core.model.checkpoint import weight_shapes
from seqforge.core.model.label_vectors import LabelVectors
from seqforge.core.model.labels import LABEL_START
from seqforge.core.model.prepared import RnnState, prepare_model
from seqforge.core.model_config import ModelConfig
from seqforge.errors import CheckpointError, ConfigError

_BYTES = 4  # a weight, or its gradient


class CharRNN(Network):
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
        variational: bool = False,
        weight_drop: float = 0.0,
        embedding_dropout: float = 0.0,
        tied: bool = False,
        forget_bias: float | None = None,
        attention: int = 0,
        labels: int = 0,
    ) -> None:
        """Make a model with fresh weights.

        With ``labels`` it reads `virtual_ids`.

        Raises:
            ValueError: If ``tied`` is asked for with an embedding of another width, or labels.
        """
        super().__init__()
        embedding_size = embedding_size or hidden_size
        if tied and embedding_size != hidden_size:
            raise ValueError("tied weights need an embedding as wide as the hidden layer")
        if tied and labels:
            raise ValueError("tied weights know no labels")
        self.cell, self.hidden_size = cell, hidden_size
        self.dropout, self.variational = dropout, variational
        self.weight_drop, self.embedding_dropout = weight_drop, embedding_dropout
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        widths = [embedding_size] + [hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(
            recurrent_layer(cell, width, hidden_size, forget_bias) for width in widths
        )
        self.output = nn.Linear(hidden_size, vocab_size)
        nn.init.normal_(self.embedding.weight, std=embedding_size**-0.5 if tied else 0.1)
        nn.init.zeros_(self.output.bias)
        if tied:
            self.output.weight = self.embedding.weight
        self.attention = PastAttention(hidden_size, attention) if attention else None
        self.labels = LabelVectors(labels, embedding_size) if labels else None

    def zero_state(self, batch: int) -> RnnState:
        """The initial state of all layers; then of the attention, if there is one."""
        like = self.embedding.weight
        layers = [zero_state(self.cell, batch, self.hidden_size, like) for _ in self.layers]
        return layers if self.attention is None else [*layers, self.attention.zero_state(batch)]

    def forward(self, ids: Tensor, state: RnnState | None = None) -> tuple[Tensor, RnnState]:
        """Ids in, logits of the next symbols out, in fp32 and without dropout.

        Args:
            ids: (B, T); of a model with labels `virtual_ids`.
            state: What was carried here; zeros where it is not given.

        Returns:
            Logits (B, T, V), and the state after the last symbol.
        """
        state = state if state is not None else self.zero_state(len(ids))
        network = prepare_model(self, "fp32", training=torch.is_grad_enabled(), whole_graph=True)
        logits, after = network.run(ids.t().contiguous(), state)
        return logits.transpose(0, 1), after

    def recurrent_layers(self) -> list[RecurrentLayer]:
        """The recurrent layers, the first one first."""
        return list(self.layers)  # type: ignore[arg-type]  # a ModuleList of them

    def dropped_weights(self, noise: torch.Generator | None) -> tuple[Tensor, list[Tensor | None]]:
        """The embedding and each layer's recurrent weights, with dropout applied.

        Embedding dropout takes whole symbols away (Gal and Ghahramani 2016), weight drop single
        recurrent weights (DropConnect; Merity et al. 2018, https://arxiv.org/abs/1708.02182).

        Args:
            noise: Where the masks are drawn from; without it nothing is dropped.
        """
        embedding, labels = self.embedding.weight, self.labels
        recurrent: list[Tensor | None] = [
            dict(layer.named_parameters()).get("weight_hh_l0") for layer in self.layers
        ]
        if noise is None:
            return embedding if labels is None else labels.table(embedding), recurrent
        embedding = dropped(embedding, self.embedding_dropout, noise, (len(embedding), 1))
        return (
            embedding if labels is None else labels.table(embedding),
            [None if w is None else dropped(w, self.weight_drop, noise) for w in recurrent],
        )

    def drop(self, x: Tensor, noise: torch.Generator | None) -> Tensor:
        """Dropout on a layer's output (T, B, H); variational dropout has one mask for all T."""
        shape = (1, *x.shape[1:]) if self.variational else None
        return dropped(x, self.dropout, noise, shape)


def model_from_arrays(
    vocab_size: int, config: ModelConfig, arrays: Mapping[str, NDArray[Any]], where: str
) -> CharRNN:
    """Weights as arrays in, a model out.

    Raises:
        CheckpointError: If the weights are not those of such a model.
    """
    labels = len(arrays[LABEL_START]) if LABEL_START in arrays else 0
    model = CharRNN(vocab_size, **config.model_dump(), labels=labels)
    weights = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{where}: its weights do not fit its settings ({error})") from error
    return model


def check_memory(vocab_size: int, config: ModelConfig, labels: int = 0) -> None:
    """Refuse a network whose weights and gradients do not fit in memory, before it is made.

    Raises:
        ConfigError: If not even these do.
    """
    weights = sum(map(math.prod, weight_shapes(vocab_size, config, labels).values()))
    memory = physical_memory()
    needed = 2 * _BYTES * weights
    if memory is not None and needed > memory:
        raise ConfigError(
            f"model: {weights:,} weights and their gradients take {needed / 1e9:,.0f} GB of "
            f"memory, and this machine has {memory / 1e9:,.0f}; give a smaller --hidden-size "
            "or --num-layers"
        )
