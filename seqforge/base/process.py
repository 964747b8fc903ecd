"""A command line in, the output of a child process out: external programs found, run, ended in
time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from seqforge.errors import ProgramError

_LONGEST_COMPLAINT = 400
# BLAST+ would else tell NCBI over the network that it was used.
_QUIET = {"BLAST_USAGE_REPORT": "false"}


def find_program(name: str) -> str:
    """Where a program of BLAST+ is.

    Raises:
        ProgramError: If it is not on PATH; says how to install it.
    """
    found = shutil.which(name)
    if found is None:
        raise ProgramError(
            f"{name} is not on PATH, and a search with blast+ needs it; install NCBI BLAST+ "
            "(apt install ncbi-blast+, brew install blast, conda install -c bioconda blast), or "
            "search without it: the local search needs nothing more"
        )
    return found


@cache
def program_version(program: str) -> str:
    """What a program of BLAST+ says of itself: ``2.12.0+``.

    Raises:
        ProgramError: If it cannot be run.
    """
    told = run_program([program, "-version"], Path.cwd(), timeout_seconds=60)
    return told.split("\n", 1)[0].split()[-1] if told.strip() else "unknown"


def run_program(command: Sequence[str], folder: Path, timeout_seconds: float) -> str:
    """Run a program in a folder to its end; it is ended itself where this is left early.

    Returns:
        What it wrote on stdout.

    Raises:
        ProgramError: If it cannot be started, fails, or takes longer than it may.
    """
    name = Path(command[0]).name
    try:
        ended = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **_QUIET},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_seconds,
            check=False,
        )
    except OSError as error:
        raise ProgramError(f"{command[0]}: cannot be run ({error.strerror or error})") from error
    except subprocess.TimeoutExpired as error:
        raise ProgramError(
            f"{name} had not finished after {timeout_seconds:g} s and was ended; search for "
            "fewer sequences at a time, or in a smaller library"
        ) from error
    if ended.returncode:
        raise ProgramError(f"{name} failed ({_reason(ended.stderr, ended.returncode)})")
    return ended.stdout


def _reason(complaint: str, code: int) -> str:
    """What it said, in one line, without its advice to read its manual."""
    said = [line.strip() for line in complaint.splitlines()]
    said = [line for line in said if line and "user manual" not in line]
    ended = f"exit status {code}" if code > 0 else f"ended by signal {-code}"
    return " ".join([f"{ended}:", *said])[:_LONGEST_COMPLAINT] if said else ended
