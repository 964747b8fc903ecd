"""The training stage: a corpus in, ``model.safetensors`` out, resumable at any moment."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter  # noqa: TID253  (only training imports this)

from seqforge.core.checkpoint import (
    Arrays,
    Checkpoint,
    ModelCard,
    Provenance,
    load_checkpoint,
    save_checkpoint,
)
from seqforge.core.config import RunConfig
from seqforge.core.corpus import Corpus
from seqforge.core.domain import Domain, Mirrored
from seqforge.core.files import disk_errors, write_atomically
from seqforge.core.machine import usable_cores
from seqforge.core.model import CharRNN, model_from_arrays
from seqforge.core.ranks import ALONE, Ranks
from seqforge.core.resume import Saver
from seqforge.core.scoring import score
from seqforge.core.training import Evaluation, Pulse, Trainer
from seqforge.errors import RunError
from seqforge.runs import RunFolder
from seqforge.stages.assisting import Shared, interruptible, make_trainer, score_first
from seqforge.version import __version__
from seqforge.watching import Watcher


@dataclass(frozen=True)
class Fitting:
    """What the training stage is told."""

    run: RunFolder
    name: str
    config: RunConfig
    domain: Domain
    corpus: Corpus
    corpus_key: str
    provenance: Provenance
    watcher: Watcher
    start: Arrays | None = None
    """Weights to go on from."""
    ranks: Ranks = ALONE


def fit(task: Fitting) -> dict[str, Any]:
    """Train to the end of the budget; the best model on valid is kept.

    Raises:
        KeyboardInterrupt: When stopped from outside, everything being saved.
    """
    mirror = None
    if isinstance(task.domain, Mirrored):
        mirror = task.domain.mirror(task.corpus.vocabulary)
    shared = Shared(
        task.config,
        task.corpus.folder.absolute(),
        task.corpus_key,
        mirror,
        task.run.resume if task.run.resume.is_file() else None,
        scored_first=task.start is not None,
    )
    task.ranks.agree(lambda: shared)
    trainer = make_trainer(shared, task.ranks, task.corpus, task.start)
    if shared.resume is not None:
        task.watcher.note(f"going on from step {trainer.step:,}")
    _cut_metrics(task.run, trainer.step)
    with interruptible(task.ranks) as stop, _Keeper(task, trainer) as keeper:
        if task.start is not None:
            keeper.begin()
        finished = trainer.run(keeper.evaluation, keeper.step, stop.is_set)
        keeper.save()
        trainer.close()
        task.ranks.agree(lambda: None)  # everything is written: the other processes may end
    if not finished:
        raise KeyboardInterrupt
    return {
        "steps": trainer.step,
        "best_step": trainer.best_step,
        "seconds": round(trainer.clock.total, 2),
        "train_symbols_per_second": round(trainer.clock.symbols_per_second, 1),
        "symbols_seen": trainer.clock.symbols,
        "precision": trainer.precision,
        "lanes": trainer.lane_count,
        "ranks": task.ranks.world,
        "device": str(trainer.device),
        "parameters": trainer.model.num_parameters(),
    }


class _Keeper:
    """Keeps what training makes: the best model, the state, the metrics."""

    def __init__(self, task: Fitting, trainer: Trainer) -> None:
        self._task, self._trainer = task, trainer
        self._saver = Saver(task.run.resume, trainer, task.config, task.corpus_key)

    def __enter__(self) -> _Keeper:
        run, step = self._task.run, self._trainer.step
        with disk_errors(run.tensorboard):
            self._board = SummaryWriter(str(run.tensorboard), purge_step=step or None)
        return self

    def __exit__(self, *_: object) -> None:
        self._board.close()

    def begin(self) -> None:
        """Keep the model that training starts from: it may be better than what comes of it."""
        if (found := score_first(self._trainer)) is not None:
            self._save_model(found)
            self._task.watcher.note(f"held-out before the first step: {found.valid_bits:.4f} bits")

    def step(self, pulse: Pulse) -> None:
        self._task.watcher.pulse(pulse)
        self._saver.save_if_due()

    def evaluation(self, evaluation: Evaluation) -> None:
        task = self._task
        if evaluation.best:
            self._save_model(evaluation)
        # One line is one write; a line that a crash cut short is dropped on resuming.
        with disk_errors(task.run.metrics), task.run.metrics.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(evaluation)) + "\n")
        for name, value in asdict(evaluation).items():
            if isinstance(value, float):
                self._board.add_scalar(name, value, evaluation.step)
        task.watcher.evaluation(evaluation)
        self.save()

    def save(self) -> None:
        self._saver.save()

    def _save_model(self, evaluation: Evaluation) -> None:
        provenance = self._task.provenance.model_copy(
            update={
                "steps": evaluation.step,
                "trained_seconds": evaluation.elapsed_seconds,
                "bits_per_symbol": {"valid": evaluation.valid_bits, "test": None},
                "date": date.today().isoformat(),
            }
        )
        card = ModelCard(
            seqforge_version=__version__,
            name=self._task.name,
            config=self._task.config,
            symbols=self._task.corpus.vocabulary.symbols,
            unknown=self._task.corpus.vocabulary.unknown,
            provenance=provenance,
        )
        save_checkpoint(self._task.run.model, card, self._trainer.model.arrays())


def final_bits(run: RunFolder, corpus: Corpus, watcher: Watcher) -> dict[str, float | None]:
    """Score the best model on all of valid and test, and note it on its card."""
    checkpoint = load_checkpoint(run.model)
    model = torch_model(checkpoint, str(run.model))
    found: dict[str, float | None] = {}
    for name in ("valid", "test"):
        part = corpus.part(name)
        if not part.symbols:
            found[name] = None
            continue
        done = 0

        def count(symbols: int, what: str = name, total: int = part.scored) -> None:
            nonlocal done
            done += symbols
            watcher.advance(done, total, f"scoring {what}")

        found[name] = score(model, part, threads=usable_cores(), progress=count)
    provenance = checkpoint.card.provenance.model_copy(update={"bits_per_symbol": found})
    card = checkpoint.card.model_copy(update={"provenance": provenance})
    save_checkpoint(run.model, card, checkpoint.weights)
    return found


def torch_model(checkpoint: Checkpoint, where: str) -> CharRNN:
    """The network of a checkpoint, ready to score."""
    torch.set_num_threads(1)
    card = checkpoint.card
    model = model_from_arrays(len(card.vocabulary), card.config.model, checkpoint.weights, where)
    return model.eval()


def _cut_metrics(run: RunFolder, step: int) -> None:
    """Drop the lines of ``metrics.jsonl`` that lie after the point of resuming."""
    if not run.metrics.is_file():
        return
    kept = [line for line in read_metrics(run) if line["step"] <= step]
    text = "".join(json.dumps(line) + "\n" for line in kept)
    write_atomically(run.metrics, text.encode())


def read_metrics(run: RunFolder) -> list[dict[str, Any]]:
    """The evaluations so far; a last line that was cut short is left out."""
    lines: list[dict[str, Any]] = []
    try:
        text = run.metrics.read_text(encoding="utf-8")
    except OSError as error:
        raise RunError(f"{run.metrics}: cannot be read ({error.strerror})") from error
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines
