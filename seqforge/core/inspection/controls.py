"""Scores of units and controls in, findings out: what follows an annotation better than untrained
networks do, and better than it follows the same annotation moved elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from seqforge.core.inspection.annotations import Annotation, Measure
from seqforge.core.inspection.ranking import Scores, Units, score_units
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.checkpoint import Checkpoint

SEEDS = range(5)
"""Of untrained networks."""
SHIFTS = 20
MARGIN_R = 0.3
"""How much more a found unit's |r| is than that of the best unit of an untrained network."""
MARGIN_SHIFTED = 0.1
"""The same beside shifted annotations."""
SHARE_AUC = 0.5
"""How much of a control's distance to an AUC of 1 a found unit has at most."""


@dataclass(frozen=True)
class Finding:
    """A unit beside an annotation, and the best that the controls reach."""

    annotation: int
    unit: int
    """Counted over all layers."""
    measure: Measure
    value: float
    """r or AUC on the half by which it was not chosen."""
    untrained: tuple[float, ...]
    """The value of the best unit of each untrained network, chosen and judged in the same way."""
    shifted: tuple[float, ...]
    """The value of the trained network's best unit for each shift of the annotation."""
    keeps_sign: bool
    """Whether both halves agree on the direction."""

    @property
    def margin(self) -> float:
        """The value less the best of the untrained networks; of r its size."""
        return self._size(self.value) - max(map(self._size, self.untrained))

    @property
    def found(self) -> bool:
        """Whether it beats both controls by the margins."""
        if not self.keeps_sign:
            return False
        untrained, shifted = (max(map(self._size, some)) for some in (self.untrained, self.shifted))
        if self.measure == "r":
            return self.margin >= MARGIN_R and abs(self.value) >= shifted + MARGIN_SHIFTED
        return 1 - self.value <= SHARE_AUC * (1 - max(untrained, shifted))

    def _size(self, value: float) -> float:
        return abs(value) if self.measure == "r" else value


def untrained(checkpoint: Checkpoint, seed: int) -> Checkpoint:
    """A model in, one of the same shape with fresh weights out."""
    card = checkpoint.card
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = CharRNN(len(card.vocabulary), **card.config.model.model_dump())
    return Checkpoint(card, network.arrays())


def shifted_values(units: Units, annotations: Sequence[Annotation]) -> list[tuple[float, ...]]:
    """For each annotation the value of the best unit at each of 20 circular shifts."""
    size = len(units)
    places = [size * (2 * n + 1) // (2 * SHIFTS) for n in range(SHIFTS)]
    moved = [one.shifted(place) for place in places for one in annotations]
    values = score_units(units, moved).values_of_best()
    return [tuple(values[a :: len(annotations)]) for a in range(len(annotations))]


def findings(
    scores: Scores, annotations: Sequence[Annotation], controls: Sequence[Scores],
    shifted: Sequence[tuple[float, ...]], count: int,
) -> list[Finding]:  # fmt: skip
    """The ``count`` best units of each annotation, the annotations in order.

    Args:
        scores: Of the trained network.
        annotations: What was looked for.
        controls: Scores of untrained networks on the same annotations.
        shifted: From `shifted_values`.
        count: How many units of each.
    """
    fresh = list(zip(*(one.values_of_best() for one in controls), strict=True))
    return [
        Finding(
            a, unit, scores.measures[a], scores.value(a, unit), fresh[a], shifted[a],
            bool(scores.first[a, unit] * scores.second[a, unit] > 0),
        )
        for a in range(len(annotations))
        for unit in scores.best(a, count)
    ]  # fmt: skip
