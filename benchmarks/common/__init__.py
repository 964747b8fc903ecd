"""What the benchmarks share: the machine and its versions, tables, JSON, corpora, processes."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from seqforge.base.folders import cache_root
from seqforge.base.machine import usable_cores
from seqforge.core.data.corpus import Corpus
from seqforge.runs.load_inputs import gather, read_corpus
from seqforge.runs.recipes import find_recipe
from seqforge.version import __version__


def machine() -> dict[str, Any]:
    """The processor's name and how many of its cores this process may use."""
    return {"processor": _processor(), "cores": usable_cores(), "system": platform.system()}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """The versions that a figure depends on."""
    known = {name: version(name) for name in ("torch", "numpy")}
    return {"seqforge": __version__, "python": platform.python_version(), **known}


def thread_counts() -> list[int]:
    """Numbers of threads inside an operation that plain torch is tried with: 1, 2, every core."""
    cores = usable_cores()
    return sorted({1, min(2, cores), cores})


def about(seed: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The head of every result: where, with what, how."""
    return {
        "machine": machine(),
        "versions": versions(),
        "seed": seed,
        "settings": dict(settings),
    }


def write_result(path: Path | None, document: Mapping[str, Any]) -> None:
    """Write a result as JSON, where a path is given."""
    if path is not None:
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def read_result(path: Path) -> dict[str, Any]:
    """A result that `write_result` wrote."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of the same keys as aligned text: words to the left, numbers to the right."""
    if not rows:
        return ""
    columns = list(rows[0])
    numeric = {c: any(isinstance(row[c], int | float) for row in rows) for c in columns}
    cells = [columns, *([_cell(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    lines = [
        "  ".join(
            text.rjust(width) if numeric[column] else text.ljust(width)
            for text, width, column in zip(line, widths, columns, strict=True)
        )
        for line in cells
    ]
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def say(text: str) -> None:
    """A line about where a benchmark stands, on stderr."""
    print(text, file=sys.stderr, flush=True)


def process_context() -> BaseContext:
    """Where processes come from: one that has imported torch and computed nothing yet.

    They start at once and share its memory; none inherits another's threads or caches.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # An optimiser of torch imports torch's compiler when it is made: a second, were it not here.
    context.set_forkserver_preload(["torch", "torch._dynamo", "seqforge.core.training.trainer"])
    return context


def corpus_of(recipe: str, inputs: Sequence[Path], split: str, folder: Path) -> Corpus:
    """The corpus that ``seqforge train RECIPE INPUTS --split SPLIT`` learns from."""
    config = find_recipe(recipe).config()
    named = [str(path) for path in inputs]
    found = gather(config.domain, config.domain_options, named, folder)
    data = config.data.model_copy(update={"split": split})
    corpus, _ = read_corpus(found, data, folder / "ingest.tsv", lambda done, total, name: None)
    return corpus


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for what is not kept, corpora among it; the compiled kernels are the user's own.

    Nothing that is measured is a first run on a machine, which compiles them.
    """
    kernels = cache_root() / "kernels"
    with tempfile.TemporaryDirectory(prefix="seqforge-") as name:
        with suppress(OSError):  # where links or folders cannot be made, they are compiled again
            kernels.mkdir(parents=True, exist_ok=True)
            (Path(name) / "kernels").symlink_to(kernels, target_is_directory=True)
        os.environ["SEQFORGE_CACHE"] = name
        yield Path(name)


Curve = list[tuple[float, float]]
"""Held-out loss while a model is trained: seconds, nats a symbol."""


@dataclass(frozen=True)
class Trained:
    """What ``seqforge train`` left behind."""

    folder: Path
    summary: dict[str, Any]
    curve: Curve
    """Looks at the valid part (a piece of it, where it is large)."""
    wall_seconds: float
    """Of the whole process: start, reading, training, scoring, baselines."""

    def nats(self, part: str) -> float:
        """Loss of the best model on all of a part, a symbol, with carried state."""
        return float(self.summary["bits_per_symbol"][part]) * math.log(2)


def train(
    recipe: str, inputs: Sequence[Path], out: Path, options: Sequence[str], said: str = ""
) -> Trained:
    """Run ``seqforge train`` as a process of its own.

    Raises:
        subprocess.CalledProcessError: If it fails; its reason stands on stderr.
    """
    command = [sys.executable, "-m", "seqforge", "train", recipe, *map(str, inputs)]
    say(f"{said}seqforge train {recipe} {' '.join(options)}")
    began = time.perf_counter()
    finished = subprocess.run(
        [*command, *options, "--out", str(out), "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    wall = time.perf_counter() - began
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    curve = [(line["elapsed_seconds"], line["valid_bits"] * math.log(2)) for line in lines]
    return Trained(out, json.loads(finished.stdout), curve, wall)
