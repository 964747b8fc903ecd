"""Finished trials in, the settings of the next one out: Optuna's TPE on an in-memory copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from seqforge.runs.sweep.ranges import Choice, Choices, Range, all_settings, combinations

_AT_RANDOM = 6  # first trials are drawn at random: so few say nothing of where to look
_TRIES = 20  # draws of one trial until its settings are new; the second half of them at random

Settings = dict[str, Choice]


def distribution(of: Range) -> BaseDistribution:
    """A range in, Optuna's name for it out."""
    if isinstance(of, Choices):
        return CategoricalDistribution(of.values)
    if of.whole:
        return IntDistribution(int(of.low), int(of.high), log=of.log)
    return FloatDistribution(of.low, of.high, log=of.log)


def propose(
    known: Sequence[FrozenTrial], ranges: Sequence[Range], first: Mapping[str, Any], seed: int,
    allowed: Callable[[Settings], bool],
) -> Settings | None:  # fmt: skip
    """The settings of one more trial, the same whenever it is asked with the same.

    Args:
        known: All trials so far, finished or not.
        ranges: What is swept.
        first: Values of the recipe itself: the first trial, if they lie in the ranges.
        seed: Of the sweep; the trial's number is mixed into it.
        allowed: Whether values go together.

    Returns:
        Settings that no trial had yet; None if there are no others.
    """
    had = [dict(trial.params) for trial in known]
    if not had and all(one.key in first and one.has(first[one.key]) for one in ranges):
        return {one.key: one.rounded(first[one.key]) for one in ranges}
    for number in range(_TRIES):
        drawn = _drawn(known, ranges, (seed, len(known), number), number >= _TRIES // 2)
        if drawn not in had and allowed(drawn):
            return drawn
    if combinations(ranges) is None:
        return None
    return next((one for one in all_settings(ranges) if one not in had and allowed(one)), None)


def _drawn(
    known: Sequence[FrozenTrial], ranges: Sequence[Range], seed: Sequence[int], blindly: bool
) -> Settings:
    state = int(np.random.SeedSequence(seed).generate_state(1)[0])
    sampler: Any = RandomSampler(seed=state)
    if not blindly:
        sampler = TPESampler(seed=state, n_startup_trials=_AT_RANDOM)
    study = optuna.create_study(sampler=sampler)
    study.add_trials(known)
    trial = study.ask({one.key: distribution(one) for one in ranges})
    return {one.key: one.rounded(trial.params[one.key]) for one in ranges}
