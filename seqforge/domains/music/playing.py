"""Playing a file aloud, with whatever the system has for that."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from seqforge.errors import ProgramError

PLAYERS: dict[str, tuple[str, ...]] = {
    "afplay": (),
    "ffplay": ("-nodisp", "-autoexit", "-loglevel", "error"),
    "paplay": (),
    "aplay": ("-q",),
    "play": ("-q",),  # SoX's
}
"""Programs that play a WAV and end with it, the first found is taken."""


def player() -> list[str]:
    """The command that plays a WAV file; empty where the system itself opens one (Windows).

    Raises:
        ProgramError: If there is none; names those that are known.
    """
    if sys.platform == "win32":
        return []
    for name, options in PLAYERS.items():
        if path := shutil.which(name):
            return [path, *options]
    raise ProgramError(
        f"--play finds no player here ({', '.join(PLAYERS)}); install one, or leave it out: the "
        "page plays in any browser"
    )


def play(path: Path) -> None:
    """Play a WAV file to its end.

    Raises:
        ProgramError: If there is no player, or it fails.
    """
    command = player()
    if sys.platform == "win32":
        os.startfile(path)
        return
    done = subprocess.run([*command, str(path)], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        reason = " ".join(done.stderr.split())[-200:] or f"exit code {done.returncode}"
        raise ProgramError(f"{path}: {command[0]} could not play it ({reason})")
