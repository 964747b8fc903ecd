"""Weights of a trained model in, a model initialised from them out, with rows for new symbols."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from seqforge.base.machine import in_blocks
from seqforge.core.data.corpus import Tokens
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.checkpoint import Arrays

_WIDENED = ("embedding.weight", "output.weight", "output.bias")
_BIAS = "output.bias"


def load_pretrained(model: CharRNN, weights: Arrays, shares: NDArray[np.float64]) -> None:
    """Weights of a trained model in, copied into a fresh model whose first symbols are the same.

    Args:
        model: With fresh weights; V symbols.
        weights: Of a model of the same shape but for its K <= V symbols.
        shares: How often each symbol occurs in what is learnt from now on (V,); see
            `symbol_shares`.
    """
    fresh = model.state_dict()
    known = len(weights[_BIAS])
    given = {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}
    if known < len(shares):
        for name in _WIDENED:
            given[name] = torch.cat([given[name], fresh[name][known:].to(given[name])])
        often = torch.from_numpy(np.log(known * shares[known:])).to(given[_BIAS])
        # A bias at the mean stands for one symbol of K that are equally likely.
        given[_BIAS][known:] = given[_BIAS][:known].mean() + often
    missing = [name for name in fresh if name.startswith("labels.")]
    # The label of a model that had none changes nothing to begin with.
    given |= {name: torch.zeros_like(fresh[name]) for name in missing if name not in given}
    model.load_state_dict(given)


def symbol_shares(tokens: Tokens, size: int) -> NDArray[np.float64]:
    """Relative frequency of each id (V,), with Laplace smoothing."""
    counts = np.ones(size, np.int64)
    for block in in_blocks(tokens):
        counts += np.bincount(block, minlength=size)
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares
