"""How long n-gram models take to count, to be written and to be read again, and their size.

    python benchmarks/ngram_speed.py [--symbols 100000000] [--orders 4 10] [--threads 2]
        [--out benchmarks/results/ngram_speed.json] [FILE ...]

Files are read as bytes, one record each; without any they are the Python sources of this
interpreter's packages. Each model is counted in a process of its own, for the peak of its memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common import about, process_context, say, table, write_result
from seqforge.base.machine import mapped, peak_memory_mb, usable_cores
from seqforge.core.config import ModelConfig, RunConfig
from seqforge.core.model.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from seqforge.core.model.ngram import ngram_model
from seqforge.core.model.ngram_counting import count_ngrams


def tokens_of(files: Sequence[Path], most: int, folder: Path) -> tuple[NDArray[np.uint8], str]:
    """The first ``most`` bytes of some files as ids, and the symbols that these stand for."""
    parts, left = [], most
    for path in files:
        parts.append(np.frombuffer(path.read_bytes()[:left], np.uint8))
        left -= len(parts[-1])
        if not left:
            break
    used = np.flatnonzero(sum(np.bincount(part, minlength=256) for part in parts))
    ids = np.zeros(256, np.uint8)
    ids[used] = np.arange(1, len(used) + 1)  # bytes of all values are more than text has
    end = np.zeros(1, np.uint8)
    blocks = [end, *(block for part in parts for block in (ids[part], end))]
    return mapped(folder, blocks, np.uint8), bytes(used.tolist()).decode("latin-1")


def measured(
    files: Sequence[Path], most: int, order: int, smoothing: str, threads: int
) -> dict[str, Any]:
    """Count one model, write it, read it; what each took."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        tokens, symbols = tokens_of(files, most, folder)
        before, began = _processor_seconds(), time.perf_counter()
        arrays = count_ngrams(
            tokens, len(symbols) + 1, order, smoothed=smoothing != "none", folder=folder,
            threads=threads,
        )  # fmt: skip
        counted, used = time.perf_counter() - began, _processor_seconds() - before
        peak = peak_memory_mb()
        config = ModelConfig(cell="ngram", order=order, smoothing=smoothing)
        card = ModelCard(
            seqforge_version="0", name="measured", symbols=tuple(symbols),
            config=RunConfig(domain="text", model=config),
        )  # fmt: skip
        path, began = folder / "model.safetensors", time.perf_counter()
        save_checkpoint(path, card, arrays)
        written, began = time.perf_counter() - began, time.perf_counter()
        ngram_model(load_checkpoint(path).weights, len(symbols) + 1, config.smoothing)
        return {
            "order": order, "smoothing": smoothing, "symbols": len(tokens) - 1,
            "grams": len(arrays["grams"]), "counted, seconds": counted,
            "processor seconds": used, "peak memory, MB": peak, "written, seconds": written,
            "read, seconds": time.perf_counter() - began, "file, MB": path.stat().st_size / 1e6,
        }  # fmt: skip


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def sources() -> list[Path]:
    """Python files of the packages that this interpreter finds, in order."""
    folders = [Path(place) for place in sys.path if place.endswith(("-packages", "python3.11"))]
    return sorted({file for folder in folders for file in folder.rglob("*.py")}, key=os.fspath)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--symbols", type=int, default=100_000_000)
    parser.add_argument("--orders", nargs="+", type=int, default=[4, 10])
    parser.add_argument("--smoothings", nargs="+", default=["none", "kneser-ney"])
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    files, rows = given.files or sources(), []
    for order in given.orders:
        for smoothing in given.smoothings:
            with process_context().Pool(1) as pool:
                job = (files, given.symbols, order, smoothing, given.threads)
                rows.append(pool.apply(measured, job))
            say(table(rows[-1:]))
    settings = {
        "threads": given.threads,
        "text": [file.name for file in given.files] or "Python sources of the packages installed",
    }
    write_result(given.out, {**about(0, settings), "models": rows})
    say(table(rows))


if __name__ == "__main__":
    main()
