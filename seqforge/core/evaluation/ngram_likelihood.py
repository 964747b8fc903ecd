"""An n-gram model and a part in, its bits per symbol and the symbols it gives no chance out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqforge.base.machine import release_pages
from seqforge.base.messages import Advance, unheard
from seqforge.core.data.corpus import TokenPart
from seqforge.core.model.ngram import NgramModel, score_symbols

_CHUNK = 1 << 18  # symbols scored at a time


@dataclass(frozen=True)
class NgramScore:
    """What held-out symbols cost an n-gram model."""

    total: float
    """Bits of all symbols that were seen in training after their contexts."""
    scored: int
    """Symbols, the others among them."""
    never_seen: int
    """Symbols that were not: each costs infinitely many bits."""

    @property
    def bits(self) -> float | None:
        """Bits per symbol; None where they are infinite."""
        return None if self.never_seen else self.total / self.scored

    @property
    def bits_of_seen(self) -> float | None:
        """Bits per symbol over those that were seen; None where there is none."""
        seen = self.scored - self.never_seen
        return self.total / seen if seen else None

    def __add__(self, other: NgramScore) -> NgramScore:
        return NgramScore(
            self.total + other.total,
            self.scored + other.scored,
            self.never_seen + other.never_seen,
        )


def ngram_score(
    model: NgramModel, part: TokenPart, progress: Advance = unheard
) -> NgramScore:  # fmt: skip
    """A model and a part in, what its symbols (end symbols included) cost out."""
    history, found = np.zeros(model.order, np.int64), NgramScore(0.0, 0, 0)
    for start, scored_from, stop in part.segments.tolist():
        for begin in range(scored_from, stop, _CHUNK):
            chances = np.empty(min(_CHUNK, stop - begin))
            score_symbols(model, part.tokens, start, begin, begin + len(chances), history, chances)
            seen = chances[chances > 0]
            total = -float(np.log2(seen).sum())
            found += NgramScore(total, len(chances), len(chances) - len(seen))
        progress(found.scored, part.scored, "scoring")
    release_pages(part.tokens)
    return found
