"""A run from files to a page, a stage at a time; what is done is not done again.

reading -> training -> scoring -> sampling -> searching -> the page
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seqforge.core.checkpoint import Provenance
from seqforge.core.corpus import PARTS, Corpus
from seqforge.core.domain import Domain, HasKmers, Searches
from seqforge.core.files import make_folder, write_atomically, write_json
from seqforge.core.ingest import Ingested, ingest_rows
from seqforge.core.machine import peak_memory_mb, trim_memory
from seqforge.core.ranks import ALONE, Ranks
from seqforge.errors import InputError
from seqforge.orders import Interrupted, Order, asked_recipe, check_inputs, find_folder
from seqforge.recipes import find_recipe
from seqforge.registry import options_of
from seqforge.runs import RunFolder, now
from seqforge.stages.baselines import baselines
from seqforge.stages.continuing import begun_by, request_of
from seqforge.stages.discovery import kept_libraries
from seqforge.stages.drawing import draw
from seqforge.stages.learnt import learnt_from
from seqforge.stages.preview import Cadence
from seqforge.stages.reading import Inputs, Known, gather, read_corpus
from seqforge.stages.starting import named_start, start_of
from seqforge.stages.summary import summarise
from seqforge.version import __version__
from seqforge.watching import Watcher

_MANY = 1000  # files, from which on looking at them shows how far it is
_NOTES = 4  # what reading changed is told of so many files; ingest.tsv has all


def run(order: Order, watcher: Watcher, ranks: Ranks = ALONE) -> RunFolder:
    """Do what was asked, in a run folder, going on where it was left.

    Among several processes this is for rank 0; the others call `stages.assisting.assist`.

    Raises:
        SeqforgeError: For anything a person can mend.
        Interrupted: When stopped from outside; what was done is kept.
    """
    name = find_recipe(order.pipeline).name
    folder = None
    if order.out is None and not order.resume:
        folder = begun_by(named_start(order), watcher)
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
                ranks.agree(lambda: None)
                watcher.note(f"{folder.path}: this run is finished; nothing is left to do")
            else:
                pipeline.run()
    except KeyboardInterrupt:
        raise Interrupted(folder) from None
    return folder


def _looking(watcher: Watcher) -> Callable[[int, int, str], None]:
    """Shows how far one is in looking at files, where there are many."""

    def told(done: int, total: int, name: str) -> None:
        if total >= _MANY:
            if done == 0:
                watcher.stage(f"looking at {total:,} files")
            watcher.advance(done, total, name)

    return told


class Pipeline:
    """The stages of one run; each leaves its result in the run folder."""

    def __init__(
        self, order: Order, name: str, folder: RunFolder, watcher: Watcher, ranks: Ranks = ALONE
    ) -> None:
        """Settle what to do, and check that it is what the folder was begun with."""
        self.ranks = ranks
        self.order, self.name, self.folder, self.watcher = order, name, folder, watcher
        self.recipe = asked_recipe(order, name, folder)
        if order.sample_every:
            Cadence(order.sample_every)  # refuses what it is not, before anything is done
        config, self.start = start_of(order, self.recipe, folder)
        self.known: Known | None = None
        if self.start is not None:
            self.known = Known(self.start.vocabulary, config.init.extend_vocabulary)
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
        for path in map(Path, config.search.against):
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
            self.ranks.agree(lambda: None)  # the other processes have nothing to do
        trained = self._stage("training", lambda: self._train(corpus))
        scored = self._stage("scoring", lambda: self._score(corpus))
        sampled: dict[str, Any] = {}
        similarity: dict[str, Any] = {}
        if not self.order.only_train:
            sampled = self._stage(
                "sampling",
                lambda: draw(self.folder, self.config, self.domain, corpus, self.watcher),
            )
            domain = self.domain
            if isinstance(domain, Searches) and self.config.search.backend != "off":
                similarity = self._stage("searching", lambda: self._search(domain, corpus, lines))
        stages = {
            "training": trained,
            "scoring": scored,
            "sampling": sampled,
            "searching": similarity,
        }
        summary = summarise(self.folder, self.config, self.domain, corpus, stages)
        summary["wall_seconds"] = round(self._wall(began), 1)
        write_json(self.folder.summary, summary)
        if not self.order.only_train:
            self._write_page(summary, sampled, lines)
        self.folder.finish(self.order.only_train)

    def _stage(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        def timed() -> dict[str, Any]:
            trim_memory()
            self.watcher.stage(name)
            began = time.monotonic()
            result = work()
            # Training knows its own time over all resumes; the clock here began with the last.
            seconds = round(max(time.monotonic() - began, result.get("seconds", 0.0)), 2)
            return {**result, "wall_seconds": seconds, "peak_memory_mb": peak_memory_mb()}

        return self.folder.stage(name, timed)

    def _wall(self, began: float) -> float:
        """Seconds that the stages took, over all resumes; the page itself is not counted."""
        return max(time.monotonic() - began, self.folder.seconds())

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

    def _train(self, corpus: Corpus) -> dict[str, Any]:
        from seqforge.stages.fitting import Fitting, fit

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
        return fit(
            Fitting(
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

    def _score(self, corpus: Corpus) -> dict[str, Any]:
        from seqforge.stages.kept import final_bits

        found = final_bits(self.folder, corpus, self.watcher)
        trim_memory()
        return {
            "bits_per_symbol": found,
            "baselines": baselines(corpus, self.domain, self.watcher),
        }

    def _search(
        self, domain: Searches, corpus: Corpus, lines: Sequence[Ingested]
    ) -> dict[str, Any]:
        return domain.search(
            sorted(self.folder.samples.glob(f"*{self.domain.suffix}")),
            make_folder(self.folder.similarity),
            self.config.search,
            learnt_from(self.inputs, corpus, lines),
            self.config.training.seed,
            self.watcher.advance,
            self.watcher.note,
        )

    def _write_page(
        self, summary: dict[str, Any], sampled: dict[str, Any], lines: Sequence[Ingested]
    ) -> None:
        from seqforge.reporting.page import write_report
        from seqforge.stages.logbook import read_metrics

        self.watcher.stage("the page")
        write_report(
            self.folder.page,
            summary,
            read_metrics(self.folder),
            sampled["shown"],
            ingest_rows(lines),
        )
