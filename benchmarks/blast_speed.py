"""Similarity search speed: samples against a whole chromosome, by each search at home.

    python benchmarks/blast_speed.py ../shared/data/genome/dm3-chr2R.fa.gz
    python benchmarks/blast_speed.py genome.fa.gz --samples 10 --length 500 --backends local

Half of the samples are cut from the library, a tenth of their bases drawn anew, half are of chance
alone. In each
round every backend searches once, in turn; figures are medians. blast+ keeps the library as a
database: the first search, which makes it, is told apart.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from common import about, say, scratch, table, write_result
from seqforge.base.folders import sha256_of
from seqforge.domains.genome.similarity.backends import LocalBackend, SearchBackend
from seqforge.domains.genome.similarity.blastplus import BlastPlusBackend
from seqforge.domains.genome.similarity.hits import Query, SearchResult
from seqforge.domains.genome.similarity.library import read_library
from seqforge.domains.genome.similarity.parameters import SearchParameters

_BACKENDS: Mapping[str, Callable[[list[Path]], SearchBackend]] = {
    "local": LocalBackend, "blast+": BlastPlusBackend,
}  # fmt: skip
_REDRAWN = 0.1


def samples(library: Path, count: int, length: int, seed: int) -> list[Query]:
    """Every other one is cut from the library's first sequence, the rest is chance."""
    rng = random.Random(seed)
    bases = next(read_library([library])).bases.decode()

    def cut() -> str:
        while True:
            start = rng.randrange(max(1, len(bases) - length))
            piece = bases[start : start + length]
            if "N" not in piece:
                return "".join(b if rng.random() > _REDRAWN else rng.choice("ACGT") for b in piece)

    return [
        Query(f"cut_{i}", cut())
        if i % 2
        else Query(f"random_{i}", "".join(rng.choices("ACGT", k=length)))
        for i in range(count)
    ]


def timed(backend: SearchBackend, queries: list[Query]) -> tuple[float, list[SearchResult]]:
    """Seconds of one search, reading the library among them, and what it found."""
    began = time.perf_counter()
    found = backend.search(queries, SearchParameters(), lambda done, total, what: None)
    return round(time.perf_counter() - began, 3), found


def measure(
    library: Path, queries: list[Query], names: Sequence[str], rounds: int
) -> list[dict[str, Any]]:
    """A row a backend."""
    backends = {name: _BACKENDS[name]([library]) for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    first, best, programs = {}, {}, {}
    if "blast+" in backends:
        first["blast+"], _ = timed(backends["blast+"], queries)
    for number in range(1, rounds + 1):
        for name, backend in backends.items():
            took, results = timed(backend, queries)
            seconds[name].append(took)
            best[name] = [result.best_evalue for result in results]
            programs[name] = f"{results[0].program} {results[0].version}"
        say(f"round {number} of {rounds}")
    return [
        {
            "backend": name, "median s": statistics.median(seconds[name]),
            "first s": first.get(name), "E <= 0.001": _found(best[name]),
            "program": programs[name], "rounds": seconds[name], "best E": best[name],
        }
        for name in names
    ]  # fmt: skip


def _found(evalues: Sequence[float | None]) -> int:
    return sum(evalue is not None and evalue <= 1e-3 for evalue in evalues)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("library", type=Path, help="FASTA, .gz too")
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--length", type=int, default=500, help="bases of a sample")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backends", nargs="+", choices=list(_BACKENDS), default=list(_BACKENDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON")
    given = parser.parse_args(arguments)
    letters = sum(len(entry.bases) for entry in read_library([given.library]))
    settings = {
        "library": {"name": given.library.name, "sha256": sha256_of(given.library),
                    "letters": letters},
        "samples": given.samples, "length": given.length, "rounds": given.rounds,
    }  # fmt: skip
    document: dict[str, Any] = about(given.seed, settings)
    queries = samples(given.library, given.samples, given.length, given.seed)
    with scratch():
        rows = measure(given.library, queries, given.backends, given.rounds)
    document["rows"] = rows
    print(f"{given.samples} samples of {given.length:,} bases, {letters:,} library bases")
    print(table([{k: v for k, v in row.items() if k not in ("rounds", "best E")} for row in rows]))
    write_result(given.out, document)


if __name__ == "__main__":
    main()
