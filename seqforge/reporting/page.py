"""A run summary and metrics in, report.html out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from seqforge.base import html_page
from seqforge.base.folders import write_atomically
from seqforge.base.html_page import Section, Table, facts, records_table
from seqforge.base.messages import (
    bits,
    duration,
    format_number,
    mapping,
    plural,
    readable,
    visible_controls,
)
from seqforge.charts import curve
from seqforge.core.data.ingest import Ingested
from seqforge.core.data.presentation import Wording
from seqforge.core.training.events import EvaluationRecord
from seqforge.reporting.first_screen import FirstScreen, Link, link, title
from seqforge.reporting.measures import MeasureTable
from seqforge.reporting.sections import (
    BaselineComparison,
    dynamic_note,
    memory_bars,
    parts_table,
    report_tables,
    sentences,
)
from seqforge.reporting.similarity import similarity
from seqforge.reporting.summary import Advice, RunSummary, ShownSamples
from seqforge.reporting.verdict import THRESHOLDS

_SHOWN = 2_000
"""Characters of each sample on the page; the file has the rest."""
_MOST_LINKED = 100
"""Files of a temperature that are linked."""
_MOST_FILES = 12
"""More files than this are folded away; damaged ones are always shown."""


@dataclass(frozen=True)
class ShownSample:
    """A sample on the page."""

    title: str
    text: str
    note: str
    file: str
    link: str
    """Relative URL; empty if the name cannot be one."""
    others: Sequence[Link] = ()
    """Further files of the same temperature."""


@dataclass(frozen=True)
class FilesRead:
    """The section on files."""

    sentence: str
    damaged: Table
    duplicates: Table
    duplicates_left_out: str
    used: Table
    fold: bool


@dataclass(frozen=True)
class RunPage:
    """All that the page of a run is made of."""

    summary: RunSummary
    metrics: Sequence[EvaluationRecord]
    samples: Sequence[ShownSamples]
    """Samples to show, by temperature."""
    ingest: Sequence[Ingested]
    """Lines of ``ingest.tsv``."""
    more: Sequence[Section] = ()
    """Sections of a domain, or of another part of the program such as the excerpt; each names the
    one that it follows."""
    commands: Sequence[tuple[str, str]] = ()
    """Commands to try next, and what each is for; ``{run}`` stands for the run folder."""


def write_report(path: Path, page: RunPage, folder: Path | None = None) -> None:
    """The results of a run in; writes its page atomically.

    Args:
        path: Path of ``report.html``.
        page: What it is made of.
        folder: The run's, to which links lead; None: that of the page.

    Raises:
        RunError: If the page cannot be written.
    """
    text = render(page, path.parent if folder is None else folder, path.parent)
    # A model may draw a lone surrogate, which UTF-8 cannot encode.
    write_atomically(path, text.encode("utf-8", "replace"))


def render(page: RunPage, folder: Path, at: Path) -> str:
    """What a page is made of, the run's folder and the page's in, the page as HTML out."""
    sections = html_page.placed(_sections(page, folder, at), page.more)
    names = [section.name for section in sections if section.markup.strip()]
    first = FirstScreen.of(page.summary, page.samples, names, folder, at, page.commands)
    macros = html_page.macros(__package__, "sections.html.jinja")
    return html_page.page(title(page.summary), macros.head(first), sections)


def _sections(page: RunPage, folder: Path, at: Path) -> Iterator[Section]:
    """The page's own sections; one that has nothing to show is empty."""
    macros = html_page.macros(__package__, "sections.html.jinja")
    summary, comparison = page.summary, BaselineComparison.of(page.summary)
    notes = (*summary.baselines.notes, *dynamic_note(summary))
    unit, ngram = summary.unit, comparison.ngram
    drawn = curve.learning_curve(page.metrics, ngram.bits if ngram else None)
    markup = {
        ("baselines", "Beside simpler means"): macros.baselines(comparison, unit, notes),
        ("memory", "What each part brought"): macros.memory(memory_bars(summary), unit),
        ("learning", "How it learned"): macros.learning(
            drawn, curve, unit, advice(summary.advice), _measured(summary, page.metrics)
        ),
        ("samples", "What it draws"): macros.samples(
            [_sample(sample, unit, folder, at) for sample in page.samples]
        ),
        ("measures", "What the samples are like"): _measures(macros, summary),
        ("similarity", "Are they like anything known?"): similarity(
            mapping(summary.similarity),
            unit,
            any(one.after == "similarity" for one in page.more),
            wordings={one.name: Wording(one.words, one.share) for one in summary.measures},
        ),
        ("files", "What was read"): macros.files(_files(page.ingest), parts_table(summary)),
        ("checks", "What the checks ask"): _checks(macros, summary),
        ("machine", "Speed, memory, settings"): macros.machine(
            _machine(summary, len(page.metrics)),
            facts((readable(k), v) for k, v in summary.model.model_dump().items()),
            facts(summary.versions.items()),
        ),
        ("again", "Do it again"): macros.again(summary.command),
    }
    for (name, heading), text in markup.items():
        yield Section(name, heading, str(text))


def _checks(macros: Any, summary: RunSummary) -> str:
    """When each check of the verdict passes, wants a look, fails."""
    chips = () if summary.verdict is None else summary.verdict.chips
    rows = tuple((chip.name, *THRESHOLDS[chip.name]) for chip in chips if chip.name in THRESHOLDS)
    return str(macros.checks(Table(("check", "passes", "look", "fails"), rows))) if rows else ""


def _measured(summary: RunSummary, metrics: Sequence[EvaluationRecord]) -> str:
    """What the bits of the curve were measured on, where the final score differs."""
    found = [one.valid_bits for one in metrics if one.valid_bits is not None]
    final = summary.bits_per_symbol.valid
    if not found or final is None or bits(min(found)) == bits(final):
        return ""
    return (
        "While it trains each evaluation reads a part of the valid data, so these bits are "
        f"estimates; on all of it the model that is kept needs {bits(final)}."
    )


def _measures(macros: Any, summary: RunSummary) -> str:
    tables = report_tables(summary.report)
    if not tables:
        return ""
    strips = MeasureTable.of(summary.measures)
    return str(macros.measures(strips, sentences(summary.report), tables))


def _files(lines: Sequence[Ingested]) -> FilesRead:
    duplicates = [line for line in lines if line.duplicate]
    damaged = [line for line in lines if line.status == "refused" and not line.duplicate]
    used = [line for line in lines if line.status != "refused"]
    files = "1 file" if len(lines) == 1 else f"{len(lines):,} files"
    copies = f"{len(duplicates):,} duplicate{'s'[: len(duplicates) != 1]} left out"
    return FilesRead(
        sentence=f"{files}: {len(used):,} read, {copies + ', ' if duplicates else ''}"
        f"{len(damaged):,} refused.",
        damaged=_file_table(damaged, lines),
        duplicates=_file_table(duplicates, lines),
        duplicates_left_out=copies,
        used=_file_table(used, lines),
        fold=len(used) > _MOST_FILES,
    )


def _file_table(lines: Iterable[Ingested], among: Sequence[Ingested]) -> Table:
    """Lines in, a table with paths from the folder that all files have in common out."""
    common = _common_folder([line.file for line in among])

    def short(text: str) -> str:
        return text.replace(common, "") if common else text

    def said(line: Ingested) -> str:
        return short(line.reason.removeprefix(f"{line.file}: "))

    rows = [replace(line, file=short(line.file), reason=said(line)) for line in lines]
    return records_table([*map(asdict, rows)])


def _common_folder(files: Sequence[str]) -> str:
    """The folder of all files, with its slash; of one file the folder that it lies in."""
    folders = [Path(file).parent.parts for file in files]
    if not folders or not all(Path(file).is_absolute() for file in files):
        return ""
    same = 0
    while all(len(parts) > same and parts[same] == folders[0][same] for parts in folders):
        same += 1
    return f"{Path(*folders[0][:same])}/" if same > 1 else ""


def _sample(sample: ShownSamples, unit: str, folder: Path, at: Path) -> ShownSample:
    text, file, notes = sample.text, sample.file or "", []
    notes.append(f"{format_number(sample.count)} {'sample' if sample.count == 1 else 'samples'}")
    if sample.mean_bits is not None:
        notes.append(f"{bits(sample.mean_bits)} bits per {unit} under the model itself")
    if len(text) > _SHOWN:
        notes.append(f"the first {_SHOWN:,} of {len(text):,} characters")
    heading = f"Temperature {format_number(sample.temperature)}"
    return ShownSample(
        title="Greedy" if sample.temperature == 0 else heading,
        text=visible_controls(text[:_SHOWN]),
        note="; ".join(notes),
        file=file,
        link=link(file, folder, at),
        others=[
            Link(Path(one).name, link(one, folder, at)) for one in sample.files[1:_MOST_LINKED]
        ],
    )


def _machine(summary: RunSummary, evaluations: int) -> Table:
    speed, memory = summary.speed, summary.peak_memory_mb

    def rate(known: float | None) -> str | None:
        return None if known is None else f"{known:,.0f} {plural(summary.unit)} a second"

    return facts(
        [
            ("training", rate(speed.train_symbols_per_second)),
            ("sampling", rate(speed.sample_symbols_per_second)),
            ("time in all", duration(summary.wall_seconds)),
            ("peak memory", None if memory is None else f"{memory:,.0f} MB"),
            ("evaluations", evaluations or None),
            ("weights" if summary.ngram is None else "grams", summary.parameters),
            ("vocabulary", summary.vocabulary_size),
            ("precision", summary.precision),
            ("lanes", summary.lanes),
            ("seed", str(summary.seed)),
        ]
    )


def advice(said: Advice | None) -> list[str]:
    """Advice in, its sentences out: on the network's size and on the learning curves."""
    sentences = () if said is None else (said.before, said.after)
    return [f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences if sentence]
