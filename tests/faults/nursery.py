"""Orders on stdin, commands begun: ``python -m tests.faults.nursery``.

A process that has imported everything and does nothing itself. Each command is a child of it, so
that it begins in a moment and not in the seconds that imports take; it waits until somebody who
wants to watch it is ready.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE

_MODULES = ("music21", "verovio")  # besides what commands of other tests need at once


class Nursery:
    """The process, seen from the one that gives the orders."""

    def __init__(self, cache: Path) -> None:
        """``cache``: keeps the compiled kernel."""
        environment = {**os.environ, "SEQFORGE_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=environment,
        )  # fmt: skip
        self._told("ready")

    def begin(self, order: dict[str, Any]) -> int:
        """A command that waits to be let go; its process id."""
        self._say(json.dumps(order))
        return int(self._told("pid"))

    def let_go(self) -> int:
        """Let the command run to its end; its exit code, or minus the signal that ended it."""
        self._say("go")
        return os.waitstatus_to_exitcode(int(self._told("status")))

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()

    def _say(self, line: str) -> None:
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _told(self, what: str) -> str:
        word, _, value = self._process.stdout.readline().partition(" ")
        if word.strip() != what:
            raise RuntimeError(f"the nursery says {word!r} and not {what!r}")
        return value


def main() -> None:
    """Begin commands until stdin ends."""
    import importlib

    for name in ("tests.forked_modules", *_MODULES):
        importlib.import_module(name)
    print("ready", flush=True)
    for line in sys.stdin:
        gate, opener = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(opener)
            _live(gate, json.loads(line))
        os.close(gate)
        print(f"pid {child}", flush=True)
        sys.stdin.readline()
        os.write(opener, b".")
        os.close(opener)
        _, status = os.waitpid(child, 0)
        print(f"status {status}", flush=True)


def _live(gate: int, order: dict[str, Any]) -> None:
    """Be the command: in its folder, with its output in a file; does not return."""
    code = 1
    try:
        os.read(gate, 1)
        os.close(gate)
        said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, to in ((nothing, 0), (said, 1), (said, 2)):
            os.dup2(descriptor, to)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(order["folder"])
        os.environ.update(order["environment"])
        sys.argv = ["seqforge", *order["words"]]
        if order["memory"] is not None:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + order["memory"]
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        if order["disk"]:
            from tests.faults.power import Disk

            Disk(Path(order["disk"])).watch()
        from seqforge.cli.main import app

        app(order["words"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
