"""Symbols in, what is so at each of them out: the annotations that units are compared with, and the
optional parts of a domain that makes or reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from seqforge.core.records import Record

Measure = Literal["r", "auc"]
Values = NDArray[np.float32]


@dataclass(frozen=True)
class Annotation:
    """What is so at each of N symbols."""

    name: str
    values: Values
    """(N,): numbers, or 1 where it holds and 0 elsewhere; NaN where it is not known."""
    measure: Measure

    @classmethod
    def of(cls, name: str, values: NDArray[Any]) -> Annotation:
        """Truth values or numbers (N,) in, an annotation out."""
        return cls(name, values.astype(np.float32), "auc" if values.dtype == bool else "r")

    def shifted(self, by: int) -> Annotation:
        """The same, moved along a circle: it keeps its autocorrelation, and fits nothing."""
        return Annotation(self.name, np.roll(self.values, by), self.measure)

    def holds(self) -> NDArray[np.bool_]:
        """(N,): where it holds; for numbers, where they are in their highest quarter."""
        known = self.values[np.isfinite(self.values)]
        if self.measure == "auc" or not len(known):
            return np.asarray(self.values > 0)
        least = max(np.quantile(known, 0.75), np.nextafter(known.min(), np.inf))
        return np.asarray(self.values >= least)


@runtime_checkable
class Annotates(Protocol):
    """A domain that says what is so at each symbol of a sequence."""

    def annotate(self, symbols: str) -> Mapping[str, NDArray[Any]]:
        """Symbols of a record (T of them) in, arrays (T,) by name out.

        Truth values for what holds or does not; floating-point numbers, NaN where there is none,
        for what is more or less. The same names for every record; what is so nowhere may be left
        out. What is so at a symbol may be known from what comes later.
        """
        ...


@runtime_checkable
class ReadsAnnotations(Protocol):
    """A domain whose field has files of annotations."""

    annotation_suffixes: tuple[str, ...]
    """Endings of these files, lower case, with the dot."""

    def read_annotations(
        self, path: Path, records: Sequence[Record]
    ) -> Mapping[str, Sequence[NDArray[Any]]]:
        """A file in, for each name an array (T,) for each record out, as `Annotates` has them.

        Raises:
            InputError: If the file cannot be used, or fits no record.
        """
        ...


class WrittenNote(NamedTuple):
    """A note, and the symbols that write it."""

    start: int
    """Its first symbol."""
    stop: int
    onset: float
    """Quarters since the sequence began, in written order."""
    length: float
    """Quarters."""
    height: int
    """Steps of the scale above middle C, as a staff has them."""


class WrittenTune(NamedTuple):
    """What a staff shows of a sequence."""

    notes: Sequence[WrittenNote]
    bars: Sequence[float]
    """Where bars end, in quarters."""


class WrittenScore(NamedTuple):
    """A picture of a sequence, as notation has it."""

    width: int
    height: int
    markup: str
    """What an SVG element of this view box holds. An element that may take the colour of a note has
    the note's number as ``data-note``."""


@runtime_checkable
class EngravesNotes(Protocol):
    """A domain whose symbols have a score."""

    def written_scores(self, symbols: Sequence[str]) -> Sequence[WrittenScore | None]:
        """Symbols of some records in, the score of each out; None where there is none.

        Notes are those of `WritesNotes.written_tune`, which are shown where there is no score.
        """
        ...


@runtime_checkable
class WritesNotes(Protocol):
    """A domain whose symbols write notes."""

    def written_tune(self, symbols: str) -> WrittenTune:
        """Symbols of a record in, its notes out; of a chord one is enough."""
        ...
