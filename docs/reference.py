"""Writes ``docs/cli.md`` from the help: ``python docs/reference.py > docs/cli.md``."""

from __future__ import annotations

from typer.main import get_command
from typer.testing import CliRunner

from seqforge.cli.main import app

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
    return "\n".join(parts)


if __name__ == "__main__":
    print(reference(), end="")
