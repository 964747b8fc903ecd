"""A run summary and metrics in, report.html out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from pydantic import JsonValue

from seqforge import charts
from seqforge.base.folders import write_atomically
from seqforge.base.messages import (
    bits,
    duration,
    format_number,
    mapping,
    plural,
    readable,
    visible_controls,
)
from seqforge.core.data.ingest import Ingested
from seqforge.core.training.events import EvaluationRecord
from seqforge.reporting.sections import (
    BaselineComparison,
    ShownControls,
    Table,
    done,
    dynamic_note,
    facts,
    memory_bars,
    parts_table,
    records_table,
    report_tables,
    sentences,
)
from seqforge.reporting.summary import Advice, RunSummary, ShownSamples

_SHOWN = 2_000
"""Characters of each sample on the page; the file has the rest."""
_MOST_FILES = 12
"""More files than this are folded away; the refused ones are always shown."""


@dataclass(frozen=True)
class ShownSample:
    """A sample on the page."""

    title: str
    text: str
    note: str
    file: str
    link: str
    """Relative URL; empty if the name cannot be one."""


def write_report(
    path: Path,
    summary: RunSummary,
    metrics: Sequence[EvaluationRecord],
    samples: Sequence[ShownSamples],
    ingest: Sequence[Ingested],
) -> None:
    """The results of a run in; writes its page atomically.

    Args:
        path: Path of ``report.html``; links to samples are relative to its folder.
        summary: Content of ``summary.json``.
        metrics: Lines of ``metrics.jsonl``.
        samples: Samples to show, by temperature.
        ingest: Lines of ``ingest.tsv``.

    Raises:
        RunError: If the page cannot be written.
    """
    page = render(summary, metrics, samples, ingest)
    # A model may draw a lone surrogate, which UTF-8 cannot encode.
    write_atomically(path, page.encode("utf-8", "replace"))


def render(
    summary: RunSummary,
    metrics: Sequence[EvaluationRecord],
    samples: Sequence[ShownSamples],
    ingest: Sequence[Ingested],
) -> str:
    """The results of a run in, the page as HTML out; see `write_report`."""
    # Only the template and charts contain markup: all text from files is escaped.
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = resources.files(__package__).joinpath("page.html.jinja").read_text("utf-8")
    comparison = BaselineComparison.of(summary)
    return environment.from_string(source).render(
        name=summary.name,
        subtitle=_subtitle(summary),
        done=done(summary),
        unit=summary.unit,
        units=plural(summary.unit),
        bits=bits,
        comparison=comparison,
        sentences=comparison.sentences(summary.unit),
        bars=comparison.bars(),
        memory=memory_bars(summary),
        notes=(*summary.baselines.notes, *dynamic_note(summary)),
        parts=parts_table(summary),
        geometry=charts,
        advice=advice(summary.advice),
        curve=charts.learning_curve(metrics, comparison.ngram.bits if comparison.ngram else None),
        samples=[_sample(sample, summary.unit) for sample in samples],
        report=report_tables(summary.report),
        report_sentences=sentences(summary.report),
        similarity=_similarity(summary),
        machine=_machine(summary, len(metrics)),
        model=facts((readable(k), v) for k, v in summary.model.model_dump().items()),
        versions=facts(summary.versions.items()),
        command=summary.command,
        **_ingest(ingest),
    )


def _subtitle(summary: RunSummary) -> str:
    finished = summary.finished_at[:16].replace("T", " ")
    return f"pipeline {summary.pipeline}" + (finished and f", finished {finished}")


def _ingest(lines: Sequence[Ingested]) -> dict[str, object]:
    refused = [line for line in lines if line.status == "refused"]
    used = [line for line in lines if line.status != "refused"]
    files = "1 file" if len(lines) == 1 else f"{len(lines):,} files"
    return {
        "ingest_sentence": f"{files}: {len(used):,} read, {len(refused):,} refused.",
        "refused": records_table([*map(asdict, refused)]),
        "used": records_table([*map(asdict, used)]),
        "fold_files": len(used) > _MOST_FILES,
    }


def _sample(sample: ShownSamples, unit: str) -> ShownSample:
    text, file, notes = sample.text, sample.file or "", []
    notes.append(f"{format_number(sample.count)} {'sample' if sample.count == 1 else 'samples'}")
    if sample.mean_bits is not None:
        notes.append(f"{bits(sample.mean_bits)} bits per {unit} under the model itself")
    if len(text) > _SHOWN:
        notes.append(f"the first {_SHOWN:,} of {len(text):,} characters")
    at = f"Temperature {format_number(sample.temperature)}"
    return ShownSample(
        title="Greedy" if sample.temperature == 0 else at,
        text=visible_controls(text[:_SHOWN]),
        note="; ".join(notes),
        file=file,
        link=_relative_link(file),
    )


def _relative_link(file: str) -> str:
    """A path in the run folder in, its URL out; colons are quoted, so that none begins a scheme."""
    parts = PurePosixPath(file).parts
    if not parts or parts[0].startswith("/") or ".." in parts:
        return ""
    return quote("/".join(parts), safe="/", errors="replace")


def _similarity(summary: RunSummary) -> dict[str, object] | None:
    """The section on similarity; any of its keys may be missing."""
    found = summary.similarity
    if not found:
        return None
    size = found.get("library_length")
    return {
        "sentence": found.get("sentence") or "",
        "library": found.get("library") or "",
        "size": "" if size is None else f"{format_number(size)} {plural(summary.unit)}",
        "notes": [str(note) for note in _items(found.get("notes"))],
        "table": records_table([mapping(row) for row in _items(found.get("table"))]),
        "controls": ShownControls.of(mapping(found.get("controls"))),
    }


def _items(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


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
            ("weights", summary.parameters),
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
