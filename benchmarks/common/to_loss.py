"""How long seqforge takes to the held-out loss that the per-character loop has at its end.

The loop: LSTM 2x100, batch 100, windows of 200 from random places and a zero state, Adam at 0.01,
2,000 steps, on the first 90 % of a text. Its time is that of its steps alone, with the number of
threads that makes it fastest. seqforge's time is the training loop with its looks at held-out
data, up to the first look that is as good. Both are scored on all of the last 10 %, each symbol
once, with carried state.
"""

from __future__ import annotations

import argparse
import shlex
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import (
    Trained,
    about,
    corpus_of,
    process_context,
    read_result,
    say,
    table,
    thread_counts,
    train,
    write_result,
)  # fmt: skip
from common.contenders import Contender, take_turns
from common.plain import PlainModel, PlainTrainer
from seqforge.base.folders import sha256_of
from seqforge.base.machine import usable_cores
from seqforge.core.data.corpus import Corpus
from seqforge.core.evaluation.likelihood import score
from seqforge.core.model.char_rnn import CharRNN

_LAYERS, _HIDDEN, _BATCH, _WINDOW = 2, 100, 100, 200
_SPLIT = "90/10/0"
_SHARES = (1 / 80, 1 / 40, 1 / 20, 1 / 10)  # of the loop's time, tried as budgets
_LOOKS = 50
_NATS = float(np.log(2))  # a bit


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this measurement."""
    group = parser.add_argument_group("time to a loss")
    group.add_argument("--to-loss", type=Path, metavar="TEXTFILE")
    group.add_argument("--steps", type=int, default=2000, help="of the loop")
    group.add_argument("--loop-threads", type=int, help="default: the fastest, by measurement")
    group.add_argument("--loop-json", type=Path, help="where the loop's result is kept; reused")
    group.add_argument("--recipe", default="text")
    group.add_argument("--train-options", default="", help="more for seqforge train, in quotes")
    group.add_argument("--budgets", nargs="+", help="tried in turn until one gets there")


def to_loss(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Train the loop (or take its kept result), then seqforge with growing budgets."""
    loop = kept_loop(options, folder)
    print(
        f"the loop: {loop['nats']:.4f} nats on held-out text after {loop['steps']:,} steps, "
        f"{loop['seconds']:.1f} s with {loop['threads']} thread(s)\n"
    )
    budgets = options.budgets or [f"{loop['seconds'] * share:.1f}s" for share in _SHARES]
    rows: list[dict[str, Any]] = []
    more = shlex.split(options.train_options)
    for number, budget in enumerate(budgets):
        settings = ["--split", _SPLIT, "--seed", str(options.seed), "--budget", budget]
        settings += ["--set", f"training.num_evaluations={_LOOKS}", *more]
        run = train(options.recipe, [options.to_loss], folder / f"run-{number}", settings)
        rows.append(compared(loop, run, budget))
        if rows[-1]["seconds to the loop's loss"] is not None:
            break
    shown = [{k: v for k, v in row.items() if k != "curve"} for row in rows]
    print(table(shown))
    settings = {"recipe": options.recipe, "options": options.train_options}
    return about(options.seed, settings) | {"loop": loop, "runs": rows}


def compared(loop: dict[str, Any], run: Trained, budget: str) -> dict[str, Any]:
    """When a run was as good as the loop at its end, if it ever was.

    A look may score a piece of the held-out part alone, so the curve is moved by what its best
    point differs from the score of that same model on all of the part.
    """
    whole = run.nats("valid")
    bias = whole - min(nats for _, nats in run.curve)
    curve = [(seconds, nats + bias) for seconds, nats in run.curve]
    reached = next((seconds for seconds, nats in curve if nats <= loop["nats"]), None)
    return {
        "budget": budget,
        "seconds to the loop's loss": reached,
        "times less": loop["seconds"] / reached if reached else None,
        "nats at the end": whole,
        "training seconds": run.summary["training"]["seconds"],
        "wall seconds": run.wall_seconds,
        "precision": run.summary["precision"],
        "curve": curve,
    }


def kept_loop(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The loop's result: from its file where that is of the same settings, else worked out."""
    wanted = {
        "text": options.to_loss.name, "sha256": sha256_of(options.to_loss),
        "steps": options.steps, "seed": options.seed,
        "model": f"lstm {_LAYERS}x{_HIDDEN}", "batch": _BATCH, "window": _WINDOW,
    }  # fmt: skip
    path = options.loop_json
    if path is not None and path.is_file():
        loop: dict[str, Any] = read_result(path)["loop"]
        changed = [key for key, value in wanted.items() if loop.get(key) != value]
        if changed:
            raise SystemExit(
                f"{path}: is of another {', '.join(changed)}; remove it or name another file"
            )
        return loop
    corpus = corpus_of("text", [options.to_loss], _SPLIT, folder)
    threads = options.loop_threads or fastest_threads(corpus, options.seed)
    say(f"the loop: {options.steps:,} steps with {threads} thread(s) ...")
    with ProcessPoolExecutor(1, mp_context=process_context()) as pool:
        job = pool.submit(train_loop, corpus.folder, threads, options.steps, options.seed)
        loop = wanted | job.result()
    write_result(path, about(options.seed, {}) | {"loop": loop})
    return loop


def fastest_threads(corpus: Corpus, seed: int) -> int:
    """The number of threads with which the loop is fastest."""
    speeds = take_turns(
        [
            Contender(
                "loop", threads, layers=_LAYERS, hidden=_HIDDEN, batch=_BATCH, seq_len=_WINDOW,
                corpus=corpus.folder, seed=seed,
            )
            for threads in thread_counts()
        ],
        rounds=3,
        seconds=2.0,
    )  # fmt: skip
    return max(speeds, key=lambda speed: speed.median).contender.threads


def train_loop(folder: Path, threads: int, steps: int, seed: int) -> dict[str, Any]:
    """Train with the loop and score; the time is that of the steps."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    corpus = Corpus(folder)
    plain = PlainModel(len(corpus.vocabulary), "lstm", _LAYERS, _HIDDEN)
    tokens = np.asarray(corpus.train.tokens)
    trainer = PlainTrainer("loop", plain, tokens, _BATCH, _WINDOW, seed)
    began = time.perf_counter()
    for step in range(1, steps + 1):
        trainer.step()
        if step % max(1, steps // 10) == 0:
            say(f"  step {step:,}, {time.perf_counter() - began:.0f} s")
    seconds = time.perf_counter() - began
    torch.set_num_threads(1)
    bits = score(as_charrnn(plain), corpus.valid, threads=usable_cores())
    return {
        "threads": threads,
        "seconds": seconds,
        "symbols/s": steps * _BATCH * _WINDOW / seconds,
        "nats": bits * _NATS,
    }


def as_charrnn(plain: PlainModel) -> CharRNN:
    """The same network as a model of ours: a layer of torch's module is a layer there."""
    size = plain.output.out_features
    model = CharRNN(size, cell="lstm", hidden_size=_HIDDEN, num_layers=_LAYERS)
    weights = {}
    for name, value in plain.state_dict().items():
        part, _, rest = name.partition(".")
        if part == "recurrent":  # weight_ih_l1 is layer 1's weight_ih_l0
            kind, layer = rest.rsplit("_l", 1)
            name = f"layers.{layer}.{kind}_l0"
        weights[name] = value
    model.load_state_dict(weights)
    return model.eval()
