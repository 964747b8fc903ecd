"""An average of the weights over the last share of training, for evaluation and for keeping.

An exponential moving average whose memory grows with the steps taken: it looks back over the same
share of the training at any moment, and so needs to know nothing of the budget (the power-function
average of Karras et al. 2024, https://arxiv.org/abs/2312.02696).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor


class WeightAverage:
    """Follows parameters and can stand in for them."""

    def __init__(self, parameters: Sequence[Tensor], share: float) -> None:
        """Begin at the parameters; ``share`` of the steps so far is about what is averaged."""
        self._parameters = list(parameters)
        self._share = share
        self.values = [parameter.detach().clone() for parameter in parameters]

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Take in the parameters after step ``step`` (from 1)."""
        weight = min(1.0, 1 / max(1.0, self._share * step))
        torch._foreach_lerp_(self.values, self._parameters, weight)

    @contextmanager
    def standing_in(self) -> Iterator[None]:
        """The parameters hold the average inside, and what they held before afterwards."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for parameter, value in zip(self._parameters, self.values, strict=True):
            held = parameter.detach().clone()
            parameter.copy_(value)
            value.copy_(held)
