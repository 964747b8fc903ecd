"""Labels in, the embedding of symbols under each of them out: what conditions a model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_SPREAD = 0.1


class LabelVectors(nn.Module):
    """Two vectors a label, both as wide as the embedding.

    One is added to the embedding of every symbol, so that the label is fed at each step. The other
    is added to that of the start symbol, the first that is read: so the label sets the first state.
    """

    def __init__(self, labels: int, width: int) -> None:
        super().__init__()
        self.fed = nn.Parameter(torch.randn(labels, width) * _SPREAD)
        self.start = nn.Parameter(torch.randn(labels, width) * _SPREAD)

    def __len__(self) -> int:
        """How many labels there are."""
        return len(self.fed)

    def table(self, embedding: Tensor) -> Tensor:
        """The embedding (V, E) in, that of every virtual id (labels * V, E) out.

        The virtual id of a symbol under a label is ``label * V + symbol``.
        """
        start = embedding[:1] + self.start
        rest = embedding[1:] + self.fed[:, None]
        return torch.cat([start[:, None], rest], 1).flatten(0, 1)
