"""What the training stage is given, and the card of the model that it writes."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from seqforge.core.cells.catalogue import package_of
from seqforge.core.config import Budget, RunConfig
from seqforge.core.data.corpus import Corpus
from seqforge.core.data.domain import Domain
from seqforge.core.model.checkpoint import Arrays, ModelCard, Provenance, save_checkpoint
from seqforge.core.training.distributed import ALONE, Ranks
from seqforge.runs.folder import RunFolder
from seqforge.runs.progress import ProgressListener
from seqforge.version import __version__


class KeptTraining(Protocol):
    """A training whose best model, state and metrics are kept in a run folder."""

    @property
    def run(self) -> RunFolder:
        """Where."""

    @property
    def config(self) -> RunConfig:
        """Every setting."""

    @property
    def domain(self) -> Domain:
        """Reads and shows sequences."""

    @property
    def corpus_key(self) -> str:
        """Hash of what is trained on."""

    @property
    def provenance(self) -> Provenance:
        """Origin of the model."""

    @property
    def watcher(self) -> ProgressListener:
        """Told how far it is."""

    @property
    def sample_every(self) -> Budget | None:
        """How often to show a sample: seconds or steps; None: at each evaluation."""

    @property
    def ranks(self) -> Ranks:
        """Among which processes."""

    @property
    def draws(self) -> bool:
        """Whether the model draws samples."""

    def card(self, provenance: Provenance) -> ModelCard:
        """The card of the model, with what is known of its training."""

    def save(self, card: ModelCard, weights: Arrays) -> None:
        """Write the model."""

    def keep_data(self) -> None:
        """Mark the data as in use."""


@dataclass(frozen=True)
class TrainTask:
    """Inputs of the training stage."""

    run: RunFolder
    name: str
    config: RunConfig
    domain: Domain
    corpus: Corpus
    corpus_key: str
    provenance: Provenance
    watcher: ProgressListener
    sample_every: Budget | None = None
    """How often to show a sample: seconds or steps; None: at each evaluation."""
    start: Arrays | None = None
    """Initial weights of a warm start."""
    ranks: Ranks = ALONE
    draws: ClassVar[bool] = True

    def save(self, card: ModelCard, weights: Arrays) -> None:
        """Write the model."""
        save_checkpoint(self.run.model, card, weights)

    def keep_data(self) -> None:
        """Mark the cached corpus as in use: it is not one to be cleared away."""
        with suppress(OSError):  # removed by a person: what is open stays open
            os.utime(self.corpus.folder)

    def card(self, provenance: Provenance) -> ModelCard:
        """The card of the model, with what is known of its training."""
        return ModelCard(
            seqforge_version=__version__,
            name=self.name,
            config=public_config(self.config),
            symbols=self.corpus.vocabulary.symbols,
            unknown=self.corpus.vocabulary.unknown,
            labels=self.corpus.labels,
            label_shares=self.corpus.label_shares(),
            cell_package=package_of(self.config.model.cell),
            provenance=provenance,
        )


def public_config(config: RunConfig) -> RunConfig:
    """The settings without the path of the initial model, which its name and hash replace."""
    if config.init.model is None:
        return config
    init = config.init.model_copy(update={"model": Path(config.init.model).name})
    return config.model_copy(update={"init": init})
