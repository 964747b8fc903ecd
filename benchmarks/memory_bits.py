"""Bits a symbol of network and memory on five held-out parts, as a run states them.

    python benchmarks/memory_bits.py --data FOLDER [--rows tinyshakespeare ...] [--effort best]

Each row is one `seqforge train`: the network learns from the train part, the mixer from the valid
part, and test is scored. FOLDER has the files of `ROWS`. A result is kept after each row; rows that
were not asked for stay as they were; those of the other effort have a name of their own. ``load``
is that of the last quarter of an hour: budgets in minutes need a quiet machine. Figures of other
compressors are in docs/memory.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common import about, read_result, table, write_result

_RESULT = Path(__file__).parent / "results" / "memory_bits.json"
_CLI = [sys.executable, "-c", "from seqforge.__main__ import main; main()"]


@dataclass(frozen=True)
class Row:
    """A command, and what it shall reach."""

    domain: str
    file: str
    options: str
    wanted: float
    """Bits a symbol of network and memory that adapt."""
    wanted_frozen: float | None = None


_TEXT = "--split 85/5/10 --budget 2m --memory-budget 1100M"
_SHAKESPEARE = (
    "--split 85/5/10 --budget 9000steps --memory-budget 1100M --hidden-size 304 --num-layers 2 "
    "--embedding-size 64 --dropout 0.45 --seq-len 128 --set model.weight_drop=0.1 "
    "--set training.ema_share=0.05"
)
"""The settings of the recipe `shakespeare`, for half of its steps."""

ROWS = {
    "tinyshakespeare": Row("text", "text/tinyshakespeare.txt.gz", _SHAKESPEARE, 1.70, 1.95),
    "linux-kernel": Row("text", "text/linux-kernel-6mb.c.gz", _TEXT, 0.95),
    "nottingham": Row("text", "music/nottingham-abc", _TEXT, 1.10),
    "dm6-small": Row("genome", "genome/dm6-small.fa.gz", "--budget 2m", 1.39),
    "dm3-chr2R": Row(
        "genome", "genome/dm3-chr2R.fa.gz",
        "--split 90/5/5 --num-layers 1 --hidden-size 256 --learning-rate 1e-2 --budget 10m "
        "--memory-budget 1300M",
        1.815, 1.835,
    ),
}  # fmt: skip


def _as_one_text(path: Path, folder: Path) -> Path:
    """The file itself; of a folder of files that are no plain text by name, one of all of them."""
    if path.is_file():
        return path
    joined = folder / f"{path.name}.txt"
    joined.write_bytes(b"".join(file.read_bytes() for file in sorted(path.iterdir())))
    return joined


def _cpu_seconds() -> float:
    """Of all commands that were run so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _stage_seconds(stages: dict[str, Any]) -> dict[str, int]:
    """Beside the results of stages there stand a sum, and when the run was finished."""
    results = {name: result for name, result in stages.items() if isinstance(result, dict)}
    return {
        name: round(result["wall_seconds"])
        for name, result in results.items()
        if "wall_seconds" in result
    }


def measured(row: Row, data: Path) -> dict[str, Any]:
    """Run a row's command; bits, seconds in all and of each stage, and the peak of resident
    memory."""
    with tempfile.TemporaryDirectory() as folder:
        out, began, used = Path(folder) / "run", time.perf_counter(), _cpu_seconds()
        source = _as_one_text(data / row.file, Path(folder))
        command = [*_CLI, "train", row.domain, str(source), *row.options.split()]
        subprocess.run([*command, "--out", str(out), "--quiet"], check=True)
        seconds = time.perf_counter() - began
        summary, stages = (
            json.loads((out / name).read_text("utf-8")) for name in ("summary.json", "stages.json")
        )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return {
        "command": f"seqforge train {row.domain} {row.file} {row.options}",
        "wanted": row.wanted,
        "wanted_frozen": row.wanted_frozen,
        "headline": summary["headline"],
        "network": summary["bits_per_symbol"],
        "memory": summary["memory"],
        "baselines": summary["baseline_bits"],
        "seconds": round(seconds),
        "seconds_of_stages": _stage_seconds(stages),
        "cpu_seconds": round(_cpu_seconds() - used),
        "load": round(os.getloadavg()[2], 1),
        "peak_gib_so_far": round(peak, 2),
    }


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--effort", choices=("fast", "best"), default="fast")
    chosen = parser.parse_args()
    rows = read_result(_RESULT)["rows"] if _RESULT.exists() else {}
    best = chosen.effort == "best"
    for name in chosen.rows:
        row = ROWS[name]
        if best:
            row = replace(row, options=f"{row.options} --memory-effort best")
        rows[f"{name}-best" if best else name] = measured(row, chosen.data)
        write_result(_RESULT, {**about(0, {}), "rows": rows})
    print(table([
        {"row": name, "headline": row["headline"]["bits"], "wanted": row["wanted"],
         "frozen": row["memory"]["mixed_frozen"], "seconds": row["seconds"],
         "cpu_seconds": row["cpu_seconds"], "load": row["load"]}
        for name, row in rows.items()
    ]))  # fmt: skip


if __name__ == "__main__":
    _main()
