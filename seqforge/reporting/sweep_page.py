"""A sweep's trials in, ``summary.json`` of the sweep and its page out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from seqforge.base import html_page
from seqforge.base.folders import write_atomically
from seqforge.base.html_page import Section
from seqforge.base.messages import MISSING, bits, duration, format_number, plural
from seqforge.charts.xy import Points, XyChart, style
from seqforge.reporting.sections import percent
from seqforge.reporting.summary import SummaryPart
from seqforge.reporting.verdict import saved_percent

_MOST_CURVES = 16
"""Colours, plain and dashed."""
_SETTLED = 0.15
"""The first part of the longest curve may lie above the picture."""
_NEAR_PERCENT = 0.5  # fewer bits than that are not worth many weights
_FEW = 6  # trials, from which on it can be said what a setting mattered


class SweptTrial(SummaryPart):
    """One trial: a training under its own settings."""

    number: int
    """From 0."""
    state: Literal["done", "failed", "running"]
    """running: under way, or left to be gone on with."""
    settings: dict[str, JsonValue]
    """Swept settings by key."""
    bits: float | None = None
    """Bits per symbol on valid."""
    weights: int | None = None
    """Of the network."""
    seconds: float | None = None
    """Of training."""
    folder: str | None = None
    """The run folder, seen from that of the sweep."""
    reason: str | None = None
    """Why it failed."""


class BestTrial(SummaryPart):
    """The trial of the fewest bits."""

    trial: int
    """Its number."""
    bits: float
    """Bits per symbol on valid."""
    settings: dict[str, JsonValue]
    """Swept settings by key."""


class SweepSummary(SummaryPart):
    """``summary.json`` of a sweep."""

    best: BestTrial | None = None
    """null where no trial is done."""
    trials: tuple[SweptTrial, ...] = ()
    """By number."""
    wanted: int
    """Trials asked for, over all processes."""
    recipe: str
    """Its name."""
    budget: str
    """Of each trial."""
    ranges: dict[str, str]
    """What was swept, by key."""
    own: dict[str, JsonValue]
    """The recipe's own values of the same settings."""
    unit: str = "symbol"
    """What one symbol is called."""
    train_symbols: int | None = None
    """Symbols of the training part."""
    importances: dict[str, float]
    """Share of the variance of the bits that each setting accounts for (fANOVA)."""

    @property
    def ranked(self) -> list[SweptTrial]:
        """Trials that are done, the fewest bits first."""
        done = [trial for trial in self.trials if trial.bits is not None]
        return sorted(done, key=lambda trial: (trial.bits, trial.number))


@dataclass(frozen=True)
class _Row:
    """A row of the table of trials."""

    number: int
    style: str
    cells: Sequence[str]
    folder: str


def write_sweep_page(path: Path, found: SweepSummary, curves: Mapping[int, Points]) -> None:
    """Write the page.

    Args:
        path: Where it goes.
        found: The sweep.
        curves: Seconds of training and bits at each evaluation, by the trial's number.

    Raises:
        RunError: If it cannot be written.
    """
    macros = html_page.macros(__package__, "sweep_page.html.jinja")
    picture, learned, names = _by_weights(found), _curves(found, curves), _short(found.ranges)
    columns = ("bits", *names.values(), "weights", "weights a symbol", "training")
    mattered = _importances(found)
    sections = [
        Section("size", "Bits against weights", str(macros.weights(picture.svg(), rule(found)))),
        Section("trials", "All trials", str(macros.table(columns, _rows(found), _rest(found))),
                ".swept thead th { white-space: nowrap; }"),
        Section("curves", "How they learned",
                str(macros.curves(learned.svg(), learned.legend(), len(learned.series)))),
        Section("mattered", "What each setting mattered", str(macros.mattered(mattered))),
    ]  # fmt: skip
    what = " and ".join(names.values())
    head = macros.head(f"Sweep of {found.recipe}: which {what}?", conclusion(found), advice(found))
    first = f"{bits(found.best.bits)} bits at best - " if found.best else ""
    text = html_page.page(f"{first}sweep of {found.recipe} - seqforge", str(head), sections)
    write_atomically(path, text.encode("utf-8", "replace"))


def conclusion(found: SweepSummary) -> str:
    """A sweep in, which settings are best and by how much out, in a sentence."""
    ranked = found.ranked
    if not ranked:
        return "No trial has come to a score yet."
    first, rest = ranked[0], ranked[1:]
    said = (
        f"{described(first.settings)} needs the fewest bits: {bits(first.bits)} per {found.unit} "
        "on held-out data (valid)"
    )
    own = next((trial for trial in rest if trial.settings == found.own), None)
    beside = [("the recipe's own, ", own)] if own else []
    if rest and rest[0] is not own:
        beside.append(("", rest[0]))
    against = [
        f"{percent(first.bits or 0.0, other.bits or 1.0)} against {called}"
        f"{described(other.settings)} ({bits(other.bits)})"
        for called, other in beside
    ]
    if first.settings == found.own:
        said += ", as the recipe has it"
    count = "1 trial" if not rest else f"{len(ranked)} trials"
    return "; ".join([said, *against, f"{count} of {found.budget}{' each' if rest else ''}."])


def advice(found: SweepSummary) -> list[str]:
    """What to make of it: smaller networks that are level, ends of ranges, what is missing."""
    ranked = found.ranked
    if not ranked:
        return []
    said, best = [], ranked[0]
    level = [
        trial for trial in ranked[1:]
        if saved_percent(best.bits or 0.0, trial.bits or 1.0) < _NEAR_PERCENT
    ]  # fmt: skip
    smaller = min(level, key=lambda trial: trial.weights or 0, default=None)
    if smaller and (smaller.weights or 0) < 0.8 * (best.weights or 0):
        said.append(
            f"Within {_NEAR_PERCENT:g} % of it is {described(smaller.settings)} "
            f"({bits(smaller.bits)}), with {format_number(smaller.weights)} weights instead of "
            f"{format_number(best.weights)}."
        )
    for key in _at_an_end(found, best):
        said.append(
            f"The best {_name(key)} lies at an end of its range ({found.ranges[key]}): a wider "
            f"range may hold a better one (--set-range {key}=...)."
        )
    if not said:
        return [_budget_note(found)]
    return [*said, _budget_note(found)]


def _budget_note(found: SweepSummary) -> str:
    return (
        f"Each trial had {found.budget}. A longer training favours larger networks: what is best "
        "here is best at this budget, of one seed."
    )


def _at_an_end(found: SweepSummary, best: SweptTrial) -> list[str]:
    """Keys whose best value is the first or last of a range of numbers."""
    keys = []
    for key, text in found.ranges.items():
        low, dots, high = text.partition("..")
        value = best.settings.get(key)
        if dots and low != high and isinstance(value, int | float):
            ends = [float(low), float(high)]
            if value in ends and value != 1:  # there are no fewer layers
                keys.append(key)
    return keys


def rule(found: SweepSummary) -> str:
    """Karpathy's rule of thumb, with the best trial beside it; empty without a count of symbols."""
    if not found.train_symbols:
        return ""
    said = (
        f"Dashed line: as many weights as there are training {plural(found.unit)} "
        f"({format_number(found.train_symbols)}). Karpathy's rule of thumb (char-rnn, 2015): "
        "the two should be of about the same order of magnitude. A network with far fewer weights "
        "cannot take in all there is to learn; one with far more over-fits, unless it is trained "
        "with dropout."
    )
    best = found.ranked[0] if found.ranked else None
    if best is not None and best.weights:
        share = best.weights / found.train_symbols
        said += f" The best trial has {share:.2g} weights for each training {found.unit}."
    return said


def described(settings: Mapping[str, object]) -> str:
    """Settings in, ``hidden_size 256, num_layers 2`` out."""
    names = _short(settings)
    return ", ".join(f"{names[key]} {format_number(value)}" for key, value in settings.items())


def _short(keys: Mapping[str, object]) -> dict[str, str]:
    """The last part of each key, where no other has the same."""
    last = [_name(key) for key in keys]
    return {key: _name(key) if last.count(_name(key)) == 1 else key for key in keys}


def _name(key: str) -> str:
    return key.rpartition(".")[2]


def _rows(found: SweepSummary) -> list[_Row]:
    return [_row(found, trial, style(rank)) for rank, trial in enumerate(found.ranked)]


def _row(found: SweepSummary, trial: SweptTrial, of: str) -> _Row:
    symbols = found.train_symbols
    share = MISSING if not symbols or not trial.weights else f"{trial.weights / symbols:.2g}"
    cells = (
        bits(trial.bits),
        *(format_number(trial.settings.get(key)) for key in found.ranges),
        format_number(trial.weights),
        share,
        duration(trial.seconds),
    )
    return _Row(trial.number, of, cells, trial.folder or "")


def _rest(found: SweepSummary) -> list[str]:
    """Sentences on trials that have no score."""
    said = []
    for trial in found.trials:
        if trial.state == "failed":
            why = trial.reason or "it came to no score"
            said.append(f"Trial {trial.number} ({described(trial.settings)}) failed: {why}.")
    open_ = found.wanted - sum(trial.state != "running" for trial in found.trials)
    if open_ > 0:
        said.append(f"{open_} of {found.wanted} trials are still to be done.")
    return said


def _by_weights(found: SweepSummary) -> XyChart:
    series = {
        str(trial.number): [(float(trial.weights), trial.bits)]
        for trial in found.ranked
        if trial.weights is not None and trial.bits is not None
    }
    marks = {f"training {plural(found.unit)}": float(found.train_symbols or 0)}
    label = f"held-out bits per {found.unit}"
    return XyChart("weights", label, series, dots=True, log_x=True, marks=marks)


def _curves(found: SweepSummary, curves: Mapping[int, Points]) -> XyChart:
    series = {
        f"{trial.number}: {described(trial.settings)}": curves[trial.number]
        for trial in found.ranked[:_MOST_CURVES]
        if curves.get(trial.number)
    }
    settled = [y for line in series.values() for x, y in line if x >= _SETTLED * line[-1][0]]
    label = f"held-out bits per {found.unit}"
    return XyChart("seconds of training", label, series, most_y=max(settled, default=None))


def _importances(found: SweepSummary) -> list[tuple[str, float]]:
    if len(found.ranked) < _FEW or len(found.importances) < 2:
        return []
    shares = sorted(found.importances.items(), key=lambda pair: -pair[1])
    return [(_name(key), round(100 * share)) for key, share in shares]
