"""What a domain may say of the page of a run: protocols in, nothing out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from seqforge.base.html_page import Section
from seqforge.core.records import Sample

if TYPE_CHECKING:
    from seqforge.core.data.corpus import Corpus


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


@dataclass(frozen=True)
class Wording:
    """A measure of samples in words."""

    words: str
    """Plain words first, the field's term in brackets."""
    share: bool = False
    """Whether it is a share from 0 to 1, which is shown in percent."""


Measured = dict[str, float | None]
"""Measures of a group of samples by name; None where one does not apply."""


@runtime_checkable
class MeasuresGroups(Protocol):
    """A domain that measures many groups of samples in one pass over the training data."""

    wordings: ClassVar[Mapping[str, Wording]]
    """Of its measures; one without a wording is shown by its name."""

    def measure_groups(self, groups: Sequence[Sequence[Sample]], corpus: Corpus) -> list[Measured]:
        """Groups of samples in, for each the numbers that `Domain.report` has of samples out.

        What takes long beside the rest is left out.
        """
        ...
