"""Memory and speed against the size of a genome, from 1 to 143 million bases, as a table and JSON.

    python benchmarks/memory.py --fasta chr2R.fa.gz --out benchmarks/results/memory.json

A genome of each size is made: mutated pieces of the FASTA given (of random bases without one) in
records of 20 million bases, and the largest once more as a single record, plain and packed. One
process reads and encodes it on one core (the best of three times), another runs it from file to
page, and one searches the largest for a sample; each is watched from outside. `anon` is RssAnon,
what a process holds itself; `peak` is that of RSS, where pages of mapped files count too, which
the system takes back whenever it wants them. Needs Linux.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common import machine

Bases = NDArray[np.uint8]

SIZES = (1, 10, 50, 143)
"""Million bases."""
RECORD = 20_000_000
LINE = 50
_ACGT = np.frombuffer(b"ACGT", np.uint8)
_PIECE = 200_000  # bases that a genome takes from its source at a time; whole lines
_MUTATED = 0.1  # share of bases drawn anew
_WATCHED_SECONDS = 0.01
_STEPS = 100


def source_bases(fasta: Path | None, seed: int) -> Bases:
    """The letters of a FASTA, headers and line breaks left out, or random ones."""
    if fasta is None:
        return np.random.default_rng(seed).choice(_ACGT, 5_000_000)
    from seqforge.base.textio import opened

    with opened(fasta) as stream:
        lines = [line.strip() for line in stream if not line.startswith(b">")]
    return np.frombuffer(b"".join(lines), np.uint8)


def write_genome(path: Path, bases: int, record: int, source: Bases, seed: int) -> None:
    """A FASTA of ``bases`` in records of ``record`` at most, a piece at a time."""
    rng = np.random.default_rng(seed)
    with path.open("wb") as stream:
        for number, start in enumerate(range(0, bases, record), 1):
            stream.write(b">chr%d mutated pieces\n" % number)
            for piece in _pieces(min(record, bases - start), source, rng):
                whole = piece[: len(piece) // LINE * LINE].reshape(-1, LINE)
                stream.write(np.pad(whole, ((0, 0), (0, 1)), constant_values=10).tobytes())
                if len(piece) > whole.size:
                    stream.write(piece[whole.size :].tobytes() + b"\n")


def _pieces(bases: int, source: Bases, rng: np.random.Generator) -> Iterator[Bases]:
    longest = min(_PIECE, len(source))
    for done in range(0, bases, longest):
        size = min(longest, bases - done)
        at = int(rng.integers(len(source) - size + 1))
        piece = source[at : at + size].copy()
        places = rng.integers(size, size=int(size * _MUTATED))
        piece[places] = rng.choice(_ACGT, len(places))
        yield piece


def watched(command: Sequence[str], cache: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """Run a command; its JSON, and the most RssAnon and RSS it had, in 10^6 bytes."""
    surroundings = {**os.environ, "SEQFORGE_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    most = {"RssAnon": 0, "VmHWM": 0}
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, env=surroundings)
        status = Path(f"/proc/{process.pid}/status")
        try:
            while process.poll() is None:
                for line in status.read_text().splitlines():
                    name, _, value = line.partition(":")
                    if name in most:
                        most[name] = max(most[name], int(value.split()[0]) * 1024)
                time.sleep(_WATCHED_SECONDS)
        finally:
            process.kill()
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        out.seek(0)
        sizes = {"anon MB": most["RssAnon"] / 1e6, "peak MB": most["VmHWM"] / 1e6}
        return json.load(out), {name: round(size, 1) for name, size in sizes.items()}


def read_only(path: Path) -> dict[str, float]:
    """Read and encode a file in this process, on one core."""
    from seqforge.core.config import DataConfig
    from seqforge.core.data.ingest import ingest
    from seqforge.registry import load_domain

    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    domain = load_domain("genome")
    seconds = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            _, (line,) = ingest(domain, [path], DataConfig(), Path(folder))
            seconds.append(time.perf_counter() - began)
    return {"seconds": min(seconds), "symbols": line.symbols}


def reading_row(path: Path, folder: Path) -> dict[str, Any]:
    """What reading and encoding takes."""
    found, memory = watched([sys.executable, __file__, "--read-only", str(path)], folder)
    return {"read MB/s": round(found["symbols"] / 1e6 / found["seconds"], 1), **memory}


def running_row(path: Path, folder: Path, seed: int) -> dict[str, Any]:
    """What the way from file to page takes, training cut short and nothing searched."""
    command = [
        sys.executable, "-m", "seqforge", "run", "genome", "--fasta", str(path), "--blast", "off",
        "--budget", f"{_STEPS}steps", "--set", "training.num_evaluations=1", "--device", "cpu",
        "--seed", str(seed), "--out", str(folder / f"run-{path.name}"), "--json", "--quiet",
    ]  # fmt: skip
    summary, memory = watched(command, folder)
    symbols = summary["training"]["symbols_seen"] / _STEPS
    speed = summary["speed"]["train_symbols_per_second"]
    return {
        "step ms": round(1000 * symbols / speed, 2),
        **memory,
        "wall s": summary["wall_seconds"],
        "precision": summary["precision"],
        "bits": {k: v and round(v, 4) for k, v in summary["bits_per_symbol"].items()},
        "baseline notes": summary["baselines"]["notes"],
        "versions": summary["versions"],
    }


def searching_row(path: Path, folder: Path) -> dict[str, Any]:
    """What it takes to look for 500 bases in the file."""
    sample = folder / "sample.fa"
    with path.open() as stream:
        sample.write_text(">sample\n" + "".join(stream.readlines(500 + 12 * LINE)[1:11]))
    command = [sys.executable, "-m", "seqforge", "blast", str(sample), "--against", str(path)]
    began = time.perf_counter()
    _, memory = watched([*command, "--json"], folder)
    return {**memory, "wall s": round(time.perf_counter() - began, 1)}


def _packed(path: Path) -> Path:
    packed = path.with_name(path.name + ".gz")
    with path.open("rb") as stream, gzip.open(packed, "wb", compresslevel=1) as out:
        shutil.copyfileobj(stream, out, 1 << 20)
    return packed


def measure(folder: Path, fasta: Path | None, sizes: Sequence[int], seed: int) -> Iterator[Any]:
    """All rows, one after the other: what was given, what was done, what it took."""
    source = source_bases(fasta, seed)
    cases = [(size, RECORD) for size in sizes] + [(max(sizes), max(sizes) * 1_000_000)]
    for size, record in cases:
        path = folder / f"{size}Mb-{record}.fa"
        write_genome(path, size * 1_000_000, record, source, seed)
        given = {"Mb": size, "records": -(-size * 1_000_000 // record)}
        yield {**given, "done": "read", **reading_row(path, folder)}
        yield {**given, "done": "run", **running_row(path, folder, seed)}
        if record != RECORD:
            yield {**given, "done": "read .gz", **reading_row(_packed(path), folder)}
            yield {**given, "done": "search", **searching_row(path, folder)}
        path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fasta", type=Path, help="what the genomes are made of")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="million bases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    parser.add_argument("--read-only", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.read_only:
        print(json.dumps(read_only(chosen.read_only)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for row in measure(Path(folder), chosen.fasta, chosen.sizes, chosen.seed):
            rows.append(row)
            shown = {k: v for k, v in row.items() if not isinstance(v, dict | list)}
            print("  ".join(f"{key} {value}" for key, value in shown.items()), flush=True)
    versions = next(row["versions"] for row in rows if "versions" in row)
    document = {
        "machine": machine(),
        "versions": versions,
        "seed": chosen.seed,
        "source": chosen.fasta.name if chosen.fasta else "random bases",
        "rows": [{k: v for k, v in row.items() if k != "versions"} for row in rows],
    }
    if chosen.out:
        chosen.out.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
