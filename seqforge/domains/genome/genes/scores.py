"""Labels and genes that were found and those that are true in, precision, recall and F1 out.

Exons are compared as distinct intervals of all isoforms, and a transcript as all its exons: one of
several isoforms is found if its exons are. The stop codon counts nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.evaluation.task_scores import ClassScores
from seqforge.domains.genome.genes.labels import CODING, NAMES, Labels
from seqforge.domains.genome.genes.transcripts import Interval, Transcript


@dataclass(frozen=True)
class Agreement:
    """How many of some things were found, and how many of those found are right."""

    right: int
    found: int
    there: int

    def __add__(self, other: Agreement) -> Agreement:
        """Those of two contigs."""
        return Agreement(
            self.right + other.right, self.found + other.found, self.there + other.there
        )

    @property
    def precision(self) -> float:
        """Right ones among the found; 0 where none was found."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Right ones among those that are there; 0 where there are none."""
        return self.right / self.there if self.there else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        both = self.found + self.there
        return 2 * self.right / both if both else 0.0


@dataclass(frozen=True)
class GeneScores:
    """How genes that were found agree with those of an annotation."""

    bases: Agreement
    """Coding bases, by place; a base of either strand counts once."""
    exons: Agreement
    transcripts: Agreement

    def __add__(self, other: GeneScores) -> GeneScores:
        """Those of two contigs."""
        return GeneScores(
            self.bases + other.bases, self.exons + other.exons,
            self.transcripts + other.transcripts,
        )  # fmt: skip


def compare_genes(
    found: Iterable[Transcript], true: Iterable[Transcript], region: Interval
) -> GeneScores:
    """Transcripts of one contig in, how they agree in a region out.

    Of bases those in the region count, of exons and transcripts those that lie in it whole.
    """
    each = [list(transcripts) for transcripts in (found, true)]
    bases = [_coding(transcripts, region) for transcripts in each]
    return GeneScores(
        Agreement(int((bases[0] & bases[1]).sum()), int(bases[0].sum()), int(bases[1].sum())),
        _of_sets(*(_exons(transcripts, region) for transcripts in each)),
        _of_sets(*(_chains(transcripts, region) for transcripts in each)),
    )


def _coding(transcripts: Iterable[Transcript], region: Interval) -> NDArray[np.bool_]:
    first, last = region
    coding = np.zeros(last - first, bool)
    for one in transcripts:
        for a, b in one.exons:
            coding[max(a - first, 0) : max(b - first, 0)] = True
    return coding


def _exons(transcripts: Iterable[Transcript], region: Interval) -> Set[Any]:
    return {(one.strand, e) for one in transcripts for e in one.exons if _inside(e, region)}


def _chains(transcripts: Iterable[Transcript], region: Interval) -> Set[Any]:
    return {(one.strand, one.exons) for one in transcripts if _inside(one.span, region)}


def _inside(place: Interval, region: Interval) -> bool:
    return region[0] <= place[0] and place[1] <= region[1]


def _of_sets(found: Set[Any], true: Set[Any]) -> Agreement:
    return Agreement(len(found & true), len(found), len(true))


class LabelCounts:
    """How often each label of bases was taken for each; bases without a label do not count."""

    def __init__(self) -> None:
        self.table = np.zeros((len(NAMES), len(NAMES)), np.int64)
        """(L, L) by the true label and the one that was found."""

    def add(self, found: Labels, true: Labels) -> None:
        """Count labels (T,)."""
        known = true < len(NAMES)
        self.table += ClassScores.of(true[known], found[known], len(NAMES)).confusion

    def by_label(self) -> Mapping[str, Agreement]:
        """Each label that is there or was found."""
        right, found, true = np.diag(self.table), self.table.sum(0), self.table.sum(1)
        return {
            name: Agreement(int(right[n]), int(found[n]), int(true[n]))
            for n, name in enumerate(NAMES)
            if found[n] or true[n]
        }

    def coding(self) -> Agreement:
        """Coding bases of either strand and place in a codon."""
        right = self.table[np.ix_(CODING, CODING)].sum()
        found, true = self.table[:, CODING].sum(), self.table[CODING].sum()
        return Agreement(int(right), int(found), int(true))
