"""A corpus in, model.safetensors out; resumable at any moment. A thread of its own writes
checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from datetime import date
from queue import SimpleQueue

import numpy as np

from seqforge.base.messages import visible_controls
from seqforge.core.data.domain import Mirrored, Sample
from seqforge.core.model.checkpoint import Arrays, ModelCard, write_arrays
from seqforge.core.model.warm_start import symbol_shares
from seqforge.core.training.diagnosis import ModelSize, check_model_size, diagnose_curves
from seqforge.core.training.events import Evaluation, StepReport
from seqforge.core.training.resume import Snapshot, Snapshots
from seqforge.core.training.trainer import Trainer
from seqforge.errors import RunError
from seqforge.reporting.summary import Advice
from seqforge.runs.folder import read_metrics
from seqforge.runs.results import TrainResult
from seqforge.runs.sample import PreviewInterval, preview
from seqforge.runs.tensorboard import (
    MetricsLog,
    WatchedEvaluation,
    evaluation_record,
    gradients,
)
from seqforge.runs.train_task import KeptTraining, TrainTask
from seqforge.runs.worker import WorkerSetup, interruptible, make_trainer, score_first


class WriterThread:
    """A thread that runs jobs one after the other.

    There is never more than one that is not done: whoever gives the next waits for the one
    before, so that a slow disk fills no memory. What a job raises is raised to whoever calls next.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="background")
        self._job: Future[object] | None = None

    @property
    def busy(self) -> bool:
        """Whether a job is unfinished."""
        return self._job is not None and not self._job.done()

    def do(self, job: Callable[[], object]) -> None:
        """Start a job after the previous one; raises the previous one's error."""
        self.wait()
        self._job = self._pool.submit(job)

    def check(self) -> None:
        """Raise the last job's error, if it has finished; does not wait."""
        if not self.busy:
            self.wait()

    def wait(self) -> None:
        """Wait for all jobs; raises the last job's error."""
        job, self._job = self._job, None
        if job is not None:
            job.result()

    def close(self) -> None:
        """Finish all jobs and end the thread; raises the last job's error."""
        self._pool.shutdown()
        self.wait()


def train_model(task: TrainTask) -> TrainResult:
    """Train to the end of the budget; the best model on valid is kept.

    Among several processes this is for rank 0; the others call `run_worker`.

    Raises:
        KeyboardInterrupt: When stopped from outside, everything being saved.
    """
    shared = _shared(task)
    task.ranks.broadcast_object(lambda: shared.model_dump(mode="json"))
    trainer = make_trainer(shared, task.ranks, task.corpus, task.start)
    if shared.resume is not None:
        task.watcher.note(f"going on from step {trainer.step:,}")
    size = _size(task, trainer)
    task.watcher.note(advised := check_model_size(size))
    run_training(task, trainer, shared.scored_first)
    verdict = diagnose_curves(read_metrics(task.run), size, trainer.clock.symbols)
    if verdict is None:
        return train_result(trainer, Advice(before=advised))
    task.watcher.note(verdict.sentence)
    said = Advice(before=advised, verdict=verdict.kind, after=verdict.sentence)
    return train_result(trainer, said)


def run_training(task: KeptTraining, trainer: Trainer, scored_first: bool = False) -> None:
    """Train to the end of the budget, and keep the best model: on rank 0.

    Raises:
        KeyboardInterrupt: When stopped from outside, everything being saved.
    """
    with interruptible(task.ranks) as stop:
        with CheckpointWriter(task, trainer) as keeper:
            if scored_first:
                keeper.begin()
            finished = trainer.run(keeper.evaluation, keeper.step, stop.is_set)
            keeper.save()
            trainer.close()
        task.ranks.broadcast_object(
            lambda: None
        )  # everything is written: the other processes may end
    if not finished:
        raise KeyboardInterrupt


def _size(task: TrainTask, trainer: Trainer) -> ModelSize:
    network, training = task.config.model, task.config.training
    dropped = (network.dropout, network.weight_drop, network.embedding_dropout)
    hampers = (*dropped, training.scheduled_sampling)
    shares = symbol_shares(task.corpus.train.tokens, len(task.corpus.vocabulary))
    return ModelSize(
        trainer.model.num_parameters(),
        task.corpus.train.symbols,
        max(hampers),
        uniform=math.log2(len(shares)),
        unigram=float(-(shares * np.log2(shares)).sum()),
    )


def _shared(task: TrainTask) -> WorkerSetup:
    mirror = None
    if isinstance(task.domain, Mirrored):
        mirror = task.domain.mirror(task.corpus.vocabulary)
    return WorkerSetup(
        config=task.config,
        corpus=task.corpus.folder.absolute(),
        corpus_key=task.corpus_key,
        mirror=None if mirror is None else tuple(mirror.tolist()),
        resume=task.run.resume if task.run.resume.is_file() else None,
        scored_first=task.start is not None,
    )


def train_result(trainer: Trainer, advice: Advice | None = None) -> TrainResult:
    """How far a training came."""
    return TrainResult(
        steps=trainer.step,
        best_step=trainer.best_step,
        seconds=round(trainer.clock.total, 2),
        seconds_in={
            part: round(getattr(trainer.clock, part), 2)
            for part in ("stepping", "looking", "probing")
        },
        train_symbols_per_second=round(trainer.clock.symbols_per_second, 1),
        symbols_seen=trainer.clock.symbols,
        precision=trainer.precision,
        lanes=trainer.lane_count,
        ranks=trainer.ranks.world,
        device=str(trainer.device),
        parameters=trainer.model.num_parameters(),
        advice=advice,
    )


@contextmanager
def _only_raising(kind: type[Exception]) -> Iterator[None]:
    """Let errors of one kind through and no others."""
    try:
        yield
    except kind:
        raise
    except Exception:
        return


class CheckpointWriter:
    """Writes the best model, the resume state and the metrics.

    Training waits for copies in memory alone; the disk, and drawing samples, are left to a thread
    beside. That does one job at a time, in order, so that at any moment the folder holds what it
    would hold if training had waited.
    """

    def __init__(self, task: KeptTraining, trainer: Trainer) -> None:
        self._task, self._trainer = task, trainer
        self._snapshots = Snapshots(trainer, task.config, task.corpus_key)
        self._cadence = PreviewInterval(task.sample_every) if task.sample_every else None
        self._drawn: SimpleQueue[tuple[int, str]] = SimpleQueue()

    def __enter__(self) -> CheckpointWriter:
        self._logbook = MetricsLog(self._task.run, self._trainer)
        self._beside = WriterThread()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # What has gone wrong already is what is to be told.
        with suppress(RunError) if kind else nullcontext():
            try:
                self._beside.close()
                self._show_drawn()
            finally:
                self._logbook.close()

    def begin(self) -> None:
        """Save the initial model of a warm start, which training may never improve on."""
        if (found := score_first(self._trainer)) is not None:
            self._task.save(self._card(found), self._trainer.model.arrays())
            self._task.watcher.note(f"held-out before the first step: {found.valid_bits:.4f} bits")

    def step(self, pulse: StepReport) -> None:
        """Write the resume state, or draw a preview, if one is due."""
        self._beside.check()
        self._task.watcher.pulse(pulse)
        self._show_drawn()
        busy = self._beside.busy
        if self._snapshots.due:
            state = self._snapshots.take()  # busy or not: the other ranks are waiting for it
            if not busy:
                self._write(state)
        elif not busy and self._cadence and self._cadence.due(pulse.step):
            with self._trainer.kept_weights():
                card, weights = self._card(None), self._trainer.model.arrays()
            self._beside.do(lambda: self._draw(card, weights, pulse.step, shown=True))

    def evaluation(self, evaluation: Evaluation) -> None:
        """Write the model if it is the best so far, the metrics and the resume state."""
        state, card = self._snapshots.take(), self._card(evaluation)
        with self._trainer.kept_weights():
            weights = self._trainer.model.arrays()
        look = WatchedEvaluation(evaluation_record(evaluation), weights, gradients(self._trainer))
        shown = self._cadence is None or self._cadence.due(evaluation.step)

        def keep() -> None:
            if evaluation.best:
                self._task.save(card, weights)
            self._logbook.write(look)
            self._task.keep_data()
            write_arrays(self._task.run.resume, *state)
            sample, text = self._draw(card, weights, evaluation.step, shown)
            if sample is not None:
                with _only_raising(RunError):  # a picture must not end a training
                    board = self._logbook.board
                    board.sample(self._task.domain, sample, text, evaluation.step)
            self._logbook.board.flush()

        self._beside.do(keep)
        self._task.watcher.evaluation(evaluation)

    def save(self) -> None:
        """Write the resume state now."""
        self._write(self._snapshots.take())

    def _write(self, state: Snapshot) -> None:
        self._beside.do(lambda: write_arrays(self._task.run.resume, *state))

    def _draw(
        self, card: ModelCard, weights: Arrays, step: int, shown: bool
    ) -> tuple[Sample | None, str]:
        """Draw a preview in the writer thread; a domain's failure becomes a note."""
        if not self._task.draws:
            return None, ""
        try:
            sample = preview(self._task.domain, card, weights)
            text = visible_controls(self._task.domain.show(sample))
        except Exception as error:  # what a half-trained model writes may be anything
            text, sample = f"(a sample that cannot be shown: {error})", None
        if shown:
            self._drawn.put((step, text))
        return sample, text

    def _show_drawn(self) -> None:
        """Report a finished preview, from the training thread."""
        while not self._drawn.empty():
            self._task.watcher.sample(*self._drawn.get())

    def _card(self, evaluation: Evaluation | None) -> ModelCard:
        provenance = self._task.provenance
        if evaluation is not None:
            provenance = provenance.model_copy(
                update={
                    "steps": evaluation.step,
                    "trained_seconds": evaluation.elapsed_seconds,
                    "bits_per_symbol": {"valid": evaluation.valid_bits, "test": None},
                    "date": date.today().isoformat(),
                }
            )
        return self._task.card(provenance)
