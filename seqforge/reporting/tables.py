"""Tables of the page, from nested values of a summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from seqforge.reporting.wording import MISSING, mapping, number, readable

_MOST_ROWS = 200


@dataclass(frozen=True)
class Table:
    """Cells as text; the first column names the row."""

    columns: tuple[str, ...]
    """() for a table of names and values that needs no head."""
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    left_out: int = 0
    """Rows not shown."""


def facts(rows: Iterable[tuple[str, Any]]) -> Table:
    """Names and values, without those that are null."""
    shown = ((name, number(value)) for name, value in rows)
    return Table((), tuple((name, cell) for name, cell in shown if cell != MISSING))


def records_table(rows: Sequence[Mapping[str, Any]], title: str = "") -> Table:
    """A row for each mapping, a column for each key that any of them has."""
    keys = tuple(dict.fromkeys(key for row in rows for key in row))
    cells = tuple(tuple(number(row.get(key)) for key in keys) for row in rows[:_MOST_ROWS])
    return Table(tuple(map(readable, keys)), cells, title, max(0, len(rows) - _MOST_ROWS))


def report_tables(report: Mapping[str, Any], title: str = "") -> list[Table]:
    """A domain's own report: a mapping is a row, rows with the same keys are one table.

    Plain values come first, as names and values, without `sentences`; a list of mappings or a
    mapping of mappings makes a table of its own.
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
        rows = tuple((name, *map(number, row.values())) for name, row in items)
        tables.append(Table(("measure", *map(readable, keys)), rows))
    shown = [table for table in [*tables, *lists, *chain.from_iterable(own)] if table.rows]
    return [replace(table, title=title or table.title) for table in shown[:1]] + shown[1:]


def sentences(report: Mapping[str, Any]) -> list[str]:
    """Texts of a report that end with a full stop, which stand before its tables."""
    return [value for value in report.values() if isinstance(value, str) and value.endswith(".")]


def _shape(value: Any) -> str | tuple[str, ...]:
    """nested, list, value, or the keys of a row."""
    if isinstance(value, Mapping):
        nested = any(isinstance(cell, Mapping) for cell in value.values())
        return "nested" if nested else tuple(value) or "value"
    if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
        return "list"
    return "value"


def parts_table(summary: Mapping[str, Any]) -> Table:
    """Train, valid and test: how much each is, and what the model needs there."""
    measures = {
        "symbols": "symbols",
        "records": "records",
        "bits_per_symbol": "bits per symbol",
        "perplexity": "perplexity",
    }
    known = {title: mapping(summary.get(key)) for key, title in measures.items()}
    columns = [title for title, values in known.items() if set(values.values()) - {None}]
    rows = tuple(
        (part, *(number(known[title].get(part)) for title in columns))
        for part in ("train", "valid", "test")
        if any(known[title].get(part) is not None for title in columns)
    )
    return Table(("part", *columns), rows)
