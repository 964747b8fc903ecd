"""What a command that answers a question was asked for; out comes the answer: lines, or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from seqforge.base.files import write_atomically
from seqforge.base.printable import printable
from seqforge.base.targets import STDOUT, target_of
from seqforge.cli.stdout import echo


@dataclass(frozen=True)
class Asked:
    """The options that mean the same for every such command."""

    json: bool = False
    out: Path | None = None
    quiet: bool = False
    verbose: bool = False

    def answer(self, document: Any, lines: Iterable[str]) -> None:
        """Give it: on stdout, or in the file that ``--out`` names."""
        text = json.dumps(document, indent=2) if self.json else printable("\n".join(lines))
        if self.out is None or self.out == STDOUT:
            echo(text)
            return
        target, data = target_of(self.out), (text + "\n").encode("utf-8", "backslashreplace")
        if not target.direct:
            write_atomically(target.path, data)
            return
        with target.open() as stream:
            stream.write(data)

    def done(self, document: Any, sentence: str) -> None:
        """Say that something was done; nothing where nothing is to be said."""
        if self.json or self.out is not None:
            self.answer(document, [sentence])
        elif not self.quiet:
            echo(sentence)


def asked(
    ctx: typer.Context, json_: bool, out: Path | None, quiet: bool, verbose: bool
) -> Asked:  # fmt: skip
    """What was asked for, before the name of a subcommand or behind it."""
    before = ctx.find_object(Asked) or Asked()
    found = Asked(
        json_ or before.json, out or before.out, quiet or before.quiet, verbose or before.verbose
    )
    ctx.obj = found
    return found
