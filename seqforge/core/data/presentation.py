"""What a domain may say of the page of a run: protocols in, nothing out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from seqforge.base.html_page import Section


@runtime_checkable
class NamesCopies(Protocol):
    """A domain whose report has a row of how much the samples copy, from 0 to 1."""

    copy_measure: ClassVar[str]
    """The key of that row."""


@runtime_checkable
class ShowsOnPage(Protocol):
    """A domain with sections of its own on the page of a run."""

    def page_sections(self, folder: Path, files: Sequence[str]) -> Sequence[Section]:
        """A finished run's folder and its files of samples in, sections of its page out.

        Args:
            folder: The run folder.
            files: Of the samples, seen from there.
        """
        ...


@runtime_checkable
class SuggestsCommands(Protocol):
    """A domain that knows what to do with its models."""

    next_commands: ClassVar[tuple[tuple[str, str], ...]]
    """Commands and what each is for; ``{run}`` in one stands for the run folder."""
