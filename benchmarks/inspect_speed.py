"""How long seqforge inspect takes: tracing and ranking of a text, then controls and causal tests.

    python benchmarks/inspect_speed.py book.txt --out benchmarks/results/inspect_speed.json

One process inspects the first million symbols of the file, with all cores. A stage's seconds are
those from its beginning to that of the next; `held` is the most memory that the process held by
itself (RssAnon: mapped files do not count), looked at ten times a second. Needs Linux.
"""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path

from common import about, say, table, write_result
from seqforge.runs.folder import find_model
from seqforge.runs.inspect import inspect_model
from seqforge.runs.progress import NullProgress

_LOOK_SECONDS = 0.1


class Clock(NullProgress):
    """Notes when stages begin."""

    def __init__(self) -> None:
        self._begun: list[tuple[str, float, float]] = []

    def stage(self, name: str) -> None:
        """See `ProgressListener.stage`."""
        self._begun.append((name, time.perf_counter(), time.process_time()))

    def rows(self) -> list[dict[str, object]]:
        """Seconds and processor seconds of each stage."""
        ends = [*self._begun[1:], ("", time.perf_counter(), time.process_time())]
        return [
            {"stage": name, "seconds": round(end - at, 2), "CPU seconds": round(cpu - used, 2)}
            for (name, at, used), (_, end, cpu) in zip(self._begun, ends, strict=True)
        ]


class HeldMemory:
    """The most memory that this process holds itself while the block runs."""

    def __init__(self) -> None:
        self.most = 0
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> HeldMemory:
        self._watcher.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            status = Path("/proc/self/status").read_text(encoding="utf-8")
            line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
            self.most = max(self.most, int(line.split()[1]) * 1024)


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("text", help="the file to inspect")
    parser.add_argument("--model", default="shakespeare")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    clock = Clock()
    with HeldMemory() as memory:
        found = inspect_model(find_model(asked.model), [asked.text], clock)
        rows = clock.rows()
    result = found.result
    say(table(rows))
    say(f"{result.symbols:,} symbols, held at most {memory.most / 1e6:,.0f} MB")
    write_result(
        asked.out,
        {
            **about(0, {"model": asked.model}),
            "symbols": result.symbols,
            "controlled": result.controlled,
            "found": len(result.found),
            "stages": rows,
            "held_mb": round(memory.most / 1e6),
        },
    )


if __name__ == "__main__":
    main()
