"""``seqforge train``: the training stage alone."""

from __future__ import annotations

from seqforge.cli.app import app
from seqforge.cli.run import launcher

app.command(
    "train",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    help="Train a model on files (`train DOMAIN INPUT ...`), without samples and page.",
)(launcher(only_train=True))
