"""Samples in, files or a pipe out: each is written when it is drawn, and none twice."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from operator import ge
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Protocol, Self

from seqforge.base.atomic_files import is_private, sweep, sync_folder
from seqforge.base.file_locks import held
from seqforge.base.folders import numbered
from seqforge.base.paths import OutputTarget, refuse_inputs, target_of
from seqforge.core.data.domain import Appends, Domain, Sample
from seqforge.core.output.metadata import sample_as_json, table_row
from seqforge.core.output.partial_files import (
    PartialFile,
    ResumeNote,
    WriteProgress,
    check_own_files,
    check_table,
    partial_of,
)
from seqforge.errors import ConfigError, RunError

Piece = Callable[[Sample, bool], bytes]
"""A sample in, its bytes in a file out; True for the first sample."""


class DirectWriter:
    """Writes to a pipe or device, sample by sample, like the shell's ``>``."""

    resumable = False

    def __init__(self, domain: Domain, target: OutputTarget, piece: Piece | None) -> None:
        """Without a ``piece`` what the domain writes is sent when all samples are there."""
        self._domain, self._target, self._piece = domain, target, piece
        self._samples: list[Sample] = []
        self._stream: BinaryIO | None = None
        self._written = 0

    @property
    def done(self) -> int:
        """None: it always begins at the start."""
        return 0

    def __enter__(self) -> Self:
        with self._errors():
            self._stream = self._target.open()
        return self

    def __exit__(self, *error: object) -> None:
        if self._stream is not None:
            with suppress(OSError):  # what it refused was said when it refused
                self._stream.close()

    def add(self, sample: Sample) -> list[Path]:
        """Write the next sample."""
        if self._piece is None:
            self._samples.append(sample)
        else:
            self._send(self._piece(sample, not self._written))
        self._written += 1
        return []

    def save(self) -> None:
        """Nothing to do."""

    def finish(self) -> list[Path]:
        """Write what was held back."""
        if self._piece is None:
            self._send(written_by(self._domain, self._samples, self._target.named)[0])
        return []

    def _send(self, data: bytes) -> None:
        if self._stream is None:
            raise ValueError("is not open")
        with self._errors():
            self._stream.write(data)
            self._stream.flush()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:  # the reader has what it wanted
            raise
        except OSError as error:
            why = error.strerror or error
            raise RunError(f"{self._target.named}: cannot be written ({why})") from error


def written_by(domain: Domain, samples: Sequence[Sample], named: Path) -> list[bytes]:
    """Files a domain writes for samples, the one with the requested ending first."""
    with TemporaryDirectory(prefix="seqforge-") as folder:
        files = domain.write(samples, Path(folder) / f"sample{domain.suffix}")
        files.sort(key=lambda file: file.suffix != named.suffix.lower())
        return [file.read_bytes() for file in files]


def own_file_piece(domain: Domain, named: Path, count: int) -> Piece:
    """The piece for a stream of a domain with per-sample files.

    The one file that the ending asks for, where there is one sample; else what a terminal gets.
    """
    formats = [f".{name}" for name in getattr(domain, "formats", ())] or [domain.suffix]
    if count == 1 and named.suffix.lower() in formats:
        return lambda sample, first: written_by(domain, [sample], named)[0]
    return lambda sample, first: domain.show(sample).encode("utf-8", "surrogatepass")


JSON_LINES = ".jsonl"
_SECONDS = 1.0  # of drawing that a kill may cost


class SampleWriter(Protocol):
    """Interface of writers, which take samples in the order of their numbers."""

    resumable: bool
    """Whether it continues from ``done`` when opened again."""

    @property
    def done(self) -> int:
        """Number of samples already written."""
        ...

    def __enter__(self) -> Self:
        """Ready to take samples."""
        ...

    def __exit__(self, *error: object) -> None:
        """Let go of the files as they are; those without a sample are taken away."""
        ...

    def add(self, sample: Sample) -> list[Path]:
        """Write the next sample; returns the files completed by it."""
        ...

    def save(self) -> None:
        """Sync to disk."""
        ...

    def finish(self) -> list[Path]:
        """Complete all files; returns those completed now."""
        ...


def writer_for(
    domain: Domain,
    path: Path,
    count: int,
    settings: Mapping[str, Any],
    every: float = _SECONDS,
    inputs: Sequence[Path] = (),
) -> SampleWriter:
    """A target path and a domain in, the writer of ``count`` samples out.

    Args:
        domain: Whose samples they are; the path's ending .jsonl asks for JSON Lines instead.
        path: The file, or with ``file_per_sample`` what the files' names come from. A link leads
            to its file; a pipe or a device is written to as it is.
        count: How many there will be.
        settings: All that decides the samples, kept to know them by.
        every: Seconds between notes of how far it is.
        inputs: Files that the samples come from.

    Raises:
        ConfigError: If the path is a folder, an input, or lies in no folder.
        RunError: If it was begun with other settings, is being written, or cannot be; if a file
            beside it would be written over that is none of seqforge's.
    """
    target, named = target_of(path), path
    lines = path.suffix.lower() == JSON_LINES
    if target.direct:
        return DirectWriter(domain, target, _direct_piece(domain, path, count, lines))
    path = target.path
    files: list[tuple[Path, Piece]] = []
    if lines:
        files = [(path, _json_line)]
    elif isinstance(domain, Appends):
        files = [(path, domain.piece)]
        if not domain.annotated:
            files.append((path.with_name(path.name + ".tsv"), table_row))
            check_table(files[1][0])
    refuse_inputs([path, *(beside for beside, _ in files)], inputs)
    if files:
        return _Written(path, settings, every, files=files, named=named)
    if not domain.file_per_sample:
        return _Collected(domain, path)
    check_own_files(domain, path, count)
    return _Written(path, settings, every, each=partial(_own_files, domain, path, count))


def _direct_piece(domain: Domain, path: Path, count: int, lines: bool) -> Piece | None:
    if lines:
        return _json_line
    if domain.file_per_sample:
        return own_file_piece(domain, path, count)
    return domain.piece if isinstance(domain, Appends) else None


def is_finished(domain: Domain, path: Path, count: int) -> bool:
    """Whether the output of `writer_for` is complete.

    How the files that are there were drawn is not asked.

    Raises:
        ConfigError: If nothing can be there: for a pipe or a device.
    """
    target = target_of(path)
    if target.direct:
        raise ConfigError(f"{path}: is no file, and cannot be gone on with; leave --resume out")
    lines, path = path.suffix.lower() == JSON_LINES, target.path
    if partial_of(path).exists() or partial_of(path, ".json").exists():
        return False
    if lines or not domain.file_per_sample:
        return path.exists()
    return all(_own_path(domain, path, count, n).exists() for n in range(1, count + 1))


def _json_line(sample: Sample, first: bool) -> bytes:
    return sample_as_json(sample).encode() + b"\n"


def _own_files(domain: Domain, path: Path, count: int, sample: Sample) -> list[Path]:
    return domain.write([sample], _own_path(domain, path, count, sample.number))


def _own_path(domain: Domain, path: Path, count: int, number: int) -> Path:
    """Where a sample goes that has files of its own, whatever ending was asked for."""
    if count > 1:
        return numbered(path, number, domain.suffix)
    if path.suffix.lower() == domain.suffix:
        return path
    return path.with_name(path.stem + domain.suffix)


class _Written:
    """Writes samples at once, into growing files or per-sample files."""

    resumable = True

    def __init__(
        self,
        path: Path,
        settings: Mapping[str, Any],
        every: float,
        files: list[tuple[Path, Piece]] | None = None,
        each: Callable[[Sample], list[Path]] = lambda sample: [],
        named: Path | None = None,
    ) -> None:
        self._path, self._every, self._each = path, every, each
        self._named, self._private = named, is_private(path)
        self._note = ResumeNote(path, settings, self._private)
        self._wanted = files or []
        self._files: list[tuple[PartialFile, Piece]] = []
        self._standing = WriteProgress()
        self._held = ExitStack()
        self._saved = -math.inf

    @property
    def done(self) -> int:
        return self._standing.done

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._lock(stack)
            sweep(self._path.parent)
            begun = self._find()
            stack.callback(self._leave)
            if not self.done:  # a partial that no note tells of is not ours
                self._note.write(self._standing)
            for number, (path, piece) in enumerate(self._wanted):
                kept = self._standing.bytes[number]
                self._files.append((PartialFile(path, kept, begun, self._private), piece))
            self._held = stack.pop_all()
        return self

    def _lock(self, stack: ExitStack) -> None:
        busy = f"{self._path}: another seqforge is writing it; wait for it, or give another --out"
        stack.enter_context(held(partial_of(self._path, ".lock"), busy))

    def _find(self) -> bool:
        """Where to go on: at the start where a file is gone or shorter than was noted.

        Returns:
            Whether there is a note, so that what is there is ours.
        """
        partials = [partial_of(path) for path, _ in self._wanted]
        self._standing = afresh = WriteProgress(0, (0,) * len(partials))
        noted = self._note.read(again=bool(partials) and not os.path.lexists(partials[0]))
        if noted is None:
            return False
        sizes = [path.lstat().st_size if os.path.lexists(path) else -1 for path in partials]
        whole = len(sizes) == len(noted.bytes) and all(map(ge, sizes, noted.bytes))
        self._standing = noted if whole else afresh
        return True

    def add(self, sample: Sample) -> list[Path]:
        for file, piece in self._files:
            file.add(piece(sample, not self.done))
        paths = self._each(sample)
        sizes = tuple(file.size for file, _ in self._files)
        self._standing = WriteProgress(
            self.done + 1, sizes
        )  # at once: Ctrl-C may come between lines
        if time.monotonic() - self._saved >= self._every:
            self.save()
        return paths

    def save(self) -> None:
        standing = self._standing
        for file, _ in self._files:
            file.flush()
        self._note.write(standing)
        self._saved = time.monotonic()

    def finish(self) -> list[Path]:
        for file, _ in reversed(self._files):  # the one that was asked for is the last to appear
            file.finish()
        self._note.delete()
        paths = [file.path for file, _ in self._files]
        return [self._named, *paths[1:]] if self._named and paths else paths

    def __exit__(self, *error: object) -> None:
        self._held.close()

    def _leave(self) -> None:
        for file, _ in self._files:
            if self.done:
                file.close()
            else:  # what was refused at once must not stand in the way of what is right
                file.drop()
        if not self.done:
            sync_folder(self._path.parent)  # first the files, then the note of whose they are
            self._note.drop()


class _Collected:
    """Collects all samples first, for a domain that cannot write piece by piece."""

    resumable = False

    def __init__(self, domain: Domain, path: Path) -> None:
        self._domain, self._path = domain, path
        self._samples: list[Sample] = []

    @property
    def done(self) -> int:
        return 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def add(self, sample: Sample) -> list[Path]:
        self._samples.append(sample)
        return []

    def save(self) -> None:
        pass

    def finish(self) -> list[Path]:
        return self._domain.write(self._samples, self._path)
