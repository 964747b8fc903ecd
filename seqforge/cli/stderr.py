"""Sentences for the person at the terminal; on stderr, in colour where that is wanted."""

from __future__ import annotations

import os
import sys
from typing import IO, TYPE_CHECKING, Any

import typer

from seqforge.base.printable import printable

if TYPE_CHECKING:
    from rich.console import Console


def say(text: str, colour: str | None = None) -> None:
    """A line on stderr."""
    typer.secho(printable(text), fg=colour, err=True, color=in_colour(sys.stderr))


def in_colour(stream: IO[str]) -> bool:
    """Whether a stream takes colours.

    ``NO_COLOR`` (https://no-color.org) and a dumb terminal say no, ``FORCE_COLOR`` says yes;
    otherwise a terminal does.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return _on_terminal(stream) and not _is_dumb()


def shows_bars(stream: IO[str]) -> bool:
    """Whether a line of a stream can be written anew: it is a terminal, and not a dumb one."""
    return _on_terminal(stream) and not _is_dumb()


def _on_terminal(stream: IO[str] | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def _is_dumb() -> bool:
    return os.environ.get("TERM", "").lower() in ("dumb", "unknown")


def console(stderr: bool = True, **options: Any) -> Console:
    """A rich console that writes no escapes for style where colours are refused."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    system: Any = "auto" if in_colour(stream) else None
    return Console(stderr=stderr, highlight=False, color_system=system, **options)
