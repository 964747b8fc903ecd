"""Several runs in, one page that compares them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seqforge.base import html_page
from seqforge.base.folders import write_atomically
from seqforge.base.html_page import Section
from seqforge.base.messages import (
    MISSING,
    bits,
    duration,
    format_number,
    visible_controls,
)
from seqforge.charts.xy import XyChart, style
from seqforge.core.training.events import EvaluationRecord
from seqforge.reporting.named_baselines import best, is_ngram, named_baselines
from seqforge.reporting.sections import BaselineComparison, percent
from seqforge.reporting.summary import RunSummary
from seqforge.reporting.verdict import LEVEL_PERCENT, saved_percent, times_read

_SETTLED = 0.15
"""The first part of the longest curve may lie above the picture."""


@dataclass(frozen=True)
class ComparedRun:
    """A run beside others."""

    name: str
    """Different for each."""
    summary: RunSummary
    metrics: Sequence[EvaluationRecord]
    drawn: str = ""
    """A sample of the seed that all have."""
    page: str = ""
    """Relative URL of its page; empty if it has none."""

    @property
    def bits(self) -> float | None:
        """Of the headline."""
        return BaselineComparison.of(self.summary).model

    @property
    def scored_on(self) -> tuple[object, ...]:
        """What tells the held-out data of two runs apart."""
        counted, summary = self.summary.baselines, self.summary
        part = counted.part
        size = None if part is None else getattr(summary.symbols, part)
        return (summary.domain, part, size, counted.uniform, counted.order_k)


@dataclass(frozen=True)
class ShownRun:
    """A row of the table."""

    name: str
    style: str
    page: str
    state: str
    verdict: str
    cells: Sequence[str]


COLUMNS = (
    "bits", "network alone", "against the best n-gram", "cell", "weights", "data read",
    "training", "symbols a second", "memory",
)  # fmt: skip


def write_comparison(path: Path, runs: Sequence[ComparedRun], drawn_with: str) -> None:
    """Write the page.

    Args:
        path: Where it goes.
        runs: In the order in which they were named.
        drawn_with: How the samples were drawn, in words.

    Raises:
        RunError: If it cannot be written.
    """
    macros = html_page.macros(__package__, "comparison.html.jinja")
    ranked = sorted(runs, key=lambda run: (run.bits is None, run.bits))
    unit = ranked[0].summary.unit
    curves, by_weights, by_time = _curves(runs, unit), _by_weights(runs), _by_time(runs)
    rows = [_row(run, style(runs.index(run))) for run in ranked]
    sections = [
        Section("runs", "Side by side", str(macros.table(COLUMNS, rows, note(runs)))),
        Section("curves", "How they learned", str(macros.curves(curves.svg(), curves.legend()))),
        Section(
            "cost", "What it cost", str(macros.cost(by_weights.svg(), by_time.svg(), unit))
        ),
        Section(
            "samples", "The same seed through each model",
            str(macros.samples([(run.name, visible_controls(run.drawn)) for run in ranked
                                if run.drawn], drawn_with)),
        ),
    ]  # fmt: skip
    head = macros.head(f"{len(runs)} runs", conclusion(ranked))
    title = f"{bits(ranked[0].bits)} bits at best - {len(runs)} runs - seqforge"
    text = html_page.page(title, str(head), sections)
    write_atomically(path, text.encode("utf-8", "replace"))


def conclusion(ranked: Sequence[ComparedRun]) -> str:
    """Runs, the best first, in, which is the best and by how much out."""
    first, rest = ranked[0], ranked[1:]
    if first.bits is None:
        return "In none of these runs was anything held out and scored."
    said = f"{first.name} needs the fewest bits: {bits(first.bits)} per {first.summary.unit}"
    fair = [one for one in rest if one.bits is not None and one.scored_on == first.scored_on]
    if not fair:
        return f"{said}; no other run was scored on the same data."
    second = fair[0]
    if abs(saved_percent(first.bits, second.bits or 1.0)) < LEVEL_PERCENT:
        return f"{said}, and so does {second.name}, on the same data."
    less = percent(first.bits, second.bits or 1.0)
    return f"{said}, {less} against {second.name} ({bits(second.bits)}), on the same data."


def note(runs: Sequence[ComparedRun]) -> str:
    """That not all runs were scored on the same data; else empty."""
    kinds = list(dict.fromkeys(run.scored_on for run in runs))
    if len(kinds) < 2:
        return ""
    groups = [[run.name for run in runs if run.scored_on == kind] for kind in kinds]
    said = "; ".join(", ".join(group) for group in groups)
    return f"Only runs that were scored on the same data can be compared by their bits: {said}."


def _row(run: ComparedRun, of: str) -> ShownRun:
    summary, verdict = run.summary, run.summary.verdict
    counted = summary.baselines
    ngram = best(filter(is_ngram, named_baselines(counted, summary.figures)))
    memory, speed = summary.peak_memory_mb, summary.speed.train_symbols_per_second
    against = MISSING
    if ngram is not None and run.bits is not None:
        against = percent(run.bits, ngram.bits)
    model = summary.model
    cells = (
        bits(run.bits),
        bits(summary.bits_per_symbol.of(counted.part)),
        against,
        model.title
        if model.is_ngram
        else f"{model.cell} {model.num_layers} x {format_number(model.hidden_size)}"
        f"{model.looks_back}",
        format_number(summary.parameters),
        f"{times_read(summary):.2g} times",
        duration(summary.training.seconds),
        f"{speed:,.0f}",
        MISSING if memory is None else f"{memory:,.0f} MB",
    )
    states = {"good": "pass", "look": "look", "not yet": "fail"}
    word = "" if verdict is None else verdict.word
    return ShownRun(run.name, of, run.page, states.get(word, ""), word, cells)


def _curves(runs: Sequence[ComparedRun], unit: str) -> XyChart:
    series = {
        run.name: [
            (one.elapsed_seconds, one.valid_bits)
            for one in run.metrics
            if one.elapsed_seconds is not None and one.valid_bits is not None
        ]
        for run in runs
    }
    settled = [y for points in series.values() for x, y in points if x >= _SETTLED * points[-1][0]]
    label = f"held-out bits per {unit}"
    return XyChart("seconds of training", label, series, most_y=max(settled, default=None))


def _by_weights(runs: Sequence[ComparedRun]) -> XyChart:
    series = {r.name: [(float(r.summary.parameters), r.bits)] for r in runs if r.bits is not None}
    return XyChart("weights", "bits", series, dots=True, log_x=True)


def _by_time(runs: Sequence[ComparedRun]) -> XyChart:
    series = {r.name: [(r.summary.training.seconds, r.bits)] for r in runs if r.bits is not None}
    return XyChart("seconds of training", "bits", series, dots=True, log_x=True)
