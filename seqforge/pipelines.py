"""A run from files to a page, a stage at a time; what is done is not done again.

reading -> training -> scoring -> sampling -> searching -> the page
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqforge.core.checkpoint import Provenance
from seqforge.core.config import RunConfig
from seqforge.core.corpus import PARTS, Corpus
from seqforge.core.domain import Domain, Searches
from seqforge.core.files import make_folder, write_json
from seqforge.core.ingest import Ingested, ingest_rows
from seqforge.core.machine import peak_memory_mb
from seqforge.errors import ConfigError, RunError
from seqforge.recipes import Recipe, find_recipe
from seqforge.registry import load_domain, options_of
from seqforge.runs import RunFolder, new_folder, newest_unfinished, now
from seqforge.stages.baselines import baselines
from seqforge.stages.drawing import draw
from seqforge.stages.reading import Inputs, gather, read_corpus
from seqforge.stages.summary import summarise
from seqforge.version import __version__
from seqforge.watching import Watcher

_NOTES = 4  # what reading changed is told of so many files; ingest.tsv has all


@dataclass(frozen=True)
class Order:
    """What a person asked for on the command line, or a caller in Python."""

    pipeline: str
    """A recipe's name or path, or a domain."""
    inputs: tuple[str, ...] = ()
    settings: Mapping[str, Any] | None = None
    """Dotted keys and values that override the recipe's."""
    out: Path | None = None
    resume: bool = False
    command: str = ""
    """The command that repeats it, for the page."""
    only_train: bool = False


def run(order: Order, watcher: Watcher) -> RunFolder:
    """Do what was asked, in a run folder, going on where it was left.

    Raises:
        SeqforgeError: For anything a person can mend.
        KeyboardInterrupt: When stopped; what was done is kept.
    """
    name = find_recipe(order.pipeline).name
    folder = _folder(order, name, watcher)
    with folder.locked():
        if folder.finished:
            asked_recipe(order, folder)
            watcher.note(f"{folder.path}: this run is finished; nothing is left to do")
            return folder
        Pipeline(order, name, folder, watcher).run()
    return folder


def _folder(order: Order, name: str, watcher: Watcher) -> RunFolder:
    if order.out is not None:
        return RunFolder(order.out)
    if order.resume:
        waiting = newest_unfinished(name)
        if waiting is not None:
            watcher.note(f"going on with {waiting.path}")
            return waiting
        watcher.note(f"no unfinished run of {name} was found; starting afresh")
    return new_folder(name)


def asked_recipe(order: Order, folder: RunFolder) -> Recipe:
    """What to do: the recipe and the options, or what the run in the folder was begun with.

    Raises:
        ConfigError: If the run there was begun with other settings.
    """
    base = folder.recipe() if folder.begun else find_recipe(order.pipeline)
    changed = base.with_settings(dict(order.settings or {}))
    differ = _normal(base).differences(_normal(changed)) if folder.begun else []
    if differ:
        raise ConfigError(
            f"{folder.path}: this run was begun with other settings "
            f"({'; '.join(differ)}); give the same, or another --out"
        )
    return changed


def _normal(recipe: Recipe) -> RunConfig:
    """The settings with the domain's options as the domain has them: 60 and not "60"."""
    config = recipe.config()
    domain = load_domain(config.domain, config.domain_options)
    return config.model_copy(update={"domain_options": options_of(domain)})


class Pipeline:
    """The stages of one run; each leaves its result in the run folder."""

    def __init__(self, order: Order, name: str, folder: RunFolder, watcher: Watcher) -> None:
        self.order, self.name, self.folder, self.watcher = order, name, folder, watcher
        recipe = asked_recipe(order, folder)
        config = recipe.config()
        self.inputs: Inputs = gather(
            config.domain, config.domain_options, order.inputs or recipe.inputs, folder.path
        )
        self.domain: Domain = self.inputs.domain
        self.config = self._settled(config)
        self.key = self.inputs.key(config.data)
        self.recipe = recipe
        if folder.begun:
            self._check_same()
        else:
            named = list(zip(self.inputs.files, self.inputs.digests, strict=True))
            about = {"seqforge": __version__, "at": now(), "command": order.command}
            folder.begin(name, self.config, named, about)

    def _settled(self, config: RunConfig) -> RunConfig:
        return config.model_copy(update={"domain_options": options_of(self.domain)})

    def _check_same(self) -> None:
        made = self.folder.made()
        if made.get("pipeline") != self.name:
            raise RunError(
                f"{self.folder.path}: holds a run of {made.get('pipeline')}; choose another --out"
            )
        if list(made.get("sha256", {}).values()) != list(self.inputs.digests):
            raise RunError(
                f"{self.folder.path}: this run was begun on other input; give the same files "
                "unchanged, or another --out"
            )

    def run(self) -> None:
        """All stages, then the page."""
        began = time.monotonic()
        corpus, lines = self._read()
        trained = self._stage("training", lambda: self._train(corpus))
        scored = self._stage("scoring", lambda: self._score(corpus))
        sampled: dict[str, Any] = {}
        similarity: dict[str, Any] = {}
        if not self.order.only_train:
            sampled = self._stage(
                "sampling",
                lambda: draw(self.folder, self.config, self.domain, corpus, self.watcher),
            )
            if isinstance(self.domain, Searches) and self.config.search.backend != "off":
                similarity = self._stage("searching", self._search)
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
        self.folder.finish()

    def _stage(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        def timed() -> dict[str, Any]:
            self.watcher.stage(name)
            began = time.monotonic()
            result = work()
            seconds = round(time.monotonic() - began, 2)
            return {**result, "wall_seconds": seconds, "peak_memory_mb": peak_memory_mb()}

        return self.folder.stage(name, timed)

    def _wall(self, began: float) -> float:
        """Seconds that the stages took, over all resumes; the page itself is not counted."""
        return max(time.monotonic() - began, self.folder.seconds())

    def _read(self) -> tuple[Corpus, list[Ingested]]:
        self.watcher.stage("reading")
        corpus, lines = read_corpus(
            self.inputs, self.config.data, self.folder.ingest, self.watcher.advance
        )
        refused = [line for line in lines if line.status == "refused"]
        files = f"{len(lines) - len(refused)} of {len(lines)} files"
        sizes = ", ".join(f"{corpus.part(part).symbols:,} {part}" for part in PARTS)
        self.watcher.note(
            f"read {files}: {sizes} symbols, {len(corpus.vocabulary.symbols)} different"
        )
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
        )
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
            )
        )

    def _score(self, corpus: Corpus) -> dict[str, Any]:
        from seqforge.stages.fitting import final_bits

        found = final_bits(self.folder, corpus, self.watcher)
        return {
            "bits_per_symbol": found,
            "baselines": baselines(corpus, self.domain, self.watcher),
        }

    def _search(self) -> dict[str, Any]:
        assert isinstance(self.domain, Searches)
        samples = sorted(self.folder.samples.glob(f"*{self.domain.suffix}"))
        against = [Path(path) for path in self.config.search.against] or self.inputs.files
        make_folder(self.folder.similarity)
        return self.domain.search(samples, against, self.folder.similarity, self.watcher.advance)

    def _write_page(
        self, summary: dict[str, Any], sampled: dict[str, Any], lines: Sequence[Ingested]
    ) -> None:
        from seqforge.reporting.page import write_report
        from seqforge.stages.fitting import read_metrics

        self.watcher.stage("the page")
        write_report(
            self.folder.page,
            summary,
            read_metrics(self.folder),
            sampled["shown"],
            ingest_rows(lines),
        )
