"""A corpus in, an n-gram model counted and scored: what these have in place of training."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from tempfile import gettempdir

from seqforge.base.folders import write_atomically
from seqforge.base.machine import usable_cores
from seqforge.core.data.corpus import Corpus, TokenPart
from seqforge.core.data.domain import Domain, Mirrored
from seqforge.core.evaluation.ngram_likelihood import NgramScore, ngram_score
from seqforge.core.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from seqforge.core.model.ngram import ngram_model
from seqforge.core.model.ngram_counting import count_ngrams
from seqforge.reporting.summary import HeldOutScores, NeverSeen, NgramScores
from seqforge.runs.baselines import baselines
from seqforge.runs.folder import RunFolder
from seqforge.runs.progress import ProgressListener
from seqforge.runs.results import HalfScores, ScoreResult, TrainResult
from seqforge.runs.train_task import TrainTask

_HELD_OUT = ("valid", "test")
_MOST_THREADS = 4  # each has a part of the grams in memory


def count_model(task: TrainTask) -> TrainResult:
    """Count the training part (and its other strand, if there is one), and write the model.

    Raises:
        RunError: If the disk is full.
    """
    corpus, config, domain = task.corpus, task.config, task.domain
    mirror = domain.mirror(corpus.vocabulary) if isinstance(domain, Mirrored) else None
    threads, began = min(_MOST_THREADS, usable_cores()), time.perf_counter()
    arrays = count_ngrams(
        corpus.train.tokens, len(corpus.vocabulary), config.model.order or 0,
        smoothed=config.model.smoothing == "kneser-ney", mirror=mirror, threads=threads,
        folder=corpus.folder if corpus.folder.is_dir() else Path(gettempdir()),
        progress=task.watcher.advance,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    done = {"date": date.today().isoformat(), "trained_seconds": seconds}
    save_checkpoint(task.run.model, task.card(task.provenance.model_copy(update=done)), arrays)
    write_atomically(task.run.metrics, b"")  # there is no curve
    grams = len(arrays["grams"])
    task.watcher.note(f"{config.model.title}: {grams:,} different grams in {seconds:,.1f} s")
    return TrainResult(
        steps=0, best_step=0, seconds=round(seconds, 2),
        train_symbols_per_second=round(corpus.train.symbols / seconds, 1),
        symbols_seen=corpus.train.symbols, precision="counts", lanes=threads, device="cpu",
        parameters=grams,
    )  # fmt: skip


def score_counted(
    run: RunFolder, corpus: Corpus, domain: Domain, watcher: ProgressListener
) -> ScoreResult:
    """Score the model on all of valid and test, and record it on its card; baselines beside."""
    checkpoint = load_checkpoint(run.model)
    parts = {name: corpus.part(name) for name in _HELD_OUT}
    scored = {name: part for name, part in parts.items() if part.symbols}
    found = dict(zip(scored, _scores(checkpoint, [*scored.values()], watcher), strict=True))
    bits = HeldOutScores(**{name: one.bits for name, one in found.items()})
    provenance = checkpoint.card.provenance.model_copy(
        update={"bits_per_symbol": bits.model_dump()}
    )
    card = checkpoint.card.model_copy(update={"provenance": provenance})
    save_checkpoint(run.model, card, checkpoint.weights)
    for name, one in found.items():
        if one.never_seen:
            watcher.note(f"{name}: {sentence(one)}")
    counted, figures = baselines(corpus, domain, watcher)
    return ScoreResult(
        bits_per_symbol=bits, baselines=counted, figures=figures,
        ngram=NgramScores(
            never_seen=NeverSeen(**{name: one.never_seen for name, one in found.items()}),
            bits_of_seen=HeldOutScores(**{name: one.bits_of_seen for name, one in found.items()}),
        ),
    )  # fmt: skip


def sentence(found: NgramScore) -> str:
    """What symbols without a chance do to a score."""
    rest = "" if found.bits_of_seen is None else f"; the others need {found.bits_of_seen:.4f}"
    return (
        f"{found.never_seen:,} of {found.scored:,} symbols ({found.never_seen / found.scored:.2%}) "
        f"were never seen after their contexts and need infinitely many bits{rest}"
    )


def ngram_halves(
    checkpoint: Checkpoint, corpus: Corpus, domain: Domain, watcher: ProgressListener
) -> tuple[NgramScore, HalfScores]:
    """What both halves of an input cost together, and the second beside baselines."""
    halves = _scores(checkpoint, (corpus.train, corpus.valid), watcher)
    counted, figures = baselines(corpus, domain, watcher)
    second = halves[1]
    return halves[0] + second, HalfScores(
        bits_per_symbol=rounded(second.bits), never_seen=second.never_seen,
        bits_of_seen=rounded(second.bits_of_seen), baselines=counted, **dict(figures),
    )  # fmt: skip


def rounded(bits: float | None) -> float | None:
    """Bits as they are shown; None stays."""
    return None if bits is None else round(bits, 4)


def _scores(
    checkpoint: Checkpoint, parts: Sequence[TokenPart], watcher: ProgressListener
) -> list[NgramScore]:
    card = checkpoint.card
    model = ngram_model(checkpoint.weights, len(card.vocabulary), card.config.model.smoothing)
    return [ngram_score(model, part, watcher.advance) for part in parts]
