"""A short sample from the weights of the moment, while they are trained; it needs no torch."""

from __future__ import annotations

import time

from seqforge.core.budget import Budget
from seqforge.core.checkpoint import Arrays, Checkpoint, ModelCard
from seqforge.core.domain import Domain, Sample
from seqforge.core.sampling.sampler import Sampler, SamplingOptions, openings_of
from seqforge.errors import ConfigError

_OPTIONS = SamplingOptions(temperature=0.8, length=200, seed=0)
"""Always the same draws: what changes from sample to sample is the model."""


def preview(domain: Domain, card: ModelCard, weights: Arrays) -> Sample:
    """One sample of at most 200 symbols at temperature 0.8."""
    sampler = Sampler(
        Checkpoint(card, weights),
        domain.constraint(card.vocabulary),
        openings=openings_of(domain, card),
    )
    (sample,) = sampler.draw(1, _OPTIONS)
    return sample


class Cadence:
    """When the next sample is due: every so many seconds or steps."""

    def __init__(self, text: str) -> None:
        """Read ``30s``, ``2m``, ``1h`` or ``500steps``.

        Raises:
            ConfigError: If it is none of these.
        """
        try:
            every = Budget.parse(text)
        except ValueError:
            every = Budget()
        if every.seconds is None and every.steps is None:
            raise ConfigError(f"--sample-every: give 30s, 2m, 1h or 500steps, not {text!r}")
        self._every, self._step, self._time = every, 0, time.monotonic()

    def due(self, step: int) -> bool:
        """Whether a sample is due after a step; it then is not, until the next is."""
        if self._every.steps is not None:
            due = step // self._every.steps > self._step // self._every.steps
        else:
            due = time.monotonic() - self._time >= (self._every.seconds or 0)
        if due:
            self._step, self._time = step, time.monotonic()
        return due
