"""The folder of a command that writes several files: held, and nothing of a person's lost in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from seqforge.cli.stdout import echo


@contextmanager
def output_folder(
    folder: Path, names: str, timed: Collection[str] = (), quiet: bool = False
) -> Iterator[None]:
    """Work in a folder, made where it is missing; see `working_in`.

    Args:
        folder: Where files are to be written.
        names: A regular expression of all their names.
        timed: Those that hold the time.
        quiet: Whether nothing is said of files of an earlier command that are others now.

    Raises:
        RunError: As `working_in`.
    """
    from seqforge.core.files import folder_for
    from seqforge.core.folders import working_in

    tell = (lambda said: None) if quiet else partial(echo, err=True)
    with folder_for(folder), working_in(folder, names, tell, timed):
        yield
