"""A sweep that was asked for in, its folder, summary and page out, and what is said of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from seqforge.cli.app import STOPPED
from seqforge.cli.console import echo, echo_data, open_page, say
from seqforge.cli.options import command_line

if TYPE_CHECKING:
    from seqforge.runs.sweep.sweep import SweepRequest


def run_as_sweep(
    pipeline: str, inputs: Sequence[str], chosen: Mapping[str, Any], out: Path | None,
    quiet: bool, verbose: bool, json_: bool, open_: bool,
) -> bool:  # fmt: skip
    """Run the sweep of a recipe that is one; returns whether it is.

    Raises:
        SeqforgeError: For anything a person can mend.
    """
    from seqforge.runs.recipes import find_recipe

    if find_recipe(pipeline).sweep is None:
        return False
    from seqforge.runs.sweep.sweep import SweepRequest

    request = SweepRequest(pipeline, tuple(inputs), chosen, out=out, command=command_line())
    run_sweep(request, quiet, verbose, json_, open_)
    return True


def run_sweep(request: SweepRequest, quiet: bool, verbose: bool, json_: bool, open_: bool) -> None:
    """Do all trials and say how it went."""
    from seqforge.cli.progress import make_watcher
    from seqforge.runs.sweep.sweep import Sweep, SweepStopped, finished_summary, told

    watcher = make_watcher(quiet or json_, verbose)
    try:
        folder = Sweep(request).run(watcher)
    except SweepStopped as stopped:
        watcher.close()
        _say_stopped(request, stopped.folder)
        raise typer.Exit(STOPPED) from None
    finally:
        watcher.close()
    if json_:
        echo_data(finished_summary(folder).model_dump_json(indent=2))
    else:
        for line in told(folder):
            echo(line)
    if open_:
        open_page(folder / "report.html")


def _say_stopped(request: SweepRequest, folder: Path) -> None:
    """How to go on: the same command with its folder named."""
    words = shlex.split(request.command)
    if request.out is None:
        words += ["--out", str(folder)]
    say(f"stopped, everything saved; go on with: {shlex.join(words)}", "yellow")
