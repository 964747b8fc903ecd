"""From files to a corpus: read, spool, split, encode; each file is listed with its fate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from seqforge.base.printable import one_line
from seqforge.base.remarks import collected
from seqforge.core.config import DataConfig
from seqforge.core.corpus import Corpus
from seqforge.core.data.encoding import split_and_encode
from seqforge.core.data.spool import Spool
from seqforge.core.domain import Block, Domain, ReadsBlocks
from seqforge.core.files import write_atomically
from seqforge.core.vocabulary import Vocabulary, describe, narrowest
from seqforge.errors import InputError

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


def _read_file(domain: Domain, path: Path, spool: Spool, contents: dict[bytes, Path]) -> Ingested:
    """Read one file; ``contents`` are the files before it by what was read of them."""
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
        twin = contents.setdefault(spool.content(before), path)
        if twin is not path:  # what is read twice would be held out and learnt
            raise InputError(f"{path}: has the same content as {twin}")
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


def write_ingest(path: Path, lines: Sequence[Ingested]) -> None:
    """Write ``ingest.tsv``: a header line, then a line a file."""
    names = [field.name for field in fields(Ingested)]
    rows = ["\t".join(_cell(getattr(line, name)) for name in names) for line in lines]
    write_atomically(path, ("\n".join(["\t".join(names), *rows]) + "\n").encode())


def _cell(value: object) -> str:
    return one_line(" ".join(str(value).split()))  # no tab or line break inside a cell


def ingest_rows(lines: Sequence[Ingested]) -> list[dict[str, str]]:
    """The lines as plain dictionaries, for the page."""
    return [{key: str(value) for key, value in asdict(line).items()} for line in lines]


def read_ingest(path: Path) -> list[Ingested]:
    """The lines of an ``ingest.tsv``."""
    _, *rows = path.read_text(encoding="utf-8").splitlines()
    cells = [row.split("\t") for row in rows]
    return [Ingested(f, s, r, int(records), int(symbols)) for f, s, r, records, symbols in cells]
