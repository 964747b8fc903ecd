"""The peephole LSTM, eight variants of it and a file of chorales in, nats a frame of each out.

The variants leave one thing out, or add one (Greff et al. 2017, LSTM: A Search Space Odyssey). A
frame says which of 88 keys sound; each is predicted from those before it, key by key (Boulanger-
Lewandowski et al. 2012). The best epoch is chosen on the valid part, the test part is scored once.
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import AfterValidator, BaseModel, Field
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, dropout, pad
from torch.nn.utils.rnn import pad_sequence

from seqforge.base.html_page import Section, Table
from seqforge.charts.dot_plot import DotPlot
from seqforge.core.config import STRICT, Fraction
from seqforge.core.kernels.equation_window import equation_weights
from seqforge.core.model.cells import recurrent_layer, zero_state
from seqforge.errors import InputError
from seqforge.experiments.experiment import Row, Trial
from seqforge.experiments.page import chart_section, table_section

TITLE = "Variants of the LSTM on chorales"
PLAIN = "lstm-peephole"
VARIANTS = {
    PLAIN: "what the others are compared with",
    "lstm-nig": "no significant difference on music",
    "lstm-nfg": "significantly worse",
    "lstm-nog": "no significant difference on music",
    "lstm-niaf": "no significant difference on music",
    "lstm-noaf": "significantly worse",
    "lstm-cifg": "no significant difference",
    "lstm-np": "no significant difference",
    "lstm-fgr": "worse on the chorales",
}
"""Cells, and what the paper's text says of each; its figures are box plots."""
_SOURCE = "Greff et al. 2017, section V"
PUBLISHED: Sequence[Row] = (
    *({"cell": cell, "published": said, "source": _SOURCE} for cell, said in VARIANTS.items()),
    {"cell": "lstm", "nats a frame": 8.45, "source": "Bai et al. 2018, table 1"},
    {"cell": "lstm", "nats a frame": 8.29, "source": "seqforge, benchmarks/polyphony.py"},
)
KEYS = 88
PARTS = ("train", "valid", "test")
_DECIMALS = 3


@dataclass(frozen=True)
class Pieces:
    """Chorales, (T, 88) of 0 and 1 each."""

    train: list[Tensor]
    valid: list[Tensor]
    test: list[Tensor]


@lru_cache(maxsize=1)
def read_pieces(path: Path) -> Pieces:
    """A MATLAB file in, its pieces out.

    Raises:
        InputError: If it cannot be read, or has no such pieces.
    """
    try:
        from scipy.io import loadmat  # type: ignore[import-untyped]  # scipy has none
    except ImportError as error:
        raise InputError("files of MATLAB need scipy; pip install scipy") from error
    try:
        found = loadmat(path)
        parts = [[_frames(piece) for piece in found[f"{part}data"][0]] for part in PARTS]
    except Exception as error:  # whatever scipy raises at what is no such file, or a damaged one
        raise InputError(
            f"{path}: not a MATLAB file with traindata, validdata and testdata of pieces of "
            f"{KEYS} keys ({error})"
        ) from error
    return Pieces(*parts)


def _frames(piece: Any) -> Tensor:
    frames = np.ascontiguousarray(piece, np.float32)
    if frames.ndim != 2 or frames.shape[1] != KEYS:
        raise ValueError(f"a piece has the shape {frames.shape}")
    return torch.from_numpy(frames)


def _readable(data: tuple[str, ...]) -> tuple[str, ...]:
    if not data:
        raise ValueError("chorales are wanted; give --input JSB_Chorales.mat")
    try:
        read_pieces(Path(data[0]))
    except InputError as error:
        raise ValueError(str(error)) from error
    return data


class GreffSettings(BaseModel):
    """Table ``[experiment]``."""

    model_config = STRICT

    data: Annotated[
        tuple[str, ...], Field(max_length=1, validate_default=True), AfterValidator(_readable)
    ] = ()
    """JSB_Chorales.mat, as published with Bai et al. 2018: cells ``traindata``, ``validdata`` and
    ``testdata`` of pieces (T, 88)."""
    seeds: Annotated[int, Field(ge=1, le=1000)] = 3
    """How many, from 0 on."""
    hidden_size: Annotated[int, Field(ge=1, le=2048)] = 96
    dropout: Fraction = 0.5
    """Of the output of the layer; one mask for a whole piece."""
    batch_size: Annotated[int, Field(ge=1, le=1000)] = 8
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-2
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 40
    """At most."""
    patience: Annotated[int, Field(ge=1)] = 8
    """Epochs without a better valid part before training ends."""


SETTINGS = GreffSettings


def trials(settings: GreffSettings) -> list[Trial]:
    """A trial a seed and cell."""
    return [
        Trial(f"{cell}-{seed}", {"cell": cell, "seed": seed})
        for seed in range(settings.seeds)
        for cell in VARIANTS
    ]


def run(trial: Trial, settings: GreffSettings) -> Row:
    """Train until the valid part gets no better, and score the test part."""
    pieces = read_pieces(Path(settings.data[0]))
    torch.manual_seed(trial.fields["seed"])
    network = FrameNetwork(trial.fields["cell"], settings.hidden_size)
    network.start_from(pieces.train)
    rng = np.random.default_rng(trial.fields["seed"])
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    best, kept, at = float("inf"), copy.deepcopy(network.state_dict()), 0
    for epoch in range(1, settings.epochs + 1):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * (1 - 0.9 * (epoch - 1) / settings.epochs)
        _train_epoch(network, optimizer, pieces.train, rng, settings)
        valid = scored(network, pieces.valid)
        if valid < best:
            best, kept, at = valid, copy.deepcopy(network.state_dict()), epoch
        elif epoch - at >= settings.patience:
            break
    network.load_state_dict(kept)
    test = scored(network, pieces.test)
    return {"valid": round(best, _DECIMALS), "test": round(test, _DECIMALS), "epoch": at}


class FrameNetwork(nn.Module):
    """A recurrent layer over frames, and an output of a probability a key."""

    def __init__(self, cell: str, hidden_size: int) -> None:
        super().__init__()
        self.cell, self.hidden_size = cell, hidden_size
        self.layer: Any = recurrent_layer(cell, KEYS, hidden_size)
        self.output = nn.Linear(hidden_size, KEYS)

    def start_from(self, pieces: Sequence[Tensor]) -> None:
        """Let the output begin at how often each key sounds."""
        shares = torch.cat(list(pieces)).mean(0).clamp(1e-4, 1 - 1e-4)
        self.output.bias.data.copy_(shares.logit())

    def forward(self, frames: Tensor, rate: float = 0.0) -> Tensor:
        """Logits (T, B, 88) of the frame after each of frames (T, B, 88).

        Args:
            frames: From the beginning of pieces on.
            rate: Of dropout.
        """
        given = self.layer.weight_hh_l0
        weights = equation_weights(self.cell, self.layer, given, None)
        packed = weights.packed(False, torch.is_grad_enabled())
        assert weights.w_in is not None, "a layer that reads no symbols"
        x = pad(frames, (0, weights.w_in.shape[1] - KEYS)).contiguous()
        state = zero_state(self.cell, frames.shape[1], self.hidden_size, frames)
        out, _ = packed.run(x, weights, state)
        h = out[..., : self.hidden_size]
        if rate:
            h = h * dropout(torch.ones_like(h[0]), rate)
        logits: Tensor = self.output(h)
        return logits


def nats(logits: Tensor, frames: Tensor) -> Tensor:
    """Cross-entropy of each frame: binary, summed over the keys."""
    return binary_cross_entropy_with_logits(logits, frames, reduction="none").sum(-1)


def _batch_nats(
    network: FrameNetwork, pieces: Sequence[Tensor], rate: float
) -> tuple[Tensor, Tensor]:
    """Nats of all frames but each piece's first, and how many these are."""
    frames = pad_sequence(list(pieces))
    lengths = torch.tensor([len(piece) for piece in pieces])
    there = torch.arange(1, len(frames))[:, None] < lengths
    found = nats(network(frames[:-1], rate), frames[1:])
    return (found * there).sum(), there.sum()


def _train_epoch(
    network: FrameNetwork, optimizer: torch.optim.Optimizer, pieces: Sequence[Tensor],
    rng: np.random.Generator, settings: GreffSettings,
) -> None:  # fmt: skip
    """See each piece once, pieces of like lengths together."""
    lengths = np.array([len(piece) for piece in pieces]) * rng.uniform(0.8, 1.25, len(pieces))
    groups = np.array_split(np.argsort(lengths), -(-len(pieces) // settings.batch_size))
    for place in rng.permutation(len(groups)):
        total, count = _batch_nats(network, [pieces[i] for i in groups[place]], settings.dropout)
        optimizer.zero_grad()
        (total / count).backward()  # type: ignore[no-untyped-call]  # torch's
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()


@torch.no_grad()
def scored(network: FrameNetwork, pieces: Sequence[Tensor]) -> float:
    """Nats a frame, over all frames but each piece's first."""
    ordered = sorted(pieces, key=len)
    sums = [
        _batch_nats(network, ordered[first : first + 32], 0.0)
        for first in range(0, len(ordered), 32)
    ]
    return float(sum(total for total, _ in sums) / sum(count for _, count in sums))


def _tests(rows: Sequence[Row]) -> dict[str, list[float]]:
    """The figures of each cell that has some."""
    found = {cell: [row["test"] for row in rows if row["cell"] == cell] for cell in VARIANTS}
    return {cell: values for cell, values in found.items() if values}


def sections(rows: Sequence[Row], settings: GreffSettings) -> list[Section]:
    """A table, best first, and a picture with a dot a seed."""
    tests = _tests(rows)
    means = {cell: statistics.mean(values) for cell, values in tests.items()}
    order = sorted(means, key=lambda cell: means[cell])
    lines = tuple(
        (
            cell, f"{means[cell]:.2f}", f"{min(tests[cell]):.2f} to {max(tests[cell]):.2f}",
            f"{means[cell] - means[PLAIN]:+.2f}", VARIANTS[cell],
        )
        for cell in order
    )  # fmt: skip
    columns = ("cell", "nats a frame", "spread", f"beside {PLAIN}", "Greff et al. 2017")
    dots = {cell: {"a seed": tests[cell], "mean": [means[cell]]} for cell in order}
    return [
        table_section("variants", "Test part", Table(columns, lines)),
        chart_section("seeds", "Every seed", DotPlot("nats a frame", dots), "Lower is better."),
    ]


def conclusion(rows: Sequence[Row], settings: GreffSettings) -> str:
    """The plain cell, and which variants all seeds have worse or better than all of it."""
    tests = _tests(rows)
    plain = tests[PLAIN]
    worse = [cell for cell, values in tests.items() if min(values) > max(plain)]
    better = [cell for cell, values in tests.items() if max(values) < min(plain)]
    return (
        f"Nats a frame, mean of {settings.seeds} seeds: {PLAIN} {statistics.mean(plain):.2f}. "
        f"All seeds worse than all of it: {_listed(worse, tests)}; all better: "
        f"{_listed(better, tests)}."
    )


def _listed(cells: Sequence[str], tests: dict[str, list[float]]) -> str:
    said = [f"{cell} {statistics.mean(tests[cell]):.2f}" for cell in cells]
    return ", ".join(said) or "none"
