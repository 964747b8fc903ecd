"""A resolved request for a task beside generation in, a finished run folder out: reading, training,
scoring, page.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from seqforge.base.folders import write_json
from seqforge.core.data.examples import ExampleSet, ReadsExamples
from seqforge.core.data.labelling import LabelsSequences, labelling_of
from seqforge.core.data.split import PARTS
from seqforge.core.model.checkpoint import Provenance
from seqforge.core.model.example_file import read_examples, write_examples
from seqforge.core.model.task_model import load_task_model
from seqforge.core.task_config import VERBS
from seqforge.core.training.distributed import ALONE, Ranks
from seqforge.errors import ConfigError
from seqforge.reporting.summary import (
    BaselineScores,
    HeldOutScores,
    PartCounts,
    RunSummary,
    SpeedSummary,
)
from seqforge.reporting.task_page import write_task_page
from seqforge.runs.folder import RunFolder, now, read_metrics
from seqforge.runs.progress import ProgressListener
from seqforge.runs.request import ResolvedRequest
from seqforge.runs.results import StageResult, TrainResult, facts_of_training
from seqforge.runs.stages import timed_stage
from seqforge.runs.tasks.results import ReadResult, TaskScores
from seqforge.runs.tasks.split import split_examples

EXAMPLES = "examples.safetensors"

_Result = TypeVar("_Result", bound=StageResult)


class TaskPipeline:
    """The stages of one run, in order; each records its result in the run folder."""

    def __init__(
        self, request: ResolvedRequest, watcher: ProgressListener, ranks: Ranks = ALONE
    ) -> None:
        self.request, self.watcher, self.ranks = request, watcher, ranks
        self.folder, self.config, self.domain = request.folder, request.config, request.domain
        self._examples = self.folder.path / EXAMPLES

    def run(self) -> None:
        """All stages, then the summary and the page."""
        began = time.monotonic()
        read = self._stage("reading", ReadResult, self._read)
        data = read_examples(self._examples)
        for note in read.notes:
            self.watcher.note(note)
        if not self.folder.undone(["training"]):
            self.ranks.broadcast_object(lambda: None)  # the other processes have nothing to do
        trained = self._stage("training", TrainResult, lambda: self._train(data))
        scored = self._stage("scoring", TaskScores, lambda: self._score(data))
        seconds = max(time.monotonic() - began, self.folder.seconds())
        summary = self._summary(data, read, trained, scored, seconds)
        write_json(self.folder.summary, summary.model_dump(mode="json"))
        if not self.request.only_train:
            self.watcher.stage("the page")
            write_task_page(self.folder.page, summary, scored, read_metrics(self.folder))
        self.folder.finish(self.request.only_train)

    def _stage(self, name: str, kind: type[_Result], work: Callable[[], _Result]) -> _Result:
        return timed_stage(self.folder, self.watcher, name, kind, work)

    def _read(self) -> ReadResult:
        kind = self.config.task.kind
        assert kind != "generate"
        if kind == "label" and isinstance(self.domain, LabelsSequences):
            return self._kept(
                self.domain.labelled(
                    self.request.inputs.files, self.config.data, self.watcher.advance
                )
            )
        if not isinstance(self.domain, ReadsExamples):
            raise ConfigError(
                f"the domain {self.domain.name} reads no examples for a model that {VERBS[kind]}; "
                "see seqforge domains"
            )
        examples = list(self.domain.examples(kind, self.request.inputs.files))
        return self._kept(
            split_examples(kind, examples, self.config.data, self.config.training.seed)
        )

    def _kept(self, data: ExampleSet) -> ReadResult:
        write_examples(self._examples, data)
        sizes = {part: len(data.parts[part]) for part in PARTS}
        said = ", ".join(f"{count:,} {part}" for part, count in sizes.items())
        what = {"translate": "symbols of translations", "label": "labels"}.get(data.task, "classes")
        read = f"read {said} examples, {len(data.target_symbols)} {what}"
        return ReadResult(
            examples=sizes,
            symbols={part: data.parts[part].symbols for part in PARTS},
            notes=(*self.request.inputs.notes, read, *data.notes),
        )

    def _train(self, data: ExampleSet) -> TrainResult:
        from seqforge.runs.task_trainer import fixed_of
        from seqforge.runs.tasks.training import TaskTraining, train_task

        request = self.request
        provenance = Provenance(
            inputs=request.inputs.named_digests,
            corpus=request.corpus_key,
            symbols={part: data.parts[part].symbols for part in PARTS},
            note=request.note,
        )
        task = TaskTraining(
            run=self.folder,
            name=request.model_name,
            config=self.config,
            domain=self.domain,
            data=data,
            fixed=fixed_of(data, self.config, labelling_of(self.domain, data.sensors)),
            corpus_key=request.corpus_key,
            provenance=provenance,
            watcher=self.watcher,
            ranks=self.ranks,
        )
        return train_task(task, self._examples)

    def _score(self, data: ExampleSet) -> TaskScores:
        from seqforge.runs.tasks.scoring import score_task, tuned_model

        model = load_task_model(self.folder.model, self.config.task.kind)
        labelling = labelling_of(self.domain, data.sensors)
        if labelling is not None:
            model, tuned = tuned_model(model, data, labelling, self.folder.model, self.watcher)
            labelling = labelling_of(self.domain, {**data.sensors, **tuned})
        return score_task(model, data, self.watcher.advance, labelling)

    def _summary(
        self, data: ExampleSet, read: ReadResult, trained: TrainResult, scored: TaskScores,
        seconds: float,
    ) -> RunSummary:  # fmt: skip
        best = [one.valid_bits for one in read_metrics(self.folder) if one.best]
        valid = best[-1] if best else None
        perplexity = None if valid is None else 2**valid
        results = (read, trained, scored)
        memory = [one.peak_memory_mb for one in results if one.peak_memory_mb is not None]
        return RunSummary(
            pipeline=self.request.pipeline,
            domain=self.domain.name,
            task=self.config.task.kind,
            name=self.folder.path.resolve().name,
            command=self.request.origin.command,
            finished_at=now(),
            unit=self.domain.unit,
            symbols=PartCounts(**read.symbols),
            records=PartCounts(**read.examples),
            vocabulary_size=len(data.source_symbols) + 1,
            parameters=trained.parameters,
            model=self.config.model,
            bits_per_symbol=HeldOutScores(valid=valid),
            perplexity=HeldOutScores(valid=perplexity),
            baselines=BaselineScores(
                part=None, uniform=math.log2(len(data.target_symbols)), order_k=None, k=None
            ),
            metrics=scored.metrics,
            metrics_part=scored.part,
            baseline=scored.baseline,
            baseline_metrics=scored.baseline_metrics,
            speed=SpeedSummary(train_symbols_per_second=trained.train_symbols_per_second),
            peak_memory_mb=max(memory, default=None),
            seed=self.config.training.seed,
            **facts_of_training(trained),
            wall_seconds=round(seconds, 1),
        )


def report_task(folder: RunFolder, summary: RunSummary, path: Path | None = None) -> Path:
    """A finished run of a task in, its page written anew out.

    Raises:
        RunError: If something of it cannot be read.
    """
    scored = folder.result("scoring", TaskScores) or TaskScores(part=None)
    write_task_page(path or folder.page, summary, scored, read_metrics(folder))
    return path or folder.page
