"""A checkpoint in, samples at each temperature with their report out; also the previews drawn
while training, and the training data that samples are judged by.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from seqforge.base.folders import make_folder
from seqforge.base.messages import Advance, unheard
from seqforge.core.config import Budget, RunConfig
from seqforge.core.data.corpus import Corpus
from seqforge.core.data.domain import Domain, Governed, Sample, TrainingData
from seqforge.core.data.ingest import Ingested
from seqforge.core.model.checkpoint import (
    Arrays,
    Checkpoint,
    ModelCard,
    load_checkpoint,
    load_labelled,
)
from seqforge.core.sampling.engine import KernelEngine
from seqforge.core.sampling.params import SamplerParams
from seqforge.core.sampling.sampler import Sampler, openings_of
from seqforge.errors import RunError, SeqforgeError
from seqforge.reporting.summary import SamplesRow, ShownSamples, Table
from seqforge.runs.folder import RunFolder
from seqforge.runs.load_inputs import Inputs, gather, read_corpus
from seqforge.runs.measures import measured_samples
from seqforge.runs.model_memory import ModelMemory
from seqforge.runs.progress import ProgressListener
from seqforge.runs.request import check_inputs
from seqforge.runs.results import SampleResult

OPTIONS = SamplerParams(temperature=0.8, length=200, seed=0)
"""The same draws each time: only the model changes from sample to sample."""


def preview(domain: Domain, card: ModelCard, weights: Arrays) -> Sample:
    """One sample of at most 200 symbols at temperature 0.8; of the commonest label."""
    checkpoint = Checkpoint(card, weights)
    if card.labels:
        commonest = card.label_shares.index(max(card.label_shares))
        checkpoint = checkpoint.of_label(card.labels[commonest])
    sampler = Sampler(
        checkpoint,
        domain.constraint(card.vocabulary),
        openings=openings_of(domain, card),
    )
    (sample,) = sampler.draw(1, OPTIONS)
    return sample


class PreviewInterval:
    """When the next preview is due, by seconds or steps."""

    def __init__(self, every: Budget) -> None:
        self._every, self._step, self._time = every, 0, time.monotonic()

    def due(self, step: int) -> bool:
        """Whether a preview is due after a step; starts the next interval if so."""
        if self._every.steps is not None:
            due = step // self._every.steps > self._step // self._every.steps
        else:
            due = time.monotonic() - self._time >= (self._every.seconds or 0)
        if due:
            self._step, self._time = step, time.monotonic()
        return due


def training_data_from(inputs: Inputs, corpus: Corpus, lines: Sequence[Ingested]) -> TrainingData:
    """Put together what `read_corpus` gave."""
    read = zip(inputs.files, lines, strict=False)  # behind them: files that were given twice
    files = tuple(path for path, line in read if line.status != "refused")
    return TrainingData(files, corpus)


def run_of(samples: Path) -> RunFolder | None:
    """The run of samples in ``runs/NAME/samples/``; None for files elsewhere."""
    place = samples.absolute().parent
    folder = RunFolder(place.parent)
    return folder if place.name == folder.samples.name and folder.begun else None


def training_data_of_samples(samples: Path, progress: Advance = unheard) -> TrainingData | None:
    """The training data of the samples' run; None for files outside of run folders.

    Raises:
        RunError: If the run's input is gone or has changed.
    """
    folder = run_of(samples)
    return None if folder is None else training_data_of_run(folder, progress)


def training_data_of_run(
    folder: RunFolder,
    progress: Advance = unheard,
) -> TrainingData:
    """The training data of a run.

    Raises:
        RunError: If the run's input is gone or has changed.
    """
    recipe = folder.recipe()
    config = recipe.config()
    try:
        inputs = gather(
            config.domain, config.domain_options, recipe.inputs, folder.path, resumed=True
        )
        check_inputs(folder, inputs.files, inputs.digests)
        with TemporaryDirectory() as elsewhere:  # the run's own table stays as it is
            table = Path(elsewhere) / "ingest.tsv"
            corpus, lines = read_corpus(inputs, config.data, table, progress)
    except SeqforgeError as error:
        raise RunError(
            f"{folder.path}: its training and held-out data can no longer be determined "
            f"({error}); bring the input back, or name FASTA instead: --against LIB.fa, and "
            "--held-out for samples copied out of the run folder"
        ) from error
    return training_data_from(inputs, corpus, lines)


_WITHOUT = "without the memory"
_SHOWN = 50_000  # characters of samples kept for the page at each temperature


def draw_samples_of_run(
    folder: RunFolder, config: RunConfig, domain: Domain, corpus: Corpus, watcher: ProgressListener
) -> SampleResult:
    """Draw, write and measure the samples of a run's settings."""
    if corpus.labels:
        return _draw_by_label(folder, config, domain, corpus, watcher)
    checkpoint = load_checkpoint(folder.model)
    openings = openings_of(domain, checkpoint.card)
    constraint, engine = domain.constraint(corpus.vocabulary), None
    if config.sampling.memory:
        memory = ModelMemory(folder.model, checkpoint)
        engine = memory.engine(KernelEngine.of(checkpoint), domain)
    sampler = Sampler(checkpoint, constraint, openings=openings, engine=engine)
    make_folder(folder.samples)
    everything: list[Sample] = []
    groups = dict[str, list[Sample]]()
    rows, shown, seconds = list[SamplesRow](), list[ShownSamples](), 0.0
    temperatures = config.sampling.temperatures
    for done, temperature in enumerate(temperatures):
        watcher.advance(done, len(temperatures), f"temperature {temperature}")
        began = time.perf_counter()
        samples = list(sampler.draw(config.sampling.count, _options(config, done)))
        seconds += time.perf_counter() - began
        files = domain.write(samples, _path(folder, domain, temperature))
        rows.append(_row(folder, files, temperature, samples))
        text = "\n".join(domain.show(sample) for sample in samples)
        shown.append(ShownSamples(**dict(rows[-1]), text=_encodable(text[:_SHOWN])))
        everything += samples
        groups[str(temperature)] = samples
    watcher.advance(1, 1, "measuring the samples")
    symbols = sum(len(sample.symbols) for sample in everything)
    report = domain.report(everything, corpus)
    if config.sampling.memory:
        plain = Sampler(checkpoint, constraint, openings=openings)
        report = _beside(report, domain.report(_drawn(plain, config), corpus))
    return SampleResult(
        samples=tuple(rows),
        shown=tuple(shown),
        sample_symbols_per_second=round(symbols / seconds, 1),
        report=report | _of_grammar(checkpoint, config, domain, everything),
        measures=measured_samples(domain, groups, corpus),
    )


def _draw_by_label(
    folder: RunFolder, config: RunConfig, domain: Domain, corpus: Corpus, watcher: ProgressListener
) -> SampleResult:
    """The same for a model with labels: so many samples of each label at each temperature."""
    checkpoint = load_labelled(folder.model)
    constraint, openings = (
        domain.constraint(corpus.vocabulary),
        openings_of(domain, checkpoint.card),
    )
    make_folder(folder.samples)
    groups = dict[str, list[Sample]]()
    rows, shown, seconds = list[SamplesRow](), list[ShownSamples](), 0.0
    for place, temperature in enumerate(config.sampling.temperatures):
        everything, files, texts = list[Sample](), list[Path](), list[str]()
        for done, label in enumerate(corpus.labels):
            watcher.advance(done, len(corpus.labels), f"temperature {temperature}, {label}")
            sampler = Sampler(checkpoint.of_label(label), constraint, openings=openings)
            began = time.perf_counter()
            samples = list(sampler.draw(config.sampling.count, _options(config, place)))
            seconds += time.perf_counter() - began
            path = _path(folder, domain, temperature)
            path = path.with_name(f"{path.stem}-{_in_a_name(label, done)}{path.suffix}")
            files += domain.write(samples, path)
            texts.append(f"{label}:\n" + "".join(domain.show(sample) for sample in samples))
            everything += samples
        rows.append(_row(folder, files, temperature, everything))
        text = _encodable("\n".join(texts)[:_SHOWN])
        shown.append(ShownSamples(**dict(rows[-1]), text=text))
        groups[str(temperature)] = everything
    watcher.advance(1, 1, "measuring the samples")
    drawn = [sample for group in groups.values() for sample in group]
    symbols = sum(len(sample.symbols) for sample in drawn)
    return SampleResult(
        samples=tuple(rows),
        shown=tuple(shown),
        sample_symbols_per_second=round(symbols / seconds, 1),
        report=domain.report(drawn, corpus),
        measures=measured_samples(domain, groups, corpus),
    )


def _in_a_name(label: str, number: int) -> str:
    """A label as part of a file's name; its number too where signs were taken out of it."""
    plain = re.sub(r"[^\w.-]", "_", label)[:60]
    return plain if plain == label else f"{plain}-{number + 1}"


def _encodable(text: str) -> str:
    """Without halves of surrogate pairs: they have no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _of_grammar(
    checkpoint: Checkpoint, config: RunConfig, domain: Domain, samples: Sequence[Sample]
) -> Table:
    """The effect of the grammar, if there is one, from the same draws without it."""
    if not isinstance(domain, Governed) or all(s.removed_mass is None for s in samples):
        return {}
    ungoverned = Sampler(checkpoint, openings=openings_of(domain, checkpoint.card))
    return domain.grammar_report(samples, _drawn(ungoverned, config))


def _drawn(sampler: Sampler, config: RunConfig) -> list[Sample]:
    """The samples of a run's settings, of all temperatures."""
    options = [_options(config, place) for place in range(len(config.sampling.temperatures))]
    return [sample for how in options for sample in sampler.draw(config.sampling.count, how)]


def _beside(report: Table, plain: Table) -> Table:
    """Measures of samples with the memory, and of the same draws without it beside them."""
    found = dict(report)
    for measure, row in report.items():
        other = plain.get(measure)
        if isinstance(row, dict) and isinstance(other, dict) and "samples" in row:
            found[measure] = {"samples": row["samples"], _WITHOUT: other["samples"], **row}
    return found


def _options(config: RunConfig, place: int) -> SamplerParams:
    """Sampling parameters at a temperature.

    Each temperature has a seed of its own, the run's and those after it: with one seed sample 1 at
    all temperatures would come from the same random numbers, and be largely the same.
    """
    return SamplerParams(
        temperature=config.sampling.temperatures[place],
        length=config.sampling.length,
        exact_length=config.sampling.exact_length,
        seed=(config.training.seed + place) % (1 << 63),
        memory=config.sampling.memory,
    )


def _path(folder: RunFolder, domain: Domain, temperature: float | str) -> Path:
    name = str(temperature).replace(":", "-")  # Windows forbids it in names
    stem = f"t{name}" if domain.file_per_sample else f"samples-t{name}"
    return folder.samples / (stem + domain.suffix)


def _row(
    folder: RunFolder, files: Sequence[Path], temperature: float | str, samples: Sequence[Sample]
) -> SamplesRow:
    known = [s.mean_log_prob for s in samples if s.mean_log_prob is not None]
    names = [path.relative_to(folder.path).as_posix() for path in files]
    return SamplesRow(
        file=names[0] if names else None,
        files=tuple(names),
        temperature=temperature,
        seed=samples[0].seed if samples else None,
        count=len(samples),
        mean_bits=round(-sum(known) / len(known) / math.log(2), 4) if known else None,
    )
