"""What was found of a model's units in, what the page of ``seqforge inspect`` shows out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, zip_longest

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.domain import Domain, Mirrored
from seqforge.core.inspection.annotations import EngravesNotes, WritesNotes, WrittenScore
from seqforge.core.inspection.directions import directions
from seqforge.core.inspection.trace import Trace, trace
from seqforge.core.sampling.engine import KernelEngine
from seqforge.reporting.inspect_view import (
    MOST_IN_HEAT_MAP,
    MOST_SYMBOLS,
    MOST_UNITS,
    GateSaturation,
    InspectView,
    Probe,
    ShownAblation,
    ShownAnnotation,
    ShownDrive,
    ShownRecord,
    ShownTune,
    ShownUnit,
)
from seqforge.runs.inspect import Inspected
from seqforge.runs.inspect_results import AblationRow, DriveRow, UnitRow

_SHUT, _OPEN = 0.1, 0.9
_SIGMOID = frozenset({"input", "forget", "output", "reset", "update"})
"""Gates that open and shut."""
_GATED = 4_096  # symbols whose gates are looked at
_ENGRAVED = 20_000  # symbols whose scores are drawn


def view_of(found: Inspected) -> InspectView:
    """The first 100,000 symbols with the chosen units."""
    card, size = found.checkpoint.card, min(len(found.trace), MOST_SYMBOLS)
    seen, vocabulary = found.trace, card.vocabulary
    layers, units = seen.hidden.shape[1:]
    return InspectView(
        model=card.name,
        unit=found.domain.unit,
        symbols=vocabulary.decode(seen.ids[:size].tolist()),
        bits=seen.bits[:size],
        parameters=sum(array.size for array in found.checkpoint.weights.values()),
        entropy=seen.entropy[:size],
        vocabulary=vocabulary.symbols,
        top_ids=seen.top_ids[:size],
        top_probabilities=seen.top_probabilities[:size].astype(np.float32),
        annotations=[
            ShownAnnotation(one.name, one.measure, one.values[:size]) for one in found.annotations
        ],
        units=list(_units(found, size)),
        shape=(layers, units),
        all_units=seen.units(0, min(size, MOST_IN_HEAT_MAP)),
        directions=directions(seen.units, size),
        gates=list(_gates(found)),
        probes=[Probe(**row.model_dump()) for row in found.result.probes],
        memory=[
            (None if distance == "all" else int(distance), bits)
            for distance, bits in found.result.bits_after_reset.items()
        ],
        records=list(_records(found, size)),
        tunes=list(_tunes(found, size)),
        tracks=isinstance(found.domain, Mirrored),
    )


def ordered(rows: Sequence[UnitRow]) -> list[UnitRow]:
    """Those found first, and the largest margins first."""
    return sorted(rows, key=lambda row: (not row.found, -row.margin))


def _units(found: Inspected, size: int) -> Iterator[ShownUnit]:
    """All rows; the first 16 units, each in its first row, with what they carry."""
    seen = set[tuple[int, int]]()
    for row in ordered(found.result.units):
        place = row.layer, row.unit
        is_new = place not in seen and len(seen) < MOST_UNITS
        if is_new:
            seen.add(place)
        yield ShownUnit(
            layer=row.layer, unit=row.unit, annotation=row.annotation,
            values=_carried(found.trace, *place, size) if is_new else None,
            measure="r" if row.measure == "r" else "auc", value=row.value,
            untrained=row.untrained, shifted=row.shifted, margin=row.margin, found=row.found,
            ablation=_ablation(row.ablation), drive=_drive(row.drive),
        )  # fmt: skip


def _carried(seen: Trace, layer: int, unit: int, size: int) -> NDArray[np.float32]:
    """One column of `Trace.units`."""
    if seen.cell is None:
        return seen.hidden[:size, layer, unit].astype(np.float32)
    return np.asarray(np.tanh(seen.cell[:size, layer, unit].astype(np.float32)))


def _ablation(row: AblationRow | None) -> ShownAblation | None:
    if row is None:
        return None
    return ShownAblation(row.where, row.elsewhere, row.random_where)


def _drive(row: DriveRow | None) -> ShownDrive | None:
    if row is None or row.at_low is None or row.at_high is None:
        return None
    return ShownDrive(row.low, row.high, row.at_low, row.at_high, row.undriven, row.random)


def _gates(found: Inspected) -> Iterator[GateSaturation]:
    """How often gates are shut and open, on the first symbols."""
    engine, cell = KernelEngine.of(found.checkpoint), found.checkpoint.card.config.model.cell
    seen = trace(engine, [found.trace.ids[:_GATED]], cell, gates=True)
    if seen.gates is None:
        return
    for layer in range(seen.gates.shape[1]):
        for place, name in enumerate(seen.gate_names):
            if name in _SIGMOID:
                values = seen.gates[:, layer, place].astype(np.float32)
                shut, wide = (values < _SHUT).mean(axis=0), (values > _OPEN).mean(axis=0)
                yield GateSaturation(layer, name, shut, wide)


def _records(found: Inspected, size: int) -> Iterator[ShownRecord]:
    left = size
    for part in found.stretches:
        if left <= 0:
            return
        length = min(len(part.ids), left)
        yield ShownRecord(found.records[part.record].name, length, part.start)
        left -= length


def _tunes(found: Inspected, size: int) -> Iterator[ShownTune]:
    """Records that were read in full, where the domain writes notes."""
    domain = found.domain
    if not isinstance(domain, WritesNotes):
        return
    whole = list(_whole_records(found, size))
    scores = _scores(domain, [symbols for _, symbols in whole])
    for (at, symbols), score in zip_longest(whole, scores):
        tune = domain.written_tune(symbols)
        notes = [one._replace(start=at + one.start, stop=at + one.stop) for one in tune.notes]
        yield ShownTune(at, at + len(symbols), notes, tune.bars, score)


def _whole_records(found: Inspected, size: int) -> Iterator[tuple[int, str]]:
    """First symbols, counted in all, and symbols of records that are shown in full."""
    at = 0
    for part in found.stretches:
        stop, symbols = at + len(part.ids), found.records[part.record].symbols
        if stop <= size and len(part.ids) == len(symbols):
            yield at, symbols
        at = stop


def _scores(domain: Domain, records: Sequence[str]) -> Sequence[WrittenScore | None]:
    """The scores of the first records, where the domain engraves them."""
    if not isinstance(domain, EngravesNotes):
        return []
    sizes = accumulate(map(len, records))
    return domain.written_scores(records[: sum(size <= _ENGRAVED for size in sizes)])
