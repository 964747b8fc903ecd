"""Plain torch: a loop over single characters, as a program this one descends from has it, and
whole windows. Both have the same parts and learn from the same random windows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

LEARNING_RATE = 0.01  # the loop's own setting, with Adam


class PlainModel(nn.Module):
    """Embedding as wide as the hidden layer, torch's recurrent module, a linear output."""

    def __init__(self, vocab_size: int, cell: str, num_layers: int, hidden_size: int) -> None:
        super().__init__()
        module = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]
        self.embedding = nn.Embedding(vocab_size, hidden_size)
        self.recurrent = module(hidden_size, hidden_size, num_layers)
        self.output = nn.Linear(hidden_size, vocab_size)

    def forward(self, ids: Tensor, state: object = None) -> tuple[Tensor, object]:
        """Logits (T, B, V) of the symbol after each of ids (T, B), and the state after them."""
        features, state = self.recurrent(self.embedding(ids), state)
        return self.output(features), state


def loop_loss(model: PlainModel, ids: Tensor) -> Tensor:
    """Loss of windows (T + 1, B), a character at a time from a zero state.

    The recurrent module is called for every single character; its mean cross-entropies over the
    batch are added up (nats), and the gradient goes back through the whole window.
    """
    criterion = nn.CrossEntropyLoss()
    total, state = torch.zeros(()), None
    for place in range(len(ids) - 1):
        logits, state = model(ids[place : place + 1], state)
        total = total + criterion(logits[0], ids[place + 1])
    return total


def window_loss(model: PlainModel, ids: Tensor) -> Tensor:
    """The mean loss (nats a symbol) with one call of the recurrent module for the window."""
    logits, _ = model(ids[:-1])
    return cross_entropy(logits.flatten(0, 1), ids[1:].flatten())


LOSSES: dict[str, Callable[[PlainModel, Tensor], Tensor]] = {
    "loop": loop_loss,
    "window": window_loss,
}


def random_windows(
    tokens: NDArray[np.unsignedinteger], draw: np.random.Generator, batch: int, length: int
) -> Tensor:
    """Windows that begin anywhere in the tokens: (length + 1, batch)."""
    starts = draw.integers(len(tokens) - length, size=batch)
    return torch.from_numpy(tokens[np.arange(length + 1)[:, None] + starts].astype(np.int64))


class PlainTrainer:
    """Trains a plain model with Adam on random windows, from a zero state in each."""

    def __init__(
        self, kind: str, model: PlainModel, tokens: NDArray[np.unsignedinteger],
        batch: int, seq_len: int, seed: int,
    ) -> None:  # fmt: skip
        self.model, self._tokens, self._loss = model, tokens, LOSSES[kind]
        self._batch, self._seq_len = batch, seq_len
        self._optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        self._draw = np.random.default_rng(seed)

    def step(self) -> int:
        """One update; returns how many symbols it learnt from."""
        ids = random_windows(self._tokens, self._draw, self._batch, self._seq_len)
        self._optimizer.zero_grad()
        self._loss(self.model, ids).backward()
        self._optimizer.step()
        return self._batch * self._seq_len
