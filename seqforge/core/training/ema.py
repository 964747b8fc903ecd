"""Weights after each step in, their running average out, swapped in for evaluation and saving."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor


class WeightAverage:
    """Exponential moving average (EMA) of parameters, which can be swapped in for them."""

    def __init__(self, parameters: Sequence[Tensor], share: float) -> None:
        """Start at the parameters; the average covers about the last ``share`` of the steps so
        far."""
        self._parameters = list(parameters)
        self._share = share
        self.values = [parameter.detach().clone() for parameter in parameters]

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Update the average after step ``step`` (from 1)."""
        weight = min(1.0, 1 / max(1.0, self._share * step))
        torch._foreach_lerp_(self.values, self._parameters, weight)

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Inside this block the parameters hold the average; afterwards their own values again."""
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
