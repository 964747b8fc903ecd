"""What the plain commands reach: held-out bits, memory and time of three runs, as a table and JSON.

    python benchmarks/runs.py --text plays.txt --fasta genome.fa --out benchmarks/results/runs.json

Each run is a process of its own, so that its peak memory is its own. Leave the machine alone
meanwhile: budgets are wall-clock.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from common import machine


def _plain(word: str) -> str:
    """A path by its name alone: where a file lies is nobody's business."""
    return Path(word).name if Path(word).exists() else word


def measured(folder: Path, *arguments: str) -> dict[str, object]:
    """Run the program once and take the figures from its summary."""
    command = [sys.executable, "-m", "seqforge", "run", *arguments, "--out", str(folder), "--json"]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    summary = json.loads(finished.stdout)
    part = summary["baselines"]["part"]
    return {
        "command": " ".join(["seqforge", "run", *map(_plain, arguments)]),
        "held out": part,
        "bits": round(summary["bits_per_symbol"][part], 4),
        "best n-gram": summary["baselines"]["order_k"],
        "order": summary["baselines"]["k"],
        "symbols/s": round(summary["speed"]["train_symbols_per_second"]),
        "peak MB": round(summary["peak_memory_mb"]),
        "wall s": summary["wall_seconds"],
        "precision": summary["precision"],
        "seed": summary["seed"],
        "versions": summary["versions"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", help="a text; 2 minutes, last 10 %% held out")
    parser.add_argument("--fasta", help="a genome; 5 minutes, last 5 %% held out")
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    chosen = parser.parse_args()
    runs = [("music", "--budget", "2m")]
    if chosen.fasta:
        split = ("--split", "95/5/0", "--budget", "5m")
        runs.insert(0, ("genome", "--fasta", chosen.fasta, *split))
    if chosen.text:
        split = ("--split", "90/10/0", "--budget", "2m")
        runs.insert(0, ("text", "--input", chosen.text, *split))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number, arguments in enumerate(runs):
            rows.append(measured(Path(folder) / str(number), *arguments))
            shown = {k: v for k, v in rows[-1].items() if k not in ("versions", "seed")}
            print("  ".join(f"{key} {value}" for key, value in shown.items()), flush=True)
    if chosen.out:
        chosen.out.write_text(json.dumps({"machine": machine(), "runs": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
