"""Writes pages from the program: ``python docs/reference.py`` makes ``docs/cli.md`` from the help
and the table of ``summary.json`` in ``docs/files.md`` from its schema.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from typer.main import get_command
from typer.testing import CliRunner

from seqforge.cli.main import app
from seqforge.core.sampling.params import rows
from seqforge.reporting.spelled_scores import SpelledScores
from seqforge.reporting.summary import RunSummary, SummaryPart

DOCS = Path(__file__).parent
MARKS = ("<!-- made from the schema -->\n", "<!-- until here -->\n")
HEAD = """# The commands

Written by `python docs/reference.py` from `--help`; a test fails when it is stale.
"""


def reference() -> str:
    """The help of every command, as Markdown."""
    parts = [HEAD]
    commands = get_command(app).commands
    for arguments in [[], *([name] for name in commands)]:
        result = CliRunner().invoke(
            app, [*arguments, "--help"], prog_name="seqforge", terminal_width=92,
            env={"COLUMNS": "92", "TERM": "dumb", "NO_COLOR": "1"}, color=False,
        )  # fmt: skip
        text = "\n".join(line.rstrip() for line in result.stdout.splitlines()).strip("\n")
        title = " ".join(["seqforge", *arguments])
        parts.append(f"## {title}\n\n```\n{text}\n```\n")
    parts.append(sampling_options())
    return "\n".join(parts)


def schema_table() -> str:
    """A row for each key of ``summary.json``, as Markdown."""
    rows = [("key", "type", "what it is"), ("---", "---", "---"), *_rows(RunSummary, "")]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _rows(part: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in part.model_fields.items():
        about = " ".join((field.description or "").split())
        nested = _nested(field.annotation)
        yield f"`{prefix}{name}`", _kind(field.annotation), about
        if nested is not None:
            each = "[]" if get_origin(field.annotation) is tuple else ""
            yield from _rows(nested, f"{prefix}{name}{each}.")


def _nested(kind: Any) -> type[BaseModel] | None:
    found = (one for one in (kind, *get_args(kind)) if isinstance(one, type))
    return next((one for one in found if issubclass(one, SummaryPart | SpelledScores)), None)


def _kind(kind: Any) -> str:
    """A type in the words of JSON."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _kind(inside[0])
    if origin in (Union, types.UnionType):
        return ", ".join(_kind(one) for one in inside)
    if origin is Literal:
        return ", ".join(f'"{word}"' for word in inside)
    if origin is tuple:
        return f"list of {_kind(inside[0])}s"
    plain = {str: "text", int: "integer", float: "number", bool: "true or false"}
    return "null" if kind is type(None) else plain.get(kind, "object")


def files_page() -> str:
    """``docs/files.md`` with the table of the schema in its place."""
    before, _, rest = (DOCS / "files.md").read_text().partition(MARKS[0])
    return f"{before}{MARKS[0]}\n{schema_table()}\n{MARKS[1]}{rest.partition(MARKS[1])[2]}"


def sampling_options() -> str:
    """The table of sampling options, as Markdown."""
    lines = [
        "## Sampling options\n",
        "Filters apply in this order, each to what the one before it left.\n",
        "| `seqforge sample` | in Python | in a conversation | | source |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows().values():
        option = row.option
        flag = (option.flags or (f"--{row.name.replace('_', '-')}",))[0]
        value = option.example or option.metavar or ""
        chat = ", ".join(f"`/{name}`" for name in option.chat)
        lines.append(
            f"| `{f'{flag} {value}'.strip()}` | `{row.name}` | {chat} | {option.help} | "
            f"{option.source} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (DOCS / "cli.md").write_text(reference())
    (DOCS / "files.md").write_text(files_page())
