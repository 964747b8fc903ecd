"""What a domain may say of the page of a run: protocols in, nothing out."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable


@runtime_checkable
class NamesCopies(Protocol):
    """A domain whose report has a row of how much the samples copy, from 0 to 1."""

    copy_measure: ClassVar[str]
    """The key of that row."""
