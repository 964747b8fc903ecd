"""Words of a command -> a process that runs it, begun in a moment instead of seconds of imports.

A server that has imported the program forks one child a command (`multiprocessing` has such a
server). A child is the program as ``python -m seqforge`` runs it: its own streams, surroundings,
folder, signals and exit code. What comes before the imports, and what hangs on a program of its
own, has to be started as one.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.forked_modules"])


class Command:
    """A running command; of the interface of `subprocess.Popen` what tests use."""

    def __init__(
        self, *words: object, script: Path | None = None, stdin: str | None = "",
        **environment: str,
    ) -> None:  # fmt: skip
        """Begin ``seqforge words`` in this folder; stdout and stderr are kept.

        Args:
            script: Run instead: as ``python script words`` does.
            stdin: At most 64 KB; None: nothing comes, and no end.
            environment: Set beside what this process has.
        """
        self.args = [str(script or "seqforge"), *map(str, words)]
        (asked, self._typing), *answers = (_SERVER.Pipe(False) for _ in range(3))
        if stdin is not None:
            os.write(self._typing.fileno(), stdin.encode())
            self._typing.close()
        theirs = (asked, *(writing for _, writing in answers))
        order = (self.args, script, {**os.environ, **environment}, os.getcwd(), theirs)
        self._process = _SERVER.Process(target=_live, args=order)
        self._process.start()
        for end in theirs:
            end.close()
        self.stdout, self.stderr = (
            os.fdopen(os.dup(reading.fileno()), encoding="utf-8") for reading, _ in answers
        )
        for reading, _ in answers:
            reading.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, minus the signal that ended it, or None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises: subprocess.TimeoutExpired: It runs on."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def end(self) -> None:
        """Kill it if it runs, and let go of what it said."""
        self.kill()
        self.communicate()

    def send_signal(self, kind: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, kind)

    def kill(self) -> None:
        self._process.kill()

    def gone(self, timeout: float) -> bool:
        """Wait for its end in a thread beside one that waits too; whether it came."""
        return bool(connection.wait([self._process.sentinel], timeout))

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """All that it still says, once it has ended. Raises: subprocess.TimeoutExpired."""
        said: list[str] = ["", ""]

        def listen(place: int, stream) -> None:
            said[place] = "" if stream.closed else stream.read()
            stream.close()

        listeners = [
            threading.Thread(target=listen, args=pair, daemon=True)
            for pair in enumerate((self.stdout, self.stderr))
        ]
        for one in listeners:
            one.start()
        self.wait(timeout)
        for one in listeners:
            one.join()
        return said[0], said[1]


@contextmanager
def beginning() -> Iterator[Callable[..., Command]]:
    """Begins commands; those that still run at the end of the block are killed."""
    running: list[Command] = []

    def begin(*words: object, **more: str) -> Command:
        running.append(Command(*words, **more))
        return running[-1]

    try:
        yield begin
    finally:
        for one in running:
            one.end()


def two_ranks(begin: Callable[..., Command], *words: object, **more: object) -> list[Command]:
    """Begin a command as two processes, which know of each other what torchrun would tell them."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    told = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **more}
    return [begin(*words, RANK=str(rank), LOCAL_RANK=str(rank), **told) for rank in range(2)]


def _live(
    words: list[str], script: Path | None, surroundings: dict[str, str], folder: str,
    streams: tuple[Connection, ...],
) -> None:  # fmt: skip
    """Be the command, in the child."""
    for target, end in enumerate(streams):
        os.dup2(end.fileno(), target)
        end.close()
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False, errors="backslashreplace", buffering=1)
    os.environ.clear()
    os.environ.update(surroundings)
    os.chdir(folder)
    sys.argv = words
    try:
        if script is not None:
            sys.path.insert(0, str(script.parent))
            runpy.run_path(str(script), run_name="__main__")
        else:
            runpy.run_module("seqforge", run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # a child of multiprocessing ends without them
