"""The results of a run in, ``summary.json`` out, and back. The one schema of that file.

The table in docs/files.md is generated from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, JsonValue, ValidationError

from seqforge.base.atomic_files import as_json
from seqforge.base.messages import first_problem, unreadable
from seqforge.core.config import InitConfig
from seqforge.core.data.overlap import WINDOW, Overlap
from seqforge.core.model_config import ModelConfig
from seqforge.errors import RunError
from seqforge.reporting.spelled_scores import SpelledScores

Table = Annotated[dict[str, JsonValue], BeforeValidator(as_json)]
"""What a domain reports: its own names and values, as JSON has them."""
HeldOutPart = Literal["valid", "test"]


class SummaryPart(BaseModel):
    """Base of all parts of ``summary.json``; unknown keys of later versions are ignored."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class PartCounts(SummaryPart):
    """A count for each part of the split."""

    train: int
    """Of the training part."""
    valid: int
    """Of the valid part, on which the best model is chosen."""
    test: int
    """Of the test part."""


class HeldOutScores(SummaryPart):
    """A score for each held-out part."""

    valid: float | None = None
    """Of the valid part; null where it is empty."""
    test: float | None = None
    """Of the test part; null where it is empty."""

    def of(self, part: HeldOutPart | None) -> float | None:
        """A part in, its score out; None if there is none."""
        return None if part is None else self.valid if part == "valid" else self.test


class NeverSeen(SummaryPart):
    """A count for each held-out part."""

    valid: int | None = None
    """Of the valid part; null where it is empty."""
    test: int | None = None
    """Of the test part; null where it is empty."""

    def of(self, part: HeldOutPart | None) -> int:
        """A part in, its count out; 0 if there is none."""
        return (self.valid if part == "valid" else self.test if part == "test" else None) or 0


class NgramScores(SummaryPart):
    """What an n-gram model gives no chance."""

    never_seen: NeverSeen
    """Held-out symbols that training never had after their contexts. Without smoothing each needs
    infinitely many bits, and `bits_per_symbol` is null."""
    bits_of_seen: HeldOutScores
    """Bits per symbol of the others."""


class BaselineScores(SummaryPart):
    """Bits per symbol of each baseline on the part that gives the headline number."""

    part: HeldOutPart | None
    """The part that is scored; null where nothing is held out."""
    uniform: float
    """Bits of guessing all symbols alike."""
    order_k: float | None
    """Bits of the best n-gram."""
    k: int | None
    """The order of the best n-gram."""
    orders: dict[int, float] = {}
    """Bits of the n-gram of each order."""
    compressors: dict[str, float | None] = {}
    """Bits of each general compressor; null where its output says nothing."""
    notes: tuple[str, ...] = ()
    """What limits cut, in sentences."""


BaselineKind = Literal["frozen", "adaptive"]


class BaselineFigures(SummaryPart):
    """All baselines on one part, by name: uniform, witten-bell, ppmd, ..."""

    baseline_bits: dict[str, float] = {}
    """Bits per symbol of each baseline, by its name."""
    baseline_kinds: dict[str, BaselineKind] = {}
    """Of each: adaptive if it learns from held-out symbols that it has scored, else frozen."""
    baseline_orders: dict[str, int] = {}
    """Symbols that it looks back, of each for which that was set or chosen."""


class MemoryScores(SummaryPart):
    """Bits per symbol with the memory of contexts and repeats, on the part of the headline.

    Adaptive: it also learns from each held-out symbol once that is scored. Null: not measured.
    """

    alone_frozen: float | None = None
    """The memory without the network, as training left it."""
    alone_adaptive: float | None = None
    """The memory without the network."""
    mixed_frozen: float | None = None
    """Memory and network, as training and the valid part left them."""
    mixed_adaptive: float | None = None
    """Memory and network."""
    mixed_dynamic: float | None = None
    """Memory and network, the network with dynamic evaluation (Krause et al. 2018)."""
    bytes: int = 0
    """Size of its counts and weights."""


class LabelRow(SummaryPart):
    """One label of a model that is conditioned by labels."""

    name: str
    """Its name."""
    share: float
    """Its share of the training records."""
    bits: float | None = None
    """Held-out bits per symbol of its records; null where none is held out."""
    recall: float | None = None
    """The share of its held-out records that are likelier under it than under any other label."""


class LabelScores(SummaryPart):
    """What the label brings, on the part that gives the headline number."""

    part: HeldOutPart
    """The part that is scored."""
    with_label: float
    """Bits per symbol with the true label."""
    without_label: float
    """Bits per symbol without it: of each record the mean of its probabilities under all labels,
    weighted by their shares in training."""
    recall: float
    """The mean of the labels' `recall` (macro recall)."""
    labels: tuple[LabelRow, ...] = ()
    """Each label."""


class Headline(SummaryPart):
    """The number on the first line of the page."""

    bits: float
    """Bits per symbol."""
    part: HeldOutPart
    """What it was measured on."""
    what: Literal["network", "network+memory", "ngram"]
    """What was scored."""
    adaptive: bool
    """Whether it also learned from each symbol once that was scored."""


class DynamicScores(SummaryPart):
    """Dynamic evaluation of the network, on the part that gives the headline number."""

    dynamic_evaluation: float | None = None
    """Bits per symbol of the network alone when it learns from each stretch it has scored (dynamic
    evaluation), on the same part, or its beginning; null where nothing is held out."""
    dynamic_evaluation_symbols: int | None = None
    """How many symbols that was measured on."""
    dynamic_evaluation_frozen: float | None = None
    """Bits per symbol of the network as it is, on the same symbols."""


class OverlapSummary(SummaryPart):
    """How much of the held-out part stands in the training part too."""

    held_out_in_training: float | None = None
    """Share of the held-out windows that training has; null where there is none."""
    window: int = WINDOW
    """Symbols of a window."""
    part: HeldOutPart | None = None
    """The held-out part that was looked at."""
    moved: bool = False
    """Whether another stretch than the tail is held out, which overlaps less."""

    @classmethod
    def of(cls, overlap: Overlap) -> OverlapSummary:
        """An overlap in, its rounded summary out."""
        share = None if overlap.share is None else round(overlap.share, 4)
        return cls(
            held_out_in_training=share,
            window=overlap.window,
            part=overlap.part,
            moved=overlap.moved,
        )

    @property
    def measured(self) -> Overlap:
        """The summary as an `Overlap`, which has sentences."""
        return Overlap(self.held_out_in_training, self.window, self.part, self.moved)


class Chip(SummaryPart):
    """One check of a run; its thresholds are those of `reporting.verdict`."""

    name: str
    """beats baselines, enough training, over-fitting, copies, like chance or refused files."""
    state: Literal["pass", "look", "fail"]
    """As the thresholds have it."""
    figure: str
    """What was measured, in a few words."""
    threshold: str
    """When it passes, and when it fails."""


class Verdict(SummaryPart):
    """Whether the run is any good, in a word."""

    word: Literal["good", "look", "not yet"]
    """good: all checks pass; not yet: one fails; look: else."""
    reason: str
    """A sentence: which checks decided it, and what to try."""
    chips: tuple[Chip, ...] = ()
    """The checks; one that does not apply to a run is left out."""


class SpeedSummary(SummaryPart):
    """Symbols a second."""

    train_symbols_per_second: float
    """Training symbols over time in training steps."""
    sample_symbols_per_second: float | None = None
    """Symbols drawn over time in drawing; null where nothing was drawn."""


class TrainingSummary(SummaryPart):
    """How far training came."""

    steps: int
    """Steps of the optimiser."""
    best_step: int
    """The step whose model is kept."""
    seconds: float
    """Time of the training loop with its evaluations, over all resumes."""
    symbols_seen: int
    """Symbols trained on, one read twice counted twice."""


class Advice(SummaryPart):
    """What was said of the size of the network and of its learning curves."""

    before: str = ""
    """Weights beside training symbols, in a sentence."""
    verdict: str | None = None
    """over-fitting, under-fitting, balanced, ...; null where the curves say nothing."""
    after: str | None = None
    """The verdict with its numbers, in a sentence."""


class SamplesRow(SummaryPart):
    """Samples drawn at one temperature."""

    file: str | None
    """The first file, seen from the run folder; null where nothing was written."""
    files: tuple[str, ...] = ()
    """All files."""
    temperature: float | str
    """Sampling temperature, or a temperature schedule such as ``1.2:0.5``."""
    seed: int | None = None
    """The seed that draws them again."""
    count: int
    """How many."""
    mean_bits: float | None = None
    """Mean bits per symbol under the model itself."""


class Measure(SummaryPart):
    """A measure of the samples, by temperature, beside held-out data."""

    name: str
    """As in `report`."""
    words: str
    """The same in plain words, the field's term in brackets."""
    share: bool = False
    """Whether it is a share from 0 to 1."""
    samples: dict[str, float | None]
    """Of the samples of each temperature."""
    low: float | None = None
    """The least of several groups of held-out data as large as those of the samples."""
    high: float | None = None
    """The most of them."""


class ShownSamples(SamplesRow):
    """A row with the text that the page shows."""

    text: str
    """The beginning of the samples."""


def _known(values: Any) -> Any:
    """A mapping in, the same without null values out, for which defaults apply."""
    return (
        {k: v for k, v in values.items() if v is not None} if isinstance(values, dict) else values
    )


class RunSummary(SummaryPart):
    """``summary.json``: the numbers of a run."""

    pipeline: str
    """The recipe's name."""
    domain: str
    """The domain's name."""
    name: str
    """The run folder's name."""
    command: str = ""
    """The command that was given."""
    finished_at: str = ""
    """When the run ended (ISO 8601)."""
    unit: str
    """What one symbol is called: base, character, ..."""
    symbols: PartCounts
    """Symbols of each part."""
    records: PartCounts
    """Records of each part."""
    verdict: Verdict | None = None
    """Whether the run is any good; null in summaries of older versions."""
    overlap: OverlapSummary = OverlapSummary()
    """How much of the held-out part stands in the training part too."""
    vocabulary_size: int
    """Different symbols, the end symbol among them."""
    parameters: int
    """Weights of the network, or grams of the n-gram model."""
    init: InitConfig | None = None
    """The model that training started from (`model`, `sha256`, `extend_vocabulary`); null: none."""
    task: Literal["generate", "classify", "label", "translate"] = "generate"
    """What the model is for."""
    metrics: dict[str, float] = {}
    """Of a task beside generation, on `metrics_part`: `accuracy` and `macro_f1` of classes and
    labels; `coding_f1`, `exon_f1`, `transcript_f1` of genes; `exact` and `token_accuracy` of
    translations."""
    metrics_part: HeldOutPart | None = None
    """The part that they were measured on."""
    baseline: str = ""
    """The simple model beside them, in words."""
    baseline_metrics: dict[str, float] = {}
    """The same measures of that."""
    model: Annotated[ModelConfig, BeforeValidator(_known)]
    """The network or n-gram model: the settings `model.*`."""
    bits_per_symbol: HeldOutScores
    """Bits per symbol of the network or n-gram model."""
    spelled: SpelledScores | None = None
    """Of symbols that stand for several characters each, such as words; else null."""
    ngram: NgramScores | None = None
    """Of an n-gram model; null for a network."""
    perplexity: HeldOutScores
    """2 to the power of these."""
    baselines: BaselineScores
    """What the classic simple means need on the same part."""
    baseline_bits: dict[str, float] = {}
    """Bits per symbol of each baseline on the same part, by its name."""
    baseline_kinds: dict[str, BaselineKind] = {}
    """Of each: adaptive if it learns from held-out symbols that it has scored, else frozen."""
    baseline_orders: dict[str, int] = {}
    """Symbols that it looks back, of each for which that was set or chosen."""
    memory: MemoryScores | None = None
    """With the memory of contexts and repeats; null where it is off or nothing is held out."""
    labels: LabelScores | None = None
    """Of a model that is conditioned by labels; null for others."""
    headline: Headline | None = None
    """The number on the first line of the page; null where nothing is held out."""
    dynamic_evaluation: float | None = None
    """Bits per symbol of the network alone when it learns from each stretch it has scored (dynamic
    evaluation), on the same part, or its beginning; null where nothing is held out."""
    dynamic_evaluation_symbols: int | None = None
    """How many symbols that was measured on."""
    dynamic_evaluation_frozen: float | None = None
    """Bits per symbol of the network as it is, on the same symbols."""
    speed: SpeedSummary
    """Symbols a second."""
    training: TrainingSummary
    """How far training came."""
    advice: Advice | None = None
    """What was said of the network's size and its learning curves."""
    peak_memory_mb: float | None = None
    """Most resident memory, in megabytes (10^6 bytes)."""
    seed: int
    """The seed of the run."""
    precision: str
    """fp32, bf16 or fp16; counts for an n-gram model."""
    lanes: int
    """Threads that trained."""
    ranks: int = 1
    """Processes that trained."""
    device: str = ""
    """The device that trained: cpu, cuda, ..."""
    versions: dict[str, str]
    """Versions of seqforge, python, torch, numpy."""
    samples: tuple[SamplesRow, ...] = ()
    """A row for each temperature; none after `train`."""
    report: Table = {}
    """What the domain measured of the samples; its page in docs/ has the names."""
    measures: tuple[Measure, ...] = ()
    """The same measures by temperature, beside held-out data of the same size."""
    similarity: Table | None = None
    """What the search for the samples found: `library`, `library_length`, `sentence`, `notes`,
    `table`, perhaps `said` and `controls`; null where there was none."""
    wall_seconds: float
    """Time of all stages, over all resumes."""

    @property
    def figures(self) -> BaselineFigures:
        """The baselines by name."""
        return BaselineFigures(
            baseline_bits=self.baseline_bits,
            baseline_kinds=self.baseline_kinds,
            baseline_orders=self.baseline_orders,
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """A ``summary.json`` of this version or an older one in, the summary out.

        Raises:
            RunError: If it cannot be read or is not a summary.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise RunError(f"{path}: {unreadable(error)}") from error
        except ValidationError as error:
            raise RunError(f"{path}: is not a run's summary ({first_problem(error)})") from error
