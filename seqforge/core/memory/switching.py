"""Log-probabilities that two predictors gave in, those of their mixture out, which follows
whichever is better at the time (fixed share, Herbster and Warmuth 1998).
"""

from __future__ import annotations

import numpy as np

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.elementary import exponential, logarithm
from seqforge.core.memory.memory import LogProbs

SHARE = 1 / 256
"""Part of the trust that is dealt out anew after every symbol."""


def switched(first: LogProbs, second: LogProbs) -> LogProbs:
    """Both (T,), in nats; the result at a place depends on what stands before it alone.

    It needs at most ln 2 - T ln(1 - SHARE / 2) nats more than the better of both.
    """
    found = np.empty(len(first))
    _switch(np.ascontiguousarray(first), np.ascontiguousarray(second), SHARE, found)
    return found


@kernel
def _switch(first: LogProbs, second: LogProbs, share: float, found: LogProbs) -> None:
    trust = 0.5
    for t in range(len(found)):
        highest = max(first[t], second[t])
        one = trust * exponential(first[t] - highest)
        both = one + (1.0 - trust) * exponential(second[t] - highest)
        found[t] = highest + logarithm(both)
        trust = one / both
        trust += share * (0.5 - trust)
