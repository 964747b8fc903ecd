"""A model's file in, the memory that was saved beside it out, or the remedy where there is none."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from seqforge.errors import CheckpointError, DomainError
from seqforge.runs.folder import RunFolder, memory_path

if TYPE_CHECKING:
    from seqforge.core.data.domain import Domain
    from seqforge.core.memory.memory import SavedMemory
    from seqforge.core.model.checkpoint import Checkpoint
    from seqforge.core.sampling.engine import Engine


class ModelMemory:
    """The memory of a model: beside its file, opened when it is first asked for."""

    def __init__(self, model: Path, checkpoint: Checkpoint) -> None:
        """Take the model's file, and what is in it."""
        self._model, self._checkpoint = model, checkpoint
        self._opened: SavedMemory | None = None

    @property
    def path(self) -> Path:
        """The memory's own file."""
        return memory_path(self._model)

    def check(self) -> None:
        """See that there is one.

        Raises:
            CheckpointError: If there is none.
        """
        if not self.path.is_file():
            raise CheckpointError(f"{self.path}: there is no memory; {self._remedy}")

    def opened(self, domain: Domain) -> SavedMemory:
        """The memory.

        Raises:
            CheckpointError: If there is none, or it is not that of the model.
            DomainError: If the domain has no memories.
        """
        if self._opened is None:
            from seqforge.core.memory.memory import KeepsMemory
            from seqforge.core.memory.memory_file import load_memory
            from seqforge.core.sampling.engine import prepare_mixture

            if not isinstance(domain, KeepsMemory):
                raise DomainError(f"{self._checkpoint.card.name}: {domain.name} has no memory")
            self.check()
            prepare_mixture(self._checkpoint.card, domain)
            self._opened = load_memory(self.path, self._checkpoint, domain)
        return self._opened

    def engine(
        self, network: Engine, domain: Domain, copied: int | None = None, exact: bool = False
    ) -> Engine:
        """What draws from the mixture with a network; raises what `opened` raises.

        Args:
            network: Reads and draws without the memory.
            domain: Of the symbols.
            copied: Most units of a span that is copied out of the training data; 0: any; None:
                as many as the domain says.
            exact: See `HasStreams.streams`.
        """
        from seqforge.core.data.domain import copy_units
        from seqforge.core.sampling.copy_limit import CopyLimit
        from seqforge.core.sampling.engine import MemoryEngine

        memory, vocabulary = self.opened(domain), self._checkpoint.card.vocabulary
        units = copy_units(domain, vocabulary)
        most = units.limit if copied is None else copied
        limit = CopyLimit(memory.history, units, most) if most else None
        return MemoryEngine(network, memory, len(vocabulary), exact, limit)

    @property
    def _remedy(self) -> str:
        """How to have a memory."""
        folder = RunFolder(self._model.parent)
        if self._model != folder.model or not folder.begun:
            return "train with --save-memory, which keeps one in the run folder"
        verb = "run" if folder.finished() else "train"
        words = ["seqforge", verb, str(folder.path / "config.toml"), "--out", str(folder.path)]
        return f"its training data makes one: {shlex.join(words)} --save-memory"
