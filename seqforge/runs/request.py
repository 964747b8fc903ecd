"""What was asked for in, a resolved run request out, checked against the run begun in its
folder.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from seqforge.base.atomic_files import as_json
from seqforge.base.file_locks import held_folder
from seqforge.base.messages import Advance
from seqforge.base.paths import is_piped
from seqforge.core.config import Budget, RunConfig
from seqforge.core.data.domain import Domain
from seqforge.core.data.made_examples import write_made
from seqforge.errors import ConfigError, InputError, RunError, SeqforgeError
from seqforge.registry import load_domain, options_of
from seqforge.runs.folder import (
    RunFolder,
    RunOrigin,
    new_folder,
    newest_unfinished,
    now,
    run_folders,
)
from seqforge.runs.load_inputs import Inputs, KnownVocabulary, gather, kept_libraries
from seqforge.runs.progress import ProgressListener
from seqforge.runs.recipes import Recipe, Settings, find_recipe
from seqforge.runs.warm_start import WarmStart, named_model, warm_start_of
from seqforge.version import __version__

# A stage that is not done yet may still be told otherwise.
_SETTINGS = {"sampling": "sampling.", "searching": "search."}
_ALWAYS_OPEN = ("memory.save",)  # what a finished run can still do
_OPTIONS = "domain_options."
_NAMED = 3  # files that differ, in a message
_MANY = 1000  # files, from which on looking at them shows how far it is


@dataclass(frozen=True)
class RunRequest:
    """A request from the command line or from Python."""

    pipeline: str
    """A recipe's name or path, or a domain."""
    inputs: tuple[str, ...] = ()
    settings: Settings | None = None
    """Dotted keys and values that override the recipe's."""
    out: Path | None = None
    resume: bool = False
    command: str = ""
    """The command that repeats the run, for the page."""
    only_train: bool = False
    sample_every: str | None = None
    """How often to show a sample while training: 30s, 2m, 500steps; does not change the result."""


class Interrupted(KeyboardInterrupt):
    """A run was stopped; its progress is in ``folder``."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__()
        self.folder = folder


@dataclass(frozen=True)
class AskedRun:
    """A request whose recipe has been read: the recipe as it is, and what is to be otherwise."""

    request: RunRequest
    recipe: Recipe
    settings: Settings

    @classmethod
    def of(cls, request: RunRequest) -> AskedRun:
        """Read the recipe, the only time.

        Raises:
            ConfigError: If there is none, or it is damaged.
        """
        return cls(request, find_recipe(request.pipeline), dict(request.settings or {}))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Files, folders and patterns as they are named."""
        return self.request.inputs or self.recipe.inputs

    @cached_property
    def wanted(self) -> Recipe:
        """The recipe with what is to be otherwise."""
        return self.recipe.with_settings(self.settings)

    def fingerprint(self) -> str | None:
        """The hash of what is asked for; None where it cannot be asked for again.

        Before anything is settled by the files or by a model: two commands that ask for the same
        may come to something else where the files are others.
        """
        library = self.settings.get("search.against")
        named = library if isinstance(library, list | tuple) else ()
        if any(map(is_piped, (self.request.pipeline, *self.inputs, *named))):
            return None
        said = {
            "pipeline": self.recipe.name,
            "settings": normal(self.wanted).model_dump(),
            "inputs": [str(Path(name).absolute()) for name in self.inputs],
            "only_train": self.request.only_train,
        }
        return hashlib.sha256(json.dumps(as_json(said), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class ResolvedRequest:
    """Everything a run is to do, resolved before its first stage."""

    folder: RunFolder
    note: str
    """Kept on the card of the model: source and licence of the data."""
    config: RunConfig
    """Every setting; nothing is left to the files or to a model."""
    inputs: Inputs
    named_inputs: tuple[str, ...]
    """As they were named, for a run none of whose files can be read."""
    start: WarmStart | None
    """The model of a warm start."""
    origin: RunOrigin
    """What the run folder says of how it was begun."""
    only_train: bool
    sample_every: Budget | None
    """How often to show a sample: seconds or steps; None: at each evaluation."""

    @property
    def pipeline(self) -> str:
        """The recipe's name."""
        return self.origin.pipeline

    @property
    def domain(self) -> Domain:
        """What reads, writes and judges sequences."""
        return self.inputs.domain

    @property
    def model_name(self) -> str:
        """Of the model, on its card: the recipe's if that says where its data are from."""
        return self.pipeline if self.note else self.folder.path.resolve().name

    @property
    def known(self) -> KnownVocabulary | None:
        """The symbols of a warm start's model."""
        if self.start is None:
            return None
        return KnownVocabulary(self.start.vocabulary, self.config.init.extend_vocabulary)

    @cached_property
    def corpus_key(self) -> str:
        """Hash of everything that the corpus depends on."""
        return self.inputs.key(self.config.data, self.known)


def choose_folder(asked: AskedRun, watcher: ProgressListener) -> RunFolder:
    """The run folder to work in: the one named, an unfinished one, or a new one."""
    request, name = asked.request, asked.recipe.name
    if request.out is not None:
        return RunFolder(request.out)
    if request.resume:
        waiting = newest_unfinished(name)
        if waiting is not None:
            watcher.note(f"going on with {waiting.path}")
            return waiting
        watcher.note(f"no unfinished run of {name} was found; starting afresh")
        return new_folder(name)
    same = unfinished_run_of(replace(asked, settings=named_model(asked.settings)), watcher)
    return same or new_folder(name)


def unfinished_run_of(asked: AskedRun, watcher: ProgressListener) -> RunFolder | None:
    """The newest run under ``runs/`` that the same request began and that waits to be gone on with.

    Args:
        asked: Its model to go on from, if it has one, as it is written down.
        watcher: Told which it is, or why it is not gone on with.
    """
    fingerprint = asked.fingerprint()
    if fingerprint is None:
        return None
    waiting = [run for run in run_folders() if _waits(run, fingerprint, asked.request.only_train)]
    for run in sorted(waiting, key=RunFolder.begun_at, reverse=True):
        if _on_the_same_files(run, asked):
            watcher.note(
                f"going on with {run.path}, which the same command began; --out begins another"
            )
            return run
        watcher.note(f"{run.path} was begun on other content of these files; beginning anew")
    return None


def _waits(run: RunFolder, fingerprint: str, only_train: bool) -> bool:
    """Whether a run was asked for so, is not finished, and nobody works on it; one that cannot be
    read is none."""
    try:
        if run.origin().asked != fingerprint or run.finished(only_train):
            return False
        with held_folder(run.path):
            return True
    except SeqforgeError:
        return False


def _on_the_same_files(run: RunFolder, asked: AskedRun) -> bool:
    config = run.recipe().config()
    named = asked.inputs or made_inputs(config, run)
    found = gather(config.domain, config.domain_options, named, run.path, resumed=True)
    return list(found.digests) == [digest for _, digest in run.inputs()]


def made_inputs(config: RunConfig, folder: RunFolder) -> tuple[str, ...]:
    """What a run whose recipe says so makes for itself, in its folder."""
    data = config.data
    if data.made is None:
        return ()
    made = write_made(folder.path, data.made, data.made_examples, config.training.seed)
    return (str(made),)


def settle(asked: AskedRun, folder: RunFolder) -> AskedRun:
    """The request as it is written down in its folder: model and piped libraries are files.

    Raises:
        CheckpointError: If there is no such model.
    """
    return replace(asked, settings=kept_libraries(named_model(asked.settings, folder), folder))


def resolve(asked: AskedRun, folder: RunFolder, watcher: ProgressListener) -> ResolvedRequest:
    """Settle all that a run is to do, and check that it is what the folder was begun with.

    Args:
        asked: What `settle` gave.
        folder: Of the run, locked.
        watcher: Told how far one is in looking at many files.

    Raises:
        SeqforgeError: If anything asked for cannot be had, or is not what the run was begun with.
    """
    request, recipe = asked.request, settled_recipe(asked, folder)
    every = None if request.sample_every is None else preview_interval(request.sample_every)
    config, start = warm_start_of(asked.settings, recipe, folder)
    named = request.inputs or recipe.inputs or made_inputs(config, folder)
    if recipe.source and not named:
        raise ConfigError(
            f"{recipe.name}: learns from data that do not ship ({recipe.source}); give them with "
            "--input"
        )
    inputs = gather(
        config.domain,
        config.domain_options,
        named,
        folder.path,
        resumed=folder.worked,
        progress=_looking(watcher),
        min_count=config.data.min_count,
    )
    config = config.model_copy(update={"domain_options": options_of(inputs.domain)})
    for path in map(Path, config.search.get("against", ())):
        if not path.is_file():
            raise InputError(f"{path}: there is no such file to search in")
    if folder.worked:
        check_inputs(folder, inputs.files, inputs.digests)
    return ResolvedRequest(
        folder=folder,
        note=recipe.note,
        config=config,
        inputs=inputs,
        named_inputs=named,
        start=start,
        origin=_origin(asked, folder, start),
        only_train=request.only_train,
        sample_every=every,
    )


def _origin(asked: AskedRun, folder: RunFolder, start: WarmStart | None) -> RunOrigin:
    """How the run is begun, or was: what is written down of that stays."""
    origin = RunOrigin(
        seqforge=__version__,
        at=now(),
        command=asked.request.command,
        asked=asked.fingerprint() or "",
        pipeline=asked.recipe.name,
    )
    if folder.worked:
        begun = folder.origin().model_dump(exclude_unset=True, exclude={"init", "sha256"})
        origin = origin.model_copy(update=begun)
    note = None if start is None else start.note.model_dump(mode="json")
    return origin.model_copy(update={"init": note})


def _looking(watcher: ProgressListener) -> Advance:
    """Shows how far one is in looking at files, where there are many."""

    def told(done: float, total: float, name: str) -> None:
        if total >= _MANY:
            if done == 0:
                watcher.stage(f"looking at {total:,.0f} files")
            watcher.advance(done, total, name)

    return told


def preview_interval(text: str) -> Budget:
    """Read ``30s``, ``2m``, ``1h`` or ``500steps``.

    Raises:
        ConfigError: If it is none of these.
    """
    try:
        every = Budget.parse(text)
    except ValueError:
        every = Budget()
    if every.seconds is None and every.steps is None:
        raise ConfigError(f"--sample-every: give 30s, 2m, 1h or 500steps, not {text!r}")
    return every


def settled_recipe(asked: AskedRun, folder: RunFolder) -> Recipe:
    """What to do: the recipe and the options, or what the run in the folder was begun with.

    Where the run there has nothing to go on from, it is begun again as it is asked for now.

    Raises:
        ConfigError: If the run there was begun with other settings.
        RunError: If it is one of another pipeline.
    """
    if not folder.worked and not (folder.begun and asked.request.resume):
        return asked.wanted
    _check_pipeline(folder, asked.recipe.name)
    base = folder.recipe()
    # What was left to be decided has been: asking for `auto` again changes nothing.
    decided = {
        key: value
        for key, value in asked.settings.items()
        if not (key.startswith(_OPTIONS) and value == "auto")
    }
    changed = base.with_settings(decided)
    if not folder.worked:
        return changed
    still_open = tuple(_SETTINGS[stage] for stage in folder.undone(list(_SETTINGS)))
    still_open += _ALWAYS_OPEN
    begun, wanted = normal(base), normal(changed)
    differ = begun.differences(wanted, still_open)
    if differ and folder.finished(only_train=True) and _only_budget(begun, wanted):
        raise ConfigError(_train_on(asked.request, folder, begun, wanted))
    if differ:
        raise ConfigError(
            f"{folder.path}: this run was started with other settings "
            f"({'; '.join(differ)}); give the same, or another --out"
        )
    return changed


def _only_budget(begun: RunConfig, asked: RunConfig) -> bool:
    budget = {"budget": asked.training.budget}
    alike = begun.model_copy(update={"training": begun.training.model_copy(update=budget)})
    return not alike.differences(asked)


def _train_on(request: RunRequest, folder: RunFolder, begun: RunConfig, asked: RunConfig) -> str:
    """How a person trains longer who asks a finished run for another budget."""
    words = ["seqforge", "train" if request.only_train else "run", request.pipeline]
    again = ["--init", str(folder.path), "--budget", asked.training.budget]
    return (
        f"{folder.path}: this run is finished, with a budget of {begun.training.budget}; to train "
        f"its model on, begin in another folder and give the same input: "
        f"{shlex.join([*words, *again])}"
    )


def check_inputs(folder: RunFolder, files: Sequence[Path], digests: Sequence[str]) -> None:
    """Check that a resumed run has its original files, whatever their names now.

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
        f"{folder.path}: this run was started on other input ({said}); give the same files "
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
    begun = folder.origin().pipeline
    if begun != name:
        raise RunError(f"{folder.path}: holds a run of {begun}; choose another --out")


def normal(recipe: Recipe) -> RunConfig:
    """Settings with the domain's options in the domain's types: 60, not "60"."""
    config = recipe.config()
    domain = load_domain(config.domain, config.domain_options)
    return config.model_copy(update={"domain_options": options_of(domain)})
