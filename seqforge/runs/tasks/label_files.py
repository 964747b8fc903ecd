"""A model that labels and files of sequences in, a file of what is found on them out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqforge.base.atomic_files import write_atomically
from seqforge.core.data.labelling import Labelling, labelling_of
from seqforge.core.model.task_model import TaskModel
from seqforge.errors import InputError
from seqforge.registry import load_domain, options_for_files
from seqforge.runs.tasks.predict import labels_by


def domain_labelling(model: TaskModel) -> Labelling | None:
    """What the model's domain makes of labels; None if it leaves them as they are."""
    config = model.card.config
    domain = load_domain(config.domain, options_for_files(config.domain_options))
    return labelling_of(domain, model.fixed.sensors)


def write_labels(model: TaskModel, labelling: Labelling, files: Sequence[Path], out: Path) -> int:
    """Write what is found on some files; how many genes that is.

    Raises:
        InputError, RunError: If a file cannot be read, or ``out`` not be written.
    """
    for path in files:
        if not path.is_file():
            raise InputError(f"{path}: there is no such file")
        if out.exists() and out.samefile(path):
            raise InputError(f"{out}: is read, and would be written over; give another --out")
    lines = list(labelling.lines(files, labels_by(model, labelling)))
    write_atomically(out, "".join(lines).encode())
    return sum(1 for line in lines if "\tgene\t" in line)
