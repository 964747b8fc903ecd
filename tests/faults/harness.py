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
from tests.patience import PATIENCE
from tests.small_runs import material, short

_CALLS = (
    "write,pwrite64,writev,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,fsync,"
    "fdatasync,ftruncate,link,linkat,fchmod,flock"
)
_LINE = re.compile(r"(\d+) +(\w+)\((.*)")
_PATHS = re.compile(r'<(/[^>]*)>|"([^"]*)"')
_IN_A_ROW = 4
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
        self, root: Path, words: tuple[str, ...], trace: list[str] | None = None,
        disk: Path | None = None, memory: int | None = None,
    ) -> tuple[int, str, str]:  # fmt: skip
        """A command in a folder: its exit code, what it said, what strace saw."""
        said, log = root.with_suffix(".said"), root.with_suffix(".strace")
        order = {
            "folder": str(root), "words": words, "said": str(said),
            "environment": {"SEQFORGE_CACHE": str(root / "cache")}, "disk": disk and str(disk),
            "memory": memory,
        }  # fmt: skip
        child = self.nursery.begin(order)
        watcher = None
        if trace is not None:
            command = ["strace", "-f", "-y", "-s", "0", "-o", log, "-p", str(child), *trace]
            watcher = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
            while "attached" not in (line := watcher.stderr.readline()):
                if not line:
                    raise RuntimeError("strace cannot attach to a process of this user")
        code = self.nursery.let_go()
        seen = ""
        if watcher is not None:
            watcher.communicate(timeout=PATIENCE)
            seen = log.read_text(errors="replace")
            log.unlink()
        told = said.read_text(errors="replace")
        said.unlink()
        return code, told, seen

    def close(self) -> None:
        """End what was begun."""
        self.nursery.close()


def moments_of(seen: str, root: Path) -> list[Moment]:
    """Calls that change something below ``root``, in their order, but those that a kill at them
    could not tell from an earlier one: of two threads the first to make its n-th call is met."""
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, int], str] = {}
    for line in seen.splitlines():
        match = _LINE.match(line)
        if match is None or "resumed>" in line:
            continue
        thread, call, rest = match.groups()
        counts[thread, call] += 1
        paths = [path for pair in _PATHS.findall(rest) for path in pair if path]
        inside = [p for p in paths if not p.startswith("/") or p.startswith(f"{root}/")]
        first.setdefault((call, counts[thread, call]), inside[-1] if inside else "")
    return [Moment(*key, place) for key, place in first.items() if place]


def spread(moments: list[Moment], count: int, draw: random.Random) -> Iterator[Moment]:
    """So many of them, from all of the way."""
    for number in range(count):
        yield moments[min(len(moments) - 1, int((number + draw.random()) * len(moments) / count))]


class Trial:
    """One scene, killed again and again."""

    def __init__(self, stage: Stage, scene: Scene, tally: Tally, seed: int = 0) -> None:
        self.stage, self.scene, self.tally = stage, scene, tally
        self.draw = random.Random(f"{scene.name} {seed}")
        root = self._laid()
        code, said, seen = stage.play(root, scene.words, ["-e", f"trace={_CALLS}"])
        if code:
            raise RuntimeError(f"{scene.name}: fails undisturbed: {said}")
        self.wanted = fingerprint(root / "out")
        self.moments = moments_of(seen, root)
        shutil.rmtree(root)

    def _laid(self) -> Path:
        root = self.stage.fresh()
        self.scene.lay(root, self.stage.models)
        return root

    def kill(self, count: int) -> None:
        """Kill it so often: up to four times in a fresh folder before it may come to its end."""
        done, moments = 0, iter(())
        for _ in range(3 * count):  # a command that goes on makes fewer calls, and may escape
            if done >= count:
                return
            root, where = self._laid(), []
            for _ in range(min(self.draw.randint(1, _IN_A_ROW), count - done)):
                moment = next(moments, None)
                if moment is None:
                    moments = iter(
                        self.draw.sample(list(spread(self.moments, count, self.draw)), count)
                    )
                    moment = next(moments)
                where.append(moment)
                if not self._killed(root, moment):
                    break
                done += 1
            self._goes_on(root, f"killed at {where}")

    def cut(self, count: int) -> None:
        """Cut the power at so many moments."""
        for number, moment in enumerate(spread(self.moments, count, self.draw)):
            root, disk = self._laid(), Disk(self.stage.fresh())
            disk.begin(root)
            mode = MODES[(number + self.draw.randrange(len(MODES))) % len(MODES)]
            self._killed(root, moment, disk.files.parent)
            self._cut(root, disk, mode, number)
            self._goes_on(root, f"power cut ({mode}) at {moment}")

    def fill(self, count: int) -> None:
        """Have the disk be full at so many moments: one sentence, and later it goes on."""
        moments = [moment for moment in self.moments if moment.call in _FULL]
        for moment in spread(moments, count, self.draw):
            root = self._laid()
            inject = f"inject={moment.call}:error=ENOSPC:when={moment.count}"
            trace = ["-e", f"trace={moment.call}", "-e", inject]
            code, said, _ = self.stage.play(root, self.scene.words, trace)
            self.tally.fills += 1
            sentences = sum(line.startswith("error: ") for line in said.splitlines())
            if "Traceback" in said or (code, sentences) not in ((1, 1), (0, 0)):
                self._fault(f"full at {moment}: ends with {code}", said)
            self._goes_on(root, f"full at {moment}")

    def finish_and_cut(self) -> None:
        """Cut the power just after its end: all that it left is on the disk."""
        for mode in MODES[:2]:
            root, disk = self._laid(), Disk(self.stage.fresh())
            disk.begin(root)
            code, said, _ = self.stage.play(root, self.scene.words, disk=disk.files.parent)
            if code:
                self._fault(f"fails undisturbed ({code})", said)
            self._cut(root, disk, mode, 0)
            for path in (root / "out").rglob("*.lock"):
                path.unlink()  # that it is gone need not be on the disk
            self._compare(root, f"power cut ({mode}) after its end", said)

    def _cut(self, root: Path, disk: Disk, mode: str, seed: int) -> None:
        """Make of a tree what a loss of power leaves of it, in the same place."""
        self.tally.cuts += 1
        before = root.rename(self.stage.fresh())
        after_power_cut(before, disk, root, mode, seed)
        shutil.rmtree(before)
        shutil.rmtree(disk.files.parent)

    def _killed(self, root: Path, moment: Moment, disk: Path | None = None) -> bool:
        """Whether the moment came; else the command has come to its end."""
        trace = [
            "-e", f"trace={moment.call}",
            "-e", f"inject={moment.call}:signal=SIGKILL:when={moment.count}",
        ]  # fmt: skip
        code, said, _ = self.stage.play(root, self.scene.words, trace, disk)
        if code == -9:
            self.tally.kills += 1
            self.tally.calls[moment.call] += 1
        elif code:
            self._fault(f"killed at {moment}: ends with {code}", said)
        return code == -9

    def _goes_on(self, root: Path, what: str) -> None:
        code, said, _ = self.stage.play(root, self.scene.words)
        if code or "Traceback" in said:
            self._fault(f"{what}, does not go on ({code})", said)
            shutil.rmtree(root)
        else:
            self._compare(root, what, said)

    def _compare(self, root: Path, what: str, said: str) -> None:
        try:
            found = fingerprint(root / "out")
        except Exception as error:
            found = {"what cannot be read": str(error)}
        if found != self.wanted:
            names = sorted({*found, *self.wanted})
            differ = [name for name in names if found.get(name) != self.wanted.get(name)]
            self._fault(f"{what}, ends otherwise in {differ}", said)
        shutil.rmtree(root)

    def _fault(self, what: str, said: str) -> None:
        fault = f"{self.scene.name}: {what}\n{said[-1500:]}"
        print(fault, flush=True)
        self.tally.faults.append(fault)


def play(
    place: Path, kernel: Path, kills: int, cuts: int, fills: int, only: str = "", seed: int = 0
) -> Tally:
    """So many faults of each kind over all scenes, or those whose names have a word in them."""
    tally, began = Tally(), time.monotonic()
    stage = Stage(place, kernel)
    try:
        named = [scene for scene in scenes() if scene.name == only]
        played = named or [scene for scene in scenes() if only in scene.name]
        for number, scene in enumerate(played):
            trial = Trial(stage, scene, tally, seed)
            trial.kill(_share(kills, number, len(played)))
            trial.cut(_share(cuts, number, len(played)))
            trial.fill(_share(fills, number, len(played)))
            if cuts:
                trial.finish_and_cut()
            passed, said = time.monotonic() - began, str(tally).splitlines()[0]
            print(f"{passed:.0f} s: {scene.name}, {len(trial.moments)} moments; {said}", flush=True)
    finally:
        stage.close()
    return tally


def _share(total: int, number: int, of: int) -> int:
    return total * (number + 1) // of - total * number // of


if __name__ == "__main__":
    import tempfile

    from seqforge.base.folders import cache_root

    kills, cuts, fills, *more = sys.argv[1:]
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        counts = (int(kills), int(cuts), int(fills))
        tally = play(Path(name), cache_root(), *counts, *more[:1], *map(int, more[1:]))
    print(tally)
    sys.exit(bool(tally.faults))
