"""How long the first command on a machine takes, and how long every later one.

    python benchmarks/first_command.py [--rounds 5] [--only 'sample fly' ...]

Each round gives every command a cache folder of its own, empty at first, and runs it twice: from
the start of the process to its end, in seconds of the clock, and of the processor. Figures are
medians over the rounds.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import about, table, write_result

_CLI = [sys.executable, "-c", "from seqforge.__main__ import main; main()"]
_PYTHON = [sys.executable, "-c", "import seqforge; seqforge.load('shakespeare').sample(length=200)"]
_LETTERS = "ACGTTGCAACGGTCAT"


def commands(folder: Path) -> dict[str, list[str]]:
    """What is run, by what a table calls it."""
    melody = Path(__file__).parents[1] / "data" / "melody.mid"
    (folder / "query.fa").write_text(f">query\n{_LETTERS * 6}\n")
    (folder / "library.fa").write_text(f">library\n{_LETTERS * 62}\n")
    out, short = str(folder / "tune"), ["-n", "1", "--length", "200"]
    searched = ["blast", str(folder / "query.fa"), "--against", str(folder / "library.fa")]
    return {
        "sample shakespeare -n 1 --length 200": [*_CLI, "sample", "shakespeare", *short],
        "sample fly -n 1 --length 200": [*_CLI, "sample", "fly", *short],
        "sample folk -n 1": [*_CLI, "sample", "folk", "-n", "1"],
        "music --prime melody.mid": [*_CLI, "music", "--prime", str(melody), "--out", out],
        "blast --against 1 kB": [*_CLI, *searched, "--out", str(folder / "hits.tsv")],
        "seqforge.load(...).sample(length=200)": _PYTHON,
        "--help": [*_CLI, "--help"],
    }


def took(command: Sequence[str], cache: Path) -> tuple[float, float]:
    """Seconds of the clock and of the processor that a command took."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "SEQFORGE_CACHE": str(cache)},
    )  # fmt: skip
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - began
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(rounds: int, only: Sequence[str] = ("",)) -> list[dict[str, Any]]:
    """A row for each command whose name holds one of some words."""
    seen: dict[str, list[list[tuple[float, float]]]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="seqforge-") as name:
            folder = Path(name)
            for number, (called, command) in enumerate(commands(folder).items()):
                if not any(words in called for words in only):
                    continue
                runs = [took(command, folder / f"cache{number}") for _ in range(2)]
                seen.setdefault(called, []).append(runs)
    return [_row(called, runs) for called, runs in seen.items()]


def _row(called: str, runs: list[list[tuple[float, float]]]) -> dict[str, Any]:
    row: dict[str, Any] = {"command": called}
    for what, place in (("first", 0), ("later", 1)):
        for kind, of in (("seconds", 0), ("processor seconds", 1)):
            row[f"{what}, {kind}"] = round(statistics.median(run[place][of] for run in runs), 2)
    return {**row, "rounds": [[[round(s, 3) for s in one] for one in run] for run in runs]}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORDS")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(arguments)
    rows = measured(asked.rounds, asked.only)
    print(table([{key: row[key] for key in row if key != "rounds"} for row in rows]), flush=True)
    write_result(asked.out, {**about(0, {"rounds": asked.rounds}), "commands": rows})


if __name__ == "__main__":
    main()
