"""A set of examples in, the trained model of a task out: the training stage, resumable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from seqforge.core.cells.catalogue import package_of
from seqforge.core.config import Budget, RunConfig
from seqforge.core.data.domain import Domain
from seqforge.core.data.examples import ExampleSet
from seqforge.core.data.labelling import LabelsSequences
from seqforge.core.model.checkpoint import Arrays, ModelCard, Provenance
from seqforge.core.model.task_model import Fixed, save_task_model
from seqforge.core.training.distributed import ALONE, Ranks
from seqforge.runs.folder import RunFolder
from seqforge.runs.progress import ProgressListener
from seqforge.runs.results import TrainResult
from seqforge.runs.task_trainer import TaskSetup, check_seen, make_task_trainer
from seqforge.runs.train import run_training, train_result
from seqforge.runs.train_task import public_config
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
            config=self._config_kept(),
            symbols=self.data.source_symbols,
            cell_package=package_of(self.config.model.cell),
            target_symbols=self.data.target_symbols,
            provenance=provenance,
        )

    def _config_kept(self) -> RunConfig:
        """The settings without the paths of this machine."""
        config = public_config(self.config)
        left_out: tuple[str, ...] = ()
        if isinstance(self.domain, LabelsSequences):
            left_out = self.domain.annotation_options
        options = {n: v for n, v in config.domain_options.items() if n not in left_out}
        return config.model_copy(update={"domain_options": options})

    def save(self, card: ModelCard, weights: Arrays) -> None:
        """Write the model."""
        save_task_model(self.run.model, card, weights, self.fixed)

    def keep_data(self) -> None:
        """The examples lie in the run folder itself."""


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
    trainer = make_task_trainer(shared, task.data, task.ranks, task.fixed)
    if shared.resume is not None:
        task.watcher.note(f"going on from step {trainer.step:,}")
    run_training(task, trainer)
    return train_result(trainer)
