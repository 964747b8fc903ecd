"""Memory and speed against the size of a genome, from 1 to 143 million bases, as a table and JSON.

    python benchmarks/memory.py --fasta chr2R.fa.gz --out benchmarks/memory.json

A genome of each size is made: mutated pieces of the FASTA given (of random bases without one), in
records of 20 million bases, and the largest once more as a single record. Each is read and encoded
by one process, and run from file to page by another; a process is watched from outside every few
milliseconds. What it holds itself is RssAnon; pages of mapped files, which the system takes back
whenever it wants them, count in the peak of RSS only. Needs Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZES = (1, 10, 50, 143)
"""Million bases."""
RECORD = 20_000_000
LINE = 50
_PIECE = 200_000  # bases that a genome takes from its source at a time; whole lines
_MUTATED = 0.1  # share of bases drawn anew
_WATCHED_SECONDS = 0.01
_STEPS = 40
_COLUMNS = ("Mb", "records", "packed", "read MB/s", "read anon MB", "read peak MB", "run anon MB",
            "run peak MB", "step ms", "run s")  # fmt: skip


def source_bases(fasta: Path | None, seed: int) -> NDArray[np.uint8]:
    """The letters of a FASTA, headers and line breaks left out, or random ones."""
    if fasta is None:
        return np.random.default_rng(seed).choice(np.frombuffer(b"ACGT", np.uint8), 5_000_000)
    from seqforge.core.opening import opened

    with opened(fasta) as stream:
        lines = [line.strip() for line in stream if not line.startswith(b">")]
    return np.frombuffer(b"".join(lines), np.uint8)


def write_genome(path: Path, bases: int, record: int, source: NDArray[np.uint8], seed: int) -> None:
    """A FASTA of ``bases`` in records of ``record`` at most, a piece at a time."""
    rng = np.random.default_rng(seed)
    with path.open("wb") as stream:
        for number, start in enumerate(range(0, bases, record), 1):
            stream.write(b">chr%d mutated pieces\n" % number)
            for piece in _pieces(min(record, bases - start), source, rng):
                whole = piece[: len(piece) // LINE * LINE].reshape(-1, LINE)
                stream.write(np.pad(whole, ((0, 0), (0, 1)), constant_values=10).tobytes())
                if rest := piece[whole.size :].tobytes():
                    stream.write(rest + b"\n")


def _pieces(
    bases: int, source: NDArray[np.uint8], rng: np.random.Generator
) -> Iterator[NDArray[np.uint8]]:
    for done in range(0, bases, _PIECE):
        size = min(_PIECE, bases - done, len(source))
        at = int(rng.integers(len(source) - size + 1))
        piece = source[at : at + size].copy()
        places = rng.integers(size, size=int(size * _MUTATED))
        piece[places] = rng.choice(np.frombuffer(b"ACGT", np.uint8), len(places))
        yield piece


def watched(command: list[str], cache: Path) -> tuple[dict[str, Any], float, float]:
    """Run a command; its JSON, the most RssAnon and the most RSS it had, both in 10^6 bytes."""
    surroundings = {**os.environ, "SEQFORGE_CACHE": str(cache)}
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, env=surroundings)
        status = Path(f"/proc/{process.pid}/status")
        anonymous = peak = 0
        while process.poll() is None:
            for line in status.read_text().splitlines():
                if line.startswith("RssAnon:"):
                    anonymous = max(anonymous, int(line.split()[1]))
                elif line.startswith("VmHWM:"):
                    peak = max(peak, int(line.split()[1]))
            time.sleep(_WATCHED_SECONDS)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        out.seek(0)
        return json.load(out), anonymous * 1024 / 1e6, peak * 1024 / 1e6


def read_only(path: Path) -> dict[str, float]:
    """Read and encode a file in this process; megabytes of symbols a second."""
    from seqforge.core.config import DataConfig
    from seqforge.core.ingest import ingest
    from seqforge.registry import load_domain

    domain = load_domain("genome")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        corpus, lines = ingest(domain, [path], DataConfig(), Path(folder))
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "symbols": lines[0].symbols, "train": len(corpus.train.tokens)}


def measured(path: Path, millions: int, record: int, folder: Path, blast: bool) -> dict[str, Any]:
    """A row of the table."""
    seqforge = [sys.executable, "-m", "seqforge"]
    reading, read_anon, read_peak = watched(
        [sys.executable, __file__, "--read-only", str(path)], folder
    )
    run, run_anon, run_peak = watched(
        [
            *seqforge, "run", "genome", "--fasta", str(path), "--blast", "local" if blast else "off",
            "--budget", f"{_STEPS}steps", "--set", "training.evaluations=1", "--json", "--quiet",
            "--device", "cpu", "--out", str(folder / f"run-{path.name}-{blast}"),
        ],
        folder,
    )  # fmt: skip
    window = run["symbols_per_window"] if "symbols_per_window" in run else 64 * 128
    return {
        "Mb": millions,
        "records": -(-millions * 1_000_000 // record),
        "packed": path.suffix == ".gz",
        "read MB/s": round(reading["symbols"] / 1e6 / reading["seconds"], 1),
        "read anon MB": round(read_anon, 1),
        "read peak MB": round(read_peak, 1),
        "run anon MB": round(run_anon, 1),
        "run peak MB": round(run_peak, 1),
        "step ms": round(1000 * window / run["speed"]["train_symbols_per_second"], 1),
        "run s": run["wall_seconds"],
        "blast": "local" if blast else "off",
        "seed": run["seed"],
        "versions": run["versions"],
    }
