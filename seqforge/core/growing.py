"""Going on from a model's weights, with rows for symbols that it did not know.

A new symbol's rows of embedding and output are fresh, as in a new model; its output bias says how
often it occurs. Measured, in bits on held-out data (fly, 0.05 % of it two new symbols; and
Shakespeare, 29 capitals and signs of 11 % new to a model of lower case, after 160 steps):

    output row, bias                  fly before the first step    Shakespeare
    fresh, 0                                  2.074                   3.008
    fresh, by how often it occurs             1.962                   3.033
    mean row (Hewitt 2021), the same          1.962                   3.09

The old model has 1.962 on the same stretch of fly. Left at 0 the bias of a rare symbol takes
probability from all others until thousands of steps have brought it down; mean rows
(https://nlp.stanford.edu/~johnhew/vocab-expansion.html) make all new symbols alike.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from seqforge.core.checkpoint import Arrays
from seqforge.core.corpus import Tokens
from seqforge.core.model import CharRNN
from seqforge.core.paging import in_blocks

_WIDENED = ("embedding.weight", "output.weight", "output.bias")
_BIAS = "output.bias"


def adopt(model: CharRNN, weights: Arrays, shares: NDArray[np.float64]) -> None:
    """Give a fresh model the weights of one that knows the first of its symbols.

    Args:
        model: With fresh weights; V symbols.
        weights: Of a model of the same shape but for its K <= V symbols.
        shares: How often each symbol occurs in what is learnt from now on (V,); see `shares_of`.
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
    model.load_state_dict(given)


def shares_of(tokens: Tokens, size: int) -> NDArray[np.float64]:
    """How often each id occurs (V,): shares that add up to one, none of them 0 (Laplace)."""
    counts = np.ones(size, np.int64)
    for block in in_blocks(tokens):
        counts += np.bincount(block, minlength=size)
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares
