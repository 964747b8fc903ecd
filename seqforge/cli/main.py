"""The command line in, a command run out: all commands, in the order of --help."""

from __future__ import annotations

import sys

# isort: off
from seqforge.cli import run, sweep, report, sample, next, evaluate, inspect  # noqa: F401
from seqforge.cli import tasks, blast, music  # noqa: F401
from seqforge.cli import info, config  # noqa: F401

# isort: on
from seqforge.cli.app import app
from seqforge.cli.console import guarded
from seqforge.cli.examples import show_examples

__all__ = ["app", "main"]


show_examples(app)


def main() -> None:
    """Run the command line; see `console` for what its streams may do."""
    sys.exit(guarded(app))
