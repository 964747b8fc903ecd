"""What a run was trained on and what it held out, for judging its samples; then or later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from seqforge.core.corpus import Corpus
from seqforge.core.domain import Learnt
from seqforge.core.ingest import Ingested
from seqforge.errors import RunError, SeqforgeError
from seqforge.orders import check_inputs
from seqforge.runs import RunFolder
from seqforge.stages.reading import Inputs, gather, read_corpus


def learnt_from(inputs: Inputs, corpus: Corpus, lines: Sequence[Ingested]) -> Learnt:
    """Put together what `read_corpus` gave."""
    read = zip(inputs.files, lines, strict=False)  # behind them: files that were given twice
    files = tuple(path for path, line in read if line.status != "refused")
    return Learnt(files, corpus)


def run_of(samples: Path) -> RunFolder | None:
    """The run that samples in ``runs/NAME/samples/`` are of; None for files anywhere else."""
    place = samples.absolute().parent
    folder = RunFolder(place.parent)
    return folder if place.name == folder.samples.name and folder.begun else None


def learnt_by_run_of(
    samples: Path, progress: Callable[[int, int, str], None] = lambda done, total, name: None
) -> Learnt | None:
    """What the run of some samples learnt from; None for files that lie in no run folder.

    Raises:
        RunError: If the run's input is gone or has changed.
    """
    folder = run_of(samples)
    return None if folder is None else learnt_by_run(folder, progress)


def learnt_by_run(
    folder: RunFolder,
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
) -> Learnt:
    """What a run learnt from.

    Raises:
        RunError: If the run's input is gone or has changed.
    """
    recipe = folder.recipe()
    config = recipe.config()
    try:
        inputs = gather(
            config.domain, config.domain_options, recipe.inputs, folder.path, resumed=True
        )
        check_inputs(folder, inputs.files, inputs.digests)
        with TemporaryDirectory() as elsewhere:  # the run's own table stays as it is
            table = Path(elsewhere) / "ingest.tsv"
            corpus, lines = read_corpus(inputs, config.data, table, progress)
    except SeqforgeError as error:
        raise RunError(
            f"{folder.path}: what this run was trained on and what it held out cannot be told any "
            f"more ({error}); bring the input back, or name FASTA instead: --against LIB.fa, and "
            "--held-out for samples copied out of the run folder"
        ) from error
    return learnt_from(inputs, corpus, lines)
