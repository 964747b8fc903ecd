"""Inputs and settings in, a finished Run out: seqforge.run and seqforge.train from Python."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqforge.api.model import Model, load
from seqforge.base.messages import did_you_mean
from seqforge.errors import InputError
from seqforge.registry import option_types
from seqforge.runs.progress import NullProgress, ProgressListener
from seqforge.runs.recipes import find_recipe

if TYPE_CHECKING:
    from seqforge.core.training.events import Evaluation, StepReport

SHORT = {
    "seed": "training.seed", "budget": "training.budget", "split": "data.split",
    "hold_out": "data.hold_out", "min_count": "data.min_count", "cell": "model.cell",
    "task": "task.kind", "bidirectional": "model.bidirectional",
    "attention": "model.attention", "order": "model.order", "smoothing": "model.smoothing",
    "hidden_size": "model.hidden_size", "num_layers": "model.num_layers",
    "embedding_size": "model.embedding_size", "dropout": "model.dropout",
    "batch_size": "training.batch_size", "seq_len": "training.seq_len",
    "learning_rate": "training.learning_rate", "device": "training.device",
    "precision": "training.precision", "lanes": "training.lanes", "blast": "search.backend",
    "against": "search.against", "init": "init.model",
    "extend_vocabulary": "init.extend_vocabulary", "memory": "memory.enabled",
    "memory_budget": "memory.budget", "memory_effort": "memory.effort",
    "save_memory": "memory.save",
}  # fmt: skip
"""Command-line options by name, and the settings they stand for."""
_PLAIN_SECONDS = 5.0

Inputs = str | Path | Sequence[str | Path]
Progress = Callable[[str], object] | ProgressListener | None


@dataclass(frozen=True)
class Run:
    """A finished run."""

    folder: Path
    """Its folder."""

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The contents of ``summary.json``."""
        found: dict[str, Any] = json.loads((self.folder / "summary.json").read_text("utf-8"))
        return found

    @cached_property
    def model(self) -> Model:
        """The trained model."""
        return load(self.folder)

    @property
    def page(self) -> Path | None:
        """Its report page; None after `train`."""
        page = self.folder / "report.html"
        return page if page.is_file() else None

    @property
    def samples(self) -> list[Path]:
        """Files of its samples; empty after `train`."""
        return [self.folder / name for row in self.summary["samples"] for name in row["files"]]


def run(
    pipeline: str | Path,
    inputs: Inputs = (),
    *,
    out: str | Path | None = None,
    resume: bool = False,
    progress: Progress = None,
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> Run:
    """Read, train, score, sample, search and report, as ``seqforge run`` does; silent.

    Args:
        pipeline: ``text``, ``genome``, ``music`` or another domain, a recipe's name, or the path of
            one.
        inputs: Files and folders to learn from; none: the recipe's or the domain's own.
        out: The run folder; none: a new one under ``runs/``.
        resume: Go on with a run that was stopped (with ``out`` that is done in any case).
        progress: Told in a line now and then how far it is, such as ``print``; or a
            `seqforge.runs.progress.ProgressListener`, which is told everything.
        settings: Any other setting of the recipe: ``{"sampling.length": 500}``.
        options: Those of the command line (``budget="60s"``, ``hidden_size=128``, ``seed=1``) and
            of the domain (``strands="forward"``).

    Raises:
        SeqforgeError: For anything a person can mend, in one sentence.
        TypeError: For an option that there is not.
        ValueError: If inputs, out, pipeline or progress are of the wrong kind.
    """
    return _run(pipeline, inputs, out, resume, progress, settings or {}, options, False)


def train(
    pipeline: str | Path,
    inputs: Inputs = (),
    *,
    out: str | Path | None = None,
    resume: bool = False,
    progress: Progress = None,
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> Run:
    """Train and score alone, as ``seqforge train`` does; takes and raises what `run` does."""
    return _run(pipeline, inputs, out, resume, progress, settings or {}, options, True)


def _run(
    pipeline: str | Path, inputs: Inputs, out: str | Path | None, resume: bool, progress: Progress,
    settings: Mapping[str, Any], options: dict[str, Any], only_train: bool,
) -> Run:  # fmt: skip
    from seqforge.runs.pipeline import run as work
    from seqforge.runs.request import RunRequest

    for name, value in (("pipeline", pipeline), ("out", out)):
        if not isinstance(value, str | Path) and not (name == "out" and value is None):
            raise ValueError(f"{name} must be a text or a Path, not {value!r:.60}")
    if not isinstance(settings, Mapping) or not all(isinstance(key, str) for key in settings):
        raise ValueError(f"settings are keys and values, not {settings!r:.60}")
    watcher = _watcher(progress)
    wanted = {**settings, **_settings(str(pipeline), options)}
    order = RunRequest(
        str(pipeline), _paths(inputs), wanted, None if out is None else Path(out), resume,
        only_train=only_train,
    )  # fmt: skip
    try:
        folder = work(order, watcher)
    finally:
        watcher.close()
    return Run(folder.path)


def _settings(pipeline: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options under the keys of the settings that they stand for."""
    domain = str(find_recipe(pipeline).settings["domain"])
    own = option_types(domain)
    found: dict[str, Any] = {}
    for name, value in options.items():
        if name not in SHORT and name not in own:
            hint = did_you_mean(name, [*SHORT, *own])
            raise TypeError(f"there is no option {name!r} of a run of {domain}{hint}")
        if name == "against":
            value = [str(Path(path).absolute()) for path in _paths(value)]
        elif isinstance(value, Path):
            value = str(value)
        if value is not None:
            found[SHORT.get(name, f"domain_options.{name}")] = value
    return found


def _paths(inputs: Any) -> tuple[str, ...]:
    given = [inputs] if isinstance(inputs, str | Path) else inputs
    if not isinstance(given, Iterable):
        raise ValueError(f"inputs are paths, not {inputs!r:.60}")
    given = tuple(given)
    for path in given:
        if not isinstance(path, str | Path):
            raise ValueError(f"inputs are paths, not {path!r:.60}")
        if path == "-":
            raise InputError("standard input is read by the command line alone; name a file")
    return tuple(map(str, given))


def _watcher(progress: Progress) -> ProgressListener:
    if progress is None:
        return NullProgress()
    if hasattr(progress, "pulse"):
        return progress  # type: ignore[return-value]  # it has the methods
    if not callable(progress):
        raise ValueError(f"progress must take a line of text, not be {progress!r:.60}")
    return _ProgressPrinter(progress)


class _ProgressPrinter(NullProgress):
    """Tells a function in lines."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell, self._stage, self._last = tell, "", 0.0

    def stage(self, name: str) -> None:
        self._stage, self._last = name, 0.0
        self._tell(f"{name} ...")

    def note(self, text: str) -> None:
        self._tell(text)

    def advance(self, done: float, total: float, what: str) -> None:
        self._now_and_then(min(1.0, done / total) if total else 1.0, what)

    def pulse(self, pulse: StepReport) -> None:
        self._now_and_then(pulse.share, f"{pulse.train_bits:.3f} bits")

    def evaluation(self, evaluation: Evaluation) -> None:
        held_out = evaluation.valid_bits
        said = "" if held_out is None else f", held-out {held_out:.4f}"
        self._tell(f"step {evaluation.step:,}: training {evaluation.train_bits:.4f}{said} bits")

    def _now_and_then(self, share: float, what: str) -> None:
        now = time.monotonic()
        if now - self._last >= _PLAIN_SECONDS:
            self._last = now
            self._tell(f"{self._stage} {share:.0%}: {what}")
