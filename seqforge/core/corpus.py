"""Token arrays on disk, memory-mapped: one an each part, with what is to be scored of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from seqforge.base import sums
from seqforge.core.data.partition import Partition
from seqforge.core.files import disk_errors
from seqforge.core.holdout import PARTS, Cut
from seqforge.core.paging import in_blocks
from seqforge.core.vocabulary import END, Vocabulary, code_points, text_of
from seqforge.errors import RunError

Tokens = NDArray[np.unsignedinteger]

FORMAT = 3
_INDEX = "corpus.json"

Segment = tuple[int, int, int]
"""(start, scored_from, stop): tokens[start:stop] are read, tokens[scored_from:stop] are scored."""

__all__ = ["FORMAT", "PARTS", "Corpus", "Part", "PartWriter", "Segment", "Tokens"]


@dataclass(frozen=True)
class Part:
    """The tokens of one part.

    Each piece lies there as its start (the end symbol, or its context), its symbols, and the end
    symbol where it ends; consecutive pieces share an end symbol as the next one's start.
    """

    tokens: Tokens
    """(N,), memory-mapped."""
    segments: NDArray[np.int64]
    """(S, 3): start, scored_from, stop; see `Segment`."""
    symbols: int
    """Symbols, end symbols not counted."""
    records: int

    @property
    def scored(self) -> int:
        """Symbols that scoring scores, end symbols counted."""
        return int((self.segments[:, 2] - self.segments[:, 1]).sum())


class PartWriter:
    """Writes one part as a .npy file, a block at a time.

    Written and not memory-mapped: a full disk is then an error, not the end of the process.
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
        """Flush to the file and note the sizes."""
        with disk_errors(self._meta):
            self._file.seek(0)
            self._write_header(self._end)
            if self._file.tell() != self._data_from:
                raise ValueError("the header of a .npy file has changed its length")
            self._file.close()
            segments = np.array(self._segments, np.int64).reshape(-1, 3)
            # Into memory first: what numpy writes to a file itself may be lost on a full disk.
            np.save(packed := BytesIO(), segments)
            self._meta.with_suffix(".segments.npy").write_bytes(packed.getvalue())
        _write(self._meta, {"symbols": self._symbols, "records": self._records})

    def _append(self, tokens: NDArray[Any]) -> None:
        with disk_errors(self._meta.parent):
            self._file.write(np.ascontiguousarray(tokens, self._dtype).data)
        self._end += len(tokens)

    def _write_header(self, size: int) -> None:
        # The header is padded to a multiple of 64 bytes, so that a smaller size fits in its place.
        described = {"descr": self._dtype.str, "fortran_order": False, "shape": (size,)}
        np.lib.format.write_array_header_1_0(self._file, described)


class Corpus:
    """Everything that was read, encoded and split, in a folder."""

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
            self.train, self.valid, self.test = (open_part(folder, part) for part in PARTS)
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{folder}: a damaged corpus ({error}); remove the folder") from error
        self.folder = folder

    @classmethod
    def finish(cls, folder: Path, vocabulary: Vocabulary) -> Corpus:
        """Mark the folder as complete, all else in it being written, and open it.

        The mark is written last, and has the sums of all other files. Whoever keeps the folder has
        the disk hold it before it gets its name: most corpora are gone again in a moment.
        """
        with disk_errors(folder):
            files = sums.sums_of(folder, besides=_INDEX)
        meta = {
            "format": FORMAT,
            "symbols": list(vocabulary.symbols),
            "unknown": vocabulary.unknown,
            "files": files,
        }
        _write(folder / _INDEX, sums.sealed(meta))
        return cls(folder)

    @staticmethod
    def is_in(folder: Path) -> bool:
        """Whether a complete corpus lies in the folder."""
        return (folder / _INDEX).is_file()

    @staticmethod
    def damage(folder: Path) -> str | None:
        """What is wrong with a folder that `finish` completed; None where all is as it was."""
        return sums.damage(folder, _INDEX)

    @cached_property
    def partition(self) -> Partition:
        """Which pieces of which records the parts are made of.

        Raises:
            RunError: If that was damaged.
        """
        try:
            return Partition.read(self.folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{self.folder}: a damaged corpus ({error}); remove the folder"
            ) from error

    def part(self, name: str) -> Part:
        """``train``, ``valid`` or ``test``."""
        if name not in PARTS:
            raise ValueError(f"a part is one of {', '.join(PARTS)}, not {name!r}")
        part: Part = getattr(self, name)
        return part

    @cached_property
    def held_out(self) -> str | None:
        """The part whose score is the headline: test where there is one, else valid."""
        return next((name for name in ("test", "valid") if self.part(name).symbols), None)

    def sequences(self, part: str, most: int, skipped: int = 0) -> list[str]:
        """Decoded pieces of a part, ``most`` symbols in all; the last is cut.

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
        """All of a part as text, a block at a time; an end symbol shows as a line break."""
        points = code_points("".join(["\n", *self.vocabulary.symbols]))
        for tokens in in_blocks(self.part(part).tokens):
            yield text_of(points[tokens])


def _write(path: Path, document: dict[str, Any]) -> None:
    with disk_errors(path):
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")


def _index(folder: Path) -> dict[str, Any]:
    return sums.unsealed(json.loads((folder / _INDEX).read_text(encoding="utf-8")))


def open_part(folder: Path, part: str) -> Part:
    """A part that a `PartWriter` closed."""
    sizes = json.loads((folder / f"{part}.json").read_text(encoding="utf-8"))
    tokens = np.load(folder / f"{part}.npy", mmap_mode="r", allow_pickle=False)
    segments = np.load(folder / f"{part}.segments.npy", allow_pickle=False)
    return Part(tokens, segments, sizes["symbols"], sizes["records"])
