"""A run request in, a finished run folder out: the stages in order, what is done not done again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from seqforge.base.atomic_files import as_json
from seqforge.base.folders import make_folder, write_atomically, write_json
from seqforge.base.machine import trim_memory
from seqforge.core.config import parse_size
from seqforge.core.data.corpus import PARTS, Corpus
from seqforge.core.data.domain import HasKmers, Searches
from seqforge.core.data.ingest import Ingested
from seqforge.core.kernels.compile_ahead import prepare_layers
from seqforge.core.kernels.layer_kernels import PRODUCT_KINDS
from seqforge.core.memory.memory import HasMemory, KeepsMemory
from seqforge.core.model.checkpoint import Provenance
from seqforge.core.training.distributed import ALONE, Ranks
from seqforge.errors import ConfigError
from seqforge.reporting.summary import RunSummary
from seqforge.runs.folder import RunFolder, now
from seqforge.runs.load_inputs import read_corpus
from seqforge.runs.progress import ProgressListener
from seqforge.runs.report import verdict_on, write_run_page
from seqforge.runs.request import (
    AskedRun,
    Interrupted,
    ResolvedRequest,
    RunRequest,
    choose_folder,
    resolve,
    settle,
    settled_recipe,
)
from seqforge.runs.results import (
    ExcerptResult,
    LabelResult,
    MemoryResult,
    RunFacts,
    RunResults,
    SampleResult,
    ScoreResult,
    SearchOutcome,
    StageResult,
    TrainResult,
    summarise,
)
from seqforge.runs.sample import draw_samples_of_run, training_data_from
from seqforge.runs.stages import timed_stage

if TYPE_CHECKING:
    from seqforge.runs.tasks.pipeline import TaskPipeline

_NOTES = 4  # what reading changed is told of so many files; ingest.tsv has all


def run(request: RunRequest, watcher: ProgressListener, ranks: Ranks = ALONE) -> RunFolder:
    """A run request in, a finished (or resumed) run folder out.

    Among several processes this is for rank 0; the others call `runs.worker.run_worker`.

    Raises:
        SeqforgeError: For anything a person can mend.
        Interrupted: When stopped from outside; what was done is kept.
    """
    asked = AskedRun.of(request)
    folder = choose_folder(asked, watcher)
    try:
        with folder.locked():
            for note in folder.mended():
                watcher.note(note)
            _run_in(folder, settle(asked, folder), watcher, ranks)
    except KeyboardInterrupt:
        raise Interrupted(folder) from None
    return folder


def _run_in(folder: RunFolder, asked: AskedRun, watcher: ProgressListener, ranks: Ranks) -> None:
    finished = folder.finished(asked.request.only_train) and not _lacks_memory(folder, asked)
    if finished and not asked.request.inputs:
        settled_recipe(asked, folder)  # refuses other settings; needs no input files
    else:
        resolved = resolve(asked, folder, watcher)
        if not folder.finished():
            begin(resolved)
    if finished:
        ranks.broadcast_object(lambda: None)
        watcher.note(f"{folder.path}: this run is finished; nothing is left to do")
    else:
        _pipeline(resolved, watcher, ranks).run()


def _pipeline(
    resolved: ResolvedRequest, watcher: ProgressListener, ranks: Ranks
) -> Pipeline | TaskPipeline:
    if resolved.config.task.kind == "generate":
        return Pipeline(resolved, watcher, ranks)
    from seqforge.runs.tasks.pipeline import TaskPipeline

    return TaskPipeline(resolved, watcher, ranks)


def _lacks_memory(folder: RunFolder, asked: AskedRun) -> bool:
    """Whether a finished run has still to keep its memory."""
    return asked.wanted.config().memory.save and not folder.memory.is_file()


def begin(request: ResolvedRequest) -> None:
    """Write down in the run folder what is to be done, or done on."""
    inputs = request.inputs
    named = list(zip(inputs.files, inputs.digests, strict=True))
    if not named:  # nothing can be read, which reading will say
        named = [(Path(name), "") for name in request.named_inputs]
    request.folder.begin(request.config, named, request.origin, request.note)


_Result = TypeVar("_Result", bound=StageResult)


class Pipeline:
    """The stages of one run, in order; each records its result in the run folder."""

    def __init__(
        self, request: ResolvedRequest, watcher: ProgressListener, ranks: Ranks = ALONE
    ) -> None:
        self.request, self.watcher, self.ranks = request, watcher, ranks
        self.folder, self.config, self.domain = request.folder, request.config, request.domain

    def run(self) -> None:
        """All stages, then the summary and the page."""
        began = time.monotonic()
        self._compile_ahead()
        corpus, lines = self._read()
        self._check_labels(corpus)
        self._check_memory(corpus)
        if self._counts or not self.folder.undone(["training"]):
            self.ranks.broadcast_object(lambda: None)  # the other processes have nothing to do
        trained = self._stage("training", TrainResult, lambda: self._train(corpus))
        self._prepare_memory(corpus)
        scored = self._stage("scoring", ScoreResult, lambda: self._score(corpus, trained))
        remembered = self._remembered(corpus, trained)
        self._keep_memory(corpus)
        labelled = self._labelled(corpus)
        self._warn_of_memory(scored, remembered)
        sampled, searched = None, None
        if not self.request.only_train:
            sampled = self._stage("sampling", SampleResult, lambda: self._sample(corpus))
            self._stage("seeing", ExcerptResult, lambda: self._excerpt(corpus))
            searched = self._searched(corpus, lines)
        found = RunResults(trained, scored, remembered, sampled, searched, labelled)
        summary = self._judged(self._summary(corpus, found, began), lines)
        write_json(self.folder.summary, summary.model_dump(mode="json"))
        if sampled is not None:
            self.watcher.stage("the page")
            write_run_page(self.folder, self.domain, summary)
        self.folder.finish(self.request.only_train)

    @property
    def _counts(self) -> bool:
        """Whether the model is no network but one of n-grams."""
        return self.config.model.is_ngram

    def _stage(self, name: str, kind: type[_Result], work: Callable[[], _Result]) -> _Result:
        return timed_stage(self.folder, self.watcher, name, kind, work)

    def _compile_ahead(self) -> None:
        """Compile the layers while the inputs are read and torch is imported."""
        training, model = self.config.training, self.config.model
        if model.is_ngram:
            return
        if training.device in ("auto", "cpu") and self.folder.undone(["training"]):
            named = {"fp32": PRODUCT_KINDS[:1], "bf16": PRODUCT_KINDS[1:]}
            kinds = named.get(training.precision, PRODUCT_KINDS)
            prepare_layers(model.cell, model.hidden_size, model.num_layers, kinds)

    def _read(self) -> tuple[Corpus, list[Ingested]]:
        self.watcher.stage("reading")
        corpus, lines = read_corpus(
            self.request.inputs,
            self.config.data,
            self.folder.ingest,
            self.watcher.advance,
            self.request.known,
            self.watcher.note,
        )
        for note in self._notes_of_reading(corpus, lines):
            self.watcher.note(note)
        if isinstance(self.domain, HasKmers):
            write_atomically(self.folder.held_out, corpus.partition.bed().encode())
        return corpus, lines

    def _notes_of_reading(self, corpus: Corpus, lines: Sequence[Ingested]) -> Iterator[str]:
        yield from self.request.inputs.notes
        refused = [line for line in lines if line.status == "refused"]
        files = f"{len(lines) - len(refused)} of {len(lines)} files"
        sizes = ", ".join(f"{corpus.part(part).symbols:,} {part}" for part in PARTS)
        yield f"read {files}: {sizes} symbols, {len(corpus.vocabulary.symbols)} different"
        yield from corpus.partition.notes
        yield from corpus.partition.overlap.notes(self.domain.unit)
        if refused:
            yield (
                f"{len(refused)} files refused, each with its reason in {self.folder.ingest}; "
                f"the first: {refused[0].reason}"
            )
        noted = [line for line in lines if line.reason and line.status != "refused"]
        for line in noted[:_NOTES]:
            yield f"{Path(line.file).name}: {line.reason}"
        if len(noted) > _NOTES:
            yield f"and {len(noted) - _NOTES} more notes, in {self.folder.ingest}"

    def _train(self, corpus: Corpus) -> TrainResult:
        from seqforge.runs.train_task import TrainTask

        request, start = self.request, self.request.start
        if start is not None:
            digests, split = request.inputs.digests, self.config.data.split
            for note in start.notes(corpus, self.domain, digests, split):
                self.watcher.note(note)
        task = TrainTask(
            run=self.folder,
            name=request.model_name,
            config=self.config,
            domain=self.domain,
            corpus=corpus,
            corpus_key=request.corpus_key,
            provenance=self._provenance(corpus),
            watcher=self.watcher,
            sample_every=request.sample_every,
            start=None if start is None else start.weights,
            ranks=self.ranks,
        )
        if self._counts:
            from seqforge.runs.count import count_model

            return count_model(task)
        from seqforge.runs.train import train_model

        return train_model(task)

    def _provenance(self, corpus: Corpus) -> Provenance:
        request, start, sketch = self.request, self.request.start, corpus.partition.sketch
        return Provenance(
            inputs=request.inputs.named_digests,
            corpus=request.corpus_key,
            symbols={part: corpus.part(part).symbols for part in PARTS},
            note=request.note,
            ancestors=() if start is None else start.ancestors,
            # Of all that the model learns from, and that its ancestors learned from.
            sketch=(sketch if start is None else sketch.merged(start.sketch)).dump(),
        )

    def _score(self, corpus: Corpus, trained: TrainResult) -> ScoreResult:
        if self._counts:
            from seqforge.runs.count import score_counted

            return score_counted(self.folder, corpus, self.domain, self.watcher)
        from seqforge.runs.baselines import baselines
        from seqforge.runs.evaluate import adaptive_score, final_score

        found = final_score(self.folder, corpus, self.watcher)
        dynamic = adaptive_score(self.folder, corpus, trained.steps, self.watcher)
        trim_memory()
        counted, figures = baselines(corpus, self.domain, self.watcher)
        return ScoreResult(
            bits_per_symbol=found, baselines=counted, figures=figures, dynamic=dynamic
        )

    def _check_labels(self, corpus: Corpus) -> None:
        """Refuse at once what does not go with labels.

        Raises:
            ConfigError, InputError: See `check_labels`.
        """
        if corpus.labels:
            from seqforge.runs.labels import check_labels

            check_labels(corpus, self.config)

    def _labelled(self, corpus: Corpus) -> LabelResult | None:
        """What the label brings on the held-out part, of a model with labels."""
        if not corpus.labels or corpus.held_out is None:
            return None

        def work() -> LabelResult:
            from seqforge.runs.labels import label_scores

            return LabelResult(scores=label_scores(self.folder, corpus, self.watcher.advance))

        return self._stage("labels", LabelResult, work)

    def _with_memory(self, corpus: Corpus) -> bool:
        """Whether a memory is scored beside the network."""
        return self.config.memory.enabled and not self._counts and not corpus.labels

    def _prepare_memory(self, corpus: Corpus) -> None:
        """Compile what the memory needs while the network is scored."""
        domain, wanted = self.domain, self._with_memory(corpus) and corpus.held_out is not None
        if wanted and isinstance(domain, HasMemory) and self.folder.undone(["remembering"]):
            from seqforge.runs.memory import of_effort, prepare_memory

            chosen = of_effort(domain, self.config.memory.effort)
            prepare_memory(chosen, corpus.vocabulary, corpus.train.tokens)

    def _excerpt(self, corpus: Corpus) -> ExcerptResult:
        if self._counts or corpus.labels:
            return ExcerptResult()  # there are no units to trace, or another model a label
        from seqforge.runs.excerpt import make_excerpt

        return make_excerpt(self.folder, corpus, self.domain, self.watcher)

    def _remembered(self, corpus: Corpus, trained: TrainResult) -> MemoryResult | None:
        """Scores with the memory, where the domain has one and it is not off."""
        domain, config = self.domain, self.config.memory
        if not self._with_memory(corpus) or not isinstance(domain, HasMemory):
            return None
        if corpus.held_out is None:
            return None

        def work() -> MemoryResult:
            from seqforge.core.model.checkpoint import load_checkpoint
            from seqforge.runs.evaluate import torch_model
            from seqforge.runs.memory import memory_scores, of_effort

            network = torch_model(load_checkpoint(self.folder.model), str(self.folder.model))
            budget, told = parse_size(config.budget), self.watcher.advance
            chosen, best = of_effort(domain, config.effort), config.effort == "best"
            scores = memory_scores(network, corpus, chosen, budget, trained.steps, told, best)
            return MemoryResult(scores=scores)

        return self._stage("remembering", MemoryResult, work)

    def _check_memory(self, corpus: Corpus) -> None:
        """Refuse at once what could not be kept after training.

        Raises:
            ConfigError: If there is no memory to keep.
        """
        domain, config = self.domain, self.config
        if not config.keeps_memory:
            return
        if self._counts:
            raise ConfigError("an n-gram model has no memory beside it; leave out --save-memory")
        if not isinstance(domain, HasMemory) or not isinstance(domain, KeepsMemory):
            raise ConfigError(f"{domain.name} has no memory to keep; leave out --save-memory")
        if not config.memory.enabled:
            raise ConfigError("there is no memory to keep with --no-memory; leave one of both out")
        if not corpus.valid.scored:
            raise ConfigError(
                "a memory that is kept learns on the valid part how far to trust the network, and "
                "there is none; give --split 90/5/5"
            )

    def _keep_memory(self, corpus: Corpus) -> None:
        """Write the memory beside the model, where it is wanted and is not there."""
        domain, config = self.domain, self.config
        if not config.keeps_memory or self.folder.memory.is_file():
            return
        from seqforge.core.memory.memory_file import save_memory
        from seqforge.core.model.checkpoint import load_checkpoint
        from seqforge.runs.evaluate import torch_model
        from seqforge.runs.memory import learnt_memory, of_effort

        assert isinstance(domain, HasMemory)
        self.watcher.stage("keeping the memory")
        model, budget = load_checkpoint(self.folder.model), parse_size(config.memory.budget)
        network = torch_model(model, str(self.folder.model))
        chosen = of_effort(domain, config.memory.effort)
        memory = learnt_memory(network, corpus, chosen, budget, self.watcher.advance)
        save_memory(self.folder.memory, memory, model)

    def _warn_of_memory(self, scored: ScoreResult, remembered: MemoryResult | None) -> None:
        """Say where samples are better without the memory that is kept."""
        if remembered is not None and self.config.keeps_memory:
            note = remembered.warning(scored.bits_per_symbol.test)
            if note is not None:
                self.watcher.note(note)

    def _sample(self, corpus: Corpus) -> SampleResult:
        return draw_samples_of_run(self.folder, self.config, self.domain, corpus, self.watcher)

    def _searched(self, corpus: Corpus, lines: Sequence[Ingested]) -> SearchOutcome | None:
        """What the search finds, where the domain has one and it is not off."""
        domain = self.domain
        if not isinstance(domain, Searches) or self.config.search.get("backend") == "off":
            return None
        return self._stage("searching", SearchOutcome, lambda: self._search(domain, corpus, lines))

    def _search(self, domain: Searches, corpus: Corpus, lines: Sequence[Ingested]) -> SearchOutcome:
        found = domain.search(
            sorted(self.folder.samples.glob(f"*{self.domain.suffix}")),
            make_folder(self.folder.similarity),
            self.config.search,
            training_data_from(self.request.inputs, corpus, lines),
            self.config.training.seed,
            self.watcher.advance,
            self.watcher.note,
        )
        return SearchOutcome.model_validate(as_json(found))

    def _summary(self, corpus: Corpus, results: RunResults, began: float) -> RunSummary:
        # What the stages took, over all resumes; the page itself is not counted.
        seconds = max(time.monotonic() - began, self.folder.seconds())
        facts = RunFacts(
            pipeline=self.request.pipeline,
            name=self.folder.path.resolve().name,
            command=self.request.origin.command,
            finished_at=now(),
            wall_seconds=round(seconds, 1),
        )
        return summarise(facts, self.config, self.domain, corpus, results)

    def _judged(self, summary: RunSummary, lines: Sequence[Ingested]) -> RunSummary:
        """The summary with its verdict."""
        verdict = verdict_on(summary, self.folder, self.domain, lines)
        return summary.model_copy(update={"verdict": verdict})
