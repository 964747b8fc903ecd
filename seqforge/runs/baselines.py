"""A corpus and its domain in, bits per symbol of the baselines on its held-out part out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.corpus import Corpus, Segment, TokenPart, Tokens
from seqforge.core.data.domain import Baseline, Domain, HasBaselines, Mirrored, Spells
from seqforge.core.data.vocabulary import code_points
from seqforge.core.evaluation.compressors import (
    CONTEXT_LIMIT,
    HELD_OUT_LIMIT,
    PPMD_LIMIT,
    PPMD_ORDER,
    CompressorResult,
    bytes_of_symbols,
    compressor_bits,
    ppmd_bits,
)
from seqforge.core.evaluation.context_order import Stretch
from seqforge.core.evaluation.kneser_ney import KneserNeyResult, kneser_ney_bits
from seqforge.core.evaluation.ngram import NgramResult, ngram_bits
from seqforge.reporting.summary import BaselineFigures, BaselineScores
from seqforge.runs.progress import ProgressListener
from seqforge.runs.spelled import spelled_compressors


def baselines(
    corpus: Corpus, domain: Domain, watcher: ProgressListener
) -> tuple[BaselineScores, BaselineFigures]:
    """The classic baselines in their own table, and all of them by name, with their kinds.

    N-grams count the training part (and its other strand, where the network reads that too). The
    order of the Witten-Bell n-grams is the one that does best on the part that is scored, which
    flatters them a little; that of the others is chosen on the valid part.
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
    smoothed = _kneser_ney(corpus, part, domain, watcher)
    own = domain.baselines(corpus, watcher.advance) if isinstance(domain, HasBaselines) else {}
    watcher.advance(1, 1, "compressors")
    held_out = _scored(part, HELD_OUT_LIMIT)
    packed, ppmd = _packed(corpus, domain, held_out)
    scores = BaselineScores(
        part=corpus.held_out,
        uniform=round(uniform, 4),
        order_k=round(counted.bits[counted.best], 4),
        k=counted.best,
        orders={order: round(bits, 4) for order, bits in counted.bits.items()},
        compressors={k: None if v is None else round(v, 4) for k, v in packed.bits.items()},
        notes=tuple(_notes(corpus, part, counted, smoothed, packed)),
    )
    compressors = {**packed.bits, "ppmd": ppmd}
    named = {
        "uniform": Baseline(uniform),
        "witten-bell": Baseline(counted.bits[counted.best], order=counted.best),
        "kneser-ney": Baseline(smoothed.bits[smoothed.order], order=smoothed.order),
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
        mirror=_mirror(corpus, domain),
        progress=watcher.advance,
        folder=_folder(corpus),
    )


def _kneser_ney(
    corpus: Corpus, part: TokenPart, domain: Domain, watcher: ProgressListener
) -> KneserNeyResult:
    """The order is chosen on the valid part, which may be the one that is scored."""
    choosing = corpus.valid if corpus.valid.symbols else part
    return kneser_ney_bits(
        corpus.train.tokens,
        Stretch(part.tokens, _segments(part)),
        Stretch(choosing.tokens, _segments(choosing)),
        len(corpus.vocabulary),
        mirror=_mirror(corpus, domain),
        progress=watcher.advance,
        folder=_folder(corpus),
    )


def _packed(
    corpus: Corpus, domain: Domain, held_out: Tokens
) -> tuple[CompressorResult, float | None]:
    """Compressors on the symbols, PPMd beside the others; on their text, where symbols stand for
    several characters.
    """
    train = corpus.train.tokens
    if isinstance(domain, Spells):
        last = train[-CONTEXT_LIMIT:]
        return spelled_compressors(corpus.vocabulary, domain, last, held_out)
    points = code_points("".join(["\0", *corpus.vocabulary.symbols]))  # records end in a zero byte
    ppmd = ppmd_bits(train, held_out, table=bytes_of_symbols(points))
    return compressor_bits(train, held_out), ppmd


def _mirror(corpus: Corpus, domain: Domain) -> NDArray[np.int64] | None:
    return domain.mirror(corpus.vocabulary) if isinstance(domain, Mirrored) else None


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
    corpus: Corpus,
    part: TokenPart,
    counted: NgramResult,
    smoothed: KneserNeyResult,
    packed: CompressorResult,
) -> list[str]:
    notes = []
    trained = len(corpus.train.tokens) - 1  # the first is the start of the first record
    for name, symbols in (
        ("Witten-Bell", counted.train_symbols),
        ("Kneser-Ney", smoothed.train_symbols),
    ):
        if symbols < trained:
            notes.append(f"{name} n-grams count the last {symbols:,} training symbols.")
    if corpus.held_out == "valid":
        notes.append("Orders are chosen on the part that is scored.")
    if counted.held_out_symbols < part.scored:
        notes.append(f"N-grams are scored on {counted.held_out_symbols:,} held-out symbols.")
    if packed.context_symbols < trained or packed.held_out_symbols < part.scored:
        notes.append(
            f"Compressors see the last {packed.context_symbols:,} training symbols "
            f"(PPMd {min(trained, PPMD_LIMIT):,}), then {packed.held_out_symbols:,} held-out ones."
        )
    return notes
