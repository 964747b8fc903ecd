"""A model with labels and a corpus in, what the label brings on held-out records out; what does not
go with labels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import Advance
from seqforge.core.config import RunConfig
from seqforge.core.data.corpus import Corpus, TokenPart
from seqforge.core.evaluation.likelihood import bits, symbol_losses
from seqforge.core.model.checkpoint import load_labelled
from seqforge.errors import ConfigError, InputError
from seqforge.reporting.summary import LabelRow, LabelScores
from seqforge.runs.evaluate import scoring_threads, torch_model
from seqforge.runs.folder import RunFolder

_LEAST, _MOST = 20_000, 2_000_000  # symbols scored under each label; under all of them


def check_labels(corpus: Corpus, config: RunConfig) -> None:
    """Refuse what does not go with labels, and labels that nothing could be learnt of.

    Raises:
        ConfigError: Says what does not go with them.
        InputError: If there is one label alone, or all records of one are held out.
    """
    labels = corpus.labels
    if len(labels) == 1:
        raise InputError(
            f"all records have the label {labels[0]!r}; give records of two labels or more, or "
            "leave out --labels"
        )
    for label, share in zip(labels, corpus.label_shares(), strict=True):
        if share == 0:
            raise InputError(
                f"the label {label!r} has too few records: all are held out; give more of it, or "
                "leave it out"
            )
    if config.model.is_ngram:
        raise ConfigError("an n-gram model knows no labels; give another --cell")
    if config.model.tied:
        raise ConfigError("model.tied: tied weights know no labels; leave model.tied out")
    if config.keeps_memory:
        raise ConfigError("a memory knows no labels; leave out --save-memory and sampling.memory")


def label_scores(run: RunFolder, corpus: Corpus, progress: Advance) -> LabelScores:
    """Held-out records in, their bits with their labels and without, and how often a record is
    likeliest under its own, out.

    Of a long part about two million symbols are scored, each under all labels.
    """
    checkpoint, part = load_labelled(run.model), corpus.part(corpus.held_out or "")
    most, found = max(_LEAST, _MOST // len(corpus.labels)), []
    for done, label in enumerate(corpus.labels):
        progress(done, len(corpus.labels), f"scoring under {label}")
        model = torch_model(checkpoint.of_label(label), str(run.model))
        chunks = list(symbol_losses(model, part, most, threads=scoring_threads(model)))
        found.append([losses.sum(dtype=np.float64) for _, losses in chunks])
    starts = np.array([chunk[0] for chunk, _ in chunks])
    sizes = np.array([len(losses) for _, losses in chunks])
    shares = np.array(checkpoint.card.label_shares)
    return _scores(np.array(found), starts, sizes, shares, part, corpus)


def _scores(
    nats: NDArray[np.float64], starts: NDArray[np.int64], sizes: NDArray[np.int64],
    shares: NDArray[np.float64], part: TokenPart, corpus: Corpus,
) -> LabelScores:  # fmt: skip
    """Nats of each chunk under each label (L, C) and the chunks in, the scores out."""
    true = part.labels_at(starts)
    joint = np.log(shares)[:, None] - nats
    top = joint.max(0)
    without = -(top + np.log(np.exp(joint - top).sum(0)))
    own, likeliest = nats[true, np.arange(len(true))], nats.argmin(0)
    rows = []
    for number, name in enumerate(corpus.labels):
        of = true == number
        row = LabelRow(name=name, share=round(float(shares[number]), 4))
        if of.any():
            spent = round(float(bits(own[of].sum() / sizes[of].sum())), 4)
            recall = round(float((likeliest[of] == number).mean()), 4)
            row = row.model_copy(update={"bits": spent, "recall": recall})
        rows.append(row)
    return LabelScores(
        part="test" if corpus.held_out == "test" else "valid",
        with_label=round(float(bits(own.sum() / sizes.sum())), 4),
        without_label=round(float(bits(without.sum() / sizes.sum())), 4),
        recall=round(float(np.mean([row.recall for row in rows if row.recall is not None])), 4),
        labels=tuple(rows),
    )
