"""What was asked for in, a resolved run request out, checked against the run begun in its
folder.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqforge.core.config import RunConfig
from seqforge.errors import ConfigError, RunError
from seqforge.registry import load_domain, options_of
from seqforge.runs.folder import RunFolder, new_folder, newest_unfinished
from seqforge.runs.progress import ProgressListener
from seqforge.runs.recipes import Recipe, find_recipe

# A stage that is not done yet may still be told otherwise.
_SETTINGS = {"sampling": "sampling.", "searching": "search."}
_OPTIONS = "domain_options."
_NAMED = 3  # files that differ, in a message


@dataclass(frozen=True)
class RunRequest:
    """What a person asked for on the command line, or a caller in Python."""

    pipeline: str
    """A recipe's name or path, or a domain."""
    inputs: tuple[str, ...] = ()
    settings: Mapping[str, Any] | None = None
    """Dotted keys and values that override the recipe's."""
    out: Path | None = None
    resume: bool = False
    command: str = ""
    """The command that repeats it, for the page."""
    only_train: bool = False
    sample_every: str | None = None
    """How often to show a sample while training: 30s, 2m, 500steps; changes no result."""


class Interrupted(KeyboardInterrupt):
    """A run was stopped from outside; ``folder`` keeps what was done."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__()
        self.folder = folder


def find_folder(order: RunRequest, name: str, watcher: ProgressListener) -> RunFolder:
    """The run folder to work in: the one named, the newest unfinished one, or a new one."""
    if order.out is not None:
        return RunFolder(order.out)
    if order.resume:
        waiting = newest_unfinished(name)
        if waiting is not None:
            watcher.note(f"going on with {waiting.path}")
            return waiting
        watcher.note(f"no unfinished run of {name} was found; starting afresh")
    return new_folder(name)


def asked_recipe(order: RunRequest, name: str, folder: RunFolder) -> Recipe:
    """What to do: the recipe and the options, or what the run in the folder was begun with.

    Where the run there has nothing to go on from, it is begun again as it is asked for now.

    Raises:
        ConfigError: If the run there was begun with other settings.
        RunError: If it is one of another pipeline.
    """
    settings = dict(order.settings or {})
    if not folder.worked and not (folder.begun and order.resume):
        return find_recipe(order.pipeline).with_settings(settings)
    _check_pipeline(folder, name)
    base = folder.recipe()
    # What was left to be decided has been: asking for `auto` again changes nothing.
    decided = {
        key: value
        for key, value in settings.items()
        if not (key.startswith(_OPTIONS) and value == "auto")
    }
    changed = base.with_settings(decided)
    if not folder.worked:
        return changed
    still_open = tuple(_SETTINGS[stage] for stage in folder.undone(list(_SETTINGS)))
    begun, asked = normal(base), normal(changed)
    differ = begun.differences(asked, still_open)
    if differ and folder.finished(only_train=True) and _only_budget(begun, asked):
        raise ConfigError(_train_on(order, folder, begun, asked))
    if differ:
        raise ConfigError(
            f"{folder.path}: this run was begun with other settings "
            f"({'; '.join(differ)}); give the same, or another --out"
        )
    return changed


def _only_budget(begun: RunConfig, asked: RunConfig) -> bool:
    budget = {"budget": asked.training.budget}
    alike = begun.model_copy(update={"training": begun.training.model_copy(update=budget)})
    return not alike.differences(asked)


def _train_on(order: RunRequest, folder: RunFolder, begun: RunConfig, asked: RunConfig) -> str:
    """How a person trains longer who asks a finished run for another budget."""
    words = ["seqforge", "train" if order.only_train else "run", order.pipeline]
    again = ["--init", str(folder.path), "--budget", asked.training.budget]
    return (
        f"{folder.path}: this run is finished, with a budget of {begun.training.budget}; to train "
        f"its model on, begin in another folder and give the same input: "
        f"{shlex.join([*words, *again])}"
    )


def check_inputs(folder: RunFolder, files: Sequence[Path], digests: Sequence[str]) -> None:
    """See that a run goes on with the files it was begun with, whatever they are called now.

    Raises:
        RunError: If a file has changed, or others were given; says which.
    """
    begun = folder.inputs()
    if [digest for _, digest in begun] == list(digests):
        return
    changed, new, missing = _compared(begun, list(zip(files, digests, strict=True)))
    differ = [f"{path} has changed" for path in changed]
    differ += [f"{path} is new" for path in new]
    differ += [f"{path} is missing" for path in missing]
    more = f" and {len(differ) - _NAMED} more" if len(differ) > _NAMED else ""
    said = "; ".join(differ[:_NAMED]) + more or "the files are in another order"
    raise RunError(
        f"{folder.path}: this run was begun on other input ({said}); give the same files "
        "unchanged, or another --out"
    )


_File = tuple[Path, str]
"""A file and its SHA-256."""


def _compared(
    begun: Sequence[_File], now: Sequence[_File]
) -> tuple[list[Path], list[Path], list[Path]]:
    """Files that have changed, that are new, that are missing.

    Two files are the same one if their contents are; else if they lie in the same place, however
    it is called; else if they have the same name.
    """
    _, before, after = _paired(begun, now, lambda file: file[1])
    moved, before, after = _paired(before, after, lambda file: file[0].resolve())
    named, before, after = _paired(before, after, lambda file: file[0].name)
    return [*moved, *named], [path for path, _ in after], [path for path, _ in before]


def _paired(
    before: Sequence[_File], after: Sequence[_File], key: Callable[[_File], object]
) -> tuple[list[Path], list[_File], list[_File]]:
    """What is the same by a key, as it is called now; and what is left on both sides."""
    there: dict[object, list[_File]] = {}
    for file in before:
        there.setdefault(key(file), []).append(file)
    same, left = [], []
    for file in after:
        if there.get(key(file)):
            there[key(file)].pop(0)
            same.append(file[0])
        else:
            left.append(file)
    return same, [file for files in there.values() for file in files], left


def _check_pipeline(folder: RunFolder, name: str) -> None:
    begun = folder.made().get("pipeline")
    if begun != name:
        raise RunError(f"{folder.path}: holds a run of {begun}; choose another --out")


def normal(recipe: Recipe) -> RunConfig:
    """The settings with the domain's options as the domain has them: 60 and not "60"."""
    config = recipe.config()
    domain = load_domain(config.domain, config.domain_options)
    return config.model_copy(update={"domain_options": options_of(domain)})
