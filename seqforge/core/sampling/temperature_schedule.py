"""A temperature at the first and at the last symbol: a schedule that changes in equal steps."""

from __future__ import annotations

from typing import NamedTuple


class TemperatureSchedule(NamedTuple):
    """A temperature, or that of the first and of the last symbol."""

    start: float
    end: float | None = None

    @property
    def value(self) -> float | tuple[float, float]:
        """As the Python door takes it."""
        return self.start if self.end is None else (self.start, self.end)


CONSTANT_TEMPERATURE = TemperatureSchedule(1.0)
