"""What is kept of every look at the held-out data: a line of ``metrics.jsonl``, and TensorBoard."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from seqforge.base.files import open_to_append, sync
from seqforge.core.checkpoint import Arrays
from seqforge.core.files import disk_errors, write_atomically
from seqforge.core.looks import Evaluation, perplexity
from seqforge.core.training import Trainer
from seqforge.errors import RunError
from seqforge.runs import RunFolder
from seqforge.stages.board import Board

_PARTS = ("train", "valid")


@dataclass(frozen=True)
class Look:
    """An evaluation, with copies of the weights and of the gradients of the step before it."""

    line: dict[str, Any]
    weights: Arrays
    gradients: Arrays
    """As the optimiser got them: clipped, if they were longer than ``clip_norm``."""


def metrics_line(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as it is kept: bits also as loss (nats a symbol) and as perplexity."""
    line = asdict(evaluation)
    for part in _PARTS:
        bits = line[f"{part}_bits"]
        line[f"{part}_loss"] = None if bits is None else bits * math.log(2)
        line[f"{part}_perplexity"] = perplexity(bits)
    return line


def gradients(trainer: Trainer) -> Arrays:
    """A copy of the gradients of the last step, by the names of the weights."""
    return {
        name: parameter.grad.detach().float().cpu().numpy().copy()
        for name, parameter in trainer.model.named_parameters()
        if parameter.grad is not None
    }


class LogBook:
    """The log of one run, gone on with where the training stands."""

    def __init__(self, run: RunFolder, trainer: Trainer) -> None:
        """Drop what an earlier process wrote after this step, and go on from there.

        Raises:
            RunError: If the disk refuses.
        """
        self._run, self._cell = run, trainer.model.cell
        _cut_metrics(run, trainer.step)
        self.board = Board(run.tensorboard, trainer.step)
        if trainer.step == 0:
            config = trainer.config
            try:
                self.board.graph(trainer.model, config.batch_size, config.seq_len)
            except BaseException:
                self.board.close()
                raise

    def write(self, look: Look) -> None:
        """Keep a look; readers see it at once, and the disk has it when this returns."""
        # One line is one write; a line that a crash cut short is dropped on resuming.
        with disk_errors(self._run.metrics), open_to_append(self._run.metrics) as file:
            file.write(json.dumps(look.line).encode() + b"\n")
            sync(file)
        self.board.scalars(look.line)
        for group, arrays in (("weights", look.weights), ("gradients", look.gradients)):
            self.board.histograms(group, self._cell, arrays, look.line["step"])
        self.board.save()

    def close(self) -> None:
        """Nothing more will come."""
        self.board.close()


def _cut_metrics(run: RunFolder, step: int) -> None:
    """Drop the lines of ``metrics.jsonl`` that lie after the point of resuming."""
    if not run.metrics.is_file():
        return
    kept = [line for line in read_metrics(run) if line["step"] <= step]
    text = "".join(json.dumps(line) + "\n" for line in kept)
    write_atomically(run.metrics, text.encode())


def read_metrics(run: RunFolder) -> list[dict[str, Any]]:
    """The evaluations so far; a line that was cut short or damaged is left out."""
    try:
        text = run.metrics.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise RunError(f"{run.metrics}: cannot be read ({error.strerror})") from error
    return [line for line in map(_read_line, text.splitlines()) if line is not None]


def _read_line(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) and isinstance(line.get("step"), int) else None
