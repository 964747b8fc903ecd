"""Ids in, token arrays on disk out, memory-mapped, one a part of the split, with the split and
its measured overlap beside them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from seqforge.base import folders
from seqforge.base.folders import disk_errors, write_json
from seqforge.base.machine import in_blocks
from seqforge.core.data.overlap import (
    HIGHEST_HASH,
    Hashes,
    Overlap,
    Sketch,
    WindowCodes,
)
from seqforge.core.data.split import PARTS, Cut, Cuts
from seqforge.core.data.vocabulary import END, Vocabulary, code_points, text_of
from seqforge.errors import RunError

_FILE = "partition.json"


@dataclass(frozen=True)
class SplitTable:
    """The cuts of each part, and the train-test overlap."""

    names: tuple[str, ...]
    """Names of the records."""
    cuts: Cuts
    overlap: Overlap
    sketch: Sketch
    """Sketch of the training part."""
    notes: tuple[str, ...] = ()
    """Sentences for the user."""

    def write(self, folder: Path) -> None:
        """Write it to a folder.

        Raises:
            RunError: If the disk refuses.
        """
        kept = {
            "names": self.names,
            "cuts": {part: [astuple(cut) for cut in found] for part, found in self.cuts.items()},
            "overlap": asdict(self.overlap),
            "sketch": self.sketch.dump(),
            "notes": self.notes,
        }
        write_json(folder / _FILE, kept)

    @classmethod
    def read(cls, folder: Path) -> SplitTable:
        """Read what `write` wrote.

        Raises:
            OSError, ValueError, KeyError, TypeError: If it is damaged.
        """
        kept = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        return cls(
            tuple(kept["names"]),
            {part: [Cut(*cut) for cut in kept["cuts"][part]] for part in PARTS},
            Overlap(**kept["overlap"]),
            Sketch.parse(kept["sketch"]),
            tuple(kept["notes"]),
        )

    def bed(self, parts: Sequence[str] = ("valid", "test")) -> str:
        """The held-out cuts as BED: name, start from 0, end, part; one line each."""
        rows = sorted(
            (cut.record, cut.start, cut.stop, part) for part in parts for cut in self.cuts[part]
        )
        return "".join(
            f"{self.names[record]}\t{start}\t{stop}\t{part}\n" for record, start, stop, part in rows
        )


Tokens = NDArray[np.unsignedinteger]

FORMAT = 3
_INDEX = "corpus.json"

Segment = tuple[int, int, int]
"""(start, scored_from, stop): tokens[start:stop] are read, tokens[scored_from:stop] are scored."""

__all__ = [
    "FORMAT", "PARTS", "Corpus", "PartWriter", "Segment", "SplitTable", "TokenPart", "Tokens",
    "measure_overlap", "scored_windows",
]  # fmt: skip


@dataclass(frozen=True)
class TokenPart:
    """The token array of one part.

    Each piece is preceded by its start (the end symbol, or its context) and followed by the end
    symbol if it ends there; consecutive pieces share one end symbol.
    """

    tokens: Tokens
    """(N,), memory-mapped."""
    segments: NDArray[np.int64]
    """(S, 3): start, scored_from, stop; see `Segment`."""
    symbols: int
    """Number of symbols without end symbols."""
    records: int
    labels: NDArray[np.int64] | None = None
    """The number of each segment's label (S,), where records have labels."""

    @property
    def scored(self) -> int:
        """Number of scored symbols, end symbols included."""
        return int((self.segments[:, 2] - self.segments[:, 1]).sum())

    def labels_at(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The label that an input at each place is read under, of a part with labels.

        An end symbol between two records is the start of the second one.
        """
        assert self.labels is not None, "a part with labels"
        found = np.searchsorted(self.segments[:, 0], places, "right") - 1
        return self.labels[np.maximum(found, 0)]


class PartWriter:
    """Writes one part as a .npy file, in blocks.

    Written, not memory-mapped: a full disk is then an error, not a crash.
    """

    def __init__(
        self, folder: Path, part: str, vocabulary: Vocabulary, cuts: Sequence[Cut]
    ) -> None:
        self._meta = folder / f"{part}.json"
        self._dtype = vocabulary.dtype
        self._symbols = sum(cut.stop - cut.start for cut in cuts)
        self._records = len({cut.record for cut in cuts})
        self._segments: list[Segment] = []
        self._end = 0
        with disk_errors(folder):
            self._file: BinaryIO = (folder / f"{part}.npy").open("wb")
        try:
            with disk_errors(folder):
                self._write_header(1 + sum(cut.stop - cut.context_from + 2 for cut in cuts))
                self._data_from = self._file.tell()
            self._append(np.array([END]))
        except BaseException:
            self.__exit__()
            raise
        self._at_start = True

    def __enter__(self) -> Self:
        return self

    def label(self, labels: Sequence[int]) -> None:
        """Write the number of the label of each cut down."""
        self._keep("labels", labels)

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):  # what the disk refuses was said when it was written
            self._file.close()

    def add(self, cut: Cut, blocks: Iterable[Tokens]) -> None:
        """Append the tokens of a cut, its context first."""
        warm = cut.start - cut.context_from
        if warm == 0 and not self._at_start:
            self._append(np.array([END]))
        start = self._end - (warm == 0)
        scored_from = self._end + warm
        for block in blocks:
            self._append(block)
        if cut.ends:
            self._append(np.array([END]))
        self._at_start = cut.ends
        self._segments.append((start, scored_from, self._end))

    def close(self) -> None:
        """Flush the file and record the sizes."""
        with disk_errors(self._meta):
            self._file.seek(0)
            self._write_header(self._end)
            if self._file.tell() != self._data_from:
                raise ValueError("the header of a .npy file has changed its length")
            self._file.close()
        self._keep("segments", np.array(self._segments, np.int64).reshape(-1, 3))
        _write(self._meta, {"symbols": self._symbols, "records": self._records})

    def _keep(self, name: str, values: Sequence[int] | NDArray[np.int64]) -> None:
        # Into memory first: what numpy writes to a file itself may be lost on a full disk.
        np.save(packed := BytesIO(), np.asarray(values, np.int64))
        with disk_errors(self._meta):
            self._meta.with_suffix(f".{name}.npy").write_bytes(packed.getvalue())

    def _append(self, tokens: NDArray[Any]) -> None:
        with disk_errors(self._meta.parent):
            self._file.write(np.ascontiguousarray(tokens, self._dtype).data)
        self._end += len(tokens)

    def _write_header(self, size: int) -> None:
        # The header is padded to a multiple of 64 bytes, so that a smaller size fits in its place.
        described = {"descr": self._dtype.str, "fortran_order": False, "shape": (size,)}
        np.lib.format.write_array_header_1_0(self._file, described)


class Corpus:
    """A folder of encoded and split data."""

    def __init__(self, folder: Path) -> None:
        """Open a corpus that `finish` completed.

        Raises:
            RunError: If the folder does not hold one.
        """
        try:
            meta = _index(folder)
            if meta["format"] != FORMAT:
                raise RunError(f"{folder}: a corpus of another format; remove the folder")
            self.vocabulary = Vocabulary(tuple(meta["symbols"]), meta["unknown"])
            self.labels: tuple[str, ...] = tuple(meta.get("labels", ()))
            self.train, self.valid, self.test = (open_part(folder, part) for part in PARTS)
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{folder}: a damaged corpus ({error}); remove the folder") from error
        self.folder = folder

    @classmethod
    def finish(cls, folder: Path, vocabulary: Vocabulary, labels: Sequence[str] = ()) -> Corpus:
        """Mark the folder as complete and open it; everything else must be written.

        The mark is written last, with checksums of all other files. Who keeps the folder syncs it
        to disk before renaming it: most corpora are temporary.
        """
        with disk_errors(folder):
            files = folders.checksums_of(folder, besides=_INDEX)
        meta = {
            "format": FORMAT,
            "symbols": list(vocabulary.symbols),
            "unknown": vocabulary.unknown,
            "files": files,
            **({"labels": list(labels)} if labels else {}),
        }
        _write(folder / _INDEX, folders.sealed(meta))
        return cls(folder)

    def label_as(self, labels: Sequence[str]) -> None:
        """Number the labels as a model does that has at least these.

        Raises:
            ValueError: If it lacks one.
        """
        numbers = np.array([labels.index(label) for label in self.labels], np.int64)
        for name in PARTS:
            part = self.part(name)
            if part.labels is not None:
                setattr(self, name, replace(part, labels=numbers[part.labels]))
        self.labels = tuple(labels)

    def label_shares(self) -> tuple[float, ...]:
        """The share of each label among the training records."""
        if self.train.labels is None:
            return ()
        counts = np.bincount(self.train.labels, minlength=len(self.labels))
        return tuple((counts / counts.sum()).round(6).tolist())

    @staticmethod
    def is_in(folder: Path) -> bool:
        """Whether a folder holds a complete corpus."""
        return (folder / _INDEX).is_file()

    @staticmethod
    def damage(folder: Path) -> str | None:
        """Damage to a folder completed by `finish`, in words; None if it is intact."""
        return folders.damage(folder, _INDEX)

    @cached_property
    def partition(self) -> SplitTable:
        """The split and its overlap.

        Raises:
            RunError: If that was damaged.
        """
        try:
            return SplitTable.read(self.folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{self.folder}: a damaged corpus ({error}); remove the folder"
            ) from error

    def part(self, name: str) -> TokenPart:
        """``train``, ``valid`` or ``test``."""
        if name not in PARTS:
            raise ValueError(f"a part is one of {', '.join(PARTS)}, not {name!r}")
        part: TokenPart = getattr(self, name)
        return part

    @cached_property
    def held_out(self) -> str | None:
        """The part of the headline score: test if there is one, else valid."""
        return next((name for name in ("test", "valid") if self.part(name).symbols), None)

    def sequences(self, part: str, most: int, skipped: int = 0) -> list[str]:
        """Decoded pieces of a part, ``most`` symbols in all; the last one is cut.

        The first ``skipped`` of its scored symbols, end symbols counted, are left out.
        """
        found: list[str] = []
        for _, scored_from, stop in self.part(part).segments.tolist():
            if most <= 0:
                break
            start = min(stop, scored_from + skipped)
            skipped -= start - scored_from
            ids = self.part(part).tokens[start : min(stop, start + most)]
            if len(ids):
                found.append(self.vocabulary.decode(ids.tolist()))
                most -= len(ids)
        return found

    def blocks(self, part: str) -> Iterator[str]:
        """A part as text, in blocks; an end symbol is a line break."""
        points = code_points("".join(["\n", *self.vocabulary.symbols]))
        for tokens in in_blocks(self.part(part).tokens):
            yield text_of(points[tokens])


def _write(path: Path, document: dict[str, Any]) -> None:
    with disk_errors(path):
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")


def _index(folder: Path) -> dict[str, Any]:
    return folders.unsealed(json.loads((folder / _INDEX).read_text(encoding="utf-8")))


def open_part(folder: Path, part: str) -> TokenPart:
    """Open a part that a `PartWriter` wrote."""
    sizes = json.loads((folder / f"{part}.json").read_text(encoding="utf-8"))
    tokens = np.load(folder / f"{part}.npy", mmap_mode="r", allow_pickle=False)
    segments = np.load(folder / f"{part}.segments.npy", allow_pickle=False)
    kept = folder / f"{part}.labels.npy"
    labels = np.load(kept, allow_pickle=False) if kept.is_file() else None
    return TokenPart(tokens, segments, sizes["symbols"], sizes["records"], labels)


_LOOKED_UP = 1 << 16  # held-out hashes: a longer part is represented by its smallest
_BLOCK = 1 << 16  # tokens hashed at a time: they stay in the cache


def scored_windows(part: TokenPart, codes: WindowCodes) -> Iterator[Hashes]:
    """Hashes of the scored windows of a part, in blocks, without context."""
    context = part.segments[part.segments[:, 1] - part.segments[:, 0] > 1]
    place = 0
    for block in in_blocks(part.tokens, _BLOCK, codes.window - 1):
        tokens = np.array(block)
        low = np.searchsorted(context[:, 1], place, "right")
        for start, scored_from, _ in context[low:].tolist():
            if start >= place + len(tokens):
                break
            tokens[max(0, start - place) : scored_from - place] = 0
        yield codes.hashes(tokens)
        place += _BLOCK


def measure_overlap(
    parts: Mapping[str, TokenPart], codes: WindowCodes, moved: bool = False
) -> tuple[Overlap, Sketch]:
    """The train-test overlap, and the training part's sketch.

    Exact up to 2^16 held-out windows; of a longer part, those with the smallest hashes are a
    sample. Memory does not grow with the input.
    """
    name = next((name for name in ("test", "valid") if parts[name].symbols), None)
    limit, different, counts = HIGHEST_HASH, np.empty(0, np.uint64), np.empty(0, np.int64)
    if name is not None:
        limit = _limit(parts[name].symbols)
        wanted = [hashes[hashes <= limit] for hashes in scored_windows(parts[name], codes)]
        different, counts = np.unique(np.concatenate(wanted), return_counts=True)
    seen = np.zeros(len(different), bool)
    sketch = Sketch()
    for hashes in scored_windows(parts["train"], codes):
        sketch.add(hashes)
        if len(different):
            few = hashes[hashes <= limit]
            places = np.minimum(np.searchsorted(different, few), len(different) - 1)
            seen[places[different[places] == few]] = True
    share = float(counts[seen].sum() / counts.sum()) if len(different) else None
    return Overlap(share, codes.window, name, moved), sketch


def _limit(windows: int) -> np.uint64:
    """The hash below which about 2^16 of so many windows fall."""
    return (
        np.uint64(int(HIGHEST_HASH) * min(1.0, _LOOKED_UP / windows))
        if windows > _LOOKED_UP
        else HIGHEST_HASH
    )
