"""A SQLite file in, a sweep's trials out: claimed one by one, gone on with, told.

Optuna keeps the trials. A process owns a trial as long as it holds the trial's lock beside the
file, which goes with the process however it ends. A trial that is running by its state and whose
lock is free was left, and whoever comes next goes on with it. Trials are claimed and told under a
lock of the whole study, so that no trial is begun twice and none is begun beyond the number wanted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import OptunaError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from seqforge.base.atomic_files import disk_errors
from seqforge.base.messages import shown
from seqforge.errors import ConfigError, RunError
from seqforge.runs.sweep.proposal import Settings, distribution, propose
from seqforge.runs.sweep.ranges import Range

_NAME = "seqforge sweep"
_DEFINED, _FOLDER = "seqforge", "folder"
_PATIENCE = 60  # seconds that SQLite waits for another process's write
_FINISHED = (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)


@dataclass(frozen=True)
class SweepSpace:
    """What trials are drawn from."""

    ranges: Sequence[Range]
    first: Mapping[str, object]
    """Values of the recipe itself."""
    seed: int
    allowed: Callable[[Settings], bool]
    """Whether values go together."""


@dataclass(frozen=True)
class ClaimedTrial:
    """A trial that this process owns until it is told or let go."""

    number: int
    settings: Settings
    folder: Path
    """Of its run, which may have begun."""
    trial: optuna.trial.Trial
    lock: FileLock


class SweepStudy:
    """The trials of one sweep."""

    def __init__(self, storage: Path, definition: Mapping[str, Any], space: SweepSpace) -> None:
        """Open the storage, made if missing.

        Raises:
            ConfigError: If it holds a sweep of something else.
            RunError: If it is none, or the disk refuses.
        """
        self._storage, self._space = storage, space
        self._whole = FileLock(self._lock_path("lock"))
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with self._alone():
            self._study = self._opened()
            begun = self._study.user_attrs.get(_DEFINED)
            if begun is None:
                self._study.set_user_attr(_DEFINED, dict(definition))
        if begun is not None:
            _check(storage, begun, definition)

    def _opened(self) -> optuna.Study:
        rows = optuna.storages.RDBStorage(
            f"sqlite:///{self._storage.absolute()}",
            engine_kwargs={"connect_args": {"timeout": _PATIENCE}},
        )
        # What is drawn is drawn by `propose`; a study's own sampler would only be in the way.
        sampler = optuna.samplers.RandomSampler(seed=0)
        return optuna.create_study(
            study_name=_NAME, storage=rows, sampler=sampler, load_if_exists=True
        )

    def _lock_path(self, what: str) -> Path:
        return self._storage.with_name(f".{self._storage.name}.{what}")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock of the whole study; what the storage refuses is a sentence."""
        try:
            with disk_errors(self._storage), self._whole:
                yield
        except (OptunaError, SQLAlchemyError) as error:
            why = shown(str(getattr(error, "orig", None) or error).splitlines()[0], 120)
            raise RunError(
                f"{self._storage}: cannot be used as the storage of a sweep ({why}); name another "
                "--storage"
            ) from error

    def trials(self) -> list[FrozenTrial]:
        """All trials, by their numbers."""
        found: list[FrozenTrial] = self._study.get_trials(deepcopy=False)
        return found

    def finished(self) -> int:
        """How many are."""
        return sum(trial.state in _FINISHED for trial in self.trials())

    def claim(self, total: int, folders: Path) -> ClaimedTrial | None:
        """A trial to work on: one that was left, or a new one.

        Args:
            total: Trials that are wanted, with those of other processes.
            folders: Where the run of a new one goes, under its number.

        Returns:
            None where other processes work on all that are left, or nothing new can be drawn.
        """
        with self._alone():
            trials = self.trials()
            for left in trials:
                if left.state == TrialState.RUNNING and (lock := self._lock(left.number)):
                    return self._taken(
                        optuna.trial.Trial(self._study, left._trial_id), lock, folders
                    )
            begun = sum(one.state in _FINISHED or one.state == TrialState.RUNNING for one in trials)
            if begun >= total or not self._enqueued(trials):
                return None
            trial = self._study.ask()
            lock = self._lock(trial.number)
            assert lock is not None  # nobody else knows of this trial
            return self._taken(trial, lock, folders)

    def _enqueued(self, trials: Sequence[FrozenTrial]) -> bool:
        """Whether a trial waits to be begun: one that was left so, or one that is drawn now."""
        if any(trial.state == TrialState.WAITING for trial in trials):
            return True
        space = self._space
        settings = propose(trials, space.ranges, space.first, space.seed, space.allowed)
        if settings is not None:
            self._study.enqueue_trial(settings)
        return settings is not None

    def _taken(self, trial: optuna.trial.Trial, lock: FileLock, folders: Path) -> ClaimedTrial:
        """Write down what is not there yet of a trial; a killed process may have left it so."""
        for one in self._space.ranges:
            _suggest(trial, one)
        beside = self._storage.absolute().parent
        noted = trial.user_attrs.get(_FOLDER)
        folder = None if noted is None else beside / noted
        if folder is None or not folder.is_dir():  # or it lies on another machine
            folder = folders / f"{trial.number:03}"
            trial.set_user_attr(_FOLDER, relative(folder, beside))
        return ClaimedTrial(trial.number, dict(trial.params), _short(folder), trial, lock)

    def _lock(self, number: int) -> FileLock | None:
        """The lock of a trial; None where another process holds it."""
        lock = FileLock(self._lock_path(f"{number:03}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock

    def tell(self, claimed: ClaimedTrial, value: float | None, facts: Mapping[str, Any]) -> None:
        """End a trial.

        Args:
            claimed: Let go of.
            value: What it came to; None: it failed.
            facts: Kept beside it.
        """
        with self._alone():
            for name, fact in facts.items():
                claimed.trial.set_user_attr(name, fact)
            state = TrialState.FAIL if value is None else TrialState.COMPLETE
            self._study.tell(claimed.trial, value, state, skip_if_finished=True)
            _release(claimed.lock)

    def let_go(self, claimed: ClaimedTrial) -> None:
        """Leave a trial as it is, for whoever goes on with it."""
        with self._alone():
            _release(claimed.lock)

    def open(self) -> bool:
        """Whether a trial is neither finished nor ours to claim."""
        return any(trial.state not in _FINISHED for trial in self.trials())

    def folders(self) -> Iterator[tuple[int, Path]]:
        """The run folder of each trial that has one, by number."""
        for trial in self.trials():
            if _FOLDER in trial.user_attrs:
                beside = self._storage.absolute().parent
                yield trial.number, _short(beside / trial.user_attrs[_FOLDER])

    def facts(self) -> list[dict[str, Any]]:
        """What was told of each trial beside its value."""
        return [trial.user_attrs for trial in self.trials()]

    def rows(self, out: Path) -> Iterator[dict[str, Any]]:
        """What is known of each trial, by number; its folder as seen from ``out``."""
        folders, states = (
            dict(self.folders()),
            {TrialState.COMPLETE: "done", TrialState.FAIL: "failed"},
        )
        for trial in self.trials():
            if trial.state == TrialState.WAITING:
                continue
            folder = folders.get(trial.number)
            yield {
                "number": trial.number,
                "state": states.get(trial.state, "running"),
                "settings": trial.params,
                "bits": trial.value if trial.state == TrialState.COMPLETE else None,
                "folder": None if folder is None else relative(folder, out),
                **{key: trial.user_attrs.get(key) for key in ("weights", "seconds", "reason")},
            }

    def importances(self) -> dict[str, float]:
        """How much each setting mattered: its share of the variance (fANOVA); {}: nobody knows."""
        import warnings

        with warnings.catch_warnings(), suppress(RuntimeError, ValueError, ImportError):
            warnings.simplefilter("ignore")
            return dict(optuna.importance.get_param_importances(self._study))
        return {}


def _suggest(trial: optuna.trial.Trial, one: Range) -> None:
    """Set a parameter to what was enqueued, unless it is set."""
    kind = distribution(one)
    if isinstance(kind, optuna.distributions.CategoricalDistribution):
        trial.suggest_categorical(one.key, kind.choices)
    elif isinstance(kind, optuna.distributions.IntDistribution):
        trial.suggest_int(one.key, kind.low, kind.high, log=kind.log)
    elif isinstance(kind, optuna.distributions.FloatDistribution):
        trial.suggest_float(one.key, kind.low, kind.high, log=kind.log)


def _release(lock: FileLock) -> None:
    """Let go of a trial's lock, under that of the study: nobody else opens it meanwhile."""
    with suppress(OSError):
        Path(lock.lock_file).unlink()
    lock.release()


def relative(path: Path, start: Path) -> str:
    """A path as seen from a folder; whole where it lies on another drive."""
    try:
        return os.path.relpath(path.absolute(), start.absolute())
    except ValueError:
        return str(path.absolute())


def _short(path: Path) -> Path:
    """A path as seen from here, where that is shorter."""
    near = Path(relative(Path(os.path.normpath(path)), Path()))
    return near if not str(near).startswith("..") else Path(os.path.normpath(path))


def _check(storage: Path, begun: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    keys = [key for key in sorted(begun.keys() | now.keys()) if begun.get(key) != now.get(key)]
    if keys:
        differ = "; ".join(
            f"{key}: {shown(begun.get(key), 60)} and {shown(now.get(key), 60)}" for key in keys[:3]
        )
        raise ConfigError(
            f"{storage}: this sweep was begun with other settings ({differ}); give the same, or "
            "another --out and --storage"
        )
