"""How long a training step takes here, measured before the first one."""

from __future__ import annotations

import time

from seqforge.core.lanes import Lanes
from seqforge.core.ranks import Ranks
from seqforge.core.streams import Window

_WINDOWS, _MOST_WINDOWS = 3, 20
_SECONDS = 1.0
_EXCHANGES = 3


def seconds_a_step(lanes: Lanes, window: Window, windows: int, ranks: Ranks) -> float:
    """Seconds that loss and gradients of a step take; weights stay as they are.

    Every rank measures itself at the same time, since that is how they will work, and then all
    measure the exchange of gradients, so often as was settled before.

    Args:
        lanes: What is measured; the state that they carry is used up.
        window: What it is measured on.
        windows: So many are read for one step.
        ranks: Among whom gradients are exchanged, once a step.
    """
    _, gradients = lanes.gradients(window, 0, 0)  # the first call chooses kernels
    times: list[float] = []
    while len(times) < _WINDOWS or (sum(times) < _SECONDS and len(times) < _MOST_WINDOWS):
        began = time.perf_counter()
        lanes.gradients(window, 0, 0)
        times.append(time.perf_counter() - began)
    reading = sorted(times)[len(times) // 2] * windows
    if ranks.world == 1:
        return reading
    ranks.sum(gradients, [])  # the first waits for the slowest rank
    began = time.perf_counter()
    for _ in range(_EXCHANGES):
        ranks.sum(gradients, [])
    return reading + (time.perf_counter() - began) / _EXCHANGES
