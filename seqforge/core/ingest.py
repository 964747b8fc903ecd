"""From files to a corpus: read, spool, split, encode; each file is listed with its fate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, fields, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from seqforge.base.remarks import collected
from seqforge.core.budget import Split
from seqforge.core.config import DataConfig
from seqforge.core.corpus import PARTS, Corpus, PartWriter
from seqforge.core.domain import Block, Clusters, Domain, ReadsBlocks, Record
from seqforge.core.files import disk_errors, write_atomically
from seqforge.core.holdout import Cut, Cuts, cut_records
from seqforge.core.vocabulary import Vocabulary, describe, narrowest, text_of
from seqforge.errors import InputError

_BLOCK = 1 << 18
_NAMED = 5  # strange symbols, in a message
_NOTED = 1000  # different notes on a file's records, in its line


@dataclass(frozen=True)
class Ingested:
    """A line of ``ingest.tsv``: one file and what became of it."""

    file: str
    status: str
    """kept, split (a record was cut at gaps) or refused."""
    reason: str
    records: int
    symbols: int


@dataclass(frozen=True)
class _Spooled:
    """A record whose symbols lie in the spool file as code points."""

    record: Record  # without its symbols
    offset: int
    length: int
    dtype: np.dtype[np.unsignedinteger]


class Spool:
    """The symbols of all records, one after the other in a temporary file.

    One pass over the inputs then serves counting, splitting and encoding; in memory is never more
    than a block, or the record that a domain gives whole.
    """

    def __init__(self, folder: Path, augmented: bool = True) -> None:
        with disk_errors(folder):
            self._file: BinaryIO = TemporaryFile(dir=folder)  # noqa: SIM115  (closed by close)
        self.records: list[_Spooled] = []
        self._begun = self._end = 0  # where the record under way begins, and what is written
        self._dtype: np.dtype[np.unsignedinteger] = np.dtype(np.uint8)
        self._folder = folder
        self._augmented = augmented

    def write(self, points: NDArray[np.unsignedinteger]) -> None:
        """Append symbols to the record under way, all of it as uint8 or all as uint32."""
        if self._end > self._begun and points.dtype != self._dtype:
            raise ValueError(f"{points.dtype} blocks after {self._dtype} ones in one record")
        with disk_errors(self._folder):
            self._file.write(points.data)
        self._end += points.nbytes
        self._dtype = points.dtype

    def finish(self, record: Record) -> None:
        """End the record under way; one that has no symbols outside gaps is forgotten."""
        length = (self._end - self._begun) // self._dtype.itemsize
        if record.pieces(length) and (self._augmented or not record.augmented):
            kept = replace(record, symbols="", description="")
            self.records.append(_Spooled(kept, self._begun, length, self._dtype))
        self._begun = self._end

    def drop_since(self, number: int) -> None:
        """Forget the records from ``number`` on: their file turned out to be unusable."""
        del self.records[number:]
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


def ingest(
    domain: Domain,
    paths: Sequence[Path],
    data: DataConfig,
    folder: Path,
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
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
    spool = Spool(folder, augmented)
    try:
        lines = []
        for done, path in enumerate(paths):
            progress(done, len(paths), path.name)
            lines.append(_read_file(domain, path, spool))
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
            cuts = _cuts(domain, spool, Split.parse(data.split))
            corpus = _encode(spool, vocabulary, cuts, folder)
        except InputError as error:
            raise Unsplittable(str(error), lines) from error
        return corpus, lines
    finally:
        spool.close()


def _check_known(vocabulary: Vocabulary, spool: Spool) -> None:
    strange = sorted(set(spool.counts()) - set(vocabulary.symbols))
    if strange and not vocabulary.unknown:
        named = ", ".join(describe(symbol) for symbol in strange[:_NAMED])
        more = f" and {len(strange) - _NAMED} more symbols" if len(strange) > _NAMED else ""
        raise InputError(
            f"the input holds {named}{more} that the model does not know; it knows "
            f"{vocabulary.listing()} (train --init MODEL --extend-vocabulary teaches it new ones)"
        )


class Unsplittable(InputError):
    """What was read cannot be split; ``lines`` say what became of each file."""

    def __init__(self, message: str, lines: Sequence[Ingested]) -> None:
        super().__init__(message)
        self.lines = list(lines)


class NothingUsable(Unsplittable):
    """No input file could be used."""

    def __init__(self, lines: Sequence[Ingested]) -> None:
        first = next((line.reason for line in lines), "no file was found")
        more = f" (and {len(lines) - 1} more files, each listed in ingest.tsv)"
        super().__init__(first + (more if len(lines) > 1 else ""), lines)


def _read_file(domain: Domain, path: Path, spool: Spool) -> Ingested:
    before = len(spool.records)
    notes: Counter[str] = Counter()
    try:
        with collected() as remarks:
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
    except InputError as error:
        spool.drop_since(before)
        return Ingested(str(path), "refused", str(error), 0, 0)
    except OSError as error:
        spool.drop_since(before)
        reason = f"{path}: cannot be read ({error.strerror or error})"
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


def _cuts(domain: Domain, spool: Spool, split: Split) -> Cuts:
    clusters = None
    if isinstance(domain, Clusters) and split.train < 1:
        clusters = domain.clusters(spool.texts())
    return cut_records([(s.record, s.length) for s in spool.records], split, clusters)


def _encode(spool: Spool, vocabulary: Vocabulary, cuts: Cuts, folder: Path) -> Corpus:
    for part in PARTS:
        writer = PartWriter(folder, part, vocabulary, cuts[part])
        for cut in cuts[part]:
            writer.add(cut, _encoded(spool, vocabulary, cut))
        writer.close()
    return Corpus.finish(folder, vocabulary)


def _encoded(
    spool: Spool, vocabulary: Vocabulary, cut: Cut
) -> Iterator[NDArray[np.unsignedinteger]]:
    for points in spool.blocks(cut.record, cut.context_from, cut.stop):
        yield vocabulary.encode_points(points)


def write_ingest(path: Path, lines: Sequence[Ingested]) -> None:
    """Write ``ingest.tsv``: a header line, then a line a file."""
    header = "\t".join(field.name for field in fields(Ingested))
    rows = ["\t".join(_cell(value) for value in astuple(line)) for line in lines]
    write_atomically(path, ("\n".join([header, *rows]) + "\n").encode())


def _cell(value: object) -> str:
    return " ".join(str(value).split())  # no tab or line break inside a cell


def ingest_rows(lines: Sequence[Ingested]) -> list[dict[str, str]]:
    """The lines as plain dictionaries, for the page."""
    return [{key: str(value) for key, value in asdict(line).items()} for line in lines]


def read_ingest(path: Path) -> list[Ingested]:
    """The lines of an ``ingest.tsv``."""
    _, *rows = path.read_text(encoding="utf-8").splitlines()
    cells = [row.split("\t") for row in rows]
    return [Ingested(f, s, r, int(records), int(symbols)) for f, s, r, records, symbols in cells]
