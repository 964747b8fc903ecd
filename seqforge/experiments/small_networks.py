"""Sequences of symbols and a cell in, a small network trained on them out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

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
    loss: Literal["sequences", "symbols", "hardest"] = "sequences"
    """What counts alike: each sequence, whatever its length; each predicted symbol; or of each
    sequence the symbol that is predicted worst, and no other.
    """
    sharpness: float = 1.0
    """Logits are so many times as large while training: the inverse of a temperature."""
    pull: float = 0.0
    """What the squared distance of the recurrent weights from where they began adds to the loss."""
    last_share: float = 0.01
    """Of the learning rate, at the end."""


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
    begun = [(weight, weight.detach().clone()) for weight in _recurrent(model)]
    last, total = max(1, practice.steps // 10), 0.0
    for step in range(practice.steps):
        for group in optimizer.param_groups:
            group["lr"] = practice.learning_rate * _share(step, practice)
        mean, loss = losses(model, draw(), practice)
        if practice.pull:
            loss = loss + practice.pull * sum(((w - first) ** 2).sum() for w, first in begun)
        if not torch.isfinite(loss):
            return math.inf
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        torch.nn.utils.clip_grad_norm_(parameters, practice.clip_norm)
        optimizer.step()
        total += float(mean.detach()) if step >= practice.steps - last else 0.0
    return total / last


def _recurrent(model: CharRNN) -> list[Tensor]:
    """The weights between states."""
    return [weight for name, weight in model.named_parameters() if "weight_hh" in name]


def _share(step: int, practice: Practice) -> float:
    """Of the learning rate: up in the first tenth, then down as a cosine."""
    warm = max(1, practice.steps // 10)
    if step < warm:
        return (step + 1) / warm
    way = (step - warm) / max(1, practice.steps - warm)
    last = practice.last_share
    return last + (1 - last) * (1 + math.cos(math.pi * way)) / 2


def losses(model: CharRNN, batch: Batch, practice: Practice) -> tuple[Tensor, Tensor]:
    """Nats a predicted symbol by their weights, the mean of all or of each sequence's mean; and
    what is trained on, which may be the hardest symbols instead.
    """
    network = prepare_model(model, "fp32", training=True, whole_graph=True)
    logits, _ = network.run(batch.ids, model.zero_state(batch.ids.shape[1]))
    nats = cross_entropy(
        practice.sharpness * logits.flatten(0, 1), batch.targets.flatten(), reduction="none",
        ignore_index=IGNORED,
    ).view(batch.targets.shape)  # fmt: skip
    counted = (batch.targets != IGNORED).float()
    if batch.weights is not None:
        counted = counted * batch.weights
    if practice.loss == "sequences":
        mean = ((nats * counted).sum(0) / counted.sum(0).clamp(min=1e-6)).mean()
    else:
        mean = (nats * counted).sum() / counted.sum()
    return mean, (nats * counted).amax(0).mean() if practice.loss == "hardest" else mean


@torch.no_grad()
def guesses(network: PreparedModel, ids: Tensor, state: RnnState) -> tuple[Tensor, RnnState]:
    """The likeliest symbol after each of those read (T, B), and the state after them."""
    logits, after = network.run(ids, state)
    return logits.argmax(-1), after
