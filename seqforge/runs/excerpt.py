"""A finished model and its held-out part in, an excerpt coloured by surprise and by units out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seqforge.core.data.corpus import Corpus
from seqforge.core.data.domain import DecodesSymbols, Domain, Spells
from seqforge.core.inspection.controls import Finding
from seqforge.core.inspection.stretches import annotations_at, annotations_of, stretches
from seqforge.core.inspection.trace import Trace, trace
from seqforge.core.model.checkpoint import load_checkpoint
from seqforge.core.records import Record
from seqforge.core.sampling.engine import KernelEngine
from seqforge.reporting.excerpt import Excerpt, ExcerptUnit
from seqforge.runs.folder import RunFolder
from seqforge.runs.inspect import Study
from seqforge.runs.progress import ProgressListener
from seqforge.runs.results import ExcerptResult

SHOWN = 800
"""Symbols of the excerpt."""
_RANKED = 30_000  # symbols by which units are chosen and judged
_UNITS = 2


def make_excerpt(
    run: RunFolder, corpus: Corpus, domain: Domain, watcher: ProgressListener
) -> ExcerptResult:
    """Read the beginning of the held-out part with the best model."""
    records = list(held_out_records(corpus, _RANKED))
    if corpus.held_out is None or not records or not _readable(domain):
        return ExcerptResult()
    checkpoint = load_checkpoint(run.model)
    engine, cell = KernelEngine.of(checkpoint), checkpoint.card.config.model.cell
    parts = stretches(records, checkpoint.card.vocabulary)
    ids = [part.ids for part in parts]
    seen = trace(engine, ids, cell, progress=watcher.advance)
    named = annotations_at(annotations_of(domain, records), parts)
    best: list[Finding] = []
    if named:
        best = _best(Study(checkpoint, engine, domain, seen, ids, named, watcher).findings)
    size = min(SHOWN, len(seen))
    return ExcerptResult(
        excerpt=Excerpt(
            part=corpus.held_out,
            symbols=checkpoint.card.vocabulary.decode(seen.ids[:size].tolist()),
            bits=tuple(np.round(seen.bits[:size], 3).tolist()),
            units=tuple(_unit(one, named[one.annotation].name, seen, size) for one in best),
            looked_for=tuple(one.name for one in named),
            ranked=len(seen),
        )
    )


def _readable(domain: Domain) -> bool:
    """Whether symbols are what people read, a character each."""
    if isinstance(domain, Spells):
        return False
    return not isinstance(domain, DecodesSymbols) or domain.deciphering() is not None


def held_out_records(corpus: Corpus, most: int) -> Iterator[Record]:
    """The held-out part's first symbols, as records."""
    if corpus.held_out is None:
        return
    part = corpus.part(corpus.held_out)
    for _, start, stop in part.segments.tolist():
        tokens = part.tokens[start : min(stop, start + most)]
        text = corpus.vocabulary.decode(tokens.tolist())
        if text:
            yield Record(text)
            most -= len(text)
        if most <= 0:
            return


def _best(found: list[Finding]) -> list[Finding]:
    """The found units of the largest margins, each unit and annotation once."""
    kept: list[Finding] = []
    for one in sorted((one for one in found if one.found), key=lambda one: -one.margin):
        if all(one.unit != other.unit and one.annotation != other.annotation for other in kept):
            kept.append(one)
    return kept[:_UNITS]


def _unit(one: Finding, name: str, seen: Trace, size: int) -> ExcerptUnit:
    width = seen.hidden.shape[2]
    values = np.round(seen.units(0, size)[:, one.unit].astype(float), 3)
    return ExcerptUnit(
        layer=one.unit // width, unit=one.unit % width, annotation=name, measure=one.measure,
        value=one.value, untrained=max(one.untrained, key=abs), values=tuple(values.tolist()),
    )  # fmt: skip
