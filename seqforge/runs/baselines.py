"""A corpus and its domain in, bits per symbol of the baselines on its held-out part out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from seqforge.core.data.corpus import Corpus, Segment, TokenPart, Tokens
from seqforge.core.data.domain import Baseline, Domain, HasBaselines, Mirrored
from seqforge.core.evaluation.compressors import (
    HELD_OUT_LIMIT,
    PPMD_LIMIT,
    PPMD_ORDER,
    CompressorResult,
    compressor_bits,
    ppmd_bits,
)
from seqforge.core.evaluation.ngram import NgramResult, ngram_bits
from seqforge.reporting.summary import BaselineFigures, BaselineScores
from seqforge.runs.progress import ProgressListener


def baselines(
    corpus: Corpus, domain: Domain, watcher: ProgressListener
) -> tuple[BaselineScores, BaselineFigures]:
    """The classic baselines in their own table, and all of them by name, with their kinds.

    N-grams count the training part (and its other strand, where the network reads that too). The
    order of the Witten-Bell n-grams is the one that does best on the part that is scored, which
    flatters them a little.
    """
    # Over the symbols alone: that a record may end makes no guess among A, C, G, T harder.
    uniform = math.log2(max(2, len(corpus.vocabulary.symbols)))
    if corpus.held_out is None:
        nothing = BaselineScores(
            part=None, uniform=uniform, order_k=None, k=None, notes=("nothing was held out",)
        )
        return nothing, BaselineFigures()
    part = corpus.part(corpus.held_out)
    counted = _witten_bell(corpus, part, domain, watcher)
    own = domain.baselines(corpus, watcher.advance) if isinstance(domain, HasBaselines) else {}
    watcher.advance(1, 1, "compressors")
    held_out = _scored(part, HELD_OUT_LIMIT)
    packed = compressor_bits(corpus.train.tokens, held_out)
    scores = BaselineScores(
        part=corpus.held_out,
        uniform=round(uniform, 4),
        order_k=round(counted.bits[counted.best], 4),
        k=counted.best,
        orders={order: round(bits, 4) for order, bits in counted.bits.items()},
        compressors={k: None if v is None else round(v, 4) for k, v in packed.bits.items()},
        notes=tuple(_notes(corpus, part, counted, packed)),
    )
    compressors = {**packed.bits, "ppmd": ppmd_bits(corpus.train.tokens, held_out)}
    named = {
        "uniform": Baseline(uniform),
        "witten-bell": Baseline(counted.bits[counted.best], order=counted.best),
        **{
            name: Baseline(bits, adaptive=True, order=PPMD_ORDER if name == "ppmd" else None)
            for name, bits in compressors.items()
            if bits is not None
        },
        **own,
    }
    return scores, _figures(named)


def _figures(named: Mapping[str, Baseline]) -> BaselineFigures:
    return BaselineFigures(
        baseline_bits={name: round(one.bits, 4) for name, one in named.items()},
        baseline_kinds={
            name: "adaptive" if one.adaptive else "frozen" for name, one in named.items()
        },
        baseline_orders={name: one.order for name, one in named.items() if one.order is not None},
    )


def _witten_bell(
    corpus: Corpus, part: TokenPart, domain: Domain, watcher: ProgressListener
) -> NgramResult:
    return ngram_bits(
        corpus.train.tokens,
        part.tokens,
        _segments(part),
        len(corpus.vocabulary),
        mirror=domain.mirror(corpus.vocabulary) if isinstance(domain, Mirrored) else None,
        progress=watcher.advance,
        folder=_folder(corpus),
    )


def _segments(part: TokenPart) -> list[Segment]:
    return [(start, scored_from, stop) for start, scored_from, stop in part.segments.tolist()]


def _folder(corpus: Corpus) -> Path | None:
    """Where counts may lie; None where a cache was removed meanwhile."""
    return corpus.folder if corpus.folder.is_dir() else None


def _scored(part: TokenPart, most: int) -> Tokens:
    """The scored tokens of a part, without context."""
    spans: list[Tokens] = []
    for _, scored_from, stop in part.segments.tolist():
        spans.append(part.tokens[scored_from : min(stop, scored_from + most)])
        most -= len(spans[-1])
    return np.concatenate(spans)


def _notes(
    corpus: Corpus, part: TokenPart, counted: NgramResult, packed: CompressorResult
) -> list[str]:
    notes = []
    trained = len(corpus.train.tokens) - 1  # the first is the start of the first record
    if counted.train_symbols < trained:
        notes.append(f"N-grams count the last {counted.train_symbols:,} training symbols.")
    if counted.held_out_symbols < part.scored:
        notes.append(f"N-grams are scored on {counted.held_out_symbols:,} held-out symbols.")
    if packed.context_symbols < trained or packed.held_out_symbols < part.scored:
        notes.append(
            f"Compressors see the last {packed.context_symbols:,} training symbols "
            f"(PPMd {min(trained, PPMD_LIMIT):,}), then {packed.held_out_symbols:,} held-out ones."
        )
    return notes
