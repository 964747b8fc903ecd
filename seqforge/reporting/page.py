"""A run summary and metrics in, report.html out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined

from seqforge import charts
from seqforge.base.folders import write_atomically
from seqforge.base.messages import (
    bits,
    duration,
    finite,
    format_number,
    mapping,
    plural,
    readable,
    unit_name,
    visible_controls,
)
from seqforge.reporting.sections import (
    BaselineComparison,
    ShownControls,
    Table,
    done,
    facts,
    parts_table,
    records_table,
    report_tables,
    sentences,
)

_SHOWN = 2_000
"""Characters of each sample on the page; the file has the rest."""
_MOST_FILES = 12
"""More files than this are folded away; the refused ones are always shown."""


@dataclass(frozen=True)
class ShownSample:
    """A sample as the page shows it."""

    title: str
    text: str
    note: str
    file: str
    link: str
    """A relative address, or nothing where the name cannot be one."""


def write_report(
    path: Path,
    summary: Mapping[str, Any],
    metrics: Sequence[Mapping[str, Any]],
    samples: Sequence[Mapping[str, Any]],
    ingest: Sequence[Mapping[str, str]],
) -> None:
    """Write the page of a run, atomically.

    Args:
        path: Where ``report.html`` goes; links to samples are relative to its folder.
        summary: ``summary.json``; anything in it may be null or missing.
        metrics: One mapping an evaluation: step, elapsed_seconds, train_bits, valid_bits,
            learning_rate, symbols_per_second; more is not looked at.
        samples: What to show: temperature, text, file.
        ingest: One mapping an input file: file, status (kept, split, refused), reason, records,
            symbols.

    Raises:
        RunError: If the page cannot be written.
    """
    page = render(summary, metrics, samples, ingest)
    # A model may draw half of a surrogate pair, which UTF-8 has no bytes for.
    write_atomically(path, page.encode("utf-8", "replace"))


def render(
    summary: Mapping[str, Any],
    metrics: Sequence[Mapping[str, Any]],
    samples: Sequence[Mapping[str, Any]],
    ingest: Sequence[Mapping[str, str]],
) -> str:
    """The page as HTML; see `write_report`."""
    # Markup is in the template alone, and in pictures: whatever comes from a file is escaped.
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = resources.files(__package__).joinpath("page.html.jinja").read_text("utf-8")
    comparison = BaselineComparison.of(summary)
    unit = unit_name(summary)
    return environment.from_string(source).render(
        name=str(summary.get("name") or summary.get("pipeline") or "a run"),
        subtitle=_subtitle(summary),
        done=done(summary),
        unit=unit,
        units=plural(unit),
        bits=bits,
        comparison=comparison,
        sentences=comparison.sentences(unit),
        bars=comparison.bars(),
        notes=mapping(summary.get("baselines")).get("notes") or [],
        parts=parts_table(summary),
        geometry=charts,
        advice=advice(summary),
        curve=charts.learning_curve(metrics, comparison.ngram),
        samples=_samples(samples, summary),
        report=report_tables(mapping(summary.get("report"))),
        report_sentences=sentences(mapping(summary.get("report"))),
        similarity=_similarity(summary),
        machine=_machine(summary, len(metrics)),
        model=facts((readable(k), v) for k, v in mapping(summary.get("model")).items()),
        versions=facts(mapping(summary.get("versions")).items()),
        command=summary.get("command"),
        **_ingest(ingest),
    )


def _subtitle(summary: Mapping[str, Any]) -> str:
    kind = summary.get("pipeline") or summary.get("domain")
    finished = str(summary.get("finished_at") or "")[:16].replace("T", " ")
    return ", ".join(
        part for part in (kind and f"pipeline {kind}", finished and f"finished {finished}") if part
    )


def _ingest(rows: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    refused = [row for row in rows if row.get("status") == "refused"]
    used = [row for row in rows if row.get("status") != "refused"]
    files = "1 file" if len(rows) == 1 else f"{len(rows):,} files"
    sentence = f"{files}: {len(used):,} read, {len(refused):,} refused."
    return {
        "ingest_sentence": sentence if rows else "Which files were read was not noted.",
        "refused": records_table([*map(_counted, refused)]),
        "used": records_table([*map(_counted, used)]),
        "fold_files": len(used) > _MOST_FILES,
    }


def _counted(row: Mapping[str, str]) -> dict[str, Any]:
    """A row of a TSV file with its counts as numbers."""
    return {key: int(cell) if str(cell).isdecimal() else cell for key, cell in row.items()}


def _samples(samples: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> list[ShownSample]:
    kept = [mapping(row) for row in summary.get("samples") or []]
    return [_sample(sample, kept, unit_name(summary)) for sample in samples]


def _sample(sample: Mapping[str, Any], kept: list[Mapping[str, Any]], unit: str) -> ShownSample:
    text, file = str(sample.get("text") or ""), str(sample.get("file") or "")
    temperature = sample.get("temperature")
    row = next((r for r in kept if r.get("file") == file), {}) or next(
        (r for r in kept if r.get("temperature") == temperature), {}
    )
    notes = []
    if row.get("count") is not None:
        notes.append(
            f"{format_number(row['count'])} {'sample' if row['count'] == 1 else 'samples'}"
        )
    if finite(row.get("mean_bits")) is not None:
        notes.append(f"{bits(row['mean_bits'])} bits per {unit} under the model itself")
    if len(text) > _SHOWN:
        notes.append(f"the first {_SHOWN:,} of {len(text):,} characters")
    return ShownSample(
        title="Greedy" if temperature == 0 else f"Temperature {format_number(temperature)}",
        text=visible_controls(text[:_SHOWN]),
        note="; ".join(notes),
        file=file,
        link=_relative_link(file),
    )


def _relative_link(file: str) -> str:
    """The address of a file of the run folder; a colon, quoted, cannot begin another scheme."""
    parts = PurePosixPath(file).parts
    if not parts or parts[0].startswith("/") or ".." in parts:
        return ""
    return quote("/".join(parts), safe="/", errors="replace")


def _similarity(summary: Mapping[str, Any]) -> dict[str, Any] | None:
    found = mapping(summary.get("similarity"))
    if not found:
        return None
    size = found.get("library_length")
    return {
        "sentence": found.get("sentence") or "",
        "library": found.get("library") or "",
        "size": "" if size is None else f"{format_number(size)} {plural(unit_name(summary))}",
        "notes": [str(note) for note in found.get("notes") or []],
        "table": records_table([mapping(row) for row in found.get("table") or []]),
        "controls": ShownControls.of(mapping(found.get("controls"))),
    }


def _machine(summary: Mapping[str, Any], evaluations: int) -> Table:
    speed = mapping(summary.get("speed"))
    memory = finite(summary.get("peak_memory_mb"))
    units = plural(unit_name(summary))

    def rate(key: str) -> str | None:
        known = finite(speed.get(key))
        return None if known is None else f"{known:,.0f} {units} a second"

    seconds = summary.get("wall_seconds")
    return facts(
        [
            ("training", rate("train_symbols_per_second")),
            ("sampling", rate("sample_symbols_per_second")),
            ("time in all", None if seconds is None else duration(seconds)),
            ("peak memory", None if memory is None else f"{memory:,.0f} MB"),
            ("evaluations", evaluations or None),
            ("weights", summary.get("parameters")),
            ("vocabulary", summary.get("vocabulary_size")),
            ("precision", summary.get("precision")),
            ("lanes", summary.get("lanes")),
            ("seed", None if summary.get("seed") is None else str(summary["seed"])),
        ]
    )


def advice(summary: Mapping[str, Any]) -> list[str]:
    """What was said of the network's size before training and of its curves after, as sentences."""
    said = mapping(summary.get("advice"))
    sentences = (str(said.get(key) or "") for key in ("before", "after"))
    return [f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences if sentence]
