"""Scenes killed at system calls, and gone on with.

A scene runs once undisturbed under strace: that gives what has to come out and every call that
changes a file, from which moments are taken that spread over the whole of it. At each of them it
is killed in a fresh folder, before the call is made, and given again until it comes to its end.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.nursery import Nursery
from tests.faults.power import MODES, Disk, after_power_cut
from tests.faults.scenes import Scene, fingerprint, scenes
from tests.small_runs import material, short

_CALLS = (
    "write,pwrite64,writev,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,fsync,"
    "fdatasync,ftruncate,link,linkat,fchmod,flock"
)
_LINE = re.compile(r"(\d+) +(\w+)\((.*)")
_PATHS = re.compile(r'<(/[^>]*)>|"([^"]*)"')
_FULL = {"write", "pwrite64", "writev", "mkdir", "fsync", "rename", "ftruncate"}


@dataclass(frozen=True)
class Moment:
    """The ``count``-th of one kind of call that a thread of the command makes."""

    call: str
    count: int
    place: str


@dataclass
class Tally:
    """What was tried, and what went wrong."""

    kills: int = 0
    cuts: int = 0
    fills: int = 0
    faults: list[str] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        calls = ", ".join(f"{count} {call}" for call, count in self.calls.most_common())
        said = (
            f"{self.kills} kills ({calls}), {self.cuts} power cuts, {self.fills} full disks: "
            f"{len(self.faults)} faults"
        )
        return "\n".join([said, *self.faults])


class Stage:
    """Where scenes are played; each in a fresh folder."""

    def __init__(self, place: Path, kernel: Path) -> None:
        """``kernel``: a cache with the compiled kernel, or for it."""
        self.place, self.number = place, 0
        self.nursery = Nursery(kernel)
        self.models = place / "models"
        self.models.mkdir()
        for recipe in ("text", "genome", "music"):
            root = self.fresh()
            (root / "cache").mkdir(parents=True)
            name = material(recipe, root).name
            words = ("train", recipe, "--input", name, "--out", "run", *short("30steps"))
            code, said, _ = self.play(root, words)
            if code:
                raise RuntimeError(said)
            (root / "run" / "model.safetensors").rename(self.models / f"{recipe}.safetensors")
            shutil.rmtree(root)

    def fresh(self) -> Path:
        """A folder that is not there yet."""
        self.number += 1
        return self.place / f"{self.number:04}"

    def play(
    place: Path, kernel: Path, kills: int, cuts: int, fills: int, only: str = "", seed: int = 0
) -> Tally:
    """So many faults of each kind over all scenes, or those whose names have a word in them."""
    tally, began = Tally(), time.monotonic()
    stage = Stage(place, kernel)
    try:
        played = [scene for scene in scenes() if only in scene.name]
        for number, scene in enumerate(played):
            trial = Trial(stage, scene, tally, seed)
            trial.kill(_share(kills, number, len(played)))
            trial.cut(_share(cuts, number, len(played)))
            trial.fill(_share(fills, number, len(played)))
            if cuts:
                trial.finish_and_cut()
            passed = time.monotonic() - began
            print(
                f"{passed:6.0f} s  {scene.name}: {len(trial.moments)} moments;", tally, flush=True
            )
    finally:
        stage.close()
    return tally


def _share(total: int, number: int, of: int) -> int:
    return total * (number + 1) // of - total * number // of


if __name__ == "__main__":
    import tempfile

    from seqforge.core.files import cache_root

    kills, cuts, fills, *more = sys.argv[1:]
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        counts = (int(kills), int(cuts), int(fills))
        tally = play(Path(name), cache_root(), *counts, *more[:1], *map(int, more[1:]))
    print(tally)
    sys.exit(bool(tally.faults))
