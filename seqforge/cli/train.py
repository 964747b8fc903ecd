"""``seqforge train``: the training stage alone."""

from __future__ import annotations

from seqforge.cli.app import app
from seqforge.cli.run import LENIENT, launcher

app.command(
    "train",
    context_settings=LENIENT,
    help="Train a model on files, without samples and page.",
)(launcher(only_train=True))
