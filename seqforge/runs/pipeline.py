"""A run request in, a finished run folder out: the stages in order, what is done not done again."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from seqforge.base.atomic_files import as_json
from seqforge.base.file_locks import held_folder
from seqforge.base.folders import make_folder, write_atomically, write_json
from seqforge.base.machine import peak_memory_mb, trim_memory
from seqforge.base.paths import is_piped
from seqforge.core.data.corpus import PARTS, Corpus
from seqforge.core.data.domain import Domain, HasKmers, Searches
from seqforge.core.data.ingest import Ingested
from seqforge.core.model.checkpoint import Provenance
from seqforge.core.training.distributed import ALONE, Ranks
from seqforge.errors import InputError, SeqforgeError
from seqforge.registry import options_of
from seqforge.reporting.summary import RunSummary
from seqforge.runs.folder import RunFolder, now, run_folders
from seqforge.runs.load_inputs import Inputs, KnownVocabulary, gather, kept_libraries, read_corpus
from seqforge.runs.progress import ProgressListener
from seqforge.runs.recipes import find_recipe
from seqforge.runs.request import (
    Interrupted,
    RunRequest,
    asked_recipe,
    check_inputs,
    find_folder,
    normal,
)
from seqforge.runs.results import (
    RunFacts,
    RunResults,
    SampleResult,
    ScoreResult,
    SearchOutcome,
    StageResult,
    TrainResult,
    summarise,
)
from seqforge.runs.sample import PreviewInterval, draw_samples_of_run, training_data_from
from seqforge.runs.warm_start import named_start, warm_start_of
from seqforge.version import __version__

_ASKED = "asked"


def request_of(order: RunRequest) -> str | None:
    """The hash of what is asked for; None where it cannot be asked for again.

    Before anything is settled by the files or by a model: two commands that ask for the same may
    come to something else where the files are others.
    """
    recipe = find_recipe(order.pipeline).with_settings(dict(order.settings or {}))
    inputs = order.inputs or recipe.inputs
    library = (order.settings or {}).get("search.against") or ()
    if any(map(is_piped, (order.pipeline, *inputs, *library))):
        return None
    said = {
        "pipeline": recipe.name,
        "settings": normal(recipe).model_dump(),
        "inputs": [str(Path(name).absolute()) for name in inputs],
        "only_train": order.only_train,
    }
    return hashlib.sha256(json.dumps(as_json(said), sort_keys=True).encode()).hexdigest()


def unfinished_run_of(order: RunRequest, watcher: ProgressListener) -> RunFolder | None:
    """The newest run under ``runs/`` that the same order began and that waits to be gone on with.

    Args:
        order: Its model to go on from, if it has one, as it is written down.
        watcher: Told which it is, or why it is not gone on with.
    """
    request = request_of(order)
    waiting = [run for run in run_folders() if _waits(run, order, request)]
    for run in sorted(waiting, key=RunFolder.begun_at, reverse=True):
        if _on_the_same_files(run, order):
            watcher.note(
                f"going on with {run.path}, which the same command began; --out begins another"
            )
            return run
        watcher.note(f"{run.path} was begun on other content of these files; beginning anew")
    return None


def _waits(run: RunFolder, order: RunRequest, request: str | None) -> bool:
    """Whether a run was asked for so, is not finished, and nobody works on it; one that cannot be
    read is none."""
    try:
        if request is None or run.made().get(_ASKED) != request or run.finished(order.only_train):
            return False
        with held_folder(run.path):
            return True
    except SeqforgeError:
        return False


def _on_the_same_files(run: RunFolder, order: RunRequest) -> bool:
    config = run.recipe().config()
    named = order.inputs or find_recipe(order.pipeline).inputs
    found = gather(config.domain, config.domain_options, named, run.path, resumed=True)
    return list(found.digests) == [digest for _, digest in run.inputs()]


_MANY = 1000  # files, from which on looking at them shows how far it is
_NOTES = 4  # what reading changed is told of so many files; ingest.tsv has all


def run(order: RunRequest, watcher: ProgressListener, ranks: Ranks = ALONE) -> RunFolder:
    """Do what was asked, in a run folder, going on where it was left.

    Among several processes this is for rank 0; the others call `runs.worker.run_worker`.

    Raises:
        SeqforgeError: For anything a person can mend.
        Interrupted: When stopped from outside; what was done is kept.
    """
    name = find_recipe(order.pipeline).name
    folder = None
    if order.out is None and not order.resume:
        folder = unfinished_run_of(named_start(order), watcher)
    folder = folder or find_folder(order, name, watcher)
    try:
        with folder.locked():
            for note in folder.mended():
                watcher.note(note)
            order = kept_libraries(named_start(order, folder), folder)
            finished = folder.finished(order.only_train)
            if finished and not order.inputs:
                asked_recipe(order, name, folder)  # refuses other settings; needs no input files
            else:
                pipeline = Pipeline(order, name, folder, watcher, ranks)
            if finished:
                ranks.broadcast_object(lambda: None)
                watcher.note(f"{folder.path}: this run is finished; nothing is left to do")
            else:
                pipeline.run()
    except KeyboardInterrupt:
        raise Interrupted(folder) from None
    return folder


def _looking(watcher: ProgressListener) -> Callable[[int, int, str], None]:
    """Shows how far one is in looking at files, where there are many."""

    def told(done: int, total: int, name: str) -> None:
        if total >= _MANY:
            if done == 0:
                watcher.stage(f"looking at {total:,} files")
            watcher.advance(done, total, name)

    return told


_Result = TypeVar("_Result", bound=StageResult)


class Pipeline:
    """The stages of one run; each leaves its result in the run folder."""

    def __init__(
        self,
        order: RunRequest,
        name: str,
        folder: RunFolder,
        watcher: ProgressListener,
        ranks: Ranks = ALONE,
    ) -> None:
        """Settle what to do, and check that it is what the folder was begun with."""
        self.ranks = ranks
        self.order, self.name, self.folder, self.watcher = order, name, folder, watcher
        self.recipe = asked_recipe(order, name, folder)
        if order.sample_every:
            PreviewInterval(order.sample_every)  # refuses what it is not, before anything is done
        config, self.start = warm_start_of(order, self.recipe, folder)
        self.known: KnownVocabulary | None = None
        if self.start is not None:
            self.known = KnownVocabulary(self.start.vocabulary, config.init.extend_vocabulary)
        self.inputs: Inputs = gather(
            config.domain,
            config.domain_options,
            order.inputs or self.recipe.inputs,
            folder.path,
            resumed=folder.worked,
            progress=_looking(watcher),
        )
        self.domain: Domain = self.inputs.domain
        self.config = config.model_copy(update={"domain_options": options_of(self.domain)})
        self.key = self.inputs.key(config.data, self.known)
        for path in map(Path, config.search.get("against", ())):
            if not path.is_file():
                raise InputError(f"{path}: there is no such file to search in")
        if folder.worked:
            check_inputs(folder, self.inputs.files, self.inputs.digests)
        if not folder.finished():
            self._begin()

    def _begin(self) -> None:
        named = list(zip(self.inputs.files, self.inputs.digests, strict=True))
        if not named:  # nothing can be read, which reading will say
            named = [(Path(name), "") for name in self.order.inputs or self.recipe.inputs]
        about: dict[str, Any] = {
            "seqforge": __version__,
            "at": now(),
            "command": self.order.command,
            "asked": request_of(self.order) or "",
        }
        if self.folder.worked:
            about = {key: self.folder.made().get(key, value) for key, value in about.items()}
        if self.start is not None:
            about["init"] = self.start.made
        self.folder.begin(self.name, self.config, named, about, self.recipe.note)

    def run(self) -> None:
        """All stages, then the page."""
        began = time.monotonic()
        corpus, lines = self._read()
        if not self.folder.undone(["training"]):
            self.ranks.broadcast_object(lambda: None)  # the other processes have nothing to do
        trained = self._stage("training", TrainResult, lambda: self._train(corpus))
        scored = self._stage("scoring", ScoreResult, lambda: self._score(corpus))
        sampled, searched = None, None
        if not self.order.only_train:
            sampled = self._stage("sampling", SampleResult, lambda: self._sample(corpus))
            searched = self._searched(corpus, lines)
        results = RunResults(trained, scored, sampled, searched)
        summary = self._summary(corpus, results, began)
        write_json(self.folder.summary, summary.model_dump(mode="json"))
        if sampled is not None:
            self._write_page(summary, sampled, lines)
        self.folder.finish(self.order.only_train)

    def _stage(self, name: str, kind: type[_Result], work: Callable[[], _Result]) -> _Result:
        def timed() -> _Result:
            trim_memory()
            self.watcher.stage(name)
            began = time.monotonic()
            result = work()
            seconds = round(max(time.monotonic() - began, result.least_seconds), 2)
            return result.model_copy(
                update={"wall_seconds": seconds, "peak_memory_mb": peak_memory_mb()}
            )

        return self.folder.stage(name, kind, timed)

    def _summary(self, corpus: Corpus, results: RunResults, began: float) -> RunSummary:
        made = self.folder.made()
        # What the stages took, over all resumes; the page itself is not counted.
        seconds = max(time.monotonic() - began, self.folder.seconds())
        facts = RunFacts(
            pipeline=self.name,
            name=self.folder.path.resolve().name,
            command=str(made.get("command", "")),
            finished_at=now(),
            wall_seconds=round(seconds, 1),
        )
        return summarise(facts, self.config, self.domain, corpus, results)

    def _read(self) -> tuple[Corpus, list[Ingested]]:
        self.watcher.stage("reading")
        corpus, lines = read_corpus(
            self.inputs,
            self.config.data,
            self.folder.ingest,
            self.watcher.advance,
            self.known,
            self.watcher.note,
        )
        for note in self.inputs.notes:
            self.watcher.note(note)
        refused = [line for line in lines if line.status == "refused"]
        files = f"{len(lines) - len(refused)} of {len(lines)} files"
        sizes = ", ".join(f"{corpus.part(part).symbols:,} {part}" for part in PARTS)
        self.watcher.note(
            f"read {files}: {sizes} symbols, {len(corpus.vocabulary.symbols)} different"
        )
        for note in (*corpus.partition.notes, *corpus.partition.overlap.notes(self.domain.unit)):
            self.watcher.note(note)
        if isinstance(self.domain, HasKmers):
            write_atomically(self.folder.held_out, corpus.partition.bed().encode())
        if refused:
            self.watcher.note(
                f"{len(refused)} files refused, each with its reason in {self.folder.ingest}; "
                f"the first: {refused[0].reason}"
            )
        noted = [line for line in lines if line.reason and line.status != "refused"]
        for line in noted[:_NOTES]:
            self.watcher.note(f"{Path(line.file).name}: {line.reason}")
        if len(noted) > _NOTES:
            self.watcher.note(f"and {len(noted) - _NOTES} more notes, in {self.folder.ingest}")
        return corpus, lines

    def _train(self, corpus: Corpus) -> TrainResult:
        from seqforge.runs.train import TrainTask, train_model

        provenance = Provenance(
            inputs=tuple(
                (path.name, digest)
                for path, digest in zip(self.inputs.files, self.inputs.digests, strict=True)
            ),
            corpus=self.key,
            symbols={part: corpus.part(part).symbols for part in PARTS},
            note=self.recipe.note,
            ancestors=self.start.ancestors if self.start else (),
            sketch=self._sketch(corpus),
        )
        if self.start is not None:
            digests, split = self.inputs.digests, self.config.data.split
            for note in self.start.notes(corpus, self.domain, digests, split):
                self.watcher.note(note)
        name = self.name if self.recipe.note else self.folder.path.resolve().name
        return train_model(
            TrainTask(
                self.folder,
                name,
                self.config,
                self.domain,
                corpus,
                self.key,
                provenance,
                self.watcher,
                self.order.sample_every,
                self.start.checkpoint.weights if self.start and self.start.checkpoint else None,
                self.ranks,
            )
        )

    def _sketch(self, corpus: Corpus) -> str:
        """Of all that the model learns from, and that its ancestors learned from."""
        sketch = corpus.partition.sketch
        return (sketch.merged(self.start.sketch) if self.start else sketch).dump()

    def _score(self, corpus: Corpus) -> ScoreResult:
        from seqforge.runs.evaluate import baselines, final_score

        found = final_score(self.folder, corpus, self.watcher)
        trim_memory()
        counted = baselines(corpus, self.domain, self.watcher)
        return ScoreResult(bits_per_symbol=found, baselines=counted)

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
            training_data_from(self.inputs, corpus, lines),
            self.config.training.seed,
            self.watcher.advance,
            self.watcher.note,
        )
        return SearchOutcome.model_validate(as_json(found))

    def _write_page(
        self, summary: RunSummary, sampled: SampleResult, lines: Sequence[Ingested]
    ) -> None:
        from seqforge.reporting.page import write_report
        from seqforge.runs.tensorboard import read_metrics

        self.watcher.stage("the page")
        write_report(self.folder.page, summary, read_metrics(self.folder), sampled.shown, lines)
