"""The rows of an experiment in, its page out."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from seqforge.base import html_page
from seqforge.base.atomic_files import write_atomically
from seqforge.base.html_page import Chart, Section, Table, figure, records_table
from seqforge.experiments.experiment import Experiment, Row


def write_page(
    path: Path, experiment: Experiment, rows: Sequence[Row], settings: Any, conclusion: str,
    command: str,
) -> None:  # fmt: skip
    """Write the page: what came out first, then the experiment's sections, then every row.

    Raises:
        RunError: If it cannot be written.
    """
    sections = [
        *experiment.sections(rows, settings),
        table_section("published", "Published figures", records_table(experiment.PUBLISHED)),
        table_section("trials", "Every trial", records_table(rows), folded=True),
        table_section("settings", "Settings", html_page.facts(settings.model_dump().items())),
    ]
    if command:
        again = Section("again", "The same again", f"<pre>{escape(command)}</pre>")
        sections.append(again)
    head = f'<h1>{escape(experiment.TITLE)}</h1>\n<p class="verdict plain">{escape(conclusion)}</p>'
    text = html_page.page(f"{experiment.TITLE} - seqforge", head, sections)
    write_atomically(path, text.encode("utf-8", "replace"))


def table_section(name: str, title: str, table: Table, folded: bool = False) -> Section:
    """A table as a part of the page; nothing where it has no rows."""
    if not table.rows:
        return Section(name, title, "")
    markup = str(html_page.macros("seqforge.base", "macros.html.jinja").table_of(table, title))
    if folded:
        markup = f"<details><summary>{len(table.rows)} rows</summary>{markup}</details>"
    return Section(name, title, markup)


def chart_section(name: str, title: str, chart: Chart, said: str = "") -> Section:
    """A picture with its legend as a part of the page; nothing where nothing can be drawn.

    Args:
        name: See `Section`.
        title: See `Section`.
        chart: What is drawn.
        said: Stands under it: what it shows.
    """
    return Section(name, title, figure(chart, said))
