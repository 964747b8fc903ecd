"""Processes on terminals, and what conversations leave."""

import json
import os
import re
import select
import subprocess
import sys
from contextlib import suppress

from tests.patience import PATIENCE, tries

# The child takes the terminal it was given for its own, so that Ctrl-C typed there reaches it.
_AT_HOME = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.executable, [sys.executable, '-m', 'seqforge', *sys.argv[1:]])"
)


def read_all(terminal):
    """What was written to the other end of a terminal, until that is closed."""
    written = b""
    with suppress(OSError):  # how Linux says that the other end is closed
        while block := os.read(terminal, 1 << 16):
            written += block
    os.close(terminal)
    return written.decode()


class OnTerminal:
    """A process whose stdin, and what else is not given, is a terminal."""

    def __init__(self, environment, *arguments, stdout=None, stderr=None):
        import pty  # of POSIX alone

        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _AT_HOME, "sample", *map(str, arguments)],
            stdin=slave, stdout=stdout or slave, stderr=stderr or slave, env=environment,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.shown = ""

    def type(self, keys):
        os.write(self._master, keys.encode())

    def until(self, pattern, seconds=PATIENCE):
        """What is shown until a pattern has come; the pattern counts among it."""
        for _ in tries(seconds):
            if found := re.search(pattern, self.shown):
                before, self.shown = self.shown[: found.end()], self.shown[found.end() :]
                return before
            if select.select([self._master], [], [], 0.1)[0]:
                self.shown += os.read(self._master, 65536).decode().replace("\r\n", "\n")
        raise AssertionError(f"{pattern!r} did not come: {self.shown!r}")

    def interrupt(self, pattern):
        """Press Ctrl-C until a pattern comes: readline may lose one as it begins to read."""
        for _ in range(400):
            self.type("\x03")
            try:
                return self.until(pattern, 2.0)
            except AssertionError:
                continue
        raise AssertionError(f"Ctrl-C was never answered by {pattern!r}: {self.shown!r}")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)


def symbols_of(result):
    (sample,) = json.loads(result.stdout)
    return sample["symbols"]
