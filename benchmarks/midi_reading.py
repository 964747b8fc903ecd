"""Reading MIDI files: from the path to a piece on the grid, beside mido.MidiFile(path) alone.

    python benchmarks/midi_reading.py FOLDER --out benchmarks/results/midi_reading.json

mido gives messages; seqforge.domains.music gives notes with their ends, matched, rounded to the
grid, checked and in normal form. In each round every file is read by both, one after the other and
each first in half of the rounds, so that whatever else the machine does meets both alike. Times are
the processor's, without garbage collection (as timeit's), medians over the rounds; "of mido" is the
median of each round's quotient.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mido

from common import about, say, table, write_result
from seqforge.domains.music.midi.midi_file import read_midi

_GRID = 24


def seconds(read: Callable[[Path], object], path: Path) -> float:
    """Seconds of the processor that reading a file takes once."""
    gc.collect()
    gc.disable()
    began = time.process_time()
    read(path)
    took = time.process_time() - began
    gc.enable()
    return took


def ours(path: Path) -> object:
    """A piece on the grid."""
    return read_midi(path, _GRID)


def measured(paths: Sequence[Path], rounds: int) -> list[tuple[list[float], list[float]]]:
    """Seconds of mido and of ours for each file, a round each, after one that does not count."""
    found: list[tuple[list[float], list[float]]] = [([], []) for _ in paths]
    for number in range(rounds + 1):
        for path, (by_mido, by_us) in zip(paths, found, strict=True):
            turns = [(by_mido, mido.MidiFile), (by_us, ours)]
            for times, read in turns if number % 2 else turns[::-1]:
                took = seconds(read, path)
                if number:
                    times.append(took)
        say(f"round {number} of {rounds}")
    return found


def row(name: str, size: int, notes: int, times: tuple[list[float], list[float]]) -> dict[str, Any]:
    """What a line of the table says."""
    quotients = [us / mido for mido, us in zip(*times, strict=True)]
    return {
        "file": name, "bytes": size, "notes": notes,
        "mido ms": round(1e3 * statistics.median(times[0]), 3),
        "seqforge ms": round(1e3 * statistics.median(times[1]), 3),
        "of mido": round(statistics.median(quotients), 3),
        "lowest": round(min(quotients), 3), "highest": round(max(quotients), 3),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="MIDI files that mido can read")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--out", type=Path, help="JSON")
    given = parser.parse_args(arguments)
    paths = sorted(given.folder.glob("*.mid"))
    if not paths:
        parser.error(f"{given.folder}: holds no .mid file")
    found = measured(paths, given.rounds)
    sizes = [path.stat().st_size for path in paths]
    notes = [len(read_midi(path, _GRID)[0].notes) for path in paths]
    rows = [row(*line) for line in zip([p.name for p in paths], sizes, notes, found, strict=True)]
    by_mido = [sum(times) for times in zip(*(mine for mine, _ in found), strict=True)]
    by_us = [sum(times) for times in zip(*(mine for _, mine in found), strict=True)]
    rows.append(row("all", sum(sizes), sum(notes), (by_mido, by_us)))
    print(table(rows))
    settings = {"rounds": given.rounds, "steps_per_quarter": _GRID, "mido": version("mido")}
    write_result(given.out, {**about(0, settings), "files": rows})


if __name__ == "__main__":
    main()
