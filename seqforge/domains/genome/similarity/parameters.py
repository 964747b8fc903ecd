"""What a similarity search is asked for: scores, gaps, limits, and what becomes of samples of a
run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from seqforge.core.config import Count
from seqforge.domains.genome.similarity.evalues import (
    BySearchSpace,
    KarlinAltschul,
    Significance,
    effective_search_space,
    karlin_altschul,
)
from seqforge.domains.genome.similarity.finite_size import FiniteSize
from seqforge.domains.genome.similarity.scoring import PairScores, ResidueScoring, Scoring
from seqforge.errors import ConfigError

Residues = Literal["dna", "protein"]
"""What queries and library are made of."""


class SearchOptions(BaseModel):
    """Settings of the similarity search for samples: ``[search]`` of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: Literal["local", "blast+", "ebi", "off"] = "local"
    """Search backend; ``ebi`` needs an e-mail address and consent."""
    against: tuple[str, ...] = ()
    """Library files; empty: the training data."""
    database: str | None = None
    """Database at EMBL-EBI; None: that of the user's settings, else the invertebrate division (of
    proteins Swiss-Prot)."""
    controls: Literal["auto"] | Annotated[int, Field(ge=0, le=10**6)] = "auto"
    """Sequences of each control per sample; 0: none; ``auto``: as many as are quick (none at
    EMBL-EBI)."""
    max_hits: Count = 50
    """Hits kept per sample."""
    max_hsps: Count = 5
    """HSPs kept per hit."""


@dataclass(frozen=True)
class LibrarySize:
    """Size of a library, for E-values."""

    letters: int
    """Letters of all sequences, N and X among them."""
    sequences: int


@dataclass(frozen=True, kw_only=True)
class SearchLimits(ABC):
    """What searches of all letters have: limits, and whether the query is masked.

    Raises:
        ConfigError: If a limit is out of range.
    """

    letters: ClassVar[Residues]

    evalue: float = 10.0
    """Highest E-value of an HSP."""
    max_hits: int = 50
    """Hits per query."""
    max_hsps: int = 5
    """HSPs per hit, on both strands together."""
    dust: bool = False
    """Whether low-complexity intervals of the query are masked (DUST, of proteins SEG)."""

    def __post_init__(self) -> None:
        if not 1e-250 <= self.evalue <= 1e12:
            raise ConfigError(
                f"the E-value limit must lie between 1e-250 and 1e12, not {self.evalue:g}"
            )
        if min(self.max_hits, self.max_hsps) < 1:
            raise ConfigError(
                "at least one hit and one HSP a hit must be kept (--max-hits, --max-hsps)"
            )

    def said(self) -> str:
        """The parameters as a sentence."""
        masked = "masked" if self.dust else "not masked"
        return (
            f"{self._scores()}; "
            f"low-complexity sequence {masked}; hits up to E = {self.evalue:g}, at most "
            f"{self.max_hits:,} sequences a query and {self.max_hsps:,} alignments with each"
        )

    @abstractmethod
    def _scores(self) -> str:
        """Scores and gaps in words."""

    @property
    @abstractmethod
    def scoring(self) -> PairScores:
        """Scores of pairs and gaps."""

    @abstractmethod
    def significance(self, query: bytes, library: LibrarySize) -> Significance:
        """What scores of a query mean in a library.

        Args:
            query: Letters that have scores; at least one.
            library: Its size.
        """


@dataclass(frozen=True)
class SearchParameters(SearchLimits):
    """Scores and limits of a search of nucleotides; the defaults are EBI's for blastn, without
    masking.

    Raises:
        ConfigError: If a limit is out of range, or blastn has no statistics for the scores.
    """

    letters: ClassVar[Residues] = "dna"

    reward: int = 1
    penalty: int = -3
    gap_open: int = 5
    gap_extend: int = 2
    """A gap of length k costs ``gap_open + k * gap_extend``."""

    def __post_init__(self) -> None:
        karlin_altschul(self.reward, self.penalty, self.gap_open, self.gap_extend)
        super().__post_init__()

    def _scores(self) -> str:
        return (
            f"rewards and gaps: {self.reward},{self.penalty} and {self.gap_open},{self.gap_extend}"
        )

    @property
    def statistics(self) -> KarlinAltschul:
        """Karlin-Altschul statistics of the scores."""
        return karlin_altschul(self.reward, self.penalty, self.gap_open, self.gap_extend)

    def statistics_for(self, bases: bytes) -> KarlinAltschul:
        """A query in, its statistics out; ambiguity codes other than N change them, as in blastn.

        Args:
            bases: Letters of `scoring.ALPHABET`.
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

    def significance(self, query: bytes, library: LibrarySize) -> BySearchSpace:
        """See `SearchLimits`: blastn's, with its length adjustment."""
        statistics = self.statistics_for(query)
        space = effective_search_space(statistics, len(query), library.letters, library.sequences)
        return BySearchSpace(statistics, space)

    @property
    def scoring(self) -> Scoring:
        """Scores of pairs and gaps."""
        return Scoring(self.reward, self.penalty, self.gap_open, self.gap_extend)


@dataclass(frozen=True)
class ProteinParameters(SearchLimits):
    """Scores and limits of a search of proteins: blastp's, without masking and without adjustment
    to the composition of the sequences.

    Raises:
        ConfigError: If a limit is out of range, or blastp has no statistics for the gaps.
    """

    letters: ClassVar[Residues] = "protein"

    matrix: Literal["BLOSUM62"] = "BLOSUM62"
    gap_open: int = 11
    gap_extend: int = 1
    """As in `SearchParameters`."""

    def __post_init__(self) -> None:
        FiniteSize(1, 1, self.gap_open, self.gap_extend)
        super().__post_init__()

    def _scores(self) -> str:
        return f"{self.matrix} and gaps {self.gap_open},{self.gap_extend}"

    def significance(self, query: bytes, library: LibrarySize) -> FiniteSize:
        """See `SearchLimits`: blastp's, corrected for finite lengths."""
        return FiniteSize(len(query), library.letters, self.gap_open, self.gap_extend)

    @property
    def scoring(self) -> ResidueScoring:
        """Scores of pairs and gaps."""
        return ResidueScoring(self.gap_open, self.gap_extend)


def parameters_for(letters: Residues, max_hits: int = 50, max_hsps: int = 5) -> SearchLimits:
    """What is searched in, the default scores with these limits out."""
    kind = ProteinParameters if letters == "protein" else SearchParameters
    return kind(max_hits=max_hits, max_hsps=max_hsps)
