"""An order in, the unfinished run that the same order began out: the same command goes on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from seqforge.base.jsonable import as_json
from seqforge.base.locks import held_folder
from seqforge.base.spooling import is_piped
from seqforge.errors import SeqforgeError
from seqforge.orders import Order, normal
from seqforge.recipes import find_recipe
from seqforge.runs import RunFolder, run_folders
from seqforge.stages.reading import gather
from seqforge.watching import Watcher

_ASKED = "asked"


def request_of(order: Order) -> str | None:
    """The hash of what is asked for; None where it cannot be asked for again.

    Before anything is settled by the files or by a model: two commands that ask for the same may
    come to something else where the files are others.
    """
    recipe = find_recipe(order.pipeline).with_settings(dict(order.settings or {}))
    inputs = order.inputs or recipe.inputs
    library = (order.settings or {}).get("search.against") or ()
    if any(map(is_piped, (order.pipeline, *inputs, *library))):
        return None
    said = {
        "pipeline": recipe.name,
        "settings": normal(recipe).model_dump(),
        "inputs": [str(Path(name).absolute()) for name in inputs],
        "only_train": order.only_train,
    }
    return hashlib.sha256(json.dumps(as_json(said), sort_keys=True).encode()).hexdigest()


def begun_by(order: Order, watcher: Watcher) -> RunFolder | None:
    """The newest run under ``runs/`` that the same order began and that waits to be gone on with.

    Args:
        order: Its model to go on from, if it has one, as it is written down.
        watcher: Told which it is, or why it is not gone on with.
    """
    request = request_of(order)
    waiting = [run for run in run_folders() if _waits(run, order, request)]
    for run in sorted(waiting, key=RunFolder.begun_at, reverse=True):
        if _on_the_same_files(run, order):
            watcher.note(
                f"going on with {run.path}, which the same command began; --out begins another"
            )
            return run
        watcher.note(f"{run.path} was begun on other content of these files; beginning anew")
    return None


def _waits(run: RunFolder, order: Order, request: str | None) -> bool:
    """Whether a run was asked for so, is not finished, and nobody works on it; one that cannot be
    read is none."""
    try:
        if request is None or run.made().get(_ASKED) != request or run.finished(order.only_train):
            return False
        with held_folder(run.path):
            return True
    except SeqforgeError:
        return False


def _on_the_same_files(run: RunFolder, order: Order) -> bool:
    config = run.recipe().config()
    named = order.inputs or find_recipe(order.pipeline).inputs
    found = gather(config.domain, config.domain_options, named, run.path, resumed=True)
    return list(found.digests) == [digest for _, digest in run.inputs()]
