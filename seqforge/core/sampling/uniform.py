"""Uniform numbers as a function of seed, sample number and position alone."""

from __future__ import annotations

import numpy as np

from seqforge.core.sampling.compiled import inner
from seqforge.core.sampling.intrinsics import high_product

# Salmon et al. 2011, table 2: multipliers and Weyl constants of Philox4x64.
_M0, _M1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_W0, _W1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_ROUNDS = 10
_TO_UNIT = 2.0**-53


@inner
def uniform(seed: np.uint64, stream: np.uint64, position: int) -> float:
    """The number at a position (from 0) of a stream, in [0, 1), 53 bits.

    Philox4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") with the key
    (seed, stream); a counter gives four numbers. The same as numpy's
    ``Generator(Philox(key=[seed, stream])).random()``, whose first counter is 1.
    """
    c0, c1, c2, c3 = np.uint64(position // 4 + 1), np.uint64(0), np.uint64(0), np.uint64(0)
    k0, k1 = seed, stream
    for _ in range(_ROUNDS):
        h0, l0 = high_product(_M0, c0), _M0 * c0
        h1, l1 = high_product(_M1, c2), _M1 * c2
        c0, c1, c2, c3 = h1 ^ c1 ^ k0, l1, h0 ^ c3 ^ k1, l0
        k0, k1 = k0 + _W0, k1 + _W1
    word = c0
    if position % 4 == 1:
        word = c1
    elif position % 4 == 2:
        word = c2
    elif position % 4 == 3:
        word = c3
    return float(word >> np.uint64(11)) * _TO_UNIT
