"""Sequences with their classes in, a linear model on their n-grams out: the baseline of
classification (multinomial logistic regression).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy, embedding_bag

from seqforge.core.model.task_networks import in_bags, known_ngrams, ngram_codes

ORDER = 4
"""Longest n-gram."""
_EPOCHS, _BATCH, _RATE = 12, 64, 0.03


@dataclass(frozen=True)
class LinearClassifier:
    """Weights of n-grams for each class."""

    codes: NDArray[np.int64]
    """(G,), sorted."""
    weights: torch.Tensor
    """(G + 1, C); the last row is the bias."""
    symbols: int

    @classmethod
    def fitted(
        cls, sequences: Sequence[NDArray[Any]], targets: NDArray[np.integer], symbols: int,
        classes: int, seed: int = 0,
    ) -> LinearClassifier:  # fmt: skip
        """Fit it by Adam; ``symbols`` are those of sequences, with the end."""
        every = [ngram_codes(ids, symbols, ORDER) for ids in sequences]
        codes = np.unique(np.concatenate(every))
        bags = [np.append(np.searchsorted(codes, each), len(codes)) for each in every]
        weights = torch.zeros(len(codes) + 1, classes, requires_grad=True)
        optimizer = torch.optim.SparseAdam([weights], lr=_RATE)
        goal, draw = torch.from_numpy(targets.astype(np.int64)), np.random.default_rng(seed)
        batches = [
            order[at : at + _BATCH]
            for order in (draw.permutation(len(bags)) for _ in range(_EPOCHS))
            for at in range(0, len(bags), _BATCH)
        ]
        for step, rows in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = _RATE * (1 - step / len(batches))
            flat, starts = in_bags([bags[row] for row in rows])
            logits = embedding_bag(flat, weights, starts, mode="sum", sparse=True)
            loss = cross_entropy(logits, goal[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's
            optimizer.step()  # type: ignore[no-untyped-call]  # torch's
        return cls(codes, weights.detach(), symbols)

    def classes(self, sequences: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
        """Sequences in, the likeliest class of each (N,) out."""
        found = []
        for ids in sequences:
            known = known_ngrams(ngram_codes(ids, self.symbols, ORDER), self.codes)
            found.append(int(self.weights[[*known, -1]].sum(0).argmax()))
        return np.array(found, np.int64)
