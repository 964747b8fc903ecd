"""An experiment and its settings in, a folder with the rows of all trials, ``summary.json`` and
``report.html`` out. Trials that have ended are never done again.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel

from seqforge.base.atomic_files import as_json, open_to_append, read_toml, sync, write_atomically
from seqforge.base.file_locks import held_folder
from seqforge.base.folders import disk_errors, make_folder, write_json
from seqforge.base.machine import usable_cores
from seqforge.errors import RunError
from seqforge.experiments.experiment import Row, Trial, load_experiment
from seqforge.experiments.page import write_page
from seqforge.runs.progress import ProgressListener
from seqforge.runs.worker import interruptible
from seqforge.version import __version__

_SETTINGS, _ROWS = "experiment.toml", "rows.jsonl"
_PULSE_SECONDS = 0.2  # how soon Ctrl-C is heard
_LOOK_SECONDS = 2.0  # how soon a worker sees that its parent is gone


@dataclass(frozen=True)
class ExperimentFolder:
    """The folder of an experiment."""

    path: Path

    @property
    def summary(self) -> Path:
        """What came out, as JSON."""
        return self.path / "summary.json"

    @property
    def page(self) -> Path:
        """The same as a page."""
        return self.path / "report.html"

    def begin(self, name: str, settings: BaseModel) -> None:
        """Write down what is to be done, or check that it is what was begun here.

        Raises:
            RunError: If something else was.
        """
        file, said = self.path / _SETTINGS, _document(name, settings)
        if file.is_file():
            before = read_toml(file, "the settings of an experiment")
            if before != said:
                raise RunError(
                    f"{self.path}: {_difference(before, said)}; give another --out, or the same "
                    "settings"
                )
            return
        if any(not item.name.startswith(".") for item in self.path.iterdir()):
            raise RunError(f"{self.path}: holds other files and no experiment; give another --out")
        write_atomically(file, tomli_w.dumps(said).encode())

    def rows(self) -> dict[str, Row]:
        """The rows of trials that have ended, by key; a line that was cut off is none."""
        file = self.path / _ROWS
        found: dict[str, Row] = {}
        with disk_errors(self.path):
            lines = file.read_bytes().split(b"\n") if file.is_file() else []
        for line in lines:
            with suppress(ValueError):
                row = json.loads(line)
                found[row["key"]] = row
        return found

    def add(self, row: Row) -> None:
        """Keep the row of a trial that has ended."""
        line = json.dumps(as_json(dict(row)), allow_nan=False).encode()
        with disk_errors(self.path), open_to_append(self.path / _ROWS) as stream:
            # Behind a line that was cut off, on a line of its own.
            stream.write(b"\n" + line + b"\n")
            sync(stream)


def _document(name: str, settings: BaseModel) -> dict[str, Any]:
    values = settings.model_dump(mode="json", exclude_none=True)
    return {"name": name, "experiment": values}


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What is asked for otherwise than it was."""
    if before.get("name") != now["name"]:
        return f"holds the experiment {before.get('name')!r}"
    was, asked = before.get("experiment", {}), now["experiment"]
    for key in sorted({*was, *asked}):
        if was.get(key) != asked.get(key):
            return f"was begun with {key} = {was.get(key)!r}, not {asked.get(key)!r}"
    return "was begun otherwise"


def run_experiment(
    name: str, settings: BaseModel, folder: ExperimentFolder, watcher: ProgressListener,
    command: str = "",
) -> None:  # fmt: skip
    """Do all trials that are left, then write the summary and the page.

    Raises:
        RunError: If the folder holds something else, or a trial fails.
        KeyboardInterrupt: When stopped; rows of trials that have ended are kept.
    """
    experiment = load_experiment(name)
    make_folder(folder.path)
    with held_folder(folder.path):
        folder.begin(name, settings)
        trials = experiment.trials(settings)
        done = folder.rows()
        left = [trial for trial in trials if trial.key not in done]
        watcher.stage("trials")
        if left and done:
            watcher.note(f"{len(done)} of {len(trials)} trials are done; going on")
        with _workers(min(usable_cores(), len(left))) as pool:
            _do(name, settings, left, len(trials), pool, folder, watcher)
        done = folder.rows()
        rows = [done[trial.key] for trial in trials]
        watcher.stage("the page")
        said = experiment.conclusion(rows, settings)
        document = {
            "pipeline": name,
            "command": command,
            "seqforge": __version__,
            "conclusion": said,
            "settings": settings.model_dump(mode="json"),
            "seconds_of_trials": round(sum(row["seconds"] for row in rows), 1),
            "experiment": {"rows": rows, "published": list(experiment.PUBLISHED)},
        }
        write_json(folder.summary, document)
        write_page(folder.page, experiment, rows, settings, said, command)


def _do(
    name: str, settings: BaseModel, left: list[Trial], total: int,
    pool: ProcessPoolExecutor | None, folder: ExperimentFolder, watcher: ProgressListener,
) -> None:  # fmt: skip
    """Have trials done, and keep the row of each as soon as it ends."""
    if pool is None:
        return
    done = total - len(left)
    # Ctrl-C must not be raised in the midst of futures: whose lock it leaves taken, no one gets.
    with interruptible() as stop:
        waiting: set[Future[Row]] = {pool.submit(_one, name, settings, trial) for trial in left}
        watcher.advance(done, total, "trials")
        while waiting:
            ended, waiting = wait(waiting, _PULSE_SECONDS, FIRST_COMPLETED)
            for future in ended:
                try:
                    row = future.result()
                except (ArithmeticError, ValueError, RuntimeError, OSError) as error:
                    raise RunError(f"{name}: a trial failed: {error}") from error
                folder.add(row)
                done += 1
                watcher.advance(done, total, "trials")
            if stop.is_set():
                raise KeyboardInterrupt


def _one(name: str, settings: BaseModel, trial: Trial) -> Row:
    """Do a trial, in a worker."""
    begun = time.process_time()
    found = load_experiment(name).run(trial, settings)
    seconds = round(time.process_time() - begun, 2)
    return {"key": trial.key, **trial.fields, **found, "seconds": seconds}


@contextmanager
def _workers(count: int) -> Iterator[ProcessPoolExecutor | None]:
    """Processes for trials; on the way out nobody waits for those under way."""
    if not count:
        yield None
        return
    # Spawned: a fork would copy whatever threads hold at the moment.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, context, _prepare_worker, (os.getpid(),))
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
        raise


def _prepare_worker(parent: int) -> None:
    """One thread a trial; Ctrl-C is for the parent, and without a parent there is nothing to do."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
