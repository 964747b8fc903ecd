"""A trace in, tables out: TSV of what was expected at each symbol, bedGraph of the surprise of
bases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import one_line
from seqforge.core.data.vocabulary import Vocabulary
from seqforge.core.inspection.stretches import Stretch
from seqforge.core.inspection.trace import Trace
from seqforge.core.records import Record

_ROWS = 10_000  # lines at a time


def write_trace(
    stream: BinaryIO, trace: Trace, vocabulary: Vocabulary, records: Sequence[Record],
    parts: Sequence[Stretch],
) -> None:  # fmt: skip
    """A line a symbol: record, position from 1, symbol, bits, entropy, likeliest symbols with
    their probabilities.
    """
    shown = ["", *(one_line(symbol) for symbol in vocabulary.symbols)]
    count = trace.top_ids.shape[1]
    likeliest = [
        f"{word}_{n}" for n in range(1, count + 1) for word in ("likeliest", "probability")
    ]
    head = ["record", "position", "symbol", "bits", "entropy", *likeliest]
    stream.write(("\t".join(head) + "\n").encode())
    for part, at in _placed(parts):
        name = one_line(records[part.record].name) or str(part.record + 1)
        for first in range(0, len(part.ids), _ROWS):
            lines = []
            for i in range(first, min(first + _ROWS, len(part.ids))):
                place = at + i
                pairs = zip(trace.top_ids[place], trace.top_probabilities[place], strict=True)
                odds = "\t".join(f"{shown[number]}\t{chance:.4f}" for number, chance in pairs)
                lines.append(
                    f"{name}\t{part.start + i + 1}\t{shown[part.ids[i]]}\t{trace.bits[place]:.4f}\t"
                    f"{trace.entropy[place]:.4f}\t{odds}\n"
                )
            stream.write("".join(lines).encode("utf-8", "backslashreplace"))


def write_bedgraph(
    stream: BinaryIO, bits: NDArray[np.float32], strand: str, records: Sequence[Record],
    parts: Sequence[Stretch],
) -> None:  # fmt: skip
    """A line a base: contig, start from 0, end, bits (UCSC's bedGraph)."""
    stream.write(
        f'track type=bedGraph name="surprise, {strand} strand" description="bits a base"\n'.encode()
    )
    for part, at in _placed(parts):
        name = _contig(records[part.record])
        for first in range(0, len(part.ids), _ROWS):
            last = min(first + _ROWS, len(part.ids))
            lines = (
                f"{name}\t{part.start + i}\t{part.start + i + 1}\t{bits[at + i]:.3f}\n"
                for i in range(first, last)
            )
            stream.write("".join(lines).encode())


def _contig(record: Record) -> str:
    """Its name as the format can have it: without blanks."""
    return re.sub(r"\s.*", "", one_line(record.name)) or "sequence"


def _placed(parts: Sequence[Stretch]) -> Iterator[tuple[Stretch, int]]:
    """Stretches, each with where it begins among the symbols of all."""
    at = 0
    for part in parts:
        yield part, at
        at += len(part.ids)


def mirrored(parts: Sequence[Stretch], partners: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Stretches in, their ids on the other strand, as it is read, out."""
    return [np.ascontiguousarray(partners[part.ids[::-1]]) for part in parts]


def turned_back(bits: NDArray[np.float32], parts: Sequence[Stretch]) -> NDArray[np.float32]:
    """Bits of the other strand, as it was read, in; at the places of this strand out."""
    found = np.empty_like(bits)
    for part, at in _placed(parts):
        found[at : at + len(part.ids)] = bits[at : at + len(part.ids)][::-1]
    return found
