"""Cells and seeds in, how far each counts beyond what it was trained on out: a^n b^n, a^n b^n c^n.

After the first b all that follows is determined by n (Weiss, Goldberg and Yahav 2018, On the
Practical Computational Power of Finite Precision RNNs for Language Recognition). A network counts
n if its likeliest symbol is the right one at every such place, the end included.

Every cell is trained in every one of some ways, and has the one with which it counts farthest among
numbers a little beyond training; those beyond these decide nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, Field

from seqforge.base.html_page import Section, Table, figure
from seqforge.charts.xy import XyChart
from seqforge.core.cells.catalogue import cell_type
from seqforge.core.config import STRICT
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.prepared import RnnState, prepare_model
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

TITLE = "Counting"
PUBLISHED: Sequence[Row] = (
    {"cell": "lstm", "language": "a^n b^n", "trained to n": 100, "generalises to n": 256,
     "source": "Weiss et al. 2018"},
    {"cell": "gru", "language": "a^n b^n", "trained to n": 100, "fails from n": 39,
     "source": "Weiss et al. 2018"},
    {"cell": "lstm", "language": "a^n b^n c^n", "trained to n": 50, "generalises to n": 100,
     "source": "Weiss et al. 2018"},
    {"cell": "gru", "language": "a^n b^n c^n", "trained to n": 50, "fails from n": 9,
     "source": "Weiss et al. 2018"},
)  # fmt: skip

_LANGUAGES = {2: "a^n b^n", 3: "a^n b^n c^n"}
_WAYS: Mapping[str, Mapping[str, Any]] = {
    "mean": {"loss": "symbols"},
    "hardest": {"loss": "hardest", "last_share": 1e-3},
    "pulled": {"loss": "symbols", "sharpness": 30.0, "pull": 10.0, "last_share": 1e-3},
}
"""Ways of training, see `Practice`: on all symbols; on the hardest symbol of each word; on all with
sharp logits, the recurrent weights pulled to where they began.
"""
_AT_ONCE = 50  # numbers n that are tried side by side
_SHOWN = 3  # units whose state is drawn


def _practice(way: str, steps: int) -> Practice:
    """``mean/0.01``, a way and a learning rate, in; how to train out.

    Raises:
        ValueError: Says which ways there are.
    """
    name, _, said = way.partition("/")
    rate = math.nan
    with suppress(ValueError):
        rate = float(said)
    if name not in _WAYS or not 0 < rate <= 1:
        raise ValueError(f"{way!r} is not a way ({', '.join(_WAYS)}) and a rate, such as mean/0.01")
    return Practice(steps, rate, **_WAYS[name])


def _known_way(way: str) -> str:
    _practice(way, 1)
    return way


class CountingSettings(BaseModel):
    """Table ``[experiment]``."""

    model_config = STRICT

    cells: tuple[str, ...] = ("lstm/10", "lstm", "irnn", "gru", "rnn")
    """Names of cells; ``lstm/10`` is an lstm whose forget bias begins at 10."""
    languages: tuple[Annotated[int, Field(ge=2, le=3)], ...] = (2, 3)
    """2: a^n b^n, 3: a^n b^n c^n."""
    seeds: Annotated[int, Field(ge=1, le=1000)] = 10
    """How many, from 0 on."""
    trained_to: Annotated[int, Field(ge=1, le=500)] = 50
    """The largest n of training."""
    tried_to: Annotated[int, Field(ge=1, le=10_000)] = 2000
    """The largest n that is tried."""
    hidden_size: Annotated[int, Field(ge=1, le=1024)] = 10
    steps: Annotated[int, Field(ge=1)] = 4000
    """Of training, each on `batch_size` words."""
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 32
    ways: tuple[Annotated[str, AfterValidator(_known_way)], ...] = (
        "mean/0.01", "mean/0.03", "hardest/0.03", "pulled/0.01",
    )  # fmt: skip
    """Ways of training and learning rates; each cell has the one that counts farthest among n up to
    `validated_to`, mean of the seeds."""
    validated_to: Annotated[int, Field(ge=1)] = 100


SETTINGS = CountingSettings


def trials(settings: CountingSettings) -> list[Trial]:
    """A trial a language, cell, way and seed."""
    return [
        Trial(
            f"{letters}-{cell}-{way}-{seed}",
            {"cell": cell, "language": _LANGUAGES[letters], "way": way, "seed": seed},
        )
        for letters in settings.languages
        for cell in settings.cells
        for way in settings.ways
        for seed in range(settings.seeds)
    ]


def run(trial: Trial, settings: CountingSettings) -> Row:
    """Train, and count until the first failure; of seed 0 the states while counting are kept."""
    letters = next(n for n, name in _LANGUAGES.items() if name == trial.fields["language"])
    seed = trial.fields["seed"]
    name, _, bias = trial.fields["cell"].partition("/")
    forget_bias = float(bias) if bias else None
    model = fresh_network(name, letters + 1, settings.hidden_size, seed, forget_bias)
    rng = np.random.default_rng(seed)

    def draw() -> Batch:
        return words(rng.integers(1, settings.trained_to + 1, settings.batch_size), letters)

    loss = practise(model, _practice(trial.fields["way"], settings.steps), draw)
    row: dict[str, Any] = {
        "fails_from": first_failure(model, letters, settings.tried_to),
        "loss": loss if math.isfinite(loss) else None,
    }
    if seed == 0:
        row["states"] = counting_states(model, letters, 2 * settings.trained_to)
    return row


def words(numbers: NDArray[np.int64], letters: int) -> Batch:
    """A word for each n: the end symbol 0, then n times each letter 1, 2, (3).

    What is predicted: all from behind the first b on, the end included.
    """
    longest = int(numbers.max()) * letters + 1
    place = np.arange(longest + 1)[:, None] - 1
    symbols = np.where(place < 0, 0, place // numbers + 1)
    symbols[symbols > letters] = 0
    known = (place >= numbers + 1) & (place <= numbers * letters)
    targets = np.where(known, symbols, IGNORED)
    return Batch(torch.from_numpy(symbols[:-1]), torch.from_numpy(targets[1:]))


def first_failure(model: CharRNN, letters: int, most: int) -> int | None:
    """The first n from 1 on that a network does not count; None up to ``most``."""
    network = prepare_model(model, "fp32")
    _, state = guesses(network, torch.zeros(1, 1, dtype=torch.int64), model.zero_state(1))
    a = torch.ones(1, 1, dtype=torch.int64)
    for first in range(1, most + 1, _AT_ONCE):
        numbers = np.arange(first, min(first + _AT_ONCE, most + 1))
        after = []
        for _ in numbers:
            _, state = guesses(network, a, state)
            after.append(state)
        rest = _rest(words(numbers, letters), numbers)
        found, _ = guesses(network, rest.ids, _side_by_side(after))
        wrong = ((found != rest.targets) & (rest.targets != IGNORED)).any(0).numpy()
        if wrong.any():
            return int(numbers[wrong.argmax()])
    return None


def _rest(batch: Batch, numbers: NDArray[np.int64]) -> Batch:
    """The words without the end symbol and their a's, which have been read."""
    size = len(batch.ids) - int(numbers.min()) - 1
    ids = torch.zeros(size, len(numbers), dtype=torch.int64)
    targets = torch.full((size, len(numbers)), IGNORED)
    for row, n in enumerate(numbers):
        part = slice(int(n) + 1, None)
        kept = batch.ids[part, row]
        ids[: len(kept), row], targets[: len(kept), row] = kept, batch.targets[part, row]
    return Batch(ids, targets)


def _side_by_side(states: Sequence[RnnState]) -> RnnState:
    """The states of single rows as the state of many."""
    return [
        tuple(torch.cat([state[layer][part] for state in states]) for part in range(len(first)))
        for layer, first in enumerate(states[0])
    ]


def counting_states(model: CharRNN, letters: int, n: int) -> list[list[float]]:
    """What the units that move most carry while a word of n is read, one list a unit."""
    network, state = prepare_model(model, "fp32"), model.zero_state(1)
    part = cell_type(model.cell).carried
    carried = [[float(x) for x in state[0][part][0]]]
    for symbol in words(np.array([n]), letters).ids:
        _, state = guesses(network, symbol[None], state)
        carried.append([float(x) for x in state[0][part][0]])
    values = np.array(carried)
    moving = np.argsort(-np.abs(values[n] - values[0]))[:_SHOWN]
    return [[round(float(x), 3) for x in values[:, unit]] for unit in moving]


def sections(rows: Sequence[Row], settings: CountingSettings) -> list[Section]:
    """Medians over the seeds, where each seed fails, and the counting units."""
    table = Table(
        ("cell", *(_LANGUAGES[n] for n in settings.languages)),
        tuple(
            (cell, *(_summary(rows, cell, n, settings) for n in settings.languages))
            for cell in settings.cells
        ),
    )
    found = [table_section("failures", "The first n that fails", table)]
    letters = settings.languages[0]
    sorted_ = {
        cell: [
            (float(place), float(reached))
            for place, reached in enumerate(_failures(rows, cell, letters, settings), 1)
        ]
        for cell in settings.cells
    }
    language = _LANGUAGES[settings.languages[0]]
    found.append(chart_section(
        "seeds", f"Seeds, sorted ({language})",
        XyChart("seeds", "first n that fails", sorted_),
        f"Trained on n up to {settings.trained_to}; tried up to {settings.tried_to}.",
    ))  # fmt: skip
    found.append(Section("units", "Units that count", "".join(_units(rows, settings))))
    return found


def _units(rows: Sequence[Row], settings: CountingSettings) -> list[str]:
    pictures = []
    for row in rows:
        if row.get("states") and row in _of(rows, row["cell"], settings.languages[0], settings):
            series = {
                f"unit {number}": list(enumerate(values))
                for number, values in enumerate(row["states"], 1)
            }
            said = (
                f"{row['cell']}, seed 0: the {len(series)} units that move most while "
                f"{2 * settings.trained_to} times a and then b is read, twice as far as in training"
            )
            pictures.append(figure(XyChart("symbols read", "carried", series), said))
    return pictures


def _of(rows: Sequence[Row], cell: str, letters: int, settings: CountingSettings) -> list[Row]:
    """The rows of a cell trained in its way; of ways that are as good, at the lowest loss."""
    by_way: dict[str, list[Row]] = {}
    for row in rows:
        if (row["cell"], row["language"]) == (cell, _LANGUAGES[letters]):
            by_way.setdefault(row["way"], []).append(row)

    def merit(way: str) -> tuple[float, float]:
        most = settings.validated_to + 1
        counted = statistics.mean(min(_reached(row, settings), most) for row in by_way[way])
        return counted, -statistics.median(map(_loss, by_way[way]))

    return by_way[max(by_way, key=merit)] if by_way else []


def _loss(row: Row) -> float:
    """Infinite where training broke down."""
    return math.inf if row["loss"] is None else float(row["loss"])


def _reached(row: Row, settings: CountingSettings) -> int:
    """The first n that fails; one more than was tried where none does."""
    return int(row["fails_from"] or settings.tried_to + 1)


def _failures(
    rows: Sequence[Row], cell: str, letters: int, settings: CountingSettings
) -> list[int]:
    """The first n that fails, of each seed, sorted."""
    return sorted(_reached(row, settings) for row in _of(rows, cell, letters, settings))


def median(rows: Sequence[Row], cell: str, letters: int, settings: CountingSettings) -> float:
    """Of the first n that fails, over the seeds."""
    return statistics.median(_failures(rows, cell, letters, settings))


def _summary(rows: Sequence[Row], cell: str, letters: int, settings: CountingSettings) -> str:
    reached = _failures(rows, cell, letters, settings)
    middle = median(rows, cell, letters, settings)
    (way, *_) = {row["way"] for row in _of(rows, cell, letters, settings)}
    return f"{_said(middle, settings)} ({reached[0]} to {_said(reached[-1], settings)}; {way})"


def _said(n: float, settings: CountingSettings) -> str:
    return f"none up to {settings.tried_to}" if n > settings.tried_to else f"{n:g}"


def conclusion(rows: Sequence[Row], settings: CountingSettings) -> str:
    """The medians in a sentence."""
    letters = settings.languages[0]
    medians = {cell: median(rows, cell, letters, settings) for cell in settings.cells}
    order = sorted(medians, key=lambda cell: -medians[cell])
    said = ", ".join(f"{cell} {_said(medians[cell], settings)}" for cell in order)
    return (
        f"{_LANGUAGES[letters]}, trained on n up to {settings.trained_to}: the first n that fails, "
        f"median of {settings.seeds} seeds: {said}."
    )
