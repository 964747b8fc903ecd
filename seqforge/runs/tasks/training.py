"""A set of examples in, the trained model of a task out, resumable at any moment, by one process or
several.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from seqforge.base.machine import choose_device
from seqforge.core.cells.catalogue import package_of
from seqforge.core.config import Budget, RunConfig
from seqforge.core.data.domain import Domain
from seqforge.core.data.examples import ExampleSet
from seqforge.core.model.checkpoint import Arrays, ModelCard, Provenance
from seqforge.core.model.task_model import Fixed, make_network, save_task_model
from seqforge.core.model.task_networks import frequent_ngrams
from seqforge.core.training.distributed import ALONE, Ranks
from seqforge.core.training.example_task import ExampleTask
from seqforge.core.training.resume import load_state
from seqforge.core.training.trainer import Trainer
from seqforge.runs.folder import RunFolder
from seqforge.runs.progress import ProgressListener
from seqforge.runs.results import TrainResult
from seqforge.runs.train import run_training, train_result
from seqforge.runs.train_task import public_config
from seqforge.runs.worker import TaskSetup, check_seen
from seqforge.version import __version__


@dataclass(frozen=True)
class TaskTraining:
    """The training of a task, as far as it is kept; see `KeptTraining`."""

    run: RunFolder
    name: str
    config: RunConfig
    domain: Domain
    data: ExampleSet
    fixed: Fixed
    corpus_key: str
    provenance: Provenance
    watcher: ProgressListener
    ranks: Ranks = ALONE
    sample_every: Budget | None = None
    draws: ClassVar[bool] = False

    def card(self, provenance: Provenance) -> ModelCard:
        """The card of the model."""
        return ModelCard(
            seqforge_version=__version__,
            name=self.name,
            config=public_config(self.config),
            symbols=self.data.source_symbols,
            cell_package=package_of(self.config.model.cell),
            target_symbols=self.data.target_symbols,
            provenance=provenance,
        )

    def save(self, card: ModelCard, weights: Arrays) -> None:
        """Write the model."""
        save_task_model(self.run.model, card, weights, self.fixed)

    def keep_data(self) -> None:
        """The examples lie in the run folder itself."""


def fixed_of(data: ExampleSet, config: RunConfig) -> Fixed:
    """What a model has from its training part before it is trained."""
    part, order = data.parts["train"], config.model.ngrams
    sources = [part.source(number) for number in range(len(part) if order else 0)]
    grams = np.zeros(0, np.int64)
    if sources:
        grams = frequent_ngrams(sources, len(data.source_symbols) + 1, order)
    return Fixed(grams, data.sensors)


def train_task(task: TaskTraining, examples: Path) -> TrainResult:
    """Train to the end of the budget; the best model on valid is kept. For rank 0.

    Raises:
        KeyboardInterrupt: When stopped from outside, everything being saved.
    """
    shared = TaskSetup(
        config=task.config,
        examples=examples.absolute(),
        corpus_key=task.corpus_key,
        resume=task.run.resume if task.run.resume.is_file() else None,
    )
    task.ranks.broadcast_object(lambda: shared.model_dump(mode="json"))
    check_seen(shared, task.ranks)
    trainer = make_task_trainer(shared, task.data, task.ranks)
    if shared.resume is not None:
        task.watcher.note(f"going on from step {trainer.step:,}")
    run_training(task, trainer)
    return train_result(trainer)


def make_task_trainer(shared: TaskSetup, data: ExampleSet, ranks: Ranks = ALONE) -> Trainer:
    """A new or resumed trainer, the same on all ranks; each calls it."""
    config = shared.config
    torch.set_num_threads(1)  # lanes take the cores
    torch.manual_seed(config.training.seed)
    network = make_network(
        config, len(data.source_symbols), len(data.target_symbols), fixed_of(data, config)
    )
    if ranks.world > 1:
        weights = ranks.broadcast(network.arrays())
        network.load_state_dict({name: torch.from_numpy(one) for name, one in weights.items()})
    network.to(choose_device(config.training.device))
    task = ExampleTask(data, config.training, config.task.class_weights)
    trainer = Trainer(network, task, config.training, ranks=ranks)
    if shared.resume is not None:
        load_state(shared.resume, trainer, config, shared.corpus_key)
    return trainer
