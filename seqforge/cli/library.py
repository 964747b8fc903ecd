"""Samples and what was asked in, the library that they are searched in at home out.

Where nobody named one it is what the samples' model learnt from, as far as that can be found, else
the slice of a genome that ships.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seqforge.errors import ConfigError, RunError, SeqforgeError
from seqforge.models import bundled_models
from seqforge.resources import data_folder
from seqforge.runs import RUNS, RunFolder

if TYPE_CHECKING:
    from seqforge.core.domain import Learnt
    from seqforge.domains.genome.similarity.controls import Controls

_MODEL = re.compile(r"\bmodel=(\S+)")
_SLICE = "the slice of Drosophila melanogaster's chromosome 2R that ships with seqforge"


@dataclass(frozen=True)
class Library:
    """What is searched at home."""

    files: tuple[Path, ...]
    what: str = ""
    """In words, where nobody named it."""
    run: RunFolder | None = None
    """The run whose training part it is."""


def named_library(against: Sequence[Path], folder: Path) -> Library:
    """The library that a person named: files, or a run folder for what the run trained on.

    Args:
        against: As it was given.
        folder: Where a run's training part is written, if the run has not left it.

    Raises:
        ConfigError: If a folder is none of a run of genomes.
        RunError: If the run's input is gone or has changed.
    """
    runs = [RunFolder(path) for path in against if path.is_dir()]
    if not runs:
        return Library(tuple(against))
    for run in runs:
        if not run.begun:
            raise ConfigError(
                f"--against {run.path}: is a folder and no run; name FASTA files, or a run folder"
            )
        if run.recipe().config().domain != "genome":
            raise ConfigError(f"--against {run.path}: is no run of genomes")
    if len(against) > 1:
        raise ConfigError(f"--against {runs[0].path}: a run folder is a library of its own")
    return Library((_training_part(runs[0], folder),), run=runs[0])


def library_at_hand(samples: Path, folder: Path) -> Library:
    """The library where nobody named one.

    Args:
        samples: FASTA; the headers say which model drew them.
        folder: Where a run's training part is written, if the run has not left it.
    """
    from seqforge.stages.learnt import run_of

    models = _models(samples)
    for run in filter(None, [run_of(samples), *_runs_named(models, samples)]):
        with suppress(SeqforgeError):  # of another domain, or its input is gone
            if run.recipe().config().domain == "genome":
                part = _training_part(run, folder)
                return Library((part,), f"what {run.path} was trained on", run)
    what = f"{_SLICE} (what these samples' model learnt from is not at hand)"
    bundled = [name for name in models if name in bundled_models()]
    if bundled and len(models) == 1:
        what = f"{_SLICE}, a part of what {bundled[0]} was trained on"
    return Library((data_folder() / "dm3-chr2R-slice.fa.gz",), what)


def with_controls(
    kinds: str | None, held_out: Path | None, samples: Path, library: Library, folder: Path
) -> tuple[list[Path], Controls | None]:
    """The files to search in, and the controls that were asked for; None for none.

    Samples in a run folder know what their run trained on: that part alone is then the library,
    where the library is what the run read, so that held-out sequence does not find itself.

    Raises:
        ConfigError: If a control is not known, or what it is made of is not at hand.
        RunError: If the samples' run cannot say any more what it held out.
    """
    from seqforge.domains.genome.similarity.controls import Controls
    from seqforge.domains.genome.similarity.training_part import library_of
    from seqforge.stages.learnt import learnt_by_run_of

    if kinds is None:
        if held_out is not None:
            raise ConfigError(f"--held-out {held_out}: give --controls real too")
        return list(library.files), None
    wanted = [kind.strip() for kind in kinds.split(",") if kind.strip()]
    if library.run is not None:
        learnt = _learnt(library.run, needed="real" in wanted and held_out is None)
        return list(library.files), Controls.of_files(wanted, library.files, held_out, learnt)
    learnt = None if library.what else learnt_by_run_of(samples)
    controls = Controls.of_files(wanted, library.files, held_out, learnt)
    return library_of(library.files, learnt, folder), controls


def _learnt(run: RunFolder, needed: bool) -> Learnt | None:
    """What a run learnt from; None where it cannot say any more, and its library has to do."""
    from seqforge.stages.learnt import learnt_by_run

    try:
        return learnt_by_run(run)
    except RunError:
        if needed:
            raise
        return None


def _training_part(run: RunFolder, folder: Path) -> Path:
    """What a run trained on: as it left it, else from its input once more."""
    from seqforge.domains.genome.similarity.library import measure
    from seqforge.domains.genome.similarity.training_part import TRAINING, training_library
    from seqforge.stages.learnt import learnt_by_run

    kept = run.similarity / TRAINING
    with suppress(SeqforgeError):  # missing, or damaged
        measure([kept])
        return kept
    return training_library(learnt_by_run(run), folder)


def _models(samples: Path) -> list[str]:
    """The models that the headers name, each once."""
    from seqforge.domains.genome.fasta import read_sequences

    named = (_MODEL.search(record.description) for record in read_sequences(samples))
    return list(dict.fromkeys(found[1] for found in named if found))


def _runs_named(models: Sequence[str], samples: Path) -> Iterator[RunFolder]:
    """Run folders, near, of the one model that is named."""
    if len(models) != 1 or Path(models[0]).name != models[0] or models[0] == "..":
        return
    for place in (RUNS, Path(), samples.parent, samples.parent.parent):
        run = RunFolder(place / models[0])
        if run.begun:
            yield run
