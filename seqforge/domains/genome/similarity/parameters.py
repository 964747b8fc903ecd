"""What every backend is asked: queries, scores and limits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from seqforge.domains.genome.similarity.scanning import Scoring
from seqforge.domains.genome.similarity.statistics import KarlinAltschul, karlin_altschul
from seqforge.errors import ConfigError

Letters = Literal["dna", "protein"]
"""What queries and library are made of."""


@dataclass(frozen=True)
class SearchParameters:
    """How a search scores and what it keeps; the defaults are EBI's for blastn, unmasked.

    Raises:
        ConfigError: If they make no sense, or blastn has no statistics for the scores.
    """

    reward: int = 1
    penalty: int = -3
    gap_open: int = 5
    gap_extend: int = 2
    """A gap of length k costs ``gap_open + k * gap_extend``."""
    evalue: float = 10.0
    """Worse HSPs are left out."""
    max_hits: int = 50
    """Library sequences a query."""
    max_hsps: int = 5
    """Alignments a library sequence, both strands together."""
    dust: bool = False
    """Whether low-complexity stretches of the query are masked."""

    def __post_init__(self) -> None:
        karlin_altschul(self.reward, self.penalty, self.gap_open, self.gap_extend)
        if not 1e-250 <= self.evalue <= 1e12:
            raise ConfigError(
                f"the E-value limit must lie between 1e-250 and 1e12, not {self.evalue:g}"
            )
        if min(self.max_hits, self.max_hsps) < 1:
            raise ConfigError(
                "at least one hit and one HSP a hit must be kept (--max-hits, --max-hsps)"
            )

    def said(self) -> str:
        """How it scores, in words."""
        masked = "masked" if self.dust else "not masked"
        scores = f"{self.reward},{self.penalty} and {self.gap_open},{self.gap_extend}"
        return (
            f"rewards and gaps: {scores}; "
            f"low-complexity sequence {masked}; hits up to E = {self.evalue:g}, at most "
            f"{self.max_hits:,} sequences a query and {self.max_hsps:,} alignments with each"
        )

    @property
    def statistics(self) -> KarlinAltschul:
        """The parameters of its E-values."""
        return karlin_altschul(self.reward, self.penalty, self.gap_open, self.gap_extend)

    def statistics_for(self, bases: bytes) -> KarlinAltschul:
        """Those of a query's E-values: its ambiguity codes, but not its N, count as in blastn.

        Args:
            bases: Letters of `scanning.ALPHABET`.
        """
        codes = Counter(bases.translate(None, b"N").decode("ascii"))
        if not codes.keys() - set("ACGT") or not codes.keys() & set("ACGT"):
            return self.statistics
        chances: Counter[int] = Counter()
        for letter, count in codes.items():
            for base in "ACGT":
                chances[self.scoring.pair(letter, base)] += count
        total = 4 * codes.total()
        shares = tuple(sorted((score, count / total) for score, count in chances.items()))
        return karlin_altschul(self.reward, self.penalty, self.gap_open, self.gap_extend, shares)

    @property
    def scoring(self) -> Scoring:
        """What pairs and gaps are worth."""
        return Scoring(self.reward, self.penalty, self.gap_open, self.gap_extend)


@dataclass(frozen=True)
class Query:
    """A sequence to look for. Of DNA U is read as T, and IUPAC codes score as in blastn."""

    id: str
    bases: str
