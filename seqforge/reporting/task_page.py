"""What was found of a task's model in, its page out: measures beside a simple model, confusion,
calibration, attention, tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, JsonValue

from seqforge.base import html_page
from seqforge.base.atomic_files import write_atomically
from seqforge.base.html_page import Section, Table, facts, figure, framed, records_table
from seqforge.base.messages import duration, format_number, readable
from seqforge.charts import curve, tracks
from seqforge.charts.heat_map import STYLE, HeatMap
from seqforge.charts.xy import XyChart
from seqforge.core.training.events import EvaluationRecord
from seqforge.reporting.summary import RunSummary

_MOST_CLASSES = 60  # of a confusion matrix that is drawn


class AttendedExample(BaseModel):
    """A translation with its attention."""

    source: list[str]
    target: list[str]
    weights: list[list[float]]
    """(target, source)."""


class DrawnPicture(BaseModel):
    """A picture of the domain's."""

    svg: str
    caption: str


class TaskFindings(BaseModel):
    """How good a model is on the part that is held out."""

    part: Literal["valid", "test"] | None
    """None where nothing is held out."""
    metrics: dict[str, float] = {}
    baseline: str = ""
    """What the simple model beside it is."""
    baseline_metrics: dict[str, float] = {}
    tables: dict[str, list[dict[str, JsonValue]]] = {}
    """Tables of the page, by their titles."""
    names: tuple[str, ...] = ()
    """Of the classes or labels."""
    confusion: list[list[int]] = []
    """True class, predicted class."""
    calibration: list[tuple[float, float, int]] = []
    """Mean probability, share that is right, count, of predictions of about the same one."""
    attended: list[AttendedExample] = []
    pictures: list[DrawnPicture] = []


def write_task_page(
    path: Path, summary: RunSummary, found: TaskFindings, metrics: Sequence[EvaluationRecord]
) -> None:
    """Write the page.

    Raises:
        RunError: If it cannot be written.
    """
    title = f"{summary.name} - seqforge"
    text = html_page.page(title, _head(summary, found), list(_sections(summary, found, metrics)))
    write_atomically(path, text.encode("utf-8", "replace"))


def _head(summary: RunSummary, found: TaskFindings) -> str:
    trained = f"{duration(summary.training.seconds)}, {summary.training.steps:,} steps"
    about = f"{summary.task}, {summary.model.title}, {summary.parameters:,} weights; {trained}"
    head = f'<h1>{escape(summary.name)} <span class="note">{escape(about)}</span></h1>\n'
    return f'{head}<p class="verdict {_state(found)}">{escape(verdict_sentence(found))}</p>'


def _state(found: TaskFindings) -> str:
    if not found.metrics:
        return "plain"
    return "pass" if all(a > b for _, a, b in _pairs(found)) else "look"


def _pairs(found: TaskFindings) -> list[tuple[str, float, float]]:
    """Measures that the simple model has too: name, the network's, the simple model's."""
    beside = found.baseline_metrics
    return [(name, found.metrics[name], beside[name]) for name in beside if name in found.metrics]


def verdict_sentence(found: TaskFindings) -> str:
    """Measures in, a sentence on whether the network is better than the simple model out."""
    if not found.metrics:
        return "Nothing was held out, so how good it is was not measured; give --split 80/10/10."
    said = [f"{readable(name)} {a:.3f} ({b:.3f})" for name, a, b in _pairs(found)]
    worse = [readable(name) for name, a, b in _pairs(found) if a <= b]
    rest = f"; it is no better in {' and '.join(worse)}" if worse else ""
    return (
        f"On the {found.part} part: {', '.join(said)}; in brackets that of the "
        f"{found.baseline}{rest}."
    )


def _sections(
    summary: RunSummary, found: TaskFindings, metrics: Sequence[EvaluationRecord]
) -> Iterator[Section]:
    macros = html_page.macros(__package__, "sections.html.jinja")
    rows = [
        {"measure": readable(name), "network": value, "baseline": found.baseline_metrics.get(name)}
        for name, value in found.metrics.items()
    ]
    yield _tables("measures", "How good it is", [records_table(rows)])
    drawn = "".join(framed(one.svg, one.caption) for one in found.pictures)
    yield Section("region", "A region", drawn, tracks.STYLE)
    yield Section("attention", "What it looks at", "".join(map(_attention, found.attended)), STYLE)
    yield Section("confusion", "What is taken for what", _confusion(found), STYLE)
    yield Section("calibration", "How far its probabilities can be trusted", _calibration(found))
    tables = [records_table(rows, title) for title, rows in found.tables.items()]
    yield _tables("tables", "In detail", tables)
    learning = curve.learning_curve(metrics)
    yield Section(
        "learning", "How it learned", str(macros.learning(learning, curve, "target", (), ""))
    )
    yield _tables("machine", "Data, speed, settings", [_facts(summary)])
    yield Section("again", "Do it again", str(macros.again(summary.command)))


def _tables(name: str, title: str, tables: Sequence[Table]) -> Section:
    macros = html_page.macros("seqforge.base", "macros.html.jinja")
    markup = "\n".join(str(macros.titled(table)) for table in tables if table.rows)
    return Section(name, title, markup)


def _facts(summary: RunSummary) -> Table:
    examples = {f"examples, {part}": count for part, count in dict(summary.records).items()}
    return facts(
        [
            *examples.items(),
            ("training", f"{summary.speed.train_symbols_per_second:,.0f} symbols a second"),
            ("time in all", duration(summary.wall_seconds)),
            ("precision", summary.precision),
            ("lanes", summary.lanes),
            ("seed", str(summary.seed)),
            *((readable(name), value) for name, value in summary.model.model_dump().items()),
            *summary.versions.items(),
        ]
    )


def _confusion(found: TaskFindings) -> str:
    if not found.confusion or len(found.names) > _MOST_CLASSES:
        return ""
    sums = [max(1, sum(row)) for row in found.confusion]
    shares = [[n / whole for n in row] for row, whole in zip(found.confusion, sums, strict=True)]
    titles = [
        [f"{a} taken for {b}: {row[n]:,}" for n, b in enumerate(found.names)]
        for a, row in zip(found.names, found.confusion, strict=True)
    ]
    picture = HeatMap("is", "taken for", found.names, found.names, shares, titles)
    return framed(picture.svg(), "Each row adds up to one: what examples of a class are taken for.")


def _calibration(found: TaskFindings) -> str:
    if not found.calibration:
        return ""
    points = [(100 * chance, 100 * right) for chance, right, _ in found.calibration]
    chart = XyChart(
        "probability of the class, in percent", "right, in percent",
        {"network": points, "calibrated": [(0.0, 0.0), (100.0, 100.0)]},
    )  # fmt: skip
    error = found.metrics.get("calibration_error")
    said = "" if error is None else f" The expected calibration error is {format_number(error)}."
    return figure(chart, f"Of predictions of a probability, how many are right.{said}")


def _attention(one: AttendedExample) -> str:
    picture = HeatMap("target", "source", one.target, one.source, one.weights)
    said = "Each row is a symbol of the translation: the darker, the more it looks at a symbol."
    return framed(picture.svg(), said)
