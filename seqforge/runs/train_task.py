"""What the training stage is given, and the card of the model that it writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seqforge.core.cells.catalogue import package_of
from seqforge.core.config import Budget, RunConfig
from seqforge.core.data.corpus import Corpus
from seqforge.core.data.domain import Domain
from seqforge.core.model.checkpoint import Arrays, ModelCard, Provenance
from seqforge.core.training.distributed import ALONE, Ranks
from seqforge.runs.folder import RunFolder
from seqforge.runs.progress import ProgressListener
from seqforge.version import __version__


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

    def card(self, provenance: Provenance) -> ModelCard:
        """The card of the model, with what is known of its training."""
        return ModelCard(
            seqforge_version=__version__,
            name=self.name,
            config=self._public_config(),
            symbols=self.corpus.vocabulary.symbols,
            unknown=self.corpus.vocabulary.unknown,
            cell_package=package_of(self.config.model.cell),
            provenance=provenance,
        )

    def _public_config(self) -> RunConfig:
        """The settings without the path of the initial model, which its name and hash replace."""
        config = self.config
        if config.init.model is None:
            return config
        init = config.init.model_copy(update={"model": Path(config.init.model).name})
        return config.model_copy(update={"init": init})
