"""Two ways of scoring held-out symbols by windows, the same for every model.

``sliding``: every symbol once, from the 33 to 64 symbols before it (fewer only where its record
begins). ``cold``: windows of 64 symbols, each predicted from the window's own beginning alone:
the first from the one symbol before it, the last from 64.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from seqforge.core.data.corpus import TokenPart

LENGTH = 64
_STRIDE = 32
_BATCH = 128

Windows = NDArray[np.int64]
"""(N, 3): read from, scored from, stop. Symbols [scored, stop) are predicted from [read, stop)."""


def cold_windows(part: TokenPart) -> Windows:
    """Windows of 64 scored symbols that know of nothing earlier but one symbol."""
    spans = [
        (begin - 1, begin, min(begin + LENGTH, stop))
        for _, scored_from, stop in part.segments.tolist()
        for begin in range(scored_from, stop, LENGTH)
    ]
    return np.array(spans, np.int64)


def sliding_windows(part: TokenPart) -> Windows:
    """Windows of 64 read symbols, of which the last 32 predictions count."""
    spans = [
        (max(start, min(begin + _STRIDE, stop) - 1 - LENGTH), begin, min(begin + _STRIDE, stop))
        for start, scored_from, stop in part.segments.tolist()
        for begin in range(scored_from, stop, _STRIDE)
    ]
    return np.array(spans, np.int64)


def some(windows: Windows, symbols: int) -> Windows:
    """Windows with about so many scored symbols, taken evenly."""
    scored = int((windows[:, 2] - windows[:, 1]).sum())
    keep = max(1, min(len(windows), round(len(windows) * symbols / scored)))
    return windows[np.arange(keep) * len(windows) // keep]


def window_nats(logits_of: Callable[[Tensor], Tensor], part: TokenPart, windows: Windows) -> float:
    """Mean loss of the scored symbols, in nats.

    Args:
        logits_of: Logits (B, T, V) of the symbol after each of ids (B, T), T at most 64; may
            look at nothing but the symbols up to each place.
        part: Where the windows lie.
        windows: What to read and score.
    """
    total, count = 0.0, 0
    with torch.inference_mode():
        for first in range(0, len(windows), _BATCH):
            batch = windows[first : first + _BATCH]
            ids = np.zeros((len(batch), LENGTH + 1), np.int64)
            scored = np.zeros((len(batch), LENGTH), np.bool_)
            for row, (read, begin, stop) in enumerate(batch.tolist()):
                ids[row, : stop - read] = part.tokens[read:stop]
                scored[row, begin - read - 1 : stop - read - 1] = True
            inputs, targets = torch.from_numpy(ids[:, :-1]), torch.from_numpy(ids[:, 1:])
            losses = cross_entropy(logits_of(inputs).transpose(1, 2), targets, reduction="none")
            total += float(losses[torch.from_numpy(scored)].sum(dtype=torch.float64))
            count += int(scored.sum())
    return total / count
