"""Lines for people and for programs on stdout, and what is said beside them on stderr.

Sentences and tables are made printable wherever they go. Symbols that a model drew, and names of
files, are data: a terminal shows them, a file or a pipe gets them as they are, byte for byte.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from seqforge.base.printable import printable


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """A sentence or a table; what is in it from elsewhere cannot steer a terminal."""
    typer.echo(printable(text), err=err, nl=nl)


def echo_data(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Data: made visible on a terminal alone."""
    stream = sys.stderr if err else sys.stdout
    typer.echo(printable(text) if stream.isatty() else text, err=err, nl=nl)


def echo_path(path: Path, *, err: bool = False) -> None:
    """A file's name on a line of its own: its bytes, so that a program can open it."""
    stream = sys.stderr if err else sys.stdout
    if stream.isatty():
        typer.echo(printable(str(path)), err=err)
    else:
        typer.echo(os.fsencode(path) + b"\n", err=err, nl=False)
