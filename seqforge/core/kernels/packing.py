"""Weights laid out in the order in which the compiled products read them."""

from __future__ import annotations

import torch
from torch import Tensor

from seqforge.core.kernels.products import Tiling
from seqforge.core.kernels.vectors import WIDTH


def pack(weight: Tensor, bf16: bool) -> Tensor:
    """Lay weights (N, K) out in the order in which a product reads them; N a multiple of WIDTH.

    A tile's columns lie together, for each k in turn (each pair of k for bfloat16, whose products
    are summed in pairs).
    """
    columns, inner = weight.shape
    width = Tiling(columns).across * WIDTH
    if not bf16:
        return weight.view(columns // width, width, inner).transpose(1, 2).contiguous()
    if inner % 2:
        weight = torch.nn.functional.pad(weight, (0, 1))
    pairs = weight.bfloat16().view(columns // width, width, -1, 2)
    return pairs.transpose(1, 2).contiguous()
