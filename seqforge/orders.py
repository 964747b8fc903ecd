"""What was asked for, in which folder, and whether it is what was begun there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqforge.core.config import RunConfig
from seqforge.errors import ConfigError, RunError
from seqforge.recipes import Recipe, find_recipe
from seqforge.registry import load_domain, options_of
from seqforge.runs import RunFolder, new_folder, newest_unfinished
from seqforge.watching import Watcher

# A stage that is not done yet may still be told otherwise.
_SETTINGS = {"sampling": "sampling.", "searching": "search."}
_OPTIONS = "domain_options."
_NAMED = 3  # files that differ, in a message


@dataclass(frozen=True)
class Order:
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


def find_folder(order: Order, name: str, watcher: Watcher) -> RunFolder:
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


def asked_recipe(order: Order, name: str, folder: RunFolder) -> Recipe:
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
    differ = _normal(base).differences(_normal(changed), still_open)
    if differ:
        raise ConfigError(
            f"{folder.path}: this run was begun with other settings "
            f"({'; '.join(differ)}); give the same, or another --out"
        )
    return changed


def check_inputs(folder: RunFolder, files: Sequence[Path], digests: Sequence[str]) -> None:
    """See that a run goes on with the files it was begun with.

    Raises:
        RunError: If a file has changed, or others were given; says which.
    """
    begun: dict[str, str] = folder.made().get("sha256", {})
    if list(begun.values()) == list(digests):
        return
    now = dict(zip(map(str, files), digests, strict=True))
    differ = [f"{path} has changed" for path in now if begun.get(path, now[path]) != now[path]]
    differ += [f"{path} is new" for path in now if path not in begun]
    differ += [f"{path} is missing" for path in begun if path not in now]
    more = f" and {len(differ) - _NAMED} more" if len(differ) > _NAMED else ""
    said = "; ".join(differ[:_NAMED]) + more or "the files are in another order"
    raise RunError(
        f"{folder.path}: this run was begun on other input ({said}); give the same files "
        "unchanged, or another --out"
    )


def _check_pipeline(folder: RunFolder, name: str) -> None:
    begun = folder.made().get("pipeline")
    if begun != name:
        raise RunError(f"{folder.path}: holds a run of {begun}; choose another --out")


def _normal(recipe: Recipe) -> RunConfig:
    """The settings with the domain's options as the domain has them: 60 and not "60"."""
    config = recipe.config()
    domain = load_domain(config.domain, config.domain_options)
    return config.model_copy(update={"domain_options": options_of(domain)})
