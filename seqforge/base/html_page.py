"""Sections in, one HTML page out that opens offline and loads nothing: the frame of all pages."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any, Protocol

from seqforge.base.messages import MISSING, format_number, readable

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_ROWS = 200
"""Rows of a table that are shown."""


@dataclass(frozen=True)
class Section:
    """A part of a page. Whoever makes one answers for its markup: text in it is escaped."""

    name: str
    """What links to it: ``#name``; letters, digits and hyphens."""
    title: str
    markup: str
    style: str = ""
    """Rules of CSS that it needs beside the page's own; the same rules stand once on a page."""
    script: str = ""
    """A script that it needs; the same script stands once on a page, and may run by its hash."""
    after: str = ""
    """The section that it follows, if there is one of that name; empty: where its maker puts it."""


@dataclass(frozen=True)
class Table:
    """A table of text cells; the first column names the row."""

    columns: tuple[str, ...]
    """(): names and values, without a header row."""
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    left_out: int = 0
    """Number of rows not shown."""


def facts(rows: Iterable[tuple[str, object]]) -> Table:
    """Names and values in, a table without null values out."""
    shown = ((name, format_number(value)) for name, value in rows)
    return Table((), tuple((name, cell) for name, cell in shown if cell != MISSING))


def records_table(rows: Sequence[Mapping[str, object]], title: str = "") -> Table:
    """Mappings in, a table with a row for each mapping and a column for each key out."""
    keys = tuple(dict.fromkeys(key for row in rows for key in row))
    cells = tuple(tuple(format_number(row.get(key)) for key in keys) for row in rows[:MOST_ROWS])
    return Table(tuple(map(readable, keys)), cells, title, max(0, len(rows) - MOST_ROWS))


class Chart(Protocol):
    """A picture with several series."""

    @property
    def dots(self) -> bool:
        """Whether its points have names beside them, and need no legend."""

    def svg(self) -> str:
        """The picture; empty where nothing can be drawn."""

    def legend(self) -> list[tuple[str, str]]:
        """The class of each series in the picture, and its name."""


def figure(chart: Chart, said: str = "") -> str:
    """A chart with its legend and what stands under it; nothing where nothing can be drawn."""
    keys = "" if chart.dots else "".join(
        f'<span><i class="key {of}"></i>{escape(name)}</span> ' for of, name in chart.legend()
    )  # fmt: skip
    legend = f'<p class="keys">{keys}</p>' if keys else ""
    return framed(chart.svg(), said, legend)


def framed(svg: str, said: str, legend: str = "") -> str:
    """A picture with what stands under it; nothing of nothing.

    Args:
        svg: The picture.
        said: A sentence, not escaped yet.
        legend: Markup.
    """
    if not svg:
        return ""
    return f"<figure>\n{svg}\n<figcaption>{legend}<p>{escape(said)}</p></figcaption>\n</figure>"


def placed(sections: Iterable[Section], more: Iterable[Section]) -> list[Section]:
    """Sections of a page and further ones in, all in order out: each after the one it names."""
    found = list(sections)
    for section in more:
        names = [one.name for one in found]
        place = names.index(section.after) + 1 if section.after in names else len(found)
        found.insert(place, section)
    return found


def page(title: str, head: str, sections: Sequence[Section], contents: bool = True) -> str:
    """A whole page.

    Args:
        title: Of the window.
        head: Markup of what stands above the sections, the first heading among it.
        sections: In order; one without markup is left out.
        contents: Whether a table of contents is shown.
    """
    shown = [section for section in sections if section.markup.strip()]
    scripts = list(dict.fromkeys(one.script for one in shown if one.script))
    text: str = template(__package__, "page.html.jinja").render(
        title=title,
        head=head,
        sections=shown,
        contents=contents and len(shown) > 1,
        styles=[text_of(__package__, "page.css"), *dict.fromkeys(one.style for one in shown)],
        scripts=scripts,
        hashes=[base64.b64encode(sha256(one.encode()).digest()).decode() for one in scripts],
    )
    return text


def template(package: str | None, name: str) -> Any:
    """A package and the name of a template in it, the jinja2 template out.

    All that it is given is escaped but what it marks as safe. It may import ``macros.html.jinja``,
    which draws a `Table`.
    """
    return _environment(package or "").get_template(name)


def macros(package: str | None, name: str) -> Any:
    """The same, its macros as functions that give markup."""
    return template(package, name).module


@cache
def _environment(package: str) -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined  # only pages need it

    def source(name: str) -> str:
        own = __package__ if name == "macros.html.jinja" else package
        return text_of(own, name)

    return Environment(
        loader=FunctionLoader(source), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def text_of(package: str | None, name: str) -> str:
    """A package and the name of a file in it, its text out."""
    return resources.files(package or "").joinpath(name).read_text("utf-8")


def as_data(value: object) -> str:
    """JSON for an attribute ``data-...``, or between tags: no character of it ends a tag."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
