"""What was found of a model's units, typed: the schema of ``units.json``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from seqforge.reporting.excerpt import RankedUnit


class AblationRow(BaseModel):
    """What silencing a unit costs, in bits a symbol: held at its mean, the next symbol's."""

    model_config = ConfigDict(frozen=True)

    where: float
    """After symbols at which the annotation holds; of numbers, the highest quarter."""
    elsewhere: float
    random_where: float
    """The mean of eight random units of the same layer."""
    random_highest: float


class DriveRow(BaseModel):
    """The mean of the annotation in samples drawn while a unit is held at a value."""

    model_config = ConfigDict(frozen=True)

    low: float
    """The unit's 5th percentile, or the 95th where the annotation is lower there; or ``high``."""
    high: float
    at_low: float | None
    at_high: float | None
    undriven: float | None
    random: tuple[float, ...]
    """The differences that random units of the same layer make."""


class UnitRow(RankedUnit):
    """A unit beside an annotation; chosen on the first half of the input, judged on the second."""

    untrained: tuple[float, ...]
    shifted: tuple[float, ...]
    margin: float
    found: bool
    ablation: AblationRow | None = None
    drive: DriveRow | None = None


class ProbeRow(BaseModel):
    """r or AUC that a linear probe of a layer reaches on the second half."""

    model_config = ConfigDict(frozen=True)

    layer: int
    annotation: str
    measure: str
    value: float


class InspectResult(BaseModel):
    """What ``units.json`` holds."""

    model_config = ConfigDict(frozen=True)

    model: str
    symbols: int
    controlled: int
    """Symbols that controls and causal tests have read."""
    unit: str
    bits_per_symbol: float
    units: tuple[UnitRow, ...]
    probes: tuple[ProbeRow, ...]
    bits_after_reset: dict[str, float]
    """Bits of the same symbols by how many before them were read since a reset; ``all``: without
    one."""

    @property
    def found(self) -> tuple[UnitRow, ...]:
        """Units that beat the controls, the largest margins first."""
        found = (row for row in self.units if row.found)
        return tuple(sorted(found, key=lambda row: -row.margin))
