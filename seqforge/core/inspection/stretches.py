"""Records in, the stretches of them that a network can read out, and annotations of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.vocabulary import UNKNOWN, Vocabulary
from seqforge.core.inspection.annotations import Annotates, Annotation
from seqforge.core.records import Record


@dataclass(frozen=True)
class Stretch:
    """Consecutive symbols of a record, all of which the network knows."""

    record: int
    """Number of the record, from 0."""
    start: int
    stop: int
    ids: NDArray[np.int64]
    """(stop - start,)."""


def limited(records: Iterable[Record], most: int) -> Iterator[Record]:
    """The first ``most`` symbols of records, without augmented copies; the last one may be cut."""
    left = most
    for record in records:
        if record.augmented or not record.symbols:
            continue
        if left <= 0:
            return
        kept = min(len(record.symbols), left)
        gaps = tuple((a, min(b, kept)) for a, b in record.gaps if a < kept)
        yield replace(record, symbols=record.symbols[:kept], gaps=gaps)
        left -= kept


def stretches(records: Sequence[Record], vocabulary: Vocabulary) -> list[Stretch]:
    """What a network reads of records: without gaps, and without symbols that it does not know.

    Where the vocabulary has an unknown symbol it takes the place of these.
    """
    found = []
    for number, record in enumerate(records):
        known = set(vocabulary.symbols)
        for start, stop in record.pieces():
            part = record.symbols[start:stop]
            if vocabulary.unknown:
                strange = {ord(symbol): UNKNOWN for symbol in set(part) - known}
                part = part.translate(strange)
            for first, last in _known_runs(part, known):
                ids = vocabulary.encode(part[first:last]).astype(np.int64)
                found.append(Stretch(number, start + first, start + last, ids))
    return found


def _known_runs(text: str, known: set[str]) -> Iterator[tuple[int, int]]:
    if set(text) <= known:
        yield 0, len(text)
        return
    there = np.fromiter((symbol in known for symbol in text), bool, len(text))
    edges = np.flatnonzero(np.diff(there, prepend=False, append=False))
    for first, last in edges.reshape(-1, 2):
        yield int(first), int(last)


Tracks = Mapping[str, Sequence[NDArray[Any]]]
"""For each name an array (T,) for each record, as `Annotates` has them."""


def annotations_of(domain: object, records: Sequence[Record]) -> Tracks:
    """What a domain says of its records; nothing if it says nothing."""
    if not isinstance(domain, Annotates):
        return {}
    said = [domain.annotate(record.symbols) for record in records]
    names = dict.fromkeys(name for one in said for name in one)
    return {
        name: [
            _or_unknown(one.get(name), len(record.symbols))
            for one, record in zip(said, records, strict=True)
        ]
        for name in names
    }


def _or_unknown(values: NDArray[Any] | None, size: int) -> NDArray[Any]:
    return np.full(size, np.nan, np.float32) if values is None else values


def _is_truth(array: NDArray[Any]) -> bool:
    """Whether what is known holds or does not."""
    known = array[np.isfinite(array)]
    return array.dtype == bool or bool(((known == 0) | (known == 1)).all())


def annotations_at(tracks: Tracks, parts: Sequence[Stretch]) -> list[Annotation]:
    """Tracks of records in, annotations of the symbols of stretches, one after the other, out.

    What never varies is left out.
    """
    found = []
    for name, arrays in tracks.items():
        truth = all(map(_is_truth, arrays))
        values = [arrays[part.record][part.start : part.stop].astype(np.float32) for part in parts]
        joined = np.concatenate(values) if values else np.zeros(0, np.float32)
        known = joined[np.isfinite(joined)]
        if len(known) and known.min() < known.max():
            found.append(Annotation(name, joined, "auc" if truth else "r"))
    return found
