"""Records in, block by block; out any stretch of any of them, as often as wanted.

One pass over the inputs then serves counting, splitting and encoding. The symbols lie in a
temporary file; in memory is never more than a block, or the record that a domain gives whole.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from seqforge.core.files import disk_errors
from seqforge.core.records import Record
from seqforge.core.vocabulary import text_of

_BLOCK = 1 << 18
_CR = ord("\r")  # CRLF and LF part the same lines


@dataclass(frozen=True)
class Spooled:
    """A record whose symbols lie in the spool file as code points."""

    record: Record  # without its symbols
    offset: int
    length: int
    dtype: np.dtype[np.unsignedinteger]
    digest: bytes
    """Of its symbols, carriage returns left out: what is the same text has the same digest."""


class Spool:
    """The symbols of all records, one after the other in a temporary file."""

    def __init__(self, folder: Path, augmented: bool = True) -> None:
        with disk_errors(folder):
            self._file: BinaryIO = TemporaryFile(dir=folder)  # noqa: SIM115  (closed by close)
        self.records: list[Spooled] = []
        self._begun = self._end = 0  # where the record under way begins, and what is written
        self._dtype: np.dtype[np.unsignedinteger] = np.dtype(np.uint8)
        self._digest = hashlib.sha256()
        self._folder = folder
        self._augmented = augmented

    def write(self, points: NDArray[np.unsignedinteger]) -> None:
        """Append symbols to the record under way, all of it as uint8 or all as uint32."""
        if self._end > self._begun and points.dtype != self._dtype:
            raise ValueError(f"{points.dtype} blocks after {self._dtype} ones in one record")
        with disk_errors(self._folder):
            self._file.write(points.data)
        returns = points == _CR
        self._digest.update(points[~returns].data if returns.any() else points.data)
        self._end += points.nbytes
        self._dtype = points.dtype

    def finish(self, record: Record) -> None:
        """End the record under way; one that has no symbols outside gaps is forgotten."""
        length = (self._end - self._begun) // self._dtype.itemsize
        if record.pieces(length) and (self._augmented or not record.augmented):
            kept = replace(record, symbols="", description="")
            digest = self._digest.digest()
            self.records.append(Spooled(kept, self._begun, length, self._dtype, digest))
        self._digest = hashlib.sha256()
        self._begun = self._end

    def drop_since(self, number: int) -> None:
        """Forget the records from ``number`` on: their file turned out to be unusable."""
        del self.records[number:]
        self._digest = hashlib.sha256()
        self._begun = self._end

    def counts(self) -> Counter[str]:
        """How often each symbol occurs outside gaps."""
        counted: Counter[int] = Counter()
        for index, spooled in enumerate(self.records):
            for start, stop in spooled.record.pieces(spooled.length):
                for block in self.blocks(index, start, stop):
                    counted.update(_counts(block))
        return Counter({chr(point): count for point, count in counted.items()})

    def blocks(self, index: int, start: int, stop: int) -> Iterator[NDArray[np.unsignedinteger]]:
        """Code points [start, stop) of record ``index``, a block at a time."""
        spooled = self.records[index]
        size = spooled.dtype.itemsize
        with disk_errors(self._folder):
            self._file.flush()
            for begin in range(start, stop, _BLOCK):
                self._file.seek(spooled.offset + begin * size)
                count = min(_BLOCK, stop - begin)
                yield np.frombuffer(self._file.read(count * size), spooled.dtype)

    def texts(self) -> Iterator[str]:
        """The symbols of each record that is not augmented."""
        for index, spooled in enumerate(self.records):
            if not spooled.record.augmented:
                found = self.blocks(index, 0, spooled.length)
                yield "".join(text_of(points.astype(np.uint32)) for points in found)

    def content(self, since: int) -> bytes:
        """A digest of the records from number ``since`` on: what a model would read of a file."""
        return hashlib.sha256(b"".join(r.digest for r in self.records[since:])).digest()

    def backwards(self, index: int, other: NDArray[np.uint8]) -> bytes:
        """The digest of a record of uint8 read from its end, each symbol as ``other`` has it."""
        digest = hashlib.sha256()
        for stop in range(self.records[index].length, 0, -_BLOCK):
            (block,) = self.blocks(index, max(0, stop - _BLOCK), stop)
            digest.update(other[block[::-1]].data)
        return digest.digest()

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()


def _counts(points: NDArray[np.unsignedinteger]) -> dict[int, int]:
    if points.dtype == np.uint8:
        counts = np.bincount(points, minlength=256)
        values = np.flatnonzero(counts)
        counts = counts[values]
    else:
        values, counts = np.unique(points, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))
