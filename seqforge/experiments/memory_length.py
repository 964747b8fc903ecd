"""Cells and lengths in, what they remember over so many symbols out: the copying and the adding
problem (Hochreiter and Schmidhuber 1997), and how gradients fade with distance.

Copying: some random letters, then blanks, then a mark at which the letters are to be told again.
Adding: random digits of which two, one in each half, are marked; behind them their sum is to be
told as two digits.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BaseModel, Field
from torch.nn.functional import cross_entropy

from seqforge.base.html_page import Section, Table, figure
from seqforge.charts.xy import XyChart
from seqforge.core.config import STRICT
from seqforge.core.model.cells import run_layer
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.prepared import prepare_model
from seqforge.experiments.experiment import Row, Trial
from seqforge.experiments.page import table_section
from seqforge.experiments.small_networks import (
    IGNORED,
    Batch,
    Practice,
    fresh_network,
    guesses,
    practise,
)

TITLE = "What cells remember"
PUBLISHED: Sequence[Row] = ()

_LETTERS = 8  # of the copying problem: symbols 1 to 8; 0 is the blank, 9 the mark
_COPIED = 5
_MARK = _LETTERS + 1
_DIGITS = 10  # digits are symbols 0 to 9, marked ones 10 to 19, 20 asks for the sum
_ASK = 2 * _DIGITS
_TESTED = 512
_GRADIENT_ROWS = 64


class MemoryLengthSettings(BaseModel):
    """Table ``[experiment]``."""

    model_config = STRICT

    cells: tuple[str, ...] = ("rnn", "irnn", "lstm/0", "lstm/1", "lstm/5", "gru", "mingru")
    """Names of cells; ``lstm/5`` is an lstm whose forget bias begins at 5."""
    problems: tuple[str, ...] = ("copying", "adding")
    lengths: tuple[Annotated[int, Field(ge=4, le=5000)], ...] = (10, 30, 100)
    """Blanks of the copying problem; digits of the adding problem."""
    seeds: Annotated[int, Field(ge=1, le=1000)] = 2
    """How many, from 0 on."""
    hidden_size: Annotated[int, Field(ge=1, le=1024)] = 64
    steps: Annotated[int, Field(ge=1)] = 1500
    """Of training, each on `batch_size` sequences."""
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 32
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-3


SETTINGS = MemoryLengthSettings


def trials(settings: MemoryLengthSettings) -> list[Trial]:
    """A trial a problem, length, cell and seed."""
    return [
        Trial(
            f"{problem}-{length}-{cell}-{seed}",
            {"problem": problem, "length": length, "cell": cell, "seed": seed},
        )
        for problem in settings.problems
        for length in settings.lengths
        for cell in settings.cells
        for seed in range(settings.seeds)
    ]


def run(trial: Trial, settings: MemoryLengthSettings) -> Row:
    """Train, and tell new sequences; the share of symbols that are right, and gradients."""
    fields = trial.fields
    name, _, bias = fields["cell"].partition("/")
    draw_from, symbols = PROBLEMS[fields["problem"]]
    model = fresh_network(
        name, symbols, settings.hidden_size, fields["seed"], float(bias) if bias else None
    )
    rng = np.random.default_rng(fields["seed"])
    length = fields["length"]
    fresh = gradient_norms(model, draw_from(rng, length, _GRADIENT_ROWS))
    loss = practise(
        model,
        Practice(settings.steps, settings.learning_rate),
        lambda: draw_from(rng, length, settings.batch_size),
    )
    test = draw_from(np.random.default_rng(10**6 + fields["seed"]), length, _TESTED)
    return {"accuracy": accuracy(model, test), "loss": loss, "gradients": fresh}


def copying(rng: np.random.Generator, length: int, rows: int) -> Batch:
    """Letters, blanks, a mark; then the letters again, each read after it was told."""
    letters = rng.integers(1, _LETTERS + 1, (_COPIED, rows))
    blanks, marks = np.zeros((length, rows), np.int64), np.full((1, rows), _MARK)
    ids = np.concatenate([letters, blanks, marks, letters[:-1]])
    targets = np.full_like(ids, IGNORED)
    targets[-_COPIED:] = letters
    return Batch(torch.from_numpy(ids), torch.from_numpy(targets))


def adding(rng: np.random.Generator, length: int, rows: int) -> Batch:
    """Digits, two of them marked; then the tens and the ones of their sum."""
    digits = rng.integers(0, _DIGITS, (length, rows))
    half, every = length // 2, np.arange(rows)
    places = rng.integers(0, half, rows), rng.integers(half, length, rows)
    total = sum(digits[place, every] for place in places)
    for place in places:
        digits[place, every] += _DIGITS
    tens, ones = np.divmod(total, _DIGITS)
    ids = np.concatenate([digits, np.full((1, rows), _ASK), tens[None]])
    targets = np.full_like(ids, IGNORED)
    targets[-2], targets[-1] = tens, ones
    return Batch(torch.from_numpy(ids), torch.from_numpy(targets))


PROBLEMS: dict[str, tuple[Callable[[np.random.Generator, int, int], Batch], int]] = {
    "copying": (copying, _MARK + 1),
    "adding": (adding, _ASK + 1),
}
"""How a batch is drawn, and how many symbols there are."""


def accuracy(model: CharRNN, batch: Batch) -> float:
    """The share of the symbols to be told that are told right."""
    found, _ = guesses(
        prepare_model(model, "fp32"), batch.ids, model.zero_state(batch.ids.shape[1])
    )
    asked = batch.targets != IGNORED
    return round(float((found == batch.targets)[asked].double().mean()), 4)


def gradient_norms(model: CharRNN, batch: Batch) -> list[float]:
    """The norm of the gradient of the last symbol's loss with respect to each input before, the
    nearest one first, mean over the rows, as a share of the nearest's: fading seen.
    """
    x = model.embedding(batch.ids).detach().requires_grad_()
    (layer,), state = model.recurrent_layers(), model.zero_state(batch.ids.shape[1])[0]
    out, _ = run_layer(layer, x, state)
    loss = cross_entropy(model.output(out[-1]), batch.targets[-1], reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)
    norms = gradient.norm(dim=2).mean(1).flip(0)
    return [float(f"{share:.4g}") for share in (norms / norms[0]).tolist()]


def sections(rows: Sequence[Row], settings: MemoryLengthSettings) -> list[Section]:
    """A table and a picture a problem, and the gradients of the longest."""
    found = []
    for problem in settings.problems:
        table = Table(
            ("cell", *map(str, settings.lengths)),
            tuple(
                (cell, *(_mean(rows, problem, length, cell) for length in settings.lengths))
                for cell in settings.cells
            ),
        )
        title = f"{problem.capitalize()}: share of symbols right, by length"
        found.append(table_section(problem, title, table))
    longest = max(settings.lengths)
    pictures = [
        figure(
            XyChart(
                "symbols back", "log10 of the gradient's norm", _fading(rows, problem, longest)
            ),
            f"{problem.capitalize()}, {longest}: of networks before training, seed 0. A straight "
            "line down is a gradient that fades by the same share each step.",
        )
        for problem in settings.problems
    ]
    return [*found, Section("gradients", "How gradients fade with distance", "".join(pictures))]


def _fading(rows: Sequence[Row], problem: str, length: int) -> dict[str, list[tuple[float, float]]]:
    return {
        row["cell"]: [
            (float(back), float(np.log10(max(share, 1e-12))))
            for back, share in enumerate(row["gradients"])
        ]
        for row in rows
        if (row["problem"], row["length"], row["seed"]) == (problem, length, 0)
    }


def _values(rows: Sequence[Row], problem: str, length: int, cell: str) -> list[float]:
    wanted = problem, length, cell
    return [r["accuracy"] for r in rows if (r["problem"], r["length"], r["cell"]) == wanted]


def _mean(rows: Sequence[Row], problem: str, length: int, cell: str) -> str:
    values = _values(rows, problem, length, cell)
    spread = f" ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{spread}" if values else ""


def conclusion(rows: Sequence[Row], settings: MemoryLengthSettings) -> str:
    """Which cells still tell nine symbols of ten over the longest stretch."""
    longest = max(settings.lengths)
    said = []
    for problem in settings.problems:
        means: dict[str, Any] = {
            cell: statistics.mean(_values(rows, problem, longest, cell)) for cell in settings.cells
        }
        order = sorted(means, key=lambda cell: -means[cell])
        said.append(f"{problem}: " + ", ".join(f"{cell} {means[cell]:.2f}" for cell in order))
    means_of = f"mean of {settings.seeds} seeds"
    return f"Symbols told right over {longest} symbols, {means_of}; {'; '.join(said)}."
