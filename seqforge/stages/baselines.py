"""What a sceptic would try first: chance, counting, and a compressor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from seqforge.core.compressors import HELD_OUT_LIMIT, CompressorResult, compressor_bits
from seqforge.core.corpus import Corpus, Part, Tokens
from seqforge.core.domain import Domain, Mirrored
from seqforge.core.ngram import NgramResult, ngram_bits
from seqforge.watching import Watcher


def baselines(corpus: Corpus, domain: Domain, watcher: Watcher) -> dict[str, Any]:
    """Bits per symbol of each baseline on the part that gives the headline number.

    The n-grams count the training part (and its other strand, where the network reads that too);
    their order is the one that does best on the held-out part, which flatters them a little.
    """
    name = corpus.held_out
    # Over the symbols alone: that a record may end makes no guess among A, C, G, T harder.
    uniform = math.log2(max(2, len(corpus.vocabulary.symbols)))
    if name is None:
        return {
            "part": None,
            "uniform": uniform,
            "order_k": None,
            "k": None,
            "orders": {},
            "compressors": {},
            "notes": ["nothing was held out"],
        }
    part = corpus.part(name)
    mirror = domain.mirror(corpus.vocabulary) if isinstance(domain, Mirrored) else None
    counted = ngram_bits(
        corpus.train.tokens,
        part.tokens,
        [(a, b, c) for a, b, c in part.segments.tolist()],
        len(corpus.vocabulary),
        mirror=mirror,
        progress=lambda order, bits: watcher.advance(order, 12, f"order-{order} n-gram"),
        folder=corpus.folder if corpus.folder.is_dir() else None,  # a cache may be removed
    )
    watcher.advance(1, 1, "compressors")
    packed = compressor_bits(corpus.train.tokens, _scored(part, HELD_OUT_LIMIT))
    return {
        "part": name,
        "uniform": round(uniform, 4),
        "order_k": round(counted.bits[counted.best], 4),
        "k": counted.best,
        "orders": {str(order): round(bits, 4) for order, bits in counted.bits.items()},
        "compressors": {k: None if v is None else round(v, 4) for k, v in packed.bits.items()},
        "notes": _notes(corpus, part, counted, packed),
    }


def _scored(part: Part, most: int) -> Tokens:
    """The first tokens that are scored, without the context that lies before them."""
    spans: list[Tokens] = []
    for _, scored_from, stop in part.segments.tolist():
        spans.append(part.tokens[scored_from : min(stop, scored_from + most)])
        most -= len(spans[-1])
    return np.concatenate(spans)


def _notes(corpus: Corpus, part: Part, counted: NgramResult, packed: CompressorResult) -> list[str]:
    notes = []
    trained = len(corpus.train.tokens) - 1  # the first is the start of the first record
    if counted.train_symbols < trained:
        notes.append(f"N-grams count the last {counted.train_symbols:,} training symbols.")
    if counted.held_out_symbols < part.scored:
        notes.append(f"N-grams are scored on {counted.held_out_symbols:,} held-out symbols.")
    if packed.context_symbols < trained or packed.held_out_symbols < part.scored:
        notes.append(
            f"Compressors see the last {packed.context_symbols:,} training symbols, then "
            f"{packed.held_out_symbols:,} held-out ones."
        )
    return notes
