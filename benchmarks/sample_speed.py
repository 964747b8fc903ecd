"""Sampling speed: the compiled kernel beside a loop over single characters in eager torch.

    python benchmarks/sample_speed.py                   all parts: one stream, many streams,
                                                        strategies, memory, start
    python benchmarks/sample_speed.py --parts one many  some of them

In each round every contender runs once, in turn, so that whatever else the machine does meets all
of them alike; figures are medians over the rounds. The loop is embedding, nn.LSTM, nn.Linear and
multinomial, a character at a time, without gradients, as torch runs it, with one thread or two,
whichever is quicker. "fastest loop" is the quickest of those and of the same with oneDNN switched
off, which nobody is told to do and which helps so short a product. Weights are random: speed does
not hang on them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from common import about, say, table, thread_counts, write_result
from seqforge.api.model import load
from seqforge.core.config import ModelConfig, RunConfig
from seqforge.core.data.domain import copy_units
from seqforge.core.data.vocabulary import END
from seqforge.core.model.char_rnn import CharRNN
from seqforge.core.model.checkpoint import Checkpoint, ModelCard, load_checkpoint
from seqforge.core.sampling.copy_limit import CopyLimit
from seqforge.core.sampling.engine import Engine, KernelEngine, MemoryEngine
from seqforge.core.sampling.sampler import Sampler, SamplerParams
from seqforge.runs.folder import find_model

_SYMBOLS = tuple(chr(0x100 + n) for n in range(64))  # with the end symbol 65, as tinyshakespeare
_ONE_STREAM = (("lstm", 64), ("lstm", 128), ("lstm", 256), ("gru", 128))
_STREAMS, _MANY_HIDDEN = 256, 128
_MODELS = ("shakespeare", "folk", "fly")
_DATA = Path(__file__).parents[1] / "data"
_STRATEGIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "temperature 0.8": {"temperature": 0.8},
    "temperature 1.2 to 0.5": {"temperature": 1.2, "temperature_end": 0.5},
    "top-k 10": {"top_k": 10},
    "top-p 0.9": {"top_p": 0.9},
    "min-p 0.05": {"min_p": 0.05},
    "typical 0.9": {"typical_p": 0.9},
    "penalty 1.2 over 64": {"repetition_penalty": 1.2},
}
_START = "import sys; from seqforge.cli.main import main; sys.argv[0] = 'seqforge'; main()"

Contenders = Mapping[str, Callable[[float], float]]
"""Each runs for about so many seconds and gives symbols a second."""


def checkpoint(cell: str, hidden: int, layers: int = 2, seed: int = 0) -> Checkpoint:
    """A model with fresh weights."""
    torch.set_num_threads(1)  # an eager loop left its own number; more are slower here
    torch.manual_seed(seed)
    settings = ModelConfig(cell=cell, hidden_size=hidden, num_layers=layers)
    network = CharRNN(len(_SYMBOLS) + 1, **settings.model_dump())
    config = RunConfig(domain="text", model=settings)
    card = ModelCard(seqforge_version="0", name="speed", config=config, symbols=_SYMBOLS)
    return Checkpoint(card, network.arrays())


def kernel(
    model: Checkpoint, streams: int = 1, threads: int = 1, engine: Engine | None = None,
    **strategy: Any,
) -> Callable[[float], float]:  # fmt: skip
    """Draws through the sampler, as a person's command does."""
    sampler = Sampler(model, threads=threads, engine=engine)

    def drawn(length: int) -> float:
        options = SamplerParams(length=length, exact_length=True, **strategy)
        began = time.perf_counter()
        count = sum(len(sample.symbols) for sample in sampler.draw(streams, options))
        return count / (time.perf_counter() - began)

    return lambda seconds: drawn(max(64, int(drawn(64) * seconds / streams)))


def eager(cell: str, hidden: int, threads: int, onednn: bool) -> Callable[[float], float]:
    """The loop that everybody writes first."""
    size = len(_SYMBOLS) + 1
    embedding, output = nn.Embedding(size, hidden), nn.Linear(hidden, size)
    module = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](hidden, hidden, 2, batch_first=True)

    @torch.no_grad()
    def run(seconds: float) -> float:
        torch.set_num_threads(threads)
        with torch.backends.mkldnn.flags(enabled=onednn):
            x, state, count = torch.zeros(1, 1, dtype=torch.long), None, 0
            began = time.perf_counter()
            while time.perf_counter() - began < seconds:
                out, state = module(embedding(x), state)
                x = torch.multinomial(torch.softmax(output(out[:, -1]), dim=-1), 1)
                count += 1
            return count / (time.perf_counter() - began)

    return run


def rounds_of(contenders: Contenders, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Symbols a second of each, a round each, after one that does not count."""
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, run in contenders.items():
            speed = run(seconds if number else seconds / 4)
            if number:
                speeds[name].append(round(speed, 1))
        say(f"round {number} of {rounds}")
    return speeds


def one_stream(rounds: int, seconds: float) -> list[dict[str, Any]]:
    """The kernel against the loop, one sample at a time."""
    rows = []
    for cell, hidden in _ONE_STREAM:
        plain = [_loop(threads, True) for threads in thread_counts()[:2]]
        loops = {
            _loop(threads, onednn): eager(cell, hidden, threads, onednn)
            for threads in thread_counts()[:2]
            for onednn in (True, False)
        }
        found = rounds_of({"kernel": kernel(checkpoint(cell, hidden)), **loops}, rounds, seconds)
        speed = {name: statistics.median(speeds) for name, speeds in found.items()}
        loop, fastest = max(speed[name] for name in plain), max(speed[name] for name in loops)
        rows.append({
            "model": f"{cell} 2x{hidden}", "kernel": speed["kernel"], "loop": loop,
            "times": round(speed["kernel"] / loop, 1), "fastest loop": fastest,
            "times that": round(speed["kernel"] / fastest, 1), "rounds": found,
        })  # fmt: skip
    return rows


def _loop(threads: int, onednn: bool) -> str:
    counted = f"loop, {threads} thread{'s' if threads > 1 else ''}"
    return counted if onednn else f"{counted}, without oneDNN"


def many_streams(rounds: int, seconds: float, most: int = _STREAMS) -> list[dict[str, Any]]:
    """Many samples side by side, on one core and on all."""
    model = checkpoint("lstm", _MANY_HIDDEN)
    contenders = {
        f"{streams} streams, {threads} threads": kernel(model, streams, threads)
        for streams in sorted({1, min(16, most), most})
        for threads in thread_counts()
        if threads <= streams
    }
    found = rounds_of(contenders, rounds, seconds)
    return [
        {"model": f"lstm 2x{_MANY_HIDDEN}", "drawn": name, "symbols a second":
            statistics.median(speeds), "rounds": speeds}
        for name, speeds in found.items()
    ]  # fmt: skip


def strategies(rounds: int, seconds: float) -> list[dict[str, Any]]:
    """What each strategy costs, in one stream of a small model."""
    model = checkpoint("lstm", 64)
    found = rounds_of(
        {name: kernel(model, **how) for name, how in _STRATEGIES.items()}, rounds, seconds
    )
    plain = statistics.median(found["plain"])
    return [
        {"strategy": name, "symbols a second": statistics.median(speeds),
         "of plain": round(statistics.median(speeds) / plain, 2), "rounds": speeds}
        for name, speeds in found.items()
    ]  # fmt: skip


def mixed_engine(model: Checkpoint, domain: Any) -> MemoryEngine:
    """A bundled model with a memory of the domain's default input, or of what ships."""
    vocabulary, size = model.card.vocabulary, len(model.card.vocabulary)
    texts = [r.symbols for path in default_files(domain) for r in domain.read(path)]
    known = ["".join(s for s in text if s in vocabulary.symbols) for text in texts]
    ids = np.concatenate([[END], *([*vocabulary.encode(text), END] for text in known)])
    ids = ids.astype(vocabulary.dtype)
    memory, network = domain.memory(vocabulary, ids, len(ids), 10**9), KernelEngine.of(model)
    last = min(5000, len(ids) // 10)
    memory.learn(ids[:-last])
    state, rows = network.begin(1), []
    for symbol in ids[-last:].astype(np.int64):
        logits = state.logits[0, :size].astype(np.float64)
        rows.append(logits - logits.max() - np.log(np.exp(logits - logits.max()).sum()))
        network.step(state, np.array([symbol]))
    memory.score(ids[-last:], np.array(rows, np.float32))
    units = copy_units(domain, vocabulary)
    limit = CopyLimit(memory.history, units, units.limit)
    return MemoryEngine(network, memory, size, limit=limit)


def default_files(domain: Any) -> list[Path]:
    """What a domain learns from where nothing is named; small where the whole is large."""
    own = {"genome": "dm3-chr2R-slice.fa.gz", "music": "tunes.abc"}.get(domain.name)
    return [_DATA / own] if own else domain.default_input()


def with_memory(
    rounds: int, seconds: float, models: Sequence[str] = _MODELS, most: int = _STREAMS
) -> list[dict[str, Any]]:
    """Draws from network and memory, copies limited, beside those of the network alone."""
    rows = []
    for name in models:
        model = load_checkpoint(find_model(name))
        mixed = mixed_engine(model, load(name).domain)
        contenders = {
            f"{what}, {streams}": kernel(model, streams, threads, engine)
            for streams, threads in ((1, 1), (most, thread_counts()[-1]))
            for what, engine in (("alone", None), ("mixed", mixed))
        }
        found = rounds_of(contenders, rounds, seconds)
        for streams in (1, most):
            alone, both = (
                statistics.median(found[f"{what}, {streams}"]) for what in ("alone", "mixed")
            )
            rows.append({
                "model": name, "streams": streams, "network": alone, "with memory": both,
                "share": round(both / alone, 2), "rounds": found,
            })  # fmt: skip
    return rows


def start(rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Seconds from the start of ``seqforge sample fly`` to the first base on a terminal."""
    seen = [_first_base() for _ in range(max(2, rounds * 2))][1:]
    return [{"command": "seqforge sample fly", "median seconds": statistics.median(seen),
             "slowest": max(seen), "rounds": seen}]  # fmt: skip


def _first_base() -> float:
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", _START, "sample", "fly", "--length", "2000"]
    began, text = time.perf_counter(), b""
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    while b"\n" not in text or not text.split(b"\n", 1)[1].strip():
        text += os.read(ours, 1)
    took = time.perf_counter() - began
    try:
        while os.read(ours, 4096):
            pass
    except OSError:  # a terminal whose other side is closed
        pass
    process.wait()
    os.close(ours)
    return round(took, 3)


_PARTS: dict[str, Callable[..., list[dict[str, Any]]]] = {
    "one": one_stream, "many": many_streams, "strategies": strategies,
    "memory": with_memory, "start": start,
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print tables, write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=list(_PARTS), default=list(_PARTS))
    parser.add_argument("--models", nargs="+", default=_MODELS, help="of the part memory")
    parser.add_argument("--streams", type=int, default=_STREAMS, help="side by side, at most")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one contender's turn")
    parser.add_argument("--out", type=Path, help="JSON")
    given = parser.parse_args(arguments)
    settings = {
        "rounds": given.rounds, "seconds": given.seconds, "streams": given.streams,
        "vocabulary": len(_SYMBOLS) + 1,
    }  # fmt: skip
    document: dict[str, Any] = about(0, settings)
    how: dict[str, dict[str, Any]] = {
        "memory": {"models": given.models, "most": given.streams}, "many": {"most": given.streams},
    }  # fmt: skip
    for part in given.parts:
        say(part)
        rows = _PARTS[part](given.rounds, given.seconds, **how.get(part, {}))
        document[part] = rows
        shown = [{key: row[key] for key in row if key != "rounds"} for row in rows]
        print(f"{table(shown)}\n", flush=True)
    write_result(given.out, document)


if __name__ == "__main__":
    main()
