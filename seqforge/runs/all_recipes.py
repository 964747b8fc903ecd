"""Folders of data and a budget in, every shipped recipe run small, one table of what came out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqforge.base.atomic_files import read_toml
from seqforge.base.folders import make_folder, write_json
from seqforge.base.paths import recipe_folder
from seqforge.base.process import run_child
from seqforge.errors import ConfigError
from seqforge.runs.progress import ProgressListener
from seqforge.runs.recipes import experiment_names, experiment_path, recipe_names

_SKIPPED = ("size",)  # a sweep is many runs
_DEPTH = 4  # folders under a named one that are looked through


@dataclass(frozen=True)
class RecipeRow:
    """What came of a recipe."""

    recipe: str
    outcome: str
    """done, no data, or failed."""
    figure: str
    """Its result in a few words, where its data are to be had, or why it failed."""
    seconds: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON has it."""
        return dict(vars(self))


@dataclass(frozen=True)
class _Job:
    name: str
    document: Mapping[str, Any]
    experiment: bool

    @property
    def wants(self) -> list[str]:
        """Names of files and folders."""
        return [str(one) for one in self.document.get("wants", self.document.get("inputs", []))]

    @property
    def beside(self) -> dict[str, str]:
        """Settings that are files, and their names."""
        return dict(self.document.get("beside", {}))

    @property
    def small(self) -> list[str]:
        """Settings under which it ends soon."""
        found = self.document.get("small", {})
        return [
            word for key, value in found.items() for word in ("--set", f"{key}={json.dumps(value)}")
        ]


def run_all(
    folders: Sequence[str], budget: str, out: Path, watcher: ProgressListener,
    recipes: Sequence[str] = (),
) -> list[RecipeRow]:  # fmt: skip
    """Run every recipe whose data are found, one after the other, each in a folder of its own.

    Networks are scored without the memory, experiments run under the table ``[small]`` of their
    recipes.

    Args:
        folders: Where data are looked for, by the names that recipes give.
        budget: Of each training.
        out: Runs go there; what is finished there is not done again.
        watcher: Told which recipe is at work.
        recipes: Only these; all if there is none.

    Raises:
        ConfigError: If a folder is not there.
        RunError: If nothing can be written.
    """
    for folder in folders:
        if not Path(folder).is_dir():
            raise ConfigError(f"{folder}: there is no such folder; name one with data of recipes")
    make_folder(out)
    jobs = [job for job in _jobs() if not recipes or job.name in recipes]
    rows = list[RecipeRow]()
    for number, job in enumerate(jobs):
        watcher.advance(number, len(jobs), job.name)
        rows.append(_done(job, folders, budget, out / job.name))
        watcher.note(f"{job.name}: {rows[-1].outcome}: {rows[-1].figure}")
        write_json(out / "all.json", {"budget": budget, "rows": [row.as_dict() for row in rows]})
    return rows


def _jobs() -> Iterator[_Job]:
    for name in recipe_names():
        if name not in _SKIPPED:
            yield _Job(name, read_toml(recipe_folder() / f"{name}.toml"), experiment=False)
    for name in experiment_names():
        yield _Job(name, read_toml(experiment_path(name)), experiment=True)


def _done(job: _Job, folders: Sequence[str], budget: str, out: Path) -> RecipeRow:
    found = [_found(name, folders) for name in job.wants]
    beside = {key: _found(name, folders) for key, name in job.beside.items()}
    if None in found or None in beside.values():
        names = " and ".join([*job.wants, *job.beside.values()])
        where = str(job.document.get("source") or f"a file called {names}")
        return RecipeRow(job.name, "no data", where)
    words = [sys.executable, "-m", "seqforge", "run", job.name, "--out", str(out), "--json"]
    for path in found:
        words += ["--input", str(path)]
    for key, place in beside.items():
        words += ["--set", f"{key}={place}"]
    words += job.small if job.experiment else ["--budget", budget, "--no-memory", *job.small]
    ended = run_child(words)
    if ended.code:
        return RecipeRow(job.name, "failed", ended.complaint.strip().splitlines()[-1][:300])
    summary = json.loads(ended.out)
    seconds = summary.get("wall_seconds", summary.get("seconds_of_trials"))
    return RecipeRow(job.name, "done", _figure(summary), seconds)


def _found(name: str, folders: Sequence[str]) -> Path | None:
    """A file or folder of this name in or under some folders."""
    for folder in map(Path, folders):
        for depth in range(_DEPTH):
            for path in sorted(folder.glob("/".join(["*"] * depth + [name]))):
                return path.absolute()
    return None


def _figure(summary: Mapping[str, Any]) -> str:
    """The result of a run or an experiment, in a few words."""
    if "conclusion" in summary:
        return str(summary["conclusion"])
    if metrics := summary.get("metrics"):
        beside = summary["baseline_metrics"]
        said = [f"{name} {value} ({beside.get(name, '-')})" for name, value in metrics.items()]
        return f"{', '.join(said)}; in brackets: {summary['baseline']}"
    headline = summary.get("headline")
    if headline is None:
        return "nothing was held out"
    figures = summary["baseline_bits"]
    best = min(figures, key=figures.__getitem__) if figures else ""
    beside = f"; {best} {figures[best]}" if best else ""
    return f"{headline['bits']} bits per {summary['unit']} ({headline['what']}){beside}"
