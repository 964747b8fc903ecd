"""Optional programs: looked up once a run of the tests, the same for all tests, workers, doubles.

One that is installed while the tests run is there for none of them: half of a test would else be
written for a machine that has it, and half for one that lacks it.
"""

from __future__ import annotations

import json
import os
import shutil

PROGRAMS = (
    "abc2midi", "blastn", "blastp", "chromium", "dustmasker", "fluidsynth", "makeblastdb",
    "openssl", "segmasker", "strace",
)  # fmt: skip
_FOUND = "SEQFORGE_TEST_PROGRAMS"
"""Tells processes that tests start, workers among them, what was found."""


def find_programs() -> dict[str, str | None]:
    """Where each program is, as the first process of this run of the tests found it."""
    if _FOUND not in os.environ:
        os.environ[_FOUND] = json.dumps({name: shutil.which(name) for name in PROGRAMS})
    found: dict[str, str | None] = json.loads(os.environ[_FOUND])
    return found


def find_program(name: str) -> str | None:
    """Where one of `PROGRAMS` is; None where it is missing.

    Raises:
        KeyError: For a program that is not looked for: it belongs into the list.
    """
    return find_programs()[name]
