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


def learnt_by_run_of(
    samples: Path, progress: Callable[[int, int, str], None] = lambda done, total, name: None
) -> Learnt | None:
    """The same for samples in ``runs/NAME/samples/``; None for files that lie anywhere else.

    Raises:
        RunError: If the run's input is gone or has changed.
    """
    place = samples.absolute().parent
    folder = RunFolder(place.parent)
    if place.name != folder.samples.name or not folder.begun:
        return None
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
            f"{samples}: what its run held out cannot be told from the rest any more ({error}); "
            "bring the input back, or copy the samples out of the run folder and give --held-out"
        ) from error
    return learnt_from(inputs, corpus, lines)
