"""Files in, a corpus out: read, spooled, split, encoded; every file is listed with what became
of it.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from seqforge.base.folders import disk_errors, write_atomically
from seqforge.base.messages import Advance, collected_remarks, one_line, unheard, unreadable
from seqforge.core.config import DataConfig, Split
from seqforge.core.data.corpus import (
    PARTS,
    Corpus,
    PartWriter,
    SplitTable,
    measure_overlap,
    open_part,
)
from seqforge.core.data.domain import Block, Clusters, Domain, HasKmers, ReadsBlocks
from seqforge.core.data.overlap import WINDOW, WindowCodes
from seqforge.core.data.split import Cut, mixed, split_records
from seqforge.core.data.vocabulary import Vocabulary, code_points, describe, narrowest, text_of
from seqforge.core.records import Record
from seqforge.errors import InputError

_BLOCK = 1 << 18
_CR = ord("\r")  # CRLF and LF part the same lines


@dataclass(frozen=True)
class SpooledRecord:
    """A record with its symbols in the spool file, as code points."""

    record: Record  # without its symbols
    offset: int
    length: int
    dtype: np.dtype[np.unsignedinteger]
    digest: bytes
    """Digest of its symbols without carriage returns: equal for equal text."""


class RecordSpool:
    """A temporary file with the symbols of all records."""

    def __init__(self, folder: Path, augmented: bool = True) -> None:
        with disk_errors(folder):
            self._file: BinaryIO = TemporaryFile(dir=folder)  # noqa: SIM115  (closed by close)
        self.records: list[SpooledRecord] = []
        self._begun = self._end = 0  # where the record under way begins, and what is written
        self._dtype: np.dtype[np.unsignedinteger] = np.dtype(np.uint8)
        self._digest = hashlib.sha256()
        self._folder = folder
        self._augmented = augmented

    def write(self, points: NDArray[np.unsignedinteger]) -> None:
        """Append symbols to the current record, all of them uint8 or all uint32."""
        if self._end > self._begun and points.dtype != self._dtype:
            raise ValueError(f"{points.dtype} blocks after {self._dtype} ones in one record")
        with disk_errors(self._folder):
            self._file.write(points.data)
        returns = points == _CR
        self._digest.update(points[~returns].data if returns.any() else points.data)
        self._end += points.nbytes
        self._dtype = points.dtype

    def finish(self, record: Record) -> None:
        """End the current record; one without symbols outside gaps is dropped."""
        length = (self._end - self._begun) // self._dtype.itemsize
        if record.pieces(length) and (self._augmented or not record.augmented):
            kept = replace(record, symbols="", description="")
            digest = self._digest.digest()
            self.records.append(SpooledRecord(kept, self._begun, length, self._dtype, digest))
        self._digest = hashlib.sha256()
        self._begun = self._end

    def drop_since(self, number: int) -> None:
        """Drop the records from ``number`` on, after a file turned out to be unusable."""
        del self.records[number:]
        self._digest = hashlib.sha256()
        self._begun = self._end

    def counts(self) -> Counter[str]:
        """Occurrences of each symbol outside gaps."""
        counted: Counter[int] = Counter()
        for index, spooled in enumerate(self.records):
            for start, stop in spooled.record.pieces(spooled.length):
                for block in self.blocks(index, start, stop):
                    counted.update(_counts(block))
        return Counter({chr(point): count for point, count in counted.items()})

    def blocks(self, index: int, start: int, stop: int) -> Iterator[NDArray[np.unsignedinteger]]:
        """Code points [start, stop) of record ``index``, in blocks."""
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

    def labels(self) -> tuple[str, ...]:
        """The labels of all records, sorted; none if they have none."""
        found = tuple(sorted({spooled.record.label for spooled in self.records}))
        return () if found == ("",) else found

    def content(self, since: int) -> bytes:
        """A digest of the records from ``since`` on, as a model reads them."""
        return hashlib.sha256(b"".join(r.digest for r in self.records[since:])).digest()

    def backwards(self, index: int, other: NDArray[np.uint8]) -> bytes:
        """The digest of a uint8 record read backwards, each symbol mapped by ``other``."""
        digest = hashlib.sha256()
        for stop in range(self.records[index].length, 0, -_BLOCK):
            (block,) = self.blocks(index, max(0, stop - _BLOCK), stop)
            digest.update(other[block[::-1]].data)
        return digest.digest()

    def close(self) -> None:
        """Delete the spool file."""
        self._file.close()


def _counts(points: NDArray[np.unsignedinteger]) -> dict[int, int]:
    if points.dtype == np.uint8:
        counts = np.bincount(points, minlength=256)
        values = np.flatnonzero(counts)
        counts = counts[values]
    else:
        values, counts = np.unique(points, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


_MOVED_FROM = 0.25  # from this overlap on another stretch than the tail is looked for
_PLACES = (0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125)  # where in a group it may end


def split_and_encode(
    domain: Domain, spool: RecordSpool, data: DataConfig, vocabulary: Vocabulary, folder: Path
) -> Corpus:
    """A spool in, the split and encoded parts out.

    Identical records (for nucleotides, reverse complements too) stay on one side. If a quarter or
    more of a held-out tail is in the training part too (an inverted repeat), another stretch is
    held out if that at least halves the overlap.

    Raises:
        InputError: If the input is too small to split, or a region does not exist.
        RunError: If the disk refuses.
    """
    clusters, notes = _clusters(domain, spool, data)
    sizes = [(spooled.record, spooled.length) for spooled in spool.records]
    split, codes = Split.parse(data.split), window_codes(domain, vocabulary)
    labels = spool.labels()

    def attempt(ends_at: float) -> tuple[SplitTable, bool]:
        division = split_records(sizes, split, clusters, data.hold_out, ends_at)
        for part in PARTS:
            cuts = mixed(division.cuts[part]) if labels else division.cuts[part]
            _encode(spool, vocabulary, cuts, part, folder, labels)
        parts = {part: open_part(folder, part) for part in PARTS}
        overlap, sketch = measure_overlap(parts, codes, moved=ends_at < 1)
        names = tuple(record.name for record, _ in sizes)
        said = (*notes, *division.notes)
        movable = division.tails and not data.hold_out
        return SplitTable(names, division.cuts, overlap, sketch, said), movable

    partition, movable = attempt(1.0)
    before = partition.overlap.share or 0.0
    if movable and before >= _MOVED_FROM:
        shares = {place: attempt(place)[0].overlap.share or 0.0 for place in _PLACES}
        best = min(shares, key=shares.__getitem__)
        partition, _ = attempt(best if shares[best] <= before / 2 else 1.0)
    partition.write(folder)
    return Corpus.finish(folder, vocabulary, labels)


def _encode(
    spool: RecordSpool, vocabulary: Vocabulary, cuts: Sequence[Cut], part: str, folder: Path,
    labels: Sequence[str],
) -> None:  # fmt: skip
    with PartWriter(folder, part, vocabulary, cuts) as writer:
        for cut in cuts:
            writer.add(cut, _encoded(spool, vocabulary, cut))
        writer.close()
        if labels:
            numbers = {label: number for number, label in enumerate(labels)}
            writer.label([numbers[spool.records[cut.record].record.label] for cut in cuts])


def _encoded(
    spool: RecordSpool, vocabulary: Vocabulary, cut: Cut
) -> Iterator[NDArray[np.unsignedinteger]]:
    for points in spool.blocks(cut.record, cut.context_from, cut.stop):
        yield vocabulary.encode_points(points)


def _clusters(
    domain: Domain, spool: RecordSpool, data: DataConfig
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """The cluster number of each original record, and notes."""
    same = _identical(domain, spool)
    copies = len(same) - len(np.unique(same))
    notes: tuple[str, ...] = ()
    if copies:
        notes = (
            f"{copies:,} of {len(same):,} records are copies of others; copies are held out "
            "together or not at all",
        )
    if isinstance(domain, Clusters) and Split.parse(data.split).train < 1:
        variants = domain.clusters(spool.texts())
        return (_joined(variants, same) if copies else variants), notes
    return (same if copies else None), notes


def _identical(domain: Domain, spool: RecordSpool) -> NDArray[np.int64]:
    """Equal numbers for records with equal symbols, on either strand."""
    originals = [n for n, spooled in enumerate(spool.records) if not spooled.record.augmented]
    lengths = Counter(spool.records[number].length for number in originals)
    other = _complements(domain) if isinstance(domain, HasKmers) else None
    numbers: dict[bytes, int] = defaultdict(lambda: len(numbers))
    found = []
    for number in originals:
        spooled = spool.records[number]
        digest = spooled.digest
        if other is not None and lengths[spooled.length] > 1:
            digest = min(digest, spool.backwards(number, other))
        found.append(numbers[digest])
    return np.array(found, np.int64)


def window_codes(domain: Domain, vocabulary: Vocabulary) -> WindowCodes:
    """How windows are compared: by the domain's k-mers and strands, else by code points."""
    if isinstance(domain, HasKmers):
        here, there = domain.strand_codes(vocabulary)
        return WindowCodes(domain.kmer_size, here, there)
    points = code_points("".join(vocabulary.symbols)) + np.uint32(1)
    return WindowCodes(WINDOW, np.concatenate([[0], points]))


def _complements(domain: HasKmers) -> NDArray[np.uint8]:
    """For each code point below 256 its complement; itself if it has none."""
    _, other = domain.strand_codes(Vocabulary(tuple(map(chr, range(1, 256)))))
    return np.where(other == 0, np.arange(256), other).astype(np.uint8)


def _joined(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Two clusterings in, the finest clustering that joins both out."""
    labels = np.arange(len(first))
    while True:
        before = labels
        for clusters in (first, second):
            _, members = np.unique(clusters, return_inverse=True)
            least = np.full(members.max(initial=0) + 1, len(first))
            np.minimum.at(least, members, labels)
            labels = least[members]
        if (labels == before).all():
            return labels


_NAMED = 5  # strange symbols, in a message
_NOTED = 1000  # different notes on a file's records, in its line


SAME_CONTENT = "has the same content as"


@dataclass(frozen=True)
class Ingested:
    """A line of ``ingest.tsv``: a file and its status."""

    file: str
    status: str
    """kept, split (a record was cut at gaps) or refused."""
    reason: str
    records: int
    symbols: int

    @property
    def duplicate(self) -> bool:
        """Whether it was refused because another file has the same content."""
        return self.status == "refused" and SAME_CONTENT in self.reason


def ingest(
    domain: Domain,
    paths: Sequence[Path],
    data: DataConfig,
    folder: Path,
    progress: Advance = unheard,
    vocabulary: Vocabulary | None = None,
    extend: bool = False,
    augmented: bool = True,
) -> tuple[Corpus, list[Ingested]]:
    """Read files into a corpus kept in ``folder`` (an existing, empty folder).

    Args:
        domain: Knows the files.
        paths: Files, in the order in which they are read.
        data: What to hold out, and what counts as a symbol.
        folder: Where the token arrays go.
        progress: Called before each file with how many are done, how many there are, its name.
        vocabulary: That of a model; without it the symbols read make one.
        extend: Whether what is new to that vocabulary is added to it.
        augmented: Whether records that are copies of others, changed, are taken as well.

    Raises:
        Unsplittable: If no file can be used, all together are too small to hold anything out, or
            a symbol is not in the vocabulary that was given; has the table of what became of
            each file.
    """
    spool = RecordSpool(folder, augmented)
    try:
        lines, contents = [], dict[bytes, Path]()
        for done, path in enumerate(paths):
            progress(done, len(paths), path.name)
            lines.append(_read_file(domain, path, spool, contents))
        write_ingest(folder / "ingest.tsv", lines)
        if not spool.records:
            raise NothingUsable(lines)
        try:
            if vocabulary is None:
                vocabulary = Vocabulary.from_counts(spool.counts(), data.min_count)
            elif extend:
                vocabulary = vocabulary.extended(spool.counts(), data.min_count)
            else:
                _check_known(vocabulary, spool)
            corpus = split_and_encode(domain, spool, data, vocabulary, folder)
        except InputError as error:
            raise Unsplittable(str(error), lines) from error
        return corpus, lines
    finally:
        spool.close()


def _check_known(vocabulary: Vocabulary, spool: RecordSpool) -> None:
    strange = sorted(set(spool.counts()) - set(vocabulary.symbols))
    if strange and not vocabulary.unknown:
        named = ", ".join(describe(symbol) for symbol in strange[:_NAMED])
        more = f" and {len(strange) - _NAMED} more symbols" if len(strange) > _NAMED else ""
        raise InputError(
            f"the input holds {named}{more} that the model does not know; it knows "
            f"{vocabulary.listing()} (train --init MODEL --extend-vocabulary teaches it new ones)"
        )


class Unsplittable(InputError):
    """The input cannot be split; ``lines`` have the status of each file."""

    def __init__(self, message: str, lines: Sequence[Ingested]) -> None:
        super().__init__(message)
        self.lines = list(lines)


class NothingUsable(Unsplittable):
    """No input file could be used."""

    def __init__(self, lines: Sequence[Ingested]) -> None:
        first = next((line.reason for line in lines), "no file was found")
        more = f" (and {len(lines) - 1} more files, each listed in ingest.tsv)"
        super().__init__(first + (more if len(lines) > 1 else ""), lines)


def _read_file(
    domain: Domain, path: Path, spool: RecordSpool, contents: dict[bytes, Path]
) -> Ingested:
    """Read one file; ``contents`` maps the content of earlier files to their names."""
    before = len(spool.records)
    notes: Counter[str] = Counter()
    try:
        with collected_remarks() as remarks:
            for block in _blocks(domain, path):
                spool.write(block.points)
                if block.ends is not None:
                    spool.finish(block.ends)
                    if block.ends.note and not block.ends.augmented:
                        notes[block.ends.note] += 1
        if len(spool.records) == before:
            raise InputError(
                f"{path}: holds no {domain.unit}s to learn from; give a file that has some"
            )
        twin = contents.setdefault(spool.content(before), path)
        if twin is not path:  # what is read twice would be held out and learnt
            raise InputError(f"{path}: {SAME_CONTENT} {twin}")
    except InputError as error:
        spool.drop_since(before)
        return Ingested(str(path), "refused", str(error), 0, 0)
    except OSError as error:
        spool.drop_since(before)
        reason = f"{path}: {unreadable(error)}"
        return Ingested(str(path), "refused", reason, 0, 0)
    read = [spooled for spooled in spool.records[before:] if not spooled.record.augmented]
    gaps = sum(len(spooled.record.gaps) for spooled in read)
    said = [f"{note} ({count} records)" if count > 1 else note for note, count in notes.items()]
    said += remarks
    if len(said) > _NOTED:
        said = [*said[:_NOTED], f"and {len(said) - _NOTED} more notes"]
    return Ingested(
        str(path),
        "split" if gaps else "kept",
        "; ".join(said),
        len(read),
        sum(b - a for spooled in read for a, b in spooled.record.pieces(spooled.length)),
    )


def _blocks(domain: Domain, path: Path) -> Iterator[Block]:
    if isinstance(domain, ReadsBlocks):
        yield from domain.read_blocks(path)
    else:
        for record in domain.read(path):
            yield Block(narrowest(record.symbols), record)


def write_ingest(path: Path, lines: Sequence[Ingested]) -> None:
    """Write ``ingest.tsv``: a header line, then a line a file."""
    names = [field.name for field in fields(Ingested)]
    rows = ["\t".join(_cell(getattr(line, name)) for name in names) for line in lines]
    write_atomically(path, ("\n".join(["\t".join(names), *rows]) + "\n").encode())


def _cell(value: object) -> str:
    return one_line(" ".join(str(value).split()))  # no tab or line break inside a cell


def read_ingest(path: Path) -> list[Ingested]:
    """The lines of an ``ingest.tsv``."""
    _, *rows = path.read_text(encoding="utf-8").splitlines()
    cells = [row.split("\t") for row in rows]
    return [Ingested(f, s, r, int(records), int(symbols)) for f, s, r, records, symbols in cells]
