"""What every network has: weights that are counted and copied; dropout with masks that repeat."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class Network(nn.Module):
    """A network whose weights are kept by name."""

    def num_parameters(self) -> int:
        """Number of weights; shared ones count once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """A copy of the weights as plain arrays, by name."""
        return {
            name: tensor.detach().to("cpu", torch.float32).numpy().copy()
            for name, tensor in self.state_dict().items()
        }


def dropped(
    x: Tensor, rate: float, noise: torch.Generator | None, shape: tuple[int, ...] | None = None
) -> Tensor:
    """``x`` with a random mask at zero, and its mean kept.

    Args:
        x: Any tensor.
        rate: Share of the mask that is zero.
        noise: Where the mask is drawn from; None: nothing is dropped.
        shape: Of the mask, which is broadcast; None: that of x.
    """
    if noise is None or rate == 0:
        return x
    kept = torch.empty(tuple(x.shape) if shape is None else shape, dtype=x.dtype, device=x.device)
    return x * kept.bernoulli_(1 - rate, generator=noise).div_(1 - rate)
