"""Where best E-values stand on the axis of a picture: chance spread out, copies still in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from seqforge.core.distributions import Distributions

_LABEL = "best E(), more like the library to the right"
_TICKS = (1, 0, -1, -2, -3, -5, -10, -20, -50, -100, -200, -300)
"""Powers of ten."""
_CLOSEST = 0.11  # ticks may not stand closer, as a share of the axis: a phone has large letters
_LEAST_POWER = -300.0  # an E-value of 0 stands here: the smallest that a double holds is near
_MARGIN = 0.4  # the place of sequences without a hit, to the left of the limit, in powers of ten


def evalue_distributions(
    groups: Mapping[str, Sequence[float | None]], limit: float
) -> Distributions:
    """The axis runs by the inverse hyperbolic sine of -log10 E: even around 1, then ever closer.

    Args:
        groups: Best E-values by the group's name; None where there is none up to the limit.
        limit: Of the search.
    """
    known = [
        _likeness(value) for values in groups.values() for value in values if value is not None
    ]
    scale = _Scale(-math.log10(limit) - _MARGIN, max([3.0, *known]) * 1.04)
    missing = any(value is None for values in groups.values() for value in values)
    places = {
        name: [0.0 if value is None else scale(_likeness(value)) for value in values]
        for name, values in groups.items()
    }
    return Distributions(_LABEL, scale.ticks(missing), places)


def _likeness(evalue: float) -> float:
    return -max(_LEAST_POWER, math.log10(evalue)) if evalue > 0 else -_LEAST_POWER


class _Scale:
    """From powers of ten to places between 0 and 1."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = math.asinh(low), math.asinh(high)

    def __call__(self, likeness: float) -> float:
        return (math.asinh(likeness) - self._low) / (self._high - self._low)

    def ticks(self, missing: bool) -> list[tuple[float, str]]:
        """As many as have room, from the left."""
        found = [(0.0, "none")] if missing else []
        for power in _TICKS:
            place = self(-power)
            room = place - found[-1][0] if found else 1.0
            if 0 <= place <= 1 and room >= _CLOSEST:
                found.append((place, f"{10.0**power:g}" if power > -4 else f"1e{power}"))
        return found
