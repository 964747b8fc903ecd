"""Ten cells, two tasks and some learning rates in, how many symbols each cell predicts right out,
beside table 1 of Jozefowicz et al. 2015, An Empirical Exploration of Recurrent Network
Architectures. `algorithms` has the tasks.

Each cell has the learning rate whose mean over the seeds is best on a validation stream; figures
are of a test stream.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BaseModel, Field

from seqforge.base.html_page import Section, Table
from seqforge.charts.dot_plot import DotPlot
from seqforge.core.config import STRICT
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.prepared import prepare_model
from seqforge.experiments import algorithms
from seqforge.experiments.experiment import Row, Trial
from seqforge.experiments.page import chart_section, table_section
from seqforge.experiments.small_networks import (
    IGNORED,
    Batch,
    Practice,
    fresh_network,
    guesses,
    practise,
)

TITLE = "Ten cells on arithmetic and XML"
_SOURCE = "Jozefowicz et al. 2015, table 1"
_TABLE = {
    "rnn": (0.295, 0.321), "jozefowicz-lstm": (0.892, 0.425), "jozefowicz-lstm-f": (0.293, 0.234),
    "jozefowicz-lstm-i": (0.751, 0.414), "jozefowicz-lstm-o": (0.867, 0.421),
    "jozefowicz-lstm-b": (0.902, 0.444), "jozefowicz-gru": (0.896, 0.460), "mut1": (0.921, 0.475),
    "mut2": (0.897, 0.473), "mut3": (0.907, 0.465),
}  # fmt: skip
CELLS = tuple(_TABLE)
TASKS = {"arithmetic": algorithms.ARITHMETIC, "xml": algorithms.XML}
"""Names and their symbols."""
PUBLISHED: Sequence[Row] = tuple(
    {"cell": cell, **dict(zip(TASKS, figures, strict=True)), "source": _SOURCE}
    for cell, figures in _TABLE.items()
)
OTHERS = 0.1
"""What an XML symbol that no tag determines weighs in training, a determined one being 1."""
_TITLES = {"arithmetic": "Arithmetic", "xml": "XML"}
_COUNTED = {"arithmetic": "test", "xml": "test_all"}
"""What the paper counts: the answer; all symbols."""
_GROUP = 16  # batches of problems that are sorted by length together
_VALIDATION, _TEST = 10**6, 2 * 10**6  # added to the seed


class JozefowiczSettings(BaseModel):
    """Table ``[experiment]``."""

    model_config = STRICT

    learning_rates: Annotated[tuple[float, ...], Field(min_length=1)] = (1e-2, 2e-2, 5e-3)
    """Those of which each cell has its best."""
    seeds: Annotated[int, Field(ge=1, le=1000)] = 3
    """How many, from 0 on."""
    digits: Annotated[int, Field(ge=1, le=8)] = 3
    """Of the longest number; the paper's has 8."""
    longest_tag: Annotated[int, Field(ge=2, le=100)] = 5
    """Letters of the longest tag; the paper's has 10."""
    text_length: Annotated[int, Field(ge=10, le=10_000)] = 50
    """Symbols of an XML text."""
    curriculum: Annotated[float, Field(gt=0, le=1)] = 0.6
    """The share of training in which the longest number and the longest tag grow to their size."""
    hidden_size: Annotated[int, Field(ge=1, le=1024)] = 64
    arithmetic_steps: Annotated[int, Field(ge=1)] = 1600
    """Of training, each on `batch_size` problems."""
    xml_steps: Annotated[int, Field(ge=1)] = 2700
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 20
    scored: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Problems or texts of the test stream; the validation stream has half of that."""

    def steps(self, task: str) -> int:
        """Of training on a task."""
        return self.xml_steps if task == "xml" else self.arithmetic_steps


SETTINGS = JozefowiczSettings


def trials(settings: JozefowiczSettings) -> list[Trial]:
    """A trial a learning rate, seed, task and cell."""
    return [
        Trial(
            f"{task}-{cell}-{rate:g}-{seed}",
            {"task": task, "cell": cell, "learning_rate": rate, "seed": seed},
        )
        for rate in settings.learning_rates
        for seed in range(settings.seeds)
        for task in TASKS
        for cell in CELLS
    ]


def run(trial: Trial, settings: JozefowiczSettings) -> Row:
    """Train, and predict both streams."""
    task, seed, fields = trial.fields["task"], trial.fields["seed"], trial.fields
    model = fresh_network(fields["cell"], len(TASKS[task]), settings.hidden_size, seed)
    practice = Practice(settings.steps(task), fields["learning_rate"])
    batches = training_batches(task, np.random.default_rng(seed), settings)
    loss = practise(model, practice, lambda: next(batches))
    found: dict[str, Any] = {"loss": loss}
    for part, start, count in (
        ("valid", _VALIDATION, -(-settings.scored // 2)),
        ("test", _TEST, settings.scored),
    ):
        batch = hardest(task, np.random.default_rng(start + seed), count, settings)
        found |= {f"{part}{name}": share for name, share in accuracies(model, batch).items()}
    return found


def training_batches(
    task: str, rng: np.random.Generator, settings: JozefowiczSettings
) -> Iterator[Batch]:
    """Batches without end, that grow harder over the curriculum's share of the steps."""
    step, size = 0, settings.batch_size
    while True:
        share = min(1.0, step / (settings.curriculum * settings.steps(task)))
        if task == "xml":
            longest = 2 + int((settings.longest_tag - 2) * share)
            yield xml_batch(rng, size, settings.text_length, longest)
            step += 1
            continue
        digits = 1 + int((settings.digits - 1) * share)
        problems = algorithms.arithmetic_problems(rng, _GROUP * size, digits)
        problems.sort(key=len)
        for place in rng.permutation(_GROUP):
            yield arithmetic_batch(problems[place * size : (place + 1) * size])
        step += _GROUP


def hardest(task: str, rng: np.random.Generator, count: int, settings: JozefowiczSettings) -> Batch:
    """So many problems or texts, as they are at the end of training."""
    if task == "xml":
        return xml_batch(rng, count, settings.text_length, settings.longest_tag)
    return arithmetic_batch(algorithms.arithmetic_problems(rng, count, settings.digits))


def arithmetic_batch(problems: Sequence[str]) -> Batch:
    """Problems side by side; their answers and the dots after them are to be predicted."""
    size = max(map(len, problems))
    ids = np.full((size, len(problems)), algorithms.ARITHMETIC.index("."))
    targets = np.full_like(ids, IGNORED)
    for row, problem in enumerate(problems):
        symbols = algorithms.ids_of(problem, algorithms.ARITHMETIC)
        ids[: len(problem), row] = symbols
        answer = problem.index("=") + 1
        targets[answer : len(problem), row] = symbols[answer:]
    return Batch(torch.from_numpy(ids[:-1]), torch.from_numpy(targets[1:]))


def xml_batch(rng: np.random.Generator, count: int, length: int, longest: int) -> Batch:
    """Texts side by side; all symbols are to be predicted, those of closing tags weigh most."""
    drawn = random.Random(int(rng.integers(2**62)))  # quicker than NumPy's where draws are few
    texts = [algorithms.xml_text(drawn, length + 1, longest) for _ in range(count)]
    ids = np.stack([algorithms.ids_of(text, algorithms.XML) for text in texts], 1)
    known = np.stack([algorithms.in_closing_tags(text) for text in texts], 1)
    weights = np.where(known[1:], 1.0, OTHERS).astype(np.float32)
    whole = torch.from_numpy(ids)
    return Batch(whole[:-1].contiguous(), whole[1:], torch.from_numpy(weights))


def accuracies(model: CharRNN, batch: Batch) -> dict[str, float]:
    """Shares of symbols predicted right: of those determined, and, as ``_all``, of all where all
    are to be predicted.
    """
    state = model.zero_state(batch.ids.shape[1])
    found, _ = guesses(prepare_model(model, "fp32"), batch.ids, state)
    right = (found == batch.targets).double()
    if batch.weights is None:
        return {"": _mean(right[batch.targets != IGNORED])}
    return {"": _mean(right[batch.weights == 1.0]), "_all": _mean(right)}


def _mean(right: torch.Tensor) -> float:
    return round(float(right.mean()), 4)


def best_rows(rows: Sequence[Row], task: str, cell: str) -> list[Row]:
    """A cell's rows at the learning rate that is best on the validation stream."""
    by_rate: dict[float, list[Row]] = {}
    for row in rows:
        if (row["task"], row["cell"]) == (task, cell):
            by_rate.setdefault(row["learning_rate"], []).append(row)
    means = {rate: statistics.mean(r["valid"] for r in group) for rate, group in by_rate.items()}
    return by_rate[max(means, key=lambda rate: means[rate])] if means else []


def figures(rows: Sequence[Row], task: str) -> dict[str, tuple[float, float]]:
    """Each cell's mean, as the paper counts, and the paper's figure."""
    found = {}
    for cell in CELLS:
        if chosen := best_rows(rows, task, cell):
            published = _TABLE[cell][list(TASKS).index(task)]
            found[cell] = statistics.mean(row[_COUNTED[task]] for row in chosen), published
    return found


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float:
    """Spearman's, of two figures each; nan where one of them is always the same."""
    ranks = [[_rank(value, column) for value in column] for column in zip(*pairs, strict=True)]
    if any(len(set(column)) < 2 for column in ranks):
        return float("nan")
    return statistics.correlation(*ranks)


def _rank(value: float, among: Sequence[float]) -> float:
    return sum(other < value for other in among) + sum(other == value for other in among) / 2


def sections(rows: Sequence[Row], settings: JozefowiczSettings) -> list[Section]:
    """A table and a picture a task."""
    found = []
    for task, title in _TITLES.items():
        found.append(table_section(task, f"{title}: share right", _table(rows, task)))
        found.append(chart_section(
            f"{task}-published", f"{title}: here and published",
            DotPlot("share right, as the paper counts", _dots(rows, task)),
            "Cells in the published order; here a dot a seed.",
        ))  # fmt: skip
    return found


def _dots(rows: Sequence[Row], task: str) -> dict[str, dict[str, list[float]]]:
    found = figures(rows, task)
    return {
        cell: {
            "here": [row[_COUNTED[task]] for row in best_rows(rows, task, cell)],
            "published": [found[cell][1]],
        }
        for cell in sorted(found, key=lambda cell: -found[cell][1])
    }


def _table(rows: Sequence[Row], task: str) -> Table:
    columns = {"determined symbols": "test"}
    if task == "xml":
        columns["all symbols"] = "test_all"
    lines = []
    for cell, (_, published) in figures(rows, task).items():
        chosen = best_rows(rows, task, cell)
        shown = [_spread([row[key] for row in chosen]) for key in columns.values()]
        lines.append((cell, *shown, f"{published:.3f}", f"{chosen[0]['learning_rate']:g}"))
    return Table(("cell", *columns, "published", "learning rate"), tuple(lines))


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def conclusion(rows: Sequence[Row], settings: JozefowiczSettings) -> str:
    """Best and worst cell of each task, how far the order is the published one, and where not."""
    said = []
    for task, title in _TITLES.items():
        found = figures(rows, task)
        here, published = (
            sorted(found, key=lambda cell: -found[cell][column]) for column in (0, 1)
        )
        best, worst = here[0], here[-1]
        moved = max(found, key=lambda cell: abs(here.index(cell) - published.index(cell)))
        said.append(
            f"{title}: {best} first ({found[best][0]:.3f}), {worst} last ({found[worst][0]:.3f}), "
            f"rank correlation with the published order "
            f"{rank_correlation(list(found.values())):.2f}; the order differs most at {moved}, "
            f"number {here.index(moved) + 1} here and {published.index(moved) + 1} there."
        )
    return f"Symbols predicted right, mean of {settings.seeds} seeds. {' '.join(said)}"
