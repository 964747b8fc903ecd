"""The settings of rank 0 in, a trainer out that trains along: one training by several processes."""

from __future__ import annotations

import platform
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import torch
from pydantic import BaseModel

from seqforge.base.machine import choose_device
from seqforge.core.config import STRICT, RunConfig
from seqforge.core.data.corpus import Corpus
from seqforge.core.model.char_rnn import CharRNN, check_memory
from seqforge.core.model.checkpoint import Arrays
from seqforge.core.model.example_file import read_examples
from seqforge.core.model.warm_start import load_pretrained, symbol_shares
from seqforge.core.training.distributed import ALONE, Ranks
from seqforge.core.training.events import Evaluation
from seqforge.core.training.resume import Snapshots, load_state
from seqforge.core.training.task import NextSymbol
from seqforge.core.training.trainer import Trainer
from seqforge.runs.task_trainer import TaskSetup, check_seen, make_task_trainer


class WorkerSetup(BaseModel):
    """The settings that all processes of a training share."""

    model_config = STRICT

    config: RunConfig
    corpus: Path
    """The corpus folder, which all must see."""
    corpus_key: str
    mirror: tuple[int, ...] | None
    """For each id its partner when read backwards."""
    resume: Path | None
    """The resume file; rank 0 reads it."""
    scored_first: bool
    """Whether the model is evaluated before the first step."""


def run_worker(ranks: Ranks) -> bool:
    """Train along with rank 0, silently.

    Returns:
        Whether training came to its end; else it was stopped from outside.

    Raises:
        SeqforgeError: If this process cannot go on, or another one cannot.
    """
    told: dict[str, object] | None = ranks.broadcast_object(lambda: None)
    if told is None:  # nothing is left to train
        return True
    kind: type[WorkerSetup | TaskSetup] = TaskSetup if "examples" in told else WorkerSetup
    shared = kind.model_validate(told)
    trainer = _trainer(shared, ranks)
    snapshots = Snapshots(trainer, shared.config, shared.corpus_key)
    with interruptible(ranks) as stop:
        if isinstance(shared, WorkerSetup) and shared.scored_first:
            score_first(trainer)
        finished = trainer.run(
            lambda evaluation: snapshots.take(),
            lambda pulse: snapshots.take() if snapshots.due else None,
            stop.is_set,
        )
        snapshots.take()
        trainer.close()
        ranks.broadcast_object(
            lambda: None
        )  # until rank 0 has written: one that ends early ends the others
    return finished


def _trainer(shared: WorkerSetup | TaskSetup, ranks: Ranks) -> Trainer:
    if isinstance(shared, WorkerSetup):
        return make_trainer(shared, ranks)
    check_seen(shared, ranks)
    return make_task_trainer(shared, read_examples(shared.examples), ranks)


def make_trainer(
    shared: WorkerSetup, ranks: Ranks, corpus: Corpus | None = None, start: Arrays | None = None
) -> Trainer:
    """A new or resumed trainer, the same on all ranks; each calls it.

    Args:
        shared: What all are told.
        ranks: Who is who.
        corpus: What `shared` names, where it is open already.
        start: On rank 0 the weights to go on from.

    Raises:
        RunError: If a rank does not see the corpus.
        CheckpointError: If the state to go on from is damaged or that of another run.
    """
    ranks.check(None if Corpus.is_in(shared.corpus) else _unseen(shared.corpus, ranks))
    corpus = corpus or Corpus(shared.corpus)
    torch.set_num_threads(1)  # lanes take the cores; see lanes.py
    torch.manual_seed(shared.config.training.seed)
    size, labels = len(corpus.vocabulary), len(corpus.labels)
    ranks.broadcast_object(lambda: check_memory(size, shared.config.model, labels))
    model = CharRNN(size, **shared.config.model.model_dump(), labels=labels)
    if start is not None:
        load_pretrained(model, start, symbol_shares(corpus.train.tokens, len(corpus.vocabulary)))
    if ranks.world > 1:
        weights = ranks.broadcast(model.arrays())
        model.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    model.to(choose_device(shared.config.training.device))
    mirror = None if shared.mirror is None else np.array(shared.mirror, np.int64)
    task = NextSymbol(corpus, shared.config.training, mirror)
    trainer = Trainer(model, task, shared.config.training, ranks=ranks)
    if shared.resume is not None:
        load_state(shared.resume, trainer, shared.config, shared.corpus_key)
    return trainer


def score_first(trainer: Trainer) -> Evaluation | None:
    """The evaluation before the first step, if anything is held out."""
    if trainer.step or not trainer.task.held_out:
        return None
    trainer.settle()
    return trainer.evaluate()


def _unseen(folder: Path, ranks: Ranks) -> str:
    return (
        f"{folder}: process {ranks.rank} (on {platform.node()}) does not see the corpus; set "
        "SEQFORGE_CACHE to a folder that all machines share"
    )


@contextmanager
def interruptible(ranks: Ranks = ALONE) -> Iterator[threading.Event]:
    """Make Ctrl-C and SIGTERM set the event; a second Ctrl-C ends the process.

    Among several processes it does not: a terminal and torchrun may each have sent one.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # signals reach the main thread alone
        return

    def handle(signum: int, frame: FrameType | None) -> None:
        if stop.is_set() and ranks.world == 1:
            raise KeyboardInterrupt
        stop.set()

    before = {kind: signal.signal(kind, handle) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
