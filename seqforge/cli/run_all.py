"""seqforge run all: folders of data in, a table of every recipe run small out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqforge.cli.console import echo, echo_data
from seqforge.errors import ConfigError

ALL = "all"
_BUDGET = "2m"


def run_every_recipe(
    folders: Sequence[str], chosen: Mapping[str, Any], out: Path | None, quiet: bool,
    verbose: bool, json_: bool,
) -> None:  # fmt: skip
    """Run every recipe and show the table.

    Raises:
        SeqforgeError: For anything a person can mend.
    """
    from seqforge.base.tables import aligned
    from seqforge.cli.progress import watching
    from seqforge.runs.all_recipes import run_all
    from seqforge.runs.folder import RUNS

    if strange := [key for key in chosen if key != "training.budget"]:
        raise ConfigError(
            f"run all takes folders with data, --budget and --out, and no {strange[0]}; give that "
            "to a recipe by its name"
        )
    budget, folder = str(chosen.get("training.budget", _BUDGET)), out or RUNS / ALL
    with watching(quiet or json_, verbose, "what is done is kept") as watcher:
        rows = run_all(folders, budget, folder, watcher)
    if json_:
        echo_data(json.dumps([row.as_dict() for row in rows], ensure_ascii=False))
        return
    for line in aligned(
        [("recipe", "outcome", "result"), *((row.recipe, row.outcome, row.figure) for row in rows)],
        160,
    ):
        echo(line)
    echo(f"table: {folder / 'all.json'}")
