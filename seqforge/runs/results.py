"""Results of the stages of a run, typed; all of them in, the run's summary out.

They are kept in the run folder (``stages.json``) and read back as the same types, so that a stage
that is done is not done again.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from seqforge.core.config import RunConfig
from seqforge.core.data.corpus import Corpus
from seqforge.core.data.domain import Domain
from seqforge.reporting.excerpt import Excerpt
from seqforge.reporting.spelled_scores import SpelledScores
from seqforge.reporting.summary import (
    Advice,
    BaselineFigures,
    BaselineScores,
    DynamicScores,
    Headline,
    HeldOutScores,
    LabelScores,
    Measure,
    MemoryScores,
    NgramScores,
    OverlapSummary,
    PartCounts,
    RunSummary,
    SamplesRow,
    ShownSamples,
    SpeedSummary,
    Table,
    TrainingSummary,
)
from seqforge.runs.spelled import spelled_scores
from seqforge.version import __version__


class StageResult(BaseModel):
    """What every stage leaves; what a later version left besides is passed over."""

    model_config = ConfigDict(frozen=True)

    wall_seconds: float = 0.0
    peak_memory_mb: float | None = None

    @property
    def least_seconds(self) -> float:
        """Time that the stage itself counted, over all resumes."""
        return 0.0


class TrainResult(StageResult):
    """What the training stage leaves beside the model."""

    steps: int
    best_step: int
    seconds: float
    seconds_in: dict[str, float] = {}
    """Of the clock's parts: stepping, looking, probing."""
    train_symbols_per_second: float
    symbols_seen: int
    precision: str
    lanes: int
    ranks: int = 1
    device: str
    parameters: int
    advice: Advice | None = None

    @property
    def least_seconds(self) -> float:
        """Training knows its own time over all resumes."""
        return self.seconds


class ScoreResult(StageResult):
    """Held-out bits of the best model and of the baselines."""

    bits_per_symbol: HeldOutScores
    baselines: BaselineScores
    figures: BaselineFigures = BaselineFigures()
    dynamic: DynamicScores = DynamicScores()
    ngram: NgramScores | None = None


class LabelResult(StageResult):
    """What labels bring."""

    scores: LabelScores


class MemoryResult(StageResult):
    """Held-out bits with the memory."""

    scores: MemoryScores

    def warning(self, network: float | None) -> str | None:
        """Bits of the network alone in, a sentence where the frozen mixture is worse out."""
        mixed = self.scores.mixed_frozen
        if mixed is None or network is None or mixed <= network:
            return None
        return (
            f"frozen, as samples have it, network and memory need {mixed:.4f} bits and the network "
            f"alone {network:.4f}: samples with --memory will be worse"
        )


class SampleResult(StageResult):
    """What was drawn, and what the domain measured of it."""

    samples: tuple[SamplesRow, ...]
    shown: tuple[ShownSamples, ...]
    sample_symbols_per_second: float
    report: Table
    measures: tuple[Measure, ...] = ()


class ExcerptResult(StageResult):
    """Held-out data as the network reads them, where anything is held out."""

    excerpt: Excerpt | None = None


class SearchOutcome(StageResult):
    """What the domain's search found: the keys are the domain's own and stand beside the times."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, JsonValue]


class HalfScores(BaselineFigures):
    """The second half of an input, beside baselines that have learnt from the first."""

    bits_per_symbol: float | None
    """None where it is infinite, as it may be of n-grams."""
    never_seen: int | None = None
    """Symbols that an n-gram model never saw after their contexts; None of a network."""
    bits_of_seen: float | None = None
    """Bits per symbol of the others; None of a network."""
    baselines: BaselineScores
    memory: MemoryScores | None = None
    """With a memory that has learnt from the first half too; None where none was asked for."""
    saved_memory: bool = False
    """Whether it was saved with the model, and has read the training data before."""


class TrainedOn(BaseModel):
    """What of an input a model was trained on."""

    model_config = ConfigDict(frozen=True)

    files: tuple[str, ...]
    """Those that are byte for byte files of its training."""
    share: float | None
    """Of the input's windows; None where the model's card does not say."""
    windows: str
    """What the windows are called."""
    sentence: str | None
    """None where there is nothing to say."""


class EvaluateResult(BaseModel):
    """The answer of ``seqforge evaluate``."""

    model_config = ConfigDict(frozen=True)

    model: str
    unit: str
    symbols: int
    bits_per_symbol: float | None
    """None where it is infinite, as it may be of n-grams."""
    spelled: SpelledScores | None = None
    """Of symbols that stand for several characters each; else None."""
    never_seen: int | None = None
    """Symbols that an n-gram model never saw after their contexts; None of a network."""
    bits_of_seen: float | None = None
    """Bits per symbol of the others; None of a network."""
    perplexity: float | None
    second_half: HalfScores
    trained_on: TrainedOn
    refused: tuple[str, ...]
    """Why, for each file that could not be used."""


@dataclass(frozen=True)
class RunResults:
    """The results of all stages; None where one was not asked for."""

    training: TrainResult
    scoring: ScoreResult
    memory: MemoryResult | None = None
    sampling: SampleResult | None = None
    searching: SearchOutcome | None = None
    labels: LabelResult | None = None

    @property
    def peak_memory_mb(self) -> float | None:
        """The most of all stages."""
        tail = (self.memory, self.sampling, self.searching, self.labels)
        stages = (self.training, self.scoring, *tail)
        known = [stage.peak_memory_mb for stage in stages if stage is not None]
        return max((value for value in known if value is not None), default=None)


@dataclass(frozen=True)
class RunFacts:
    """What a summary says of a run beside its results."""

    pipeline: str
    name: str
    command: str
    finished_at: str
    wall_seconds: float


def summarise(
    facts: RunFacts, config: RunConfig, domain: Domain, corpus: Corpus, results: RunResults
) -> RunSummary:
    """Put together what the stages found."""
    from seqforge.core.evaluation.likelihood import perplexity  # torch

    trained, scored, sampled = results.training, results.scoring, results.sampling
    bits, headline = scored.bits_per_symbol, _headline(results)
    return RunSummary(
        pipeline=facts.pipeline,
        domain=domain.name,
        name=facts.name,
        command=facts.command,
        finished_at=facts.finished_at,
        unit=domain.unit,
        symbols=_counts(corpus, "symbols"),
        records=_counts(corpus, "records"),
        overlap=OverlapSummary.of(corpus.partition.overlap),
        vocabulary_size=len(corpus.vocabulary),
        parameters=trained.parameters,
        init=config.init if config.init.model else None,
        model=config.model,
        bits_per_symbol=bits,
        perplexity=HeldOutScores(valid=perplexity(bits.valid), test=perplexity(bits.test)),
        spelled=headline
        and spelled_scores(corpus, domain, [corpus.part(headline.part)], headline.bits),
        ngram=scored.ngram,
        baselines=scored.baselines,
        **_with_memory(scored.figures, results.memory),
        labels=results.labels and results.labels.scores,
        headline=headline,
        **dict(scored.dynamic),
        speed=SpeedSummary(
            train_symbols_per_second=trained.train_symbols_per_second,
            sample_symbols_per_second=sampled and sampled.sample_symbols_per_second,
        ),
        advice=trained.advice,
        peak_memory_mb=results.peak_memory_mb,
        seed=config.training.seed,
        **facts_of_training(trained),
        samples=sampled.samples if sampled else (),
        report=sampled.report if sampled else {},
        measures=sampled.measures if sampled else (),
        similarity=results.searching and results.searching.model_dump(mode="json"),
        wall_seconds=facts.wall_seconds,
    )


def _with_memory(figures: BaselineFigures, memory: MemoryResult | None) -> dict[str, Any]:
    """Baselines by name, the memory alone among them."""
    scores = MemoryScores() if memory is None else memory.scores
    alone = {"memory-adaptive": scores.alone_adaptive, "memory-frozen": scores.alone_frozen}
    known = {name: bits for name, bits in alone.items() if bits is not None}
    kinds = {name: name.rpartition("-")[2] for name in known}
    return {
        "memory": memory and memory.scores,
        "baseline_bits": figures.baseline_bits | known,
        "baseline_kinds": {**figures.baseline_kinds, **kinds},
        "baseline_orders": figures.baseline_orders,
    }


def _headline(results: RunResults) -> Headline | None:
    """The memory's number where it was measured, else the network's."""
    part, bits = results.scoring.baselines.part, results.scoring.bits_per_symbol
    if part is None:
        return None
    scores = MemoryScores() if results.memory is None else results.memory.scores
    mixed = [scores.mixed_adaptive, scores.mixed_dynamic]
    known = [each for each in mixed if each is not None]
    if known:
        return Headline(bits=min(known), part=part, what="network+memory", adaptive=True)
    alone = bits.of(part)
    if alone is None:
        return None
    what: Literal["network", "ngram"] = "network" if results.scoring.ngram is None else "ngram"
    return Headline(bits=round(alone, 4), part=part, what=what, adaptive=False)


def _counts(corpus: Corpus, what: str) -> PartCounts:
    parts = {part: getattr(corpus.part(part), what) for part in PartCounts.model_fields}
    return PartCounts(**parts)


def facts_of_training(trained: TrainResult) -> dict[str, Any]:
    """What a summary says of how a model was trained, by its keys."""
    return {
        "training": TrainingSummary(
            steps=trained.steps,
            best_step=trained.best_step,
            seconds=trained.seconds,
            symbols_seen=trained.symbols_seen,
        ),
        "precision": trained.precision,
        "lanes": trained.lanes,
        "ranks": trained.ranks,
        "device": trained.device,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """What the results of a run may depend on."""
    libraries = {name: version(name) for name in ("torch", "numpy")}
    return {"seqforge": __version__, "python": platform.python_version(), **libraries}
