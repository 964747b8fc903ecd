"""How a run shares out time and data, as a person writes it: ``10m``, ``90/5/5``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Budget:
    """How long to train: exactly one of the three is set."""

    seconds: float | None = None
    steps: int | None = None
    epochs: float | None = None

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read ``90s``, ``10m``, ``2h``, ``20000steps`` or ``3epochs``.

        Raises:
            ValueError: If the text is none of these or not above zero.
        """
        match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*(s|m|h|steps?|epochs?)", text.strip().lower())
        if match is None or not 0 < float(match[1]) < 1e15:
            raise ValueError(f"a budget is 90s, 10m, 2h, 20000steps or 3epochs, not {text[:60]!r}")
        amount, unit = float(match[1]), match[2]
        if unit in _UNITS:
            return cls(seconds=amount * _UNITS[unit])
        if unit.startswith("epoch"):
            return cls(epochs=amount)
        return cls(steps=max(1, round(amount)))


@dataclass(frozen=True)
class Split:
    """Shares of train, valid and test; they add up to one."""

    train: float
    valid: float
    test: float

    @classmethod
    def parse(cls, text: str) -> Split:
        """Read ``90/5/5``, in percent.

        Raises:
            ValueError: If it is not three numbers that add up to 100, the first above zero.
        """
        try:
            train, valid, test = (float(part) for part in text.split("/"))
        except ValueError:
            train = valid = test = -1.0
        if not all(map(math.isfinite, (train, valid, test))):
            train = -1.0
        if train <= 0 or min(valid, test) < 0 or abs(train + valid + test - 100) > 1e-6:
            raise ValueError(
                f"a split is train/valid/test in percent, such as 90/5/5, not {text[:60]!r}"
            )
        return cls(train / 100, valid / 100, test / 100)
