"""A model and temperatures in, how its samples change with the temperature out: entropy, novelty,
real words, full bars or k-mers, beside held-out data of the same size.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from pydantic import BaseModel, Field

from seqforge.api.model import Model, load
from seqforge.base.html_page import Section, Table, figure
from seqforge.base.messages import format_number
from seqforge.charts.xy import XyChart
from seqforge.core.config import STRICT
from seqforge.core.data.corpus import Corpus
from seqforge.core.data.domain import Domain, Sample
from seqforge.experiments.experiment import Row, Trial
from seqforge.experiments.page import table_section
from seqforge.registry import options_for_files
from seqforge.runs.load_inputs import KnownVocabulary, gather, read_corpus
from seqforge.runs.measures import measured_samples

TITLE = "Temperature"
PUBLISHED: Sequence[Row] = (
    {"data": "headlines, char-RNN", "best temperature": "0.4 to 0.5",
     "source": "lecture notes on recurrent networks"},
)  # fmt: skip


class TemperatureSettings(BaseModel):
    """Table ``[experiment]``."""

    model_config = STRICT

    model: str = "folk"
    """A model that ships, a model's file, or the folder of a run."""
    data: tuple[str, ...] = ()
    """What the model learned from: samples are compared with a held-out part of it; nothing: the
    domain's own example."""
    temperatures: tuple[Annotated[float, Field(gt=0, le=10)], ...]
    count: Annotated[int, Field(ge=1, le=100_000)] = 20
    """Samples a temperature."""
    length: Annotated[int, Field(ge=1, le=10**6)] = 400
    """Most symbols of a sample."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0


SETTINGS = TemperatureSettings


def trials(settings: TemperatureSettings) -> list[Trial]:
    """A trial a temperature."""
    return [Trial(f"t{value:g}", {"temperature": value}) for value in settings.temperatures]


def run(trial: Trial, settings: TemperatureSettings) -> Row:
    """Draw, measure the samples as the page of a run does, and trace them with the model."""
    model = load(settings.model)
    temperature = trial.fields["temperature"]
    samples = model.sample(
        settings.count, temperature=temperature, length=settings.length, seed=settings.seed
    )
    drawn = [sample for sample in samples if sample.drawn]
    traces = [model.trace(sample.drawn) for sample in drawn]
    size = sum(map(len, traces)) or 1
    domain, corpus = _corpus(model, settings)
    rows = measured_samples(domain, {"t": drawn}, corpus) if drawn else ()
    return {
        "entropy": round(sum(float(t.entropy.sum()) for t in traces) / size, 4),
        "bits": round(sum(float(t.bits.sum()) for t in traces) / size, 4),
        "distinct": round(_distinct(drawn), 4),
        "measures": {
            row.words: {"samples": row.samples["t"], "low": row.low, "high": row.high}
            for row in rows
        },
    }


def _corpus(model: Model, settings: TemperatureSettings) -> tuple[Domain, Corpus]:
    """What samples are compared with, in the model's vocabulary."""
    config = model.card.config
    options = options_for_files(config.domain_options)
    with TemporaryDirectory(prefix="seqforge-") as folder:
        inputs = gather(config.domain, options, settings.data, Path(folder))
        known = KnownVocabulary(model.card.vocabulary, extend=True)
        found, _ = read_corpus(
            inputs, config.data, Path(folder) / "ingest.tsv", lambda *_: None, known
        )
    return inputs.domain, found


def _distinct(samples: Sequence[Sample], k: int = 8) -> float:
    """The share of stretches of ``k`` symbols that occur once: low where samples go in circles."""
    every = [s.drawn[i : i + k] for s in samples for i in range(len(s.drawn) - k + 1)]
    return len(set(every)) / len(every) if every else 1.0


def sections(rows: Sequence[Row], settings: TemperatureSettings) -> list[Section]:
    """Entropy and bits by temperature, and a picture and a row a measure."""
    own = {
        "entropy of the next symbol (bits)": _points(rows, "entropy"),
        "surprise of what was drawn (bits)": _points(rows, "bits"),
    }
    said = (
        f"{settings.model}: mean over {settings.count} samples a temperature, by the model itself "
        "at temperature 1."
    )
    pictures = [figure(XyChart("temperature", "bits a symbol", own), said)]
    for name in _measures(rows):
        series = {
            "samples": [
                (row["temperature"], row["measures"][name]["samples"])
                for row in rows
                if name in row["measures"] and row["measures"][name]["samples"] is not None
            ]
        }
        for edge in ("low", "high"):
            level = _held_out(rows, name, edge)
            if level is not None:
                ends = rows[0]["temperature"], rows[-1]["temperature"]
                series[f"held-out data, {edge}est"] = [(end, level) for end in ends]
        pictures.append(figure(XyChart("temperature", "", series), name))
    table = Table(
        ("temperature", "entropy", "surprise", "distinct", *_measures(rows)),
        tuple(_cells(row, _measures(rows)) for row in rows),
    )
    return [
        Section("curves", "By temperature", "".join(pictures)),
        table_section("figures", "The same as figures", table),
    ]


def _points(rows: Sequence[Row], name: str) -> list[tuple[float, float]]:
    return [(row["temperature"], row[name]) for row in rows]


def _measures(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row["measures"]))


def _held_out(rows: Sequence[Row], name: str, edge: str) -> float | None:
    found = (row["measures"].get(name, {}).get(edge) for row in rows)
    return next((value for value in found if value is not None), None)


def _cells(row: Row, measures: Sequence[str]) -> tuple[str, ...]:
    own = (f"{row['temperature']:g}", *(f"{row[n]:.3f}" for n in ("entropy", "bits", "distinct")))
    values = (row["measures"].get(name, {}).get("samples") for name in measures)
    return (*own, *map(format_number, values))


def inside(row: Row) -> tuple[int, int]:
    """How many measures of a temperature lie in the range of held-out data, and of how many."""
    known = [m for m in row["measures"].values() if None not in (m["samples"], m["low"], m["high"])]
    return sum(m["low"] <= m["samples"] <= m["high"] for m in known), len(known)


def conclusion(rows: Sequence[Row], settings: TemperatureSettings) -> str:
    """At which temperatures most measures lie where held-out data lie."""
    counts = {row["temperature"]: inside(row) for row in rows}
    most = max(found for found, _ in counts.values())
    best = [f"{value:g}" for value, (found, _) in counts.items() if found == most]
    total = max(known for _, known in counts.values())
    return (
        f"{settings.model}: at {', '.join(best)} most measures lie in the range of held-out data "
        f"({most} of {total})."
    )
