"""What cells cost: a window of training, forward and backward, of every cell against lstm.

    python benchmarks/cell_speed.py [--rounds 9] [--out benchmarks/results/cell_speed.json]

One thread; cells take turns, round by round; figures are medians over the rounds, as ratios to
lstm's. The second table is of one layer and windows of 512 steps, as ratios to gru's.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from common import about, say, table, write_result
from seqforge.core.cells.catalogue import CATALOGUE
from seqforge.core.kernels.llvm import HAS_BF16
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.prepared import CompiledModel

_SYMBOLS, _ROWS, _HIDDEN = 80, 32, 128


def seconds(model: CharRNN, ids: torch.Tensor, bf16: bool) -> float:
    """Processor seconds of a window."""
    network = CompiledModel(model, bf16, True, False, None)
    begun = time.process_time()
    logits, _ = network.run(ids[:-1], model.zero_state(_ROWS))
    loss = cross_entropy(logits.flatten(0, 1), ids[1:].flatten())
    torch.autograd.grad(loss, network.leaves)
    return time.process_time() - begun


def compared(
    cells: Sequence[str], layers: int, steps: int, bf16: bool, rounds: int
) -> list[dict[str, object]]:
    """A row a cell; the first is what the others are compared with."""
    models = {
        cell: CharRNN(_SYMBOLS, cell=cell, hidden_size=_HIDDEN, num_layers=layers) for cell in cells
    }
    ids = torch.randint(0, _SYMBOLS, (steps + 1, _ROWS))
    taken: dict[str, list[float]] = {cell: [] for cell in cells}
    for number in range(rounds + 1):
        for cell, model in models.items():
            used = seconds(model, ids, bf16)
            if number:  # the first round compiles
                taken[cell].append(used)
    medians = {cell: statistics.median(times) for cell, times in taken.items()}
    return [
        {
            "cell": cell,
            "products": CATALOGUE[cell].equations.products,
            "ratio": round(median / medians[cells[0]], 2),
            "thousand symbols/s": round(steps * _ROWS / median / 1000),
        }
        for cell, median in medians.items()
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rest = [cell for cell in CATALOGUE if cell != "lstm"]
    result: dict[str, object] = {}
    for kind in ["fp32", "bf16"][: 1 + HAS_BF16]:
        bf16 = kind == "bf16"
        rows = compared(["lstm", *rest], 2, 128, bf16, given.rounds)
        long = compared(["gru", "mingru", "minlstm"], 1, 512, bf16, given.rounds)
        say(f"{kind}: 2 x {_HIDDEN}, {_ROWS} rows, 128 steps\n{table(rows)}")
        say(f"{kind}: 1 x {_HIDDEN}, {_ROWS} rows, 512 steps\n{table(long)}")
        result[kind] = {"two layers, 128 steps": rows, "one layer, 512 steps": long}
    if given.out:
        write_result(given.out, {**about(0, {}), "kinds": result})


if __name__ == "__main__":
    main()
