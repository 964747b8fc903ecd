"""A sweep request in, its folder out: a run folder a trial, ``summary.json``, ``report.html``."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqforge.base.atomic_files import as_json
from seqforge.base.folders import disk_errors, make_folder, write_json
from seqforge.base.paths import is_piped
from seqforge.core.config import Split, flat
from seqforge.errors import NO_MEMORY, ConfigError, RunError, SeqforgeError, out_of_memory
from seqforge.reporting.summary import RunSummary
from seqforge.reporting.sweep_page import (
    BestTrial,
    SweepSummary,
    SweptTrial,
    conclusion,
    described,
    write_sweep_page,
)
from seqforge.runs.folder import RUNS, RunFolder, new_folder, read_metrics
from seqforge.runs.load_inputs import gather
from seqforge.runs.pipeline import run
from seqforge.runs.progress import NullProgress, ProgressListener
from seqforge.runs.recipes import Recipe, Settings, experiment_path
from seqforge.runs.request import AskedRun, RunRequest, normal
from seqforge.runs.sweep.ranges import Range, SweepTable, allowed, combinations, ranges_of

if TYPE_CHECKING:
    from seqforge.core.training.events import StepReport
    from seqforge.runs.sweep.study import ClaimedTrial, SweepStudy

BUDGET = "2m"
"""Of a trial, unless something else is said."""
_WAIT = 1.0  # seconds between two looks at what other processes do
_NOTE, _SUMMARY, _PAGE, _STORAGE = "sweep.json", "summary.json", "report.html", "sweep.db"
_OF_THE_MACHINE = ("training.lanes", "training.device", "training.precision", "memory.", "search.")
"""Settings in which the processes of one sweep may differ."""


@dataclass(frozen=True)
class SweepRequest:
    """What is asked for, from the command line."""

    pipeline: str
    """A recipe's name or path, or a domain."""
    inputs: tuple[str, ...] = ()
    settings: Settings | None = None
    """Dotted keys and values that override the recipe's in all trials."""
    ranges: tuple[str, ...] = ()
    """Each ``KEY=a,b,c`` or ``KEY=lo..hi``."""
    trials: int | None = None
    """Finished trials that are wanted, over all processes; None: as the recipe has it."""
    storage: Path | None = None
    """The SQLite file; None: in the folder."""
    out: Path | None = None
    command: str = ""


class SweepStopped(KeyboardInterrupt):
    """A sweep was stopped; all of it is in ``folder``."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder


class Sweep:
    """A sweep whose recipe, ranges and inputs have been read and found good."""

    def __init__(self, request: SweepRequest) -> None:
        """Read the recipe and check everything that can be known before a trial begins.

        Raises:
            SeqforgeError: If a key, a range, a value or an input cannot be used.
        """
        self._request = request
        if is_piped(request.pipeline) or any(map(is_piped, request.inputs)):
            raise ConfigError("a sweep reads its inputs for each trial: name files, and no pipe")
        if experiment_path(request.pipeline).is_file():
            raise ConfigError(
                f"{request.pipeline} is an experiment and has trials of its own; a sweep trains a "
                "recipe, such as text"
            )
        chosen = {"memory.enabled": False, **(request.settings or {})}
        own = AskedRun.of(RunRequest(request.pipeline)).recipe
        if own.sweep is None:  # its budget is for one run
            chosen = {"training.budget": BUDGET, **chosen}
        asked = AskedRun.of(RunRequest(request.pipeline, request.inputs, chosen))
        self._recipe: Recipe = asked.wanted
        config = normal(self._recipe)
        if Split.parse(config.data.split).valid == 0:
            raise ConfigError(
                f"data.split: {config.data.split} has no valid part, which trials are compared by; "
                "give --split 90/5/5"
            )
        self._chosen, self._budget = chosen, config.training.budget
        self.ranges: Sequence[Range] = ranges_of(
            request.ranges, self._recipe, request.settings or {}
        )
        values = flat(as_json(config.model_dump()))
        self._first = {one.key: values.get(one.key) for one in self.ranges}
        self._seed = config.training.seed
        self._inputs = asked.inputs
        read = gather(config.domain, config.domain_options, asked.inputs, Path())
        self.definition = self._defined(values, read.digests)
        wanted = request.trials or SweepTable.of(own).trials
        self.wanted = min(wanted, combinations(self.ranges) or wanted)
        self.fewer = self.wanted < wanted

    def _defined(self, values: Mapping[str, Any], digests: Sequence[str]) -> dict[str, Any]:
        """What makes two sweeps the same one."""
        swept = {one.key for one in self.ranges}
        settings = {
            key: value
            for key, value in values.items()
            if key not in swept and not key.startswith(_OF_THE_MACHINE)
        }
        ranges = {f"--set-range {one.key}": str(one) for one in self.ranges}
        said = {"recipe": self._recipe.name, **settings, **ranges, "inputs (SHA-256)": [*digests]}
        return dict(json.loads(json.dumps(as_json(said))))

    def folder(self) -> Path:
        """Where it is: as named, an unfinished one of the same, or a new one under ``runs/``."""
        if self._request.out is not None:
            return self._request.out
        name = f"sweep-{self._recipe.name}"
        same = [path.parent for path in RUNS.glob(f"{name}-*/{_NOTE}") if self._waits(path)]
        return max(same, key=lambda path: path.stat().st_mtime, default=new_folder(name).path)

    def _waits(self, note: Path) -> bool:
        """Whether a sweep that noted this is the same one and not finished."""
        try:
            if json.loads(note.read_bytes()) != self.definition:
                return False
            done = finished_summary(note.parent).trials
        except (OSError, ValueError):  # killed before it wrote a summary; or foreign
            return not (note.parent / _SUMMARY).exists()
        return sum(trial.state != "running" for trial in done) < self.wanted

    def run(self, watcher: ProgressListener) -> Path:
        """All trials, their summary and page; the folder of it out.

        Raises:
            SeqforgeError: For anything a person can mend; what was done is kept.
            SweepStopped: When stopped from outside; what was done is kept.
        """
        if self.fewer:
            watcher.note(f"there are no more than {self.wanted} different settings in these ranges")
        out = self.folder()
        study = self._study(out)
        try:
            self._work(study, out, watcher)
        except KeyboardInterrupt:
            raise SweepStopped(out) from None
        finally:
            self._report(study, out)
        return out

    def _study(self, out: Path) -> SweepStudy:
        """The folder and the storage, made if missing."""
        study, space = _optuna()
        if out.is_dir() and not (out / _NOTE).is_file():
            with disk_errors(out):
                strange = [item.name for item in out.iterdir() if not item.name.startswith(".")]
            if strange and strange != [_STORAGE]:
                raise RunError(
                    f"{out}: holds other files and no sweep; choose an empty or a new --out"
                )
        storage = self._request.storage or out / _STORAGE
        if self._request.storage is not None and not storage.absolute().parent.is_dir():
            raise ConfigError(f"--storage {storage}: there is no folder {storage.parent}; make it")
        make_folder(out)
        found: SweepStudy = study(
            storage,
            self.definition,
            space(self.ranges, self._first, self._seed, lambda s: allowed(self._recipe, s)),
        )
        write_json(out / _NOTE, self.definition)
        return found

    def _work(self, study: SweepStudy, out: Path, watcher: ProgressListener) -> None:
        waited = False
        while study.finished() < self.wanted:
            claimed = study.claim(self.wanted, out / "trials")
            if claimed is not None:
                self._trial(study, claimed, watcher)
                self._report(study, out)
                watcher.note(_came_to(study, claimed.number))
            elif study.open():
                if not waited:
                    watcher.note("other processes work on the trials that are left; waiting")
                waited = True
                time.sleep(_WAIT)
            else:  # ranges of which nothing is left that goes together
                watcher.note("no other settings in these ranges go together")
                break

    def _trial(self, study: SweepStudy, claimed: ClaimedTrial, watcher: ProgressListener) -> None:
        title = f"trial {claimed.number} ({described(claimed.settings)})"
        try:
            watcher.stage(title)
            value, facts = self._trained(claimed, watcher)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                study.let_go(claimed)
                raise
            value, facts = None, {"reason": NO_MEMORY}
        except BaseException:
            study.let_go(claimed)
            raise
        study.tell(claimed, value, facts)

    def _trained(
        self, claimed: ClaimedTrial, watcher: ProgressListener
    ) -> tuple[float | None, dict[str, Any]]:
        """The held-out bits of a trial, trained in its folder, and what else is kept of it."""
        begun = RunFolder(claimed.folder).begun  # and so its settings are written down there
        settings = {} if begun else {**self._chosen, **claimed.settings}
        request = RunRequest(
            self._request.pipeline, self._inputs, settings, claimed.folder, resume=True,
            command=self._request.command, only_train=True,
        )  # fmt: skip
        folder = run(request, TrialProgress(watcher))
        found = RunSummary.read(folder.summary)
        facts = {
            "weights": found.parameters,
            "seconds": found.training.seconds,
            "train_symbols": found.symbols.train,
            "unit": found.unit,
        }
        bits = found.bits_per_symbol.valid
        if bits is None or not math.isfinite(bits):
            return None, facts | {"reason": "nothing was held out, or its score is no number"}
        return bits, facts

    def _report(self, study: SweepStudy, out: Path) -> None:
        """Write the summary and the page of what there is."""
        found, folders = self._summary(study, out), dict(study.folders())
        curves = {number: _curve(folder) for number, folder in folders.items()}
        write_json(out / _SUMMARY, found.model_dump(mode="json"))
        write_sweep_page(out / _PAGE, found, curves)

    def _summary(self, study: SweepStudy, out: Path) -> SweepSummary:
        rows = [SweptTrial.model_validate(row) for row in study.rows(out)]
        facts = next((one for one in study.facts() if "unit" in one), {})
        summary = SweepSummary(
            trials=tuple(rows),
            wanted=self.wanted,
            recipe=self._recipe.name,
            budget=self._budget,
            ranges={one.key: str(one) for one in self.ranges},
            own=self._first,
            unit=str(facts.get("unit", "symbol")),
            train_symbols=facts.get("train_symbols"),
            importances=study.importances(),
        )
        if not summary.ranked:
            return summary
        first = summary.ranked[0]
        best = BestTrial(trial=first.number, bits=first.bits or 0.0, settings=first.settings)
        return summary.model_copy(update={"best": best})


def _optuna() -> tuple[Any, Any]:
    """`SweepStudy` and `SweepSpace`.

    Raises:
        ConfigError: If Optuna is not installed; says how to get it.
    """
    try:
        from seqforge.runs.sweep.study import SweepSpace, SweepStudy
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"a sweep needs Optuna, and {error.name} is not installed; install it with "
            "pip install 'seqforge[sweep]'"
        ) from error
    return SweepStudy, SweepSpace


def _came_to(study: SweepStudy, number: int) -> str:
    """What a trial came to, and the best so far, in a sentence."""
    scored = {one.number: one.value for one in study.trials() if one.value is not None}
    if number not in scored:
        return f"trial {number} came to no score"
    best = min(scored, key=lambda one: (scored[one], one))
    others = "the best so far" if best == number else f"the best so far: {scored[best]:.4f}"
    return f"trial {number}: {scored[number]:.4f} bits, {others} ({len(scored)} done)"


def _curve(folder: Path) -> list[tuple[float, float]]:
    try:
        return [
            (one.elapsed_seconds, one.valid_bits)
            for one in read_metrics(RunFolder(folder))
            if one.elapsed_seconds is not None and one.valid_bits is not None
        ]
    except SeqforgeError:  # it has not begun, or lies on another machine
        return []


class TrialProgress(NullProgress):
    """Hands on how far the training of a trial is, and no more of it."""

    def __init__(self, watcher: ProgressListener) -> None:
        self._watcher = watcher

    def advance(self, done: float, total: float, what: str) -> None:
        """As it is."""
        self._watcher.advance(done, total, what)

    def pulse(self, pulse: StepReport) -> None:
        """As it is."""
        self._watcher.pulse(pulse)


def finished_summary(folder: Path) -> SweepSummary:
    """The folder of a sweep in, its summary out."""
    return SweepSummary.model_validate_json((folder / _SUMMARY).read_bytes())


def told(folder: Path) -> Iterator[str]:
    """The few lines that a finished sweep ends in."""
    found = finished_summary(folder)
    yield conclusion(found)
    if found.best is not None:
        best = found.trials[found.best.trial]
        yield f"model:  {os.path.normpath(folder / str(best.folder))}"
    yield f"report: {folder / _PAGE}"
