"""Held-out loss against wall-clock: seqforge beside a small transformer, on five kinds of data.

    python benchmarks/quality.py --data FOLDER --out benchmarks/results/quality.json
    python benchmarks/quality.py --shakespeare plays.txt --runs default lstm --plot curve.png

The transformer has nanoGPT's published settings for a CPU and the number of threads that makes it
fastest. The time of its 2,000 steps, looks at held-out data not counted, is the budget of every
seqforge run, looks counted. Two scores in nats a symbol:

``carried``  every held-out symbol once. seqforge carries its state over from symbol to symbol; the
             transformer predicts each from the 33 to 64 symbols before it.
``cold``     windows of 64, each predicted from its own beginning; seqforge from a zero state.

Curves are of the valid part (the transformer's of 20,000 symbols of it), and each look is made in
passing; the two scores are of the whole held-out part, test where there is one.

FOLDER has text/, genome/ and music/; what is missing is skipped. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from common import (
    Curve,
    about,
    process_context,
    say,
    scratch,
    table,
    thread_counts,
    train,
    write_result,
)
from common.contenders import Contender, take_turns
from common.datasets import DATASETS, Dataset, found_inputs, read_data
from common.held_out import cold_windows, sliding_windows, some, window_nats
from common.transformer import STEPS, Transformer, TransformerTrainer
from seqforge.core.data.corpus import PARTS, Corpus, TokenPart
from seqforge.core.model.checkpoint import load_checkpoint
from seqforge.runs.evaluate import torch_model

RUNS: dict[str, tuple[str, ...]] = {
    "default": (),
    "lstm": ("--cell", "lstm"),
    "2 layers": ("--num-layers", "2", "--hidden-size", "256"),
    "narrow": ("--num-layers", "1", "--hidden-size", "256"),
    "no dropout": ("--dropout", "0"),
}
"""seqforge's runs: the recipe as it is, and what one might change."""

_LOOKS, _LOOKED_AT = 10, 20_000  # of the transformer: how many, symbols each
_BITS = 0.6931471805599453  # nats in a bit


def reference(folder: Path, threads: int, steps: int, seed: int) -> dict[str, Any]:
    """Train the transformer on a corpus and score it; a job for a process of its own."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    corpus = Corpus(folder)
    model = Transformer(len(corpus.vocabulary))
    trainer = TransformerTrainer(model, corpus.train.tokens, seed, steps)
    look = some(sliding_windows(corpus.valid), _LOOKED_AT)
    curve: Curve = []
    seconds = 0.0
    for number in range(1, _LOOKS + 1):
        began = time.perf_counter()
        while trainer.steps_done < steps * number // _LOOKS:
            trainer.step()
        seconds += time.perf_counter() - began
        model.eval()
        curve.append((seconds, window_nats(model, corpus.valid, look)))
        model.train()
    model.eval()
    part = corpus.part(str(corpus.held_out))
    return {
        "contender": "transformer",
        "options": f"{steps:,} steps, {threads} threads",
        "seconds": seconds,
        "carried": window_nats(model, part, sliding_windows(part)),
        "cold": window_nats(model, part, cold_windows(part)),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "curve": curve,
    }


def fastest_threads(corpus: Corpus, seed: int) -> int:
    """Threads inside an operation with which the transformer is fastest."""
    tried = [
        Contender("transformer", threads, corpus=corpus.folder, seed=seed)
        for threads in thread_counts()
    ]
    speeds = take_turns(tried, rounds=3, seconds=3.0)
    return max(speeds, key=lambda speed: speed.median).contender.threads


@dataclass(frozen=True)
class Task:
    """One data set, read."""

    data: Dataset
    inputs: list[Path]
    split: str
    corpus: Corpus
    seed: int
    folder: Path

    @property
    def part(self) -> TokenPart:
        """What is scored in the end."""
        return self.corpus.part(str(self.corpus.held_out))


def ours(task: Task, name: str, budget: str, changed: Sequence[str]) -> dict[str, Any]:
    """Train seqforge with one of `RUNS` and score it.

    Raises:
        ValueError: If it did not learn from the very corpus that the transformer learns from.
    """
    folder, corpus = task.folder / name, task.corpus
    changed = [*RUNS[name], *changed]
    settings = ["--split", task.split, "--seed", str(task.seed), "--budget", budget, *changed]
    run = train(task.data.recipe, task.inputs, folder, settings, f"{task.data.name}, {name}: ")
    sizes = {part: corpus.part(part).symbols for part in PARTS}
    checkpoint = load_checkpoint(folder / "model.safetensors")
    if run.summary["symbols"] != sizes or checkpoint.card.vocabulary != corpus.vocabulary:
        raise ValueError(f"{task.data.name}, {name}: {' '.join(changed)} changes the data")
    model = torch_model(checkpoint, str(folder))
    return {
        "contender": f"seqforge {name}",
        "options": " ".join(changed),
        "seconds": run.summary["training"]["seconds"],
        "carried": run.nats(str(corpus.held_out)),
        # A zero state and the first symbol as it is: the model was never told of such beginnings.
        "cold": window_nats(lambda ids: model(ids)[0], task.part, cold_windows(task.part)),
        "parameters": run.summary["parameters"],
        "curve": run.curve,
        "wall seconds": run.wall_seconds,
        "best n-gram": run.summary["baselines"]["order_k"] * _BITS,
    }


def measured(task: Task, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The transformer, then seqforge with the time it took."""
    corpus, rows, budget = task.corpus, [], options.budget
    if options.steps:
        threads = options.threads or fastest_threads(corpus, task.seed)
        say(f"{task.data.name}, transformer: {options.steps:,} steps, {threads} thread(s)")
        with ProcessPoolExecutor(1, mp_context=process_context()) as pool:
            job = pool.submit(reference, corpus.folder, threads, options.steps, task.seed)
            rows.append(job.result())
        budget = budget or f"{rows[0]['seconds']:.1f}s"
    rows += [ours(task, name, budget, options.train_options) for name in options.runs]
    sizes = {"held out": corpus.held_out, "scored": task.part.scored, "budget": budget}
    return [{"data": task.data.name, **sizes, **row} for row in rows]


def shown(rows: list[dict[str, Any]]) -> str:
    """The rows as a table; bits beside nats."""
    return table([
        {
            "data": row["data"], "contender": row["contender"], "seconds": row["seconds"],
            "carried": row["carried"], "bits": row["carried"] / _BITS, "cold": row["cold"],
            "n-gram, nats": row.get("best n-gram"), "parameters": row["parameters"],
        }
        for row in rows
    ])  # fmt: skip


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Held-out loss against seconds, of the first data set."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SystemExit("--plot needs matplotlib: python -m pip install matplotlib") from error
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    mine = [row for row in rows if row["data"] == rows[0]["data"]]
    for row in mine:
        seconds, nats = zip(*row["curve"], strict=True)
        axes.plot(seconds, nats, label=row["contender"], marker=".", markersize=3)
    lowest = min(nats for row in mine for _, nats in row["curve"])
    axes.set(
        xlabel="seconds of training", ylabel="held-out loss, nats a symbol",
        title=mine[0]["data"], ylim=(lowest - 0.05, lowest + 1.2),
    )  # fmt: skip
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


def parsed() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with text/, genome/ and music/")
    for data in DATASETS:
        count = len(data.files) if len(data.files) > 1 else None
        parser.add_argument(f"--{data.name}", type=Path, nargs=count or 1, help=data.about)
    parser.add_argument("--runs", nargs="+", choices=sorted(RUNS), default=list(RUNS))
    parser.add_argument("--budget", help="of seqforge; default: the time of the transformer")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the transformer; 0: none")
    parser.add_argument("--threads", type=int, help="of the transformer; default: the fastest")
    parser.add_argument("--set", dest="settings", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    parser.add_argument("--plot", type=Path, help="a picture of the first data set's curves")
    options = parser.parse_args()
    options.train_options = [word for pair in options.settings for word in ("--set", pair)]
    if not options.steps and not options.budget:
        parser.error("--steps 0 leaves no time to take as a budget: give --budget")
    return options


def main() -> None:
    """Measure on whatever data there are."""
    options = parsed()
    rows: list[dict[str, Any]] = []
    with scratch() as folder:
        for data in DATASETS:
            inputs = found_inputs(data, getattr(options, data.name), options.data)
            if inputs is None:
                continue
            own = folder / data.name
            own.mkdir()
            task = Task(data, *read_data(data, inputs, own), options.seed, own)
            found = measured(task, options)
            print(shown(found), "\n", flush=True)
            rows += found
    if not rows:
        raise SystemExit("no data: give --data FOLDER, or a file such as --shakespeare FILE")
    print(shown(rows))
    settings = {"steps": options.steps, "runs": options.runs, "set": options.settings}
    write_result(options.out, about(options.seed, settings) | {"rows": rows})
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
