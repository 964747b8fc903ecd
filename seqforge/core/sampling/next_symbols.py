"""An engine and a context in, the distribution of the next symbol out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqforge.core.data.domain import Domain, Spells
from seqforge.core.data.vocabulary import Vocabulary
from seqforge.core.sampling.engine import Engine
from seqforge.core.sampling.sampling_kernel import Ids


class NextSymbol(NamedTuple):
    """A symbol that may come next, and how likely it is."""

    symbol: str
    """Empty for the end of the record."""
    probability: float


def next_symbols(engine: Engine, vocabulary: Vocabulary, context: Ids, k: int) -> list[NextSymbol]:
    """The ``k`` likeliest symbols after a record has begun with a context, the likeliest first.

    Equally likely ones stand in the order of their ids; those without any chance are left out.

    Args:
        engine: Reads the context.
        vocabulary: Of its ids.
        context: (T,) ids; none for the beginning of a record.
        k: Most symbols.
    """
    state = engine.begin(1)
    if len(context):
        engine.read(state, np.asarray(context, np.int64))
    logits = state.logits[0, : len(vocabulary)].astype(np.float64)
    weights = np.exp(logits - logits.max())
    shares = weights / weights.sum()
    order = np.argsort(-shares, kind="stable")[:k]
    return [NextSymbol(vocabulary.decode([i]), float(shares[i])) for i in order if shares[i] > 0]


def spelled_out(rows: Sequence[NextSymbol], domain: Domain) -> list[NextSymbol]:
    """Symbols in, the same as what they stand for out, where a symbol is no single character."""
    if not isinstance(domain, Spells):
        return list(rows)
    return [row._replace(symbol=row.symbol and domain.spelled(row.symbol)) for row in rows]
