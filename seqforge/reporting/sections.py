"""A run summary in, tables, charts and sentences of the report page out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from seqforge.base.html_page import Table, facts, records_table
from seqforge.base.messages import (
    MINUS,
    bits,
    duration,
    finite,
    format_number,
    mapping,
    plural,
    readable,
)
from seqforge.charts.ecdf import EcdfChart
from seqforge.core.data.overlap import Overlap
from seqforge.core.data.presentation import Wording
from seqforge.reporting.measures import shown
from seqforge.reporting.named_baselines import (
    NamedBaseline,
    best,
    is_compressor,
    is_ngram,
    named_baselines,
)
from seqforge.reporting.summary import PartCounts, RunSummary
from seqforge.reporting.verdict import LEVEL_PERCENT


def report_tables(report: Mapping[str, Any], title: str = "") -> list[Table]:
    """A domain's report in, tables out: mappings with the same keys are rows of one table.

    Plain values (without `sentences`) form the first table. A list of mappings, or a mapping of
    mappings, is a separate table.
    """
    said = sentences(report)
    report = {name: value for name, value in report.items() if value not in said}
    shapes: dict[str | tuple[str, ...], list[tuple[str, Any]]] = {"value": []}
    for name, value in report.items():
        shapes.setdefault(_shape(value), []).append((readable(name), value))
    tables = [facts(shapes.pop("value"))]
    own = [report_tables(value, name) for name, value in shapes.pop("nested", [])]
    lists = [records_table(value, name) for name, value in shapes.pop("list", [])]
    for keys, items in shapes.items():
        rows = tuple((name, *map(format_number, row.values())) for name, row in items)
        tables.append(Table(("measure", *map(readable, keys)), rows))
    shown = [table for table in [*tables, *lists, *chain.from_iterable(own)] if table.rows]
    return [replace(table, title=title or table.title) for table in shown[:1]] + shown[1:]


def sentences(report: Mapping[str, object]) -> list[str]:
    """A report in, its texts that end with a full stop out; they precede its tables."""
    return [value for value in report.values() if isinstance(value, str) and value.endswith(".")]


def _shape(value: object) -> str | tuple[str, ...]:
    """The kind of a value: nested, list, value, or the keys of a row."""
    if isinstance(value, Mapping):
        nested = any(isinstance(cell, Mapping) for cell in value.values())
        return "nested" if nested else tuple(value) or "value"
    if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
        return "list"
    return "value"


def parts_table(summary: RunSummary) -> Table:
    """A summary in, a table of train, valid and test out: size, and what the network needs."""
    columns = {
        "symbols": dict(summary.symbols),
        "records": dict(summary.records),
        f"bits per symbol{'' if summary.ngram else ', network alone'}": (
            dict(summary.bits_per_symbol)
        ),
        "perplexity": dict(summary.perplexity),
    }
    if summary.ngram is not None:
        columns["never seen after their contexts"] = dict(summary.ngram.never_seen)
        columns["bits per symbol, the others"] = dict(summary.ngram.bits_of_seen)
    known = {title: values for title, values in columns.items() if set(values.values()) - {None}}
    rows = tuple(
        (part, *(format_number(values.get(part)) for values in known.values()))
        for part in PartCounts.model_fields
    )
    return Table(("part", *known), rows)


@dataclass(frozen=True)
class ShownControls:
    """The section on controls, for the template."""

    sentence: str
    notes: tuple[str, ...]
    table: Table
    picture: str
    """SVG with escaped text; empty without data."""
    legend: tuple[tuple[str, str], ...]
    """CSS class and label of each curve."""
    copying: Table
    source: str
    """The data in which copies were searched."""

    @classmethod
    def of(
        cls, found: Mapping[str, Any], wordings: Mapping[str, Wording] | None = None
    ) -> ShownControls | None:
        """``controls`` of a search summary in, the section out; any value may be null."""
        if not found:
            return None
        picture = _picture(mapping(found.get("picture")))
        labels = mapping(found.get("labels"))
        copying = [
            _copied(name, row, labels, wordings or {})
            for name, row in mapping(found.get("copying")).items()
            if isinstance(row, Mapping)
        ]
        return cls(
            sentence=as_sentence(found.get("sentence")),
            notes=tuple(map(as_sentence, found.get("notes") or [])),
            table=records_table([mapping(row) for row in found.get("table") or []]),
            picture=picture.svg() if picture else "",
            legend=tuple(picture.legend()) if picture else (),
            copying=records_table(copying),
            source=str(found.get("copied_from") or "the training data"),
        )


def _copied(
    name: str, row: Mapping[str, Any], labels: Mapping[str, Any], wordings: Mapping[str, Wording]
) -> dict[str, str]:
    """A measure of copies in, in words and percent out."""
    said = wordings.get(name, Wording(name))
    cells = {str(labels.get(kind) or kind): shown(finite(v), said.share) for kind, v in row.items()}
    return {"measure": said.words, **cells}


def _picture(found: Mapping[str, Any]) -> EcdfChart | None:
    groups = {
        str(name): [place for place in map(finite, places or []) if place is not None]
        for name, places in mapping(found.get("groups")).items()
    }
    if not any(groups.values()):
        return None
    ticks = [(place, str(label)) for place, label in found.get("ticks") or []]
    return EcdfChart(str(found.get("label") or ""), ticks, groups)


def as_sentence(text: object) -> str:
    """Any text in, the same with a capital and a full stop out; nothing of nothing."""
    said = str(text or "")
    return f"{said[:1].upper()}{said[1:].removesuffix('.')}." if said else ""


_USUAL_ORDERS = (0, 2, 3, 4)
"""Shown beside the best order: letter frequencies, and those that textbooks have."""


@dataclass(frozen=True)
class ChartBar:
    """A row of the bar chart of baselines."""

    label: str
    value: float
    """Bits per symbol."""
    is_model: bool = False
    width: float = 0.0
    """Length in percent of the longest bar: what is saved against guessing evenly; 0: nothing."""
    saved: str = ""
    """The same in bits."""
    against_model: str = ""
    """Difference of the model's bits from these, in percent."""

    @property
    def bits(self) -> str:
        """Bits per symbol, to the thousandth."""
        return bits(self.value)

    @property
    def instead(self) -> str:
        """What stands in place of a bar."""
        return "no better than guessing" if self.saved.startswith(MINUS) else ""


@dataclass(frozen=True)
class BaselineComparison:
    """Bits per symbol of model and baselines on one held-out part."""

    part: str | None
    """valid or test; None: nothing is held out."""
    what: str
    """What is called the model: the network, or network and memory."""
    model: float | None
    dynamic: float | None
    """The model under dynamic evaluation."""
    rows: Sequence[NamedBaseline]
    orders: Mapping[int, float]
    """Bits of the Witten-Bell n-gram of each order."""
    overlap: Overlap
    """Train-test overlap."""
    uniform: float
    """Bits of guessing evenly."""
    never_seen: int = 0
    """Held-out symbols that an n-gram model gives no chance."""

    @classmethod
    def of(cls, summary: RunSummary) -> BaselineComparison:
        """A summary in, the comparison on the part scored by its baselines out."""
        counted = summary.baselines
        found = summary.headline
        mixed = found is not None and found.what == "network+memory"
        return cls(
            part=counted.part,
            what="network and memory (adaptive)" if mixed else "this model (frozen)",
            model=summary.bits_per_symbol.of(counted.part) if found is None else found.bits,
            dynamic=summary.dynamic_evaluation,
            rows=named_baselines(counted, summary.figures),
            orders=counted.orders,
            overlap=summary.overlap.measured,
            uniform=counted.uniform,
            never_seen=0 if summary.ngram is None else summary.ngram.never_seen.of(counted.part),
        )

    @property
    def ngram(self) -> NamedBaseline | None:
        """The best n-gram."""
        return best(filter(is_ngram, self.rows))

    def caveat(self, unit: str) -> str:
        """That much of the held-out data stands in the training data too; else empty."""
        if not self.overlap.notable:
            return ""
        return (
            f"Of the held-out data {self.overlap.remark(unit)}: the score measures memory as well."
        )

    def bars(self) -> list[ChartBar]:
        """Rows of the chart, fewest bits first."""
        bars = [ChartBar(row.label, row.bits) for row in self.rows]
        shown = {row.order for row in self.rows if row.name == "witten-bell"}
        for order, value in self.orders.items():
            if order in _USUAL_ORDERS and order not in shown:
                bars.append(
                    ChartBar(NamedBaseline("witten-bell", value, "frozen", order).label, value)
                )
        if self.model is not None:
            bars.append(ChartBar(self.what, self.model, is_model=True))
        if self.dynamic is not None:
            bars.append(ChartBar("network, dynamic evaluation (adaptive)", self.dynamic))
        return _drawn(sorted(bars, key=lambda bar: bar.value), self.model, self.uniform)

    def sentences(self, unit: str) -> list[str]:
        """Verdicts as sentences, against the n-gram first."""
        if self.never_seen and self.model is None:
            return [
                f"Training never had {self.never_seen:,} held-out symbols after their contexts: "
                f"without smoothing the score is infinitely many bits per {unit}."
            ]
        if self.model is None:
            return ["Nothing was held out or scored, so how good the model is cannot be said."]
        said = []
        if (found := self.ngram) is not None:
            said.append(self._verdict(f"best n-gram{_of_order(found.order)}", found))
        if (found := best(filter(is_compressor, self.rows))) is not None:
            said.append(self._verdict(f"best general compressor ({found.title})", found))
        for found in self.rows:
            if not (is_ngram(found) or is_compressor(found) or found.name == "uniform"):
                said.append(self._verdict(found.label, found))
        uniform = next((row.bits for row in self.rows if row.name == "uniform"), None)
        return [*said, f"Guessing evenly costs {bits(uniform)} bits per {unit}."]

    def _verdict(self, what: str, found: NamedBaseline) -> str:
        model = 0.0 if self.model is None else self.model
        return f"The {what} needs {bits(found.bits)}: the model is {verdict(model, found.bits)}."


def _drawn(bars: Sequence[ChartBar], model: float | None, guessing: float) -> list[ChartBar]:
    """Bars with their lengths, and what the model's bits are against theirs."""
    most = max((guessing - bar.value for bar in bars), default=0.0)
    return [
        replace(
            bar,
            width=100 * max(0.0, guessing - bar.value) / most if most > 0 else 0.0,
            saved=signed_bits(guessing - bar.value),
            against_model="" if bar.is_model or model is None else percent(model, bar.value),
        )
        for bar in bars
    ]


def signed_bits(saved: float) -> str:
    """Bits saved in, to the thousandth, with a sign where none are, out."""
    return f"{MINUS if saved <= -0.0005 else ''}{abs(saved):.3f}"


def memory_bars(summary: RunSummary) -> list[ChartBar]:
    """A summary in, what network and memory need alone and together out, the headline's marked."""
    found, headline = summary.memory, summary.headline
    if found is None or headline is None:
        return []
    rows = {
        "network alone (frozen)": summary.bits_per_symbol.of(headline.part),
        "memory alone (frozen)": found.alone_frozen,
        "memory alone (adaptive)": found.alone_adaptive,
        "network and memory (frozen)": found.mixed_frozen,
        "network and memory (adaptive)": found.mixed_adaptive,
        "the same, with dynamic evaluation": found.mixed_dynamic,
    }
    of_headline = [label for label, value in rows.items() if value == headline.bits][-1:]
    bars = [
        ChartBar(label, value, is_model=label in of_headline)
        for label, value in rows.items()
        if value is not None
    ]
    return _drawn(bars, headline.bits, summary.baselines.uniform)


def dynamic_note(summary: RunSummary) -> tuple[str, ...]:
    """A summary in, what its dynamic evaluation was measured on out, if that is not all."""
    measured, part = summary.dynamic_evaluation_symbols, summary.baselines.part
    if summary.dynamic_evaluation is None or measured is None or part is None:
        return ()
    whole = summary.symbols.valid if part == "valid" else summary.symbols.test
    if measured >= whole:
        return ()
    return (
        f"Dynamic evaluation scored the first {measured:,} of {whole:,} symbols of the part, which "
        "takes a small share of the time of training; as it is the model needs "
        f"{bits(summary.dynamic_evaluation_frozen)} for these.",
    )


def _of_order(order: int | None) -> str:
    return "" if order is None else f" (order {order})"


def done(summary: RunSummary) -> str:
    """A summary in, a sentence on the network, its training data and the time out."""
    model, layers = summary.model, summary.model.num_layers
    data = (
        f"{format_number(summary.symbols.train)} {plural(summary.unit)}; the run took "
        f"{duration(summary.wall_seconds)}"
    )
    if model.is_ngram:
        grams = f"{format_number(summary.parameters)} different grams"
        return f"{model.title[:1].upper()}{model.title[1:]} ({grams}), counted in {data}."
    what = (
        f"{model.cell.upper()} with {layers} {'layer' if layers == 1 else 'layers'} of "
        f"{format_number(model.hidden_size)}{model.looks_back} "
        f"({format_number(summary.parameters)} weights), trained on {data}"
    )
    return f"{_article(what)} {what}."


def _article(what: str) -> str:
    spelled = what.startswith(("LSTM", "RNN"))  # pronounced by letters: "an L...", "an R..."
    return "An" if spelled or what[:1] in "aeio" else "A"


def percent(value: float, other: float) -> str:
    """Two values in, the change from ``other`` to ``value`` in percent out, with sign."""
    change = 100 * (value - other) / other
    if abs(change) < LEVEL_PERCENT:
        return "±0 %"
    return f"{'+' if change > 0 else MINUS}{abs(change):.1f} %"


def verdict(model: float, other: float) -> str:
    """The bits of the model and of a baseline in, a verdict in words out; fewer are better."""
    saved = 100 * (other - model) / other
    if abs(saved) < LEVEL_PERCENT:
        return "level with it"
    return f"{abs(saved):.1f} % {'better' if saved > 0 else 'worse'}"
