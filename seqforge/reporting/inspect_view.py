"""What was found out about a network's units, and its data packed for a page: arrays in, compressed
bytes and where each array lies in them out.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seqforge.core.inspection.annotations import WrittenNote, WrittenScore
from seqforge.core.inspection.directions import Directions
from seqforge.reporting.coloured_text import (
    MOST_BITS,
    STEPS,
    darkest_bits,
    faces,
    shades,
    surprise_shades,
)

MOST_SYMBOLS = 100_000
"""Symbols on a page; the first ones of more."""
MOST_UNITS = 16
"""Units that have a value at all these symbols."""
MOST_IN_HEAT_MAP = 4_000
"""Symbols at which all units have a value, if there is room for so many."""
MOST_BYTES = 3_500_000
"""Of compressed data, so that the page stays under 5 MB."""

_LEAST_HEAT = 500_000  # bytes of the map of all units, for which directions leave room
_COARSE = 16  # steps between 0 and the largest value of the first direction
_TRIED, _UNEVEN = 256, 1.05  # symbols that tell how far the map is compressed, and reserve
_MOST_SCORES = 900_000  # bytes of compressed scores
_FINE = 50  # steps between 0 and 1 in which activations are kept
_UNKNOWN = 255  # of an annotation

Floats = NDArray[np.floating[Any]]
Measure = Literal["r", "auc"]


@dataclass(frozen=True)
class ShownAnnotation:
    """What is so at each symbol."""

    name: str
    measure: Measure
    values: Floats
    """(N,): numbers, or 1 where it holds and 0 elsewhere; NaN where it is not known."""


@dataclass(frozen=True)
class ShownAblation:
    """What silencing a unit costs, in bits a symbol."""

    where: float
    """Where the annotation holds."""
    elsewhere: float
    random_where: float
    """The same as ``where``, the mean of random units."""


@dataclass(frozen=True)
class ShownDrive:
    """The mean of the annotation in samples drawn while a unit is held at two values."""

    low: float
    """What the unit is held at."""
    high: float
    at_low: float
    at_high: float
    undriven: float | None = None
    random: Sequence[float] = ()
    """The differences that random units make."""


@dataclass(frozen=True)
class ShownUnit:
    """A unit beside an annotation, and what is known of both; one unit may follow several."""

    layer: int
    """From 0."""
    unit: int
    """From 0, in its layer."""
    values: Floats | None = None
    """(N,), in [-1, 1]: text can be coloured by it."""
    annotation: str = ""
    """What it was compared with; empty: it was only asked for."""
    measure: Measure = "r"
    value: float | None = None
    untrained: Sequence[float] = ()
    """The best of each untrained network."""
    shifted: Sequence[float] = ()
    """The best for each shift of the annotation."""
    margin: float | None = None
    found: bool = False
    ablation: ShownAblation | None = None
    drive: ShownDrive | None = None

    @property
    def name(self) -> str:
        """Layer and unit, as ``--drive`` takes them."""
        return f"{self.layer}:{self.unit}"


@dataclass(frozen=True)
class GateSaturation:
    """How often each unit's gate is almost shut and almost open (Karpathy et al. 2015)."""

    layer: int
    gate: str
    shut: Floats
    """(U,): share of the symbols at which it is below 0.1."""
    open: Floats
    """(U,): above 0.9."""


@dataclass(frozen=True)
class Probe:
    """How well all units of a layer together tell an annotation."""

    layer: int
    annotation: str
    measure: Measure
    value: float


@dataclass(frozen=True)
class ShownRecord:
    """A stretch of a record."""

    name: str
    length: int
    offset: int = 0
    """Of its first symbol in the record."""


@dataclass(frozen=True)
class ShownTune:
    """The notes of one record."""

    start: int
    """The record's first symbol, counted in all N."""
    stop: int
    notes: Sequence[WrittenNote]
    """Their symbols are counted in all N."""
    bars: Sequence[float]
    """Where bars end, in quarters since the tune began."""
    score: WrittenScore | None = None
    """Its numbers of notes are those in ``notes``."""


@dataclass(frozen=True)
class InspectView:
    """All that a page is made of: N symbols, the network's units."""

    model: str
    unit: str
    """What the domain calls a symbol: character, base."""
    symbols: str
    bits: Floats
    """(N,)."""
    parameters: int | None = None
    entropy: Floats | None = None
    """(N,): bits expected."""
    vocabulary: Sequence[str] = ()
    """Symbol n - 1 has the id n; the id 0 ends a record."""
    top_ids: NDArray[np.integer[Any]] | None = None
    """(N, 5): ids of the likeliest symbols."""
    top_probabilities: Floats | None = None
    """(N, 5)."""
    annotations: Sequence[ShownAnnotation] = ()
    units: Sequence[ShownUnit] = ()
    """Rows of the table; those found first."""
    shape: tuple[int, int] | None = None
    """Layers, units of a layer."""
    all_units: Floats | None = None
    """(M, layers * units): of the first M symbols."""
    directions: Directions | None = None
    """Of all N symbols."""
    gates: Sequence[GateSaturation] = ()
    probes: Sequence[Probe] = ()
    memory: Sequence[tuple[int | None, float]] = ()
    """Symbols read since a reset, bits of the next one; None: all there are."""
    records: Sequence[ShownRecord] = ()
    """In order; (): one without a name."""
    tunes: Sequence[ShownTune] = ()
    """Notes to show on a staff; in order."""
    tracks: bool = False
    """Whether symbols stand in lines of a fixed width, annotations as bars beneath: genomes."""


def coloured_by(view: InspectView) -> list[ShownUnit]:
    """The units that text can be coloured by, each once, by its first row; at most 16."""
    found: dict[tuple[int, int], ShownUnit] = {}
    for one in view.units:
        if one.values is not None:
            found.setdefault((one.layer, one.unit), one)
    return list(found.values())[:MOST_UNITS]


class _Bytes:
    """Arrays one after the other."""

    def __init__(self) -> None:
        self.whole = bytearray()
        self.places: dict[str, tuple[str, int, int]] = {}
        """Type, first byte and length of each."""

    def add(self, name: str, array: NDArray[Any]) -> None:
        self.whole += bytes(-len(self.whole) % 4)
        self.places[name] = (array.dtype.name, len(self.whole), array.size)
        self.whole += np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()

    def compressed(self) -> bytes:
        return zlib.compress(bytes(self.whole), 9)


@dataclass(frozen=True)
class PackedView:
    """What the script of a page reads."""

    data: str
    """Base64 of compressed arrays."""
    meta: dict[str, Any]
    """Where they lie, and what they are of."""


def packed(view: InspectView) -> PackedView:
    """A view in, its data for the page out."""
    symbols = view.symbols[:MOST_SYMBOLS]
    found = _Bytes()
    text = "".join("\ufffd" if "\ud800" <= one <= "\udfff" else one for one in symbols)
    found.add("text", np.frombuffer(text.encode(), np.uint8))
    _add_expected(found, view, len(symbols))
    units = coloured_by(view)
    for number, unit in enumerate(units):
        if unit.values is not None:
            found.add(f"unit{number}", _fine(unit.values[: len(symbols)]))
    scales = [
        _add_annotation(found, f"annotation{number}", one, len(symbols))
        for number, one in enumerate(view.annotations)
    ]
    tunes = _add_tunes(found, view, len(symbols))
    scores = _add_scores(found, view, len(symbols))
    directions = _add_directions(found, view, len(symbols))
    heat = _add_heat(found, view, len(symbols))
    meta = {
        "places": found.places, "count": len(symbols), "heat": heat,
        "directions": directions, "fine": _FINE,
        "steps": STEPS, "mostBits": MOST_BITS, "darkest": darkest_bits(view.bits),
        "faces": faces(symbols), "vocabulary": ["", *view.vocabulary],
        "vocabularyFaces": faces("".join(view.vocabulary)), "unit": view.unit,
        "units": [
            {"name": one.name, "annotation": one.annotation, "layer": one.layer, "unit": one.unit}
            for one in units
        ],
        "shape": view.shape, "annotations": scales, "records": _records(view, len(symbols)),
        "tracks": view.tracks, "tunes": tunes, "scores": scores,
        "shades": {"light": shades("light"), "dark": shades("dark")},
        "surprise": {"light": surprise_shades("light"), "dark": surprise_shades("dark")},
    }  # fmt: skip
    return PackedView(base64.b64encode(found.compressed()).decode(), meta)


def _add_expected(found: _Bytes, view: InspectView, count: int) -> None:
    found.add("bits", _square_root(view.bits[:count]))
    if view.entropy is not None:
        found.add("entropy", _square_root(view.entropy[:count]))
    if view.top_ids is not None and view.top_probabilities is not None:
        small = np.uint8 if len(view.vocabulary) < 255 else np.uint16
        chances = np.asarray(view.top_probabilities[:count], np.float32) * 255
        found.add("topIds", view.top_ids[:count].astype(small).T)
        found.add("topChances", np.rint(chances).astype(np.uint8).T)


def _square_root(bits: Floats) -> NDArray[np.uint8]:
    """Bits to about a hundredth where they are few, to a fifth where they are many."""
    share = np.clip(np.asarray(bits, np.float32) / MOST_BITS, 0, 1)
    found: NDArray[np.uint8] = np.rint(np.sqrt(share) * 255).astype(np.uint8)
    return found


def _fine(values: Floats) -> NDArray[np.int8]:
    return np.rint(np.clip(np.asarray(values, np.float32), -1, 1) * _FINE).astype(np.int8)


def _add_annotation(found: _Bytes, name: str, one: ShownAnnotation, count: int) -> dict[str, Any]:
    values = np.asarray(one.values[:count], np.float32)
    known = np.isfinite(values)
    low, high = (0.0, 1.0) if one.measure == "auc" or not known.any() else (
        float(values[known].min()), float(values[known].max())
    )  # fmt: skip
    share = (np.where(known, values, low) - low) / ((high - low) or 1)
    scaled = np.rint(share * (_UNKNOWN - 1)).astype(np.uint8)
    found.add(name, np.where(known, scaled, _UNKNOWN).astype(np.uint8))
    return {"name": one.name, "measure": one.measure, "low": low, "high": high}


def _add_tunes(found: _Bytes, view: InspectView, count: int) -> list[tuple[int, int, int, int]]:
    """First symbol, end, number of notes and of bars of each tune that is shown in full."""
    tunes = [tune for tune in view.tunes if tune.stop <= count]
    notes = [note for tune in tunes for note in tune.notes]
    starts = np.array([note.start for note in notes], np.int32)
    found.add("noteSteps", np.diff(starts, prepend=np.int32(0)))
    found.add("noteSizes", np.array([note.stop for note in notes], np.int32) - starts)
    found.add("noteHeights", np.array([note.height for note in notes], np.int32))
    found.add("noteOnsets", np.array([note.onset for note in notes], np.float32))
    found.add("noteLengths", np.array([note.length for note in notes], np.float32))
    found.add("bars", np.array([bar for tune in tunes for bar in tune.bars], np.float32))
    return [(tune.start, tune.stop, len(tune.notes), len(tune.bars)) for tune in tunes]


def _add_scores(found: _Bytes, view: InspectView, count: int) -> list[tuple[int, int, int] | None]:
    """Width, height and length in bytes of each tune's score, as many as there is room for."""
    scores: list[tuple[int, int, int] | None] = []
    markup, room = [], _MOST_SCORES
    for tune in (tune for tune in view.tunes if tune.stop <= count):
        data = b"" if tune.score is None else tune.score.markup.encode()
        room -= len(zlib.compress(data))
        if tune.score is None or room < 0:
            scores.append(None)
        else:
            scores.append((tune.score.width, tune.score.height, len(data)))
            markup.append(data)
    found.add("scores", np.frombuffer(b"".join(markup), np.uint8))
    return scores


def _add_directions(found: _Bytes, view: InspectView, count: int) -> dict[str, Any] | None:
    """As many as there is room for; how many they are, and a step of their values."""
    if view.directions is None or not count:
        return None
    values = view.directions.values[:count]
    step = float(np.quantile(np.abs(values), 0.999)) / _COARSE or 1.0
    whole = np.clip(np.rint(values.T / step), -127, 127).astype(np.int8)
    sizes = np.cumsum([len(zlib.compress(one.tobytes())) for one in whole])
    room = MOST_BYTES - len(found.compressed()) - _LEAST_HEAT
    kept = int(np.count_nonzero(sizes <= room))
    loadings = np.rint(view.directions.loadings[:kept] * 32767).astype(np.int16)
    found.add("directions", whole[:kept])
    found.add("loadings", loadings)
    return {"count": kept, "step": step / 32767} if kept else None


def _add_heat(found: _Bytes, view: InspectView, count: int) -> int:
    """As many symbols as there is room for, at most `MOST_IN_HEAT_MAP`; returns how many."""
    if view.all_units is None or view.shape is None or not count:
        return 0
    known = view.all_units[: min(count, MOST_IN_HEAT_MAP)]
    some = _fine(known[:_TRIED]).T
    one = _UNEVEN * len(zlib.compress(some.tobytes())) / some.shape[1]
    room = int((MOST_BYTES - len(found.compressed())) / one)
    most = min(len(known), max(room, 0))
    found.add("heat", _fine(view.all_units[:most]).T)
    return most


def _records(view: InspectView, count: int) -> list[tuple[str, int, int]]:
    """Names, first symbols and what the positions before them are called."""
    found, at = [], 0
    for one in view.records:
        if at < count:
            found.append((one.name, at, one.offset))
        at += one.length
    return found
