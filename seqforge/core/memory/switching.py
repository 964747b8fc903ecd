"""Log-probabilities that two predictors gave in, those of their mixture out, which follows
whichever is better at the time (fixed share, Herbster and Warmuth 1998).
"""

from __future__ import annotations

import numpy as np

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.elementary import exponential, logarithm
from seqforge.core.memory.memory import LogProbs

SHARE = 1 / 4096
"""Part of the trust that is dealt out anew after every symbol: a larger one costs more wherever one
of the two is better throughout."""


class Switch:
    """Mixes two predictors block by block; where the blocks end makes no difference."""

    def __init__(self) -> None:
        self._trust = np.array([0.5])

    def mixed(self, first: LogProbs, second: LogProbs) -> LogProbs:
        """What both gave next (T,), in nats, in; that of the mixture out.

        A place's depends on what stands before it alone. From the start it needs at most
        ln 2 - T ln(1 - SHARE / 2) nats more than the better of both.
        """
        found = np.empty(len(first))
        both = np.ascontiguousarray(first), np.ascontiguousarray(second)
        _switch(*both, SHARE, self._trust, found)
        return found


@kernel
def _switch(
    first: LogProbs, second: LogProbs, share: float, kept: LogProbs, found: LogProbs
) -> None:
    trust = kept[0]
    for t in range(len(found)):
        highest = max(first[t], second[t])
        one = trust * exponential(first[t] - highest)
        both = one + (1.0 - trust) * exponential(second[t] - highest)
        found[t] = highest + logarithm(both)
        trust = one / both
        trust += share * (0.5 - trust)
    kept[0] = trust
