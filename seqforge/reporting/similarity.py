"""What a search for samples found in, its section of a page and a page of its own out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import JsonValue

from seqforge.base import html_page
from seqforge.base.folders import write_atomically
from seqforge.base.html_page import Section, records_table
from seqforge.base.messages import format_number, mapping, one_line, plural
from seqforge.core.data.presentation import Wording
from seqforge.reporting.first_screen import Link
from seqforge.reporting.sections import ShownControls, as_sentence


def similarity(
    found: Mapping[str, Any], unit: str, hits_follow: bool = False, said: bool = False,
    wordings: Mapping[str, Wording] | None = None,
) -> str:  # fmt: skip
    """What a search found in, the markup of its section out: the conclusion first.

    Args:
        found: ``similarity`` of a summary; any of its keys may be missing.
        unit: Of the symbols.
        hits_follow: Whether another section has the hits, so that no table of them is shown.
        said: Whether the conclusion stands elsewhere already.
        wordings: Of measures of copies, by name.
    """
    if not found:
        return ""
    found = harmless(found)
    size = found.get("library_length")
    controls = ShownControls.of(mapping(found.get("controls")), wordings)
    rows = [] if hits_follow else [mapping(row) for row in _items(found.get("table"))]
    shown = {
        "conclusion": controls.sentence if controls and not said else "",
        "sentence": "" if hits_follow else as_sentence(found.get("sentence")),
        "library": found.get("library") or "",
        "size": "" if size is None else f"{format_number(size)} {plural(unit)}",
        "notes": [as_sentence(note) for note in _items(found.get("notes"))],
        "table": records_table(rows),
        "controls": controls,
    }
    return str(html_page.macros(__package__, "sections.html.jinja").similarity(shown))


def harmless(value: Any) -> Any:
    """What a search found in, the same with invisible characters of names as escapes out."""
    if isinstance(value, Mapping):
        return {one_line(str(name)): harmless(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [harmless(one) for one in value]
    return one_line(value) if isinstance(value, str) else value


def _items(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def write_search_page(
    path: Path, title: str, found: Mapping[str, Any], hits: Section, files: Sequence[Path],
    wordings: Mapping[str, Wording] | None = None, unit: str = "base",
) -> None:  # fmt: skip
    """Write the page of a search that is no part of a run.

    Args:
        path: Where it goes.
        title: Its heading.
        found: What `similarity` takes.
        hits: The section on hits.
        files: Those beside the page, which it links.
        wordings: Of measures of copies, by name.
        unit: Of the letters.

    Raises:
        RunError: If it cannot be written.
    """
    found = harmless(found)
    controls = mapping(found.get("controls"))
    links = [Link(file.name, quote(file.name, errors="replace")) for file in files]
    macros = html_page.macros(__package__, "sections.html.jinja")
    head = macros.search_head(
        title, as_sentence(controls.get("sentence") or found.get("sentence")), links
    )
    beside = Section(
        "similarity", "Beside chance" if controls else "What was searched",
        similarity(found, unit, True, said=True, wordings=wordings),
    )  # fmt: skip
    text = html_page.page(f"{title} - seqforge", str(head), [hits, beside])
    write_atomically(path, text.encode("utf-8", "replace"))
