"""Sequences of symbols and a cell in, a small network trained on them out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.prepared import PreparedModel, RnnState, prepare_model

IGNORED = -100
"""As a target: nothing is predicted there."""


@dataclass(frozen=True)
class Batch:
    """Whole sequences, shorter ones padded."""

    ids: Tensor
    """(T, B): what is read."""
    targets: Tensor
    """(T, B): what comes next, where it is to be predicted; else `IGNORED`."""
    weights: Tensor | None = None
    """(T, B): how much each of them counts; None: all alike."""


@dataclass(frozen=True)
class Practice:
    """How a small network is trained: Adam, a warm-up of a tenth, then a cosine."""

    steps: int
    learning_rate: float
    clip_norm: float = 1.0
    symbols_alike: bool = False
    """Whether each predicted symbol counts alike; else each sequence does, whatever its length."""


def fresh_network(
    cell: str, symbols: int, hidden: int, seed: int, forget_bias: float | None = None
) -> CharRNN:
    """A network of one layer whose symbols are embedded in as many numbers as there are symbols."""
    torch.manual_seed(seed)
    return CharRNN(
        symbols, cell=cell, hidden_size=hidden, embedding_size=symbols, forget_bias=forget_bias
    )


def practise(model: CharRNN, practice: Practice, draw: Callable[[], Batch]) -> float:
    """Train on batches as they are drawn.

    Returns:
        Mean loss of the last tenth of the steps, in nats a symbol.
    """
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=practice.learning_rate)
    last, total = max(1, practice.steps // 10), 0.0
    for step in range(practice.steps):
        for group in optimizer.param_groups:
            group["lr"] = practice.learning_rate * _share(step, practice.steps)
        batch = draw()
        network = prepare_model(model, "fp32", training=True, whole_graph=True)
        loss = mean_loss(network, model, batch, practice.symbols_alike)
        if not torch.isfinite(loss):
            return math.inf
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        torch.nn.utils.clip_grad_norm_(parameters, practice.clip_norm)
        optimizer.step()
        total += float(loss.detach()) if step >= practice.steps - last else 0.0
    return total / last


def _share(step: int, steps: int) -> float:
    """Of the learning rate: up in the first tenth, then down as a cosine, to a hundredth."""
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.01 + 0.99 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))) / 2


def mean_loss(
    network: PreparedModel, model: CharRNN, batch: Batch, symbols_alike: bool = False
) -> Tensor:
    """Nats a predicted symbol by their weights, the mean of each sequence's mean; or of all."""
    logits, _ = network.run(batch.ids, model.zero_state(batch.ids.shape[1]))
    nats = cross_entropy(
        logits.flatten(0, 1), batch.targets.flatten(), reduction="none", ignore_index=IGNORED
    ).view(batch.targets.shape)
    counted = (batch.targets != IGNORED).float()
    if batch.weights is not None:
        counted = counted * batch.weights
    if symbols_alike:
        return (nats * counted).sum() / counted.sum()
    return ((nats * counted).sum(0) / counted.sum(0).clamp(min=1e-6)).mean()


@torch.no_grad()
def guesses(network: PreparedModel, ids: Tensor, state: RnnState) -> tuple[Tensor, RnnState]:
    """The likeliest symbol after each of those read (T, B), and the state after them."""
    logits, after = network.run(ids, state)
    return logits.argmax(-1), after
