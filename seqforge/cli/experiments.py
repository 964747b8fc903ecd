"""seqforge run EXPERIMENT: a recipe of an experiment in, a folder with its rows and page out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqforge.cli.console import echo, echo_data, open_page
from seqforge.cli.options import command_line


def run_as_experiment(
    pipeline: str, inputs: Sequence[str], chosen: Mapping[str, Any], out: Path | None,
    quiet: bool, verbose: bool, json_: bool, open_: bool,
) -> bool:  # fmt: skip
    """Run an experiment, if the pipeline is one; returns whether it is.

    Raises:
        SeqforgeError: For anything a person can mend.
    """
    from seqforge.experiments.recipe import find_experiment

    recipe = find_experiment(pipeline)
    if recipe is None:
        return False
    settings = recipe.settings(chosen, inputs)
    from seqforge.cli.progress import watching
    from seqforge.experiments.runner import ExperimentFolder, run_experiment
    from seqforge.runs.folder import RUNS

    folder = ExperimentFolder(out or RUNS / recipe.name)
    with watching(quiet or json_, verbose, "all trials that ended are kept") as watcher:
        run_experiment(recipe.name, settings, folder, watcher, command_line())
    text = folder.summary.read_text(encoding="utf-8")
    if json_:
        echo_data(text, nl=False)
    else:
        import json

        echo(json.loads(text)["conclusion"])
        echo(f"report: {folder.page}")
    if open_:
        open_page(folder.page)
    return True
