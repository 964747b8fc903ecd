"""A command line in, the output of a child process out: external programs found, run, ended in
time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqforge.errors import ProgramError

_LONGEST_COMPLAINT = 400


class OverTime(ProgramError):
    """A child process had not finished in time, and was ended."""


@dataclass(frozen=True)
class Ended:
    """A child process that came to its end."""

    name: str
    """Of the program."""
    code: int
    """0 for success, below for the signal that ended it."""
    out: bytes
    complaint: str
    """What it wrote on stderr."""

    @property
    def reason(self) -> str:
        """Why it failed, in one line, without its advice to read its manual."""
        said = [line.strip() for line in self.complaint.splitlines()]
        said = [line for line in said if line and "user manual" not in line]
        how = f"exit status {self.code}" if self.code > 0 else f"ended by signal {-self.code}"
        return " ".join([f"{how}:", *said])[:_LONGEST_COMPLAINT] if said else how


def find_program(name: str, remedy: str) -> str:
    """Where a program is.

    Raises:
        ProgramError: If it is not on PATH; ``remedy`` ends the sentence.
    """
    found = shutil.which(name)
    if found is None:
        raise ProgramError(f"{name} is not on PATH{remedy}")
    return found


def run_child(
    command: Sequence[str],
    seconds: float | None = None,
    *,
    folder: Path | None = None,
    given: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a program to its end; it is ended itself where this is left early.

    Args:
        command: The program and its arguments.
        seconds: How long it may take; None for as long as it likes.
        folder: Where it runs.
        given: Its standard input.
        environment: What it has besides ours.

    Raises:
        ProgramError: If it cannot be started.
        OverTime: If it takes longer than it may.
    """
    name = Path(command[0]).name
    try:
        ended = subprocess.run(
            command, cwd=folder, env={**os.environ, **(environment or {})}, input=given,
            capture_output=True, timeout=seconds, check=False,
        )  # fmt: skip
    except OSError as error:
        raise ProgramError(f"{command[0]}: cannot be run ({error.strerror or error})") from error
    except subprocess.TimeoutExpired as error:
        raise OverTime(f"{name} had not finished after {seconds:g} s and was ended") from error
    complaint = ended.stderr.decode("utf-8", "replace")
    return Ended(name, ended.returncode, ended.stdout, complaint)
