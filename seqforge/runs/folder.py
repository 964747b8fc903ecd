"""A run folder in, its locked state and files out; a model name in, its checkpoint file out."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import tomli_w
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from seqforge.base.atomic_files import read_toml, sweep
from seqforge.base.file_locks import held_folder
from seqforge.base.folders import (
    disk_errors,
    folder_for,
    sealed,
    unsealed,
    write_atomically,
    write_json,
)
from seqforge.base.messages import did_you_mean, first_problem, unreadable
from seqforge.base.paths import bundled_folder, is_piped, spooled
from seqforge.core.config import RunConfig
from seqforge.core.training.events import EvaluationRecord
from seqforge.errors import CheckpointError, ConfigError, RunError, SeqforgeError
from seqforge.runs.recipes import Recipe, recipe_of

RUNS = Path("runs")
STDIN_KEPT = ".stdin"
"""Prefix of the copy of standard input."""

_CONFIG, MODEL = "config.toml", "model.safetensors"
_UNFINISHED_CONFIG = "config.toml.partial"  # what a killed run of an earlier version may have left
_TRAINED = "finished training"
_FINISHED = "finished"

Result = TypeVar("Result", bound=BaseModel)
"""The result of a stage."""


class _Timed(BaseModel):
    """What all results say of how long it took."""

    wall_seconds: float = 0.0


class _Ended(BaseModel):
    """The last thing that is noted of a run."""

    at: str


class RunOrigin(BaseModel):
    """How a run was started: ``[made]`` in its ``config.toml``."""

    model_config = ConfigDict(frozen=True)

    seqforge: str = ""
    """The version."""
    at: str = ""
    command: str = ""
    asked: str = ""
    """Fingerprint of the request; older runs have none."""
    init: dict[str, JsonValue] | None = None
    """The model of a warm start, as `runs.warm_start` records it."""
    pipeline: str
    sha256: dict[str, str] = {}
    """Of each input file, by its name as typed."""


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.model = path / MODEL
        self.memory = memory_path(self.model)
        self.resume = path / "resume.safetensors"
        self.metrics = path / "metrics.jsonl"
        self.ingest = path / "ingest.tsv"
        self.held_out = path / "held-out.bed"
        self.samples = path / "samples"
        self.similarity = path / "similarity"
        self.tensorboard = path / "tensorboard"
        self.summary = path / "summary.json"
        self.stages = path / "stages.json"
        self.page = path / "report.html"
        self._config: dict[str, object] | None = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder, made if missing, against other seqforge processes.

        Hidden files that are there stay as they are. What fails before anything was begun takes
        away what it made, and nothing else.

        Raises:
            RunError: If another one holds it, or it is not a folder a run could use.
        """
        try:
            str(self.path.absolute()).encode()
        except UnicodeEncodeError as error:
            raise RunError(
                f"{self.path}: its name is not UTF-8, and it is written down; choose another --out"
            ) from error
        with folder_for(self.path):
            with disk_errors(self.path):
                there = {item.name for item in self.path.iterdir()}
            strange = [n for n in there if not n.startswith(".") and n != _UNFINISHED_CONFIG]
            if not self.begun and strange:
                damaged = f" ({_CONFIG} is damaged, or none of a run)" if _CONFIG in there else ""
                raise RunError(
                    f"{self.path}: holds other files and no run{damaged}; choose an empty or a new "
                    "--out"
                )
            with held_folder(self.path):
                self._config = None  # another process may have worked here until now
                for folder in (self.path, self.samples, self.similarity):
                    sweep(folder)
                try:
                    yield
                finally:
                    if not self.begun:
                        self._leave_nothing(there)

    def _leave_nothing(self, there: Collection[str]) -> None:
        """Delete the copy of standard input if this run made it."""
        for item in self.path.glob(f"{STDIN_KEPT}*"):
            if item.name not in there:
                with suppress(OSError):
                    item.unlink()

    @property
    def begun(self) -> bool:
        """Whether the folder has a run; other programs have a ``config.toml`` too."""
        try:
            return (self.path / _CONFIG).is_file() and "pipeline" in self._made()
        except ConfigError:
            return False

    def begun_at(self) -> float:
        """When the run was started or last resumed, in seconds since 1970."""
        return (self.path / _CONFIG).stat().st_mtime

    @property
    def worked(self) -> bool:
        """Whether there is anything to resume from."""
        return self.begun and (self.resume.is_file() or bool(self._done()))

    def finished(self, only_train: bool = False) -> bool:
        """Whether the requested stages are done: training alone, or the whole run."""
        done = self._done()
        return _FINISHED in done or (only_train and _TRAINED in done)

    def undone(self, stages: Sequence[str]) -> list[str]:
        """Stages without a result."""
        done = self._done()
        return [name for name in stages if name not in done]

    def begin(
        self,
        config: RunConfig,
        inputs: Sequence[tuple[Path, str]],
        origin: RunOrigin,
        note: str = "",
    ) -> None:
        """Write ``config.toml``, which can be run again like any recipe."""
        settings = _without_none(config.model_dump(mode="json"))
        document = {
            "description": f"seqforge run {origin.pipeline}",
            "note": note,
            "inputs": [str(path.absolute()) for path, _ in inputs],
            **settings,
            "made": {
                **origin.model_dump(exclude_none=True),
                "sha256": {str(path): digest for path, digest in inputs},
            },
        }
        write_atomically(self.path / _CONFIG, tomli_w.dumps(document).encode())
        self._config = None

    def _document(self) -> dict[str, object]:
        """``config.toml``, read once while the folder is locked."""
        if self._config is None:
            self._config = read_toml(self.path / _CONFIG)
        return self._config

    def _made(self) -> dict[str, object]:
        found = self._document().get("made", {})
        return found if isinstance(found, dict) else {}

    def origin(self) -> RunOrigin:
        """How the run was started.

        Raises:
            ConfigError: If its ``config.toml`` does not say it any more.
        """
        try:
            return RunOrigin.model_validate(self._made())
        except ValidationError as error:
            raise ConfigError(f"{self.path / _CONFIG}: made.{first_problem(error)}") from error

    def inputs(self) -> list[tuple[Path, str]]:
        """Input files of the run, and the SHA-256 of each."""
        digests = self.origin().sha256
        places = self.recipe().inputs  # absolute; the keys are as they were typed
        named = places if len(places) == len(digests) else tuple(digests)
        return [(Path(name), digest) for name, digest in zip(named, digests.values(), strict=True)]

    def seconds(self) -> float:
        """Wall-clock seconds of all finished stages."""
        return sum(_Timed.model_validate(result).wall_seconds for result in self._done().values())

    def recipe(self) -> Recipe:
        """The recipe of the run."""
        return recipe_of(self._document(), self.path / _CONFIG)

    def stage(self, name: str, kind: type[Result], work: Callable[[], Result]) -> Result:
        """The result of a stage, read back if it is done, else computed and recorded.

        Raises:
            RunError: If what was kept is no such result.
        """
        found = self.result(name, kind)
        if found is not None:
            return found
        result, done = work(), self._done()
        write_json(self.stages, sealed({**done, name: result.model_dump(mode="json")}))
        return result

    def result(self, name: str, kind: type[Result]) -> Result | None:
        """The result of a stage; None if it is not done.

        Raises:
            RunError: If what was kept is no such result.
        """
        done = self._done()
        if name not in done:
            return None
        try:
            return kind.model_validate(done[name])
        except ValidationError as error:
            raise self._damaged(f"{name}: {first_problem(error)}") from error

    def finish(self, only_train: bool = False) -> None:
        """Mark the run as finished."""
        self.stage(_TRAINED if only_train else _FINISHED, _Ended, lambda: _Ended(at=now()))

    def _done(self) -> dict[str, dict[str, object]]:
        try:
            return self._noted()
        except ValueError as error:
            raise self._damaged(error) from error

    def _damaged(self, why: object) -> RunError:
        return RunError(f"{self.stages}: is damaged ({why}); remove it and go on")

    def _noted(self) -> dict[str, dict[str, object]]:
        """Results of the finished stages.

        Raises:
            ValueError: If the note of them is damaged.
            RunError: If it cannot be read.
        """
        try:
            text = self.stages.read_bytes().decode()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise RunError(f"{self.stages}: {unreadable(error)}") from error
        try:
            done = unsealed(json.loads(text))
        except RecursionError as error:
            raise ValueError("too deep") from error
        if not all(isinstance(result, dict) for result in done.values()):
            raise ValueError("a stage without results")
        return done

    def mended(self) -> list[str]:
        """Remove damaged files that can be made again; returns sentences about them.

        Raises:
            RunError: If the disk refuses.
        """
        try:
            self._noted()
        except ValueError:
            with disk_errors(self.stages):
                self.stages.unlink()
            return [f"{self.stages}: was damaged; what it told of is worked out again"]
        return []


def new_folder(pipeline: str) -> RunFolder:
    """A fresh folder under ``runs/``, named after the pipeline and the time."""
    stamp = datetime.now().strftime("%Y-%m-%d-%H%M%S")
    path, again = RUNS / f"{pipeline}-{stamp}", 2
    while path.exists():
        path, again = RUNS / f"{pipeline}-{stamp}-{again}", again + 1
    return RunFolder(path)


def newest_unfinished(pipeline: str) -> RunFolder | None:
    """The newest unfinished run of a pipeline, or None."""
    waiting = [
        run
        for run in run_folders()
        if run.resume.is_file() and _is_waiting(run, pipeline, only_train=True)
    ]
    return max(waiting, key=RunFolder.begun_at, default=None)


def run_folders() -> list[RunFolder]:
    """Run folders under ``runs/``."""
    if not RUNS.is_dir():
        return []
    return [run for run in map(RunFolder, RUNS.iterdir()) if run.begun]


def _is_waiting(run: RunFolder, pipeline: str, only_train: bool) -> bool:
    """Whether a folder is an unfinished run of a pipeline; an unreadable one is not."""
    try:
        return run.origin().pipeline == pipeline and not run.finished(only_train)
    except SeqforgeError:
        return False


def now() -> str:
    """The current time, to the second, with its zone (ISO 8601)."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _without_none(values: dict[str, object]) -> dict[str, object]:
    """TOML has no null: what is not set is left out."""
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }


_SUFFIX = ".safetensors"


def bundled_models() -> dict[str, Path]:
    """Models that ship, by name."""
    return {path.stem: path for path in sorted(bundled_folder().glob(f"*{_SUFFIX}"))}


def local_models() -> dict[str, Path]:
    """Models in the run folders under ``runs/``, by folder."""
    found = sorted(RUNS.glob("*/model.safetensors"), key=lambda path: path.stat().st_mtime)
    return {str(path.parent): path for path in found}


def find_model(name: str) -> Path:
    """A bundled name, a .safetensors file or a run folder in, the model's file out.

    Raises:
        CheckpointError: If there is none; names those that there are.
    """
    path = Path(name)
    if is_piped(name):
        return spooled(path)
    if len(path.name) > 255:  # no file system has such names, and some raise over them
        raise CheckpointError(f"{name[:40]}...: is no model; give a name, a file or a run folder")
    if path.is_dir():
        model = RunFolder(path).model
        if not model.is_file():
            raise CheckpointError(f"{path}: no model in this run folder yet; let its run finish")
        return model
    if path.suffix == _SUFFIX or path.exists():
        return path
    bundled = bundled_models()
    if name not in bundled:
        known = ", ".join(bundled) or "none"
        raise CheckpointError(
            f"{name!r} is not a bundled model ({known}), no .safetensors file and no run folder"
            + did_you_mean(name, [*bundled, *local_models()])
        )
    return bundled[name]


def memory_path(model: Path) -> Path:
    """A model's file in, that of its memory out: ``memory.safetensors`` in a run folder, else
    ``NAME.memory.safetensors`` beside ``NAME.safetensors``."""
    of = "" if model.name == MODEL else f"{model.stem}."
    return model.with_name(f"{of}memory.safetensors")


def read_metrics(run: RunFolder) -> list[EvaluationRecord]:
    """The evaluations so far; a line that was cut short or damaged is left out."""
    try:
        text = run.metrics.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise RunError(f"{run.metrics}: cannot be read ({error.strerror})") from error
    return [record for record in map(_read_line, text.splitlines()) if record is not None]


def _read_line(text: str) -> EvaluationRecord | None:
    try:
        return EvaluationRecord.model_validate(json.loads(text))
    except (ValidationError, ValueError, RecursionError):
        return None
