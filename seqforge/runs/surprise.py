"""A model and held-out data in, what each of its first symbols cost out, for the page."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.corpus import Corpus
from seqforge.core.data.domain import DecodesSymbols, Domain
from seqforge.core.inspection.trace import trace
from seqforge.core.model.checkpoint import Checkpoint
from seqforge.core.sampling.engine import KernelEngine
from seqforge.reporting.summary import ShownSurprise

_SYMBOLS = 600
_CONTEXT = 512
"""Read before a stretch that begins inside a record."""
_LEAST = 20  # a record of which fewer are left says little


def shown_surprise(checkpoint: Checkpoint, domain: Domain, corpus: Corpus) -> ShownSurprise | None:
    """The first held-out symbols with the bits that the network alone needs for each.

    None where nothing is held out, or symbols are not what people read.
    """
    if corpus.held_out is None:
        return None
    if isinstance(domain, DecodesSymbols) and domain.deciphering() is None:
        return None
    stretches = list(_stretches(corpus, corpus.held_out))
    if not stretches:
        return None
    cell = checkpoint.card.config.model.cell
    found = trace(KernelEngine.of(checkpoint), [ids for ids, _ in stretches], cell)
    texts, bits, place = list[str](), list[float](), 0
    for ids, skipped in stretches:
        texts.append(corpus.vocabulary.decode(ids[skipped:].tolist()))
        bits += [round(float(b), 2) for b in found.bits[place + skipped : place + len(ids)]]
        bits.append(0.0)  # of the line break between records
        place += len(ids)
    return ShownSurprise(text="\n".join(texts), bits=tuple(bits[:-1]))


def _stretches(corpus: Corpus, part: str) -> Iterator[tuple[NDArray[np.integer], int]]:
    """Stretches of ids with their context, and how many of these are context."""
    arrays, left = corpus.part(part), _SYMBOLS
    for start, scored_from, stop in arrays.segments.tolist():
        if left < _LEAST:
            return
        begin, end = max(start, scored_from - _CONTEXT), min(stop, scored_from + left)
        ids = np.asarray(arrays.tokens[begin:end])
        context = scored_from - begin
        kept = ids != 0  # end symbols begin records, and are none of their own
        if kept[context:].any():
            yield ids[kept], int(kept[:context].sum())
            left -= int(kept[context:].sum())
