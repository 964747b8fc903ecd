"""Small models with random weights, and the ways of drawing that every test goes through."""

from __future__ import annotations

import math

import numpy as np
import torch

from seqforge.core.config import ModelConfig, RunConfig
from seqforge.core.data.constraint import Constraint
from seqforge.core.model.char_rnn import CharRNN, model_from_arrays
from seqforge.core.model.checkpoint import Checkpoint, ModelCard

SYMBOLS = tuple("abcdefg")

STRATEGIES = {
    "plain": {},
    "greedy": {"temperature": 0.0},
    "cold": {"temperature": 0.7},
    "uniform": {"temperature": math.inf},
    "schedule": {"temperature": 2.0, "temperature_end": 0.3},
    "top-k": {"top_k": 3},
    "top-p": {"top_p": 0.8},
    "min-p": {"min_p": 0.15},
    "typical": {"typical_p": 0.6},
    "repetition": {"repetition_penalty": 1.4, "repetition_window": 5},
    "all": {
        "repetition_penalty": 1.2, "repetition_window": 3, "temperature": 1.3, "top_k": 6,
        "top_p": 0.95, "min_p": 0.02, "typical_p": 0.9,
    },
}  # fmt: skip
FEW = ("plain", "all")
"""How a symbol is chosen does not hang on the cell: with the other cells a few are enough."""


def checkpoint(seed=0, scale=1.5, end=0.0, sharp=1.0, symbols=SYMBOLS, unknown=False, **model):
    """A model whose weights are random; ``end`` is added to the logit of the end symbol.

    ``scale`` multiplies all weights, ``sharp`` those of the output besides.
    """
    settings = ModelConfig(**{"hidden_size": 24, "num_layers": 2, **model})
    torch.manual_seed(seed)
    network = CharRNN(len(symbols) + 1, **settings.model_dump())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(scale)
        if network.attention is not None:  # its mixture begins at zero
            torch.nn.init.normal_(network.attention.mix, std=0.2)
            torch.nn.init.normal_(network.attention.position)
        network.output.weight.mul_(sharp)
        network.output.bias[0] += end
    config = RunConfig(domain="text", model=settings)
    card = ModelCard(
        seqforge_version="0", name="toy", config=config, symbols=symbols, unknown=unknown
    )
    return Checkpoint(card, network.arrays())


def log_probs(model, ids):
    """Torch's log-probabilities of what follows the start and each of ``ids``: (T + 1, V)."""
    return log_probs_of_rows(model, [ids])[0]


def log_probs_of_rows(model, rows):
    """The same of several, each as long as the others: (N, T + 1, V)."""
    card = model.card
    network = model_from_arrays(len(card.vocabulary), card.config.model, model.weights, "toy")
    with torch.no_grad():
        logits, _ = network(torch.tensor([[0, *ids] for ids in rows]))
    return torch.log_softmax(logits.double(), -1).numpy()


def grammar(size=8, states=4, seed=8):
    """A random grammar: each state allows about half of the symbols, two of them the end too."""
    noise = np.random.default_rng(seed)
    allowed = noise.random((states, size)) < 0.5
    allowed[:, 0] = np.arange(states) % 2 == 1
    allowed[np.arange(states), 1 + np.arange(states) % (size - 1)] = True
    following = noise.integers(0, states, (states, size)).astype(np.int32)
    following[:, 0] = 0
    return Constraint(allowed, following)
