"""The folder of a command that writes several files: held, and nothing of a person's lost in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from seqforge.cli.stdout import echo


@contextmanager
def output_folder(folder: Path, names: str, timed: Collection[str] = ()) -> Iterator[None]:
    """Work in a folder, made where it is missing; see `working_in`.

    Args:
        folder: Where files are to be written.
        names: A regular expression of all their names.
        timed: Those that hold the time.

    Raises:
        RunError: As `working_in`.
    """
    from seqforge.core.files import folder_for
    from seqforge.core.folders import working_in

    with folder_for(folder), working_in(folder, names, partial(echo, err=True), timed):
        yield
