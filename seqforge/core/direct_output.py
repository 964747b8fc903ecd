"""Samples in, bytes on a pipe or a device out, each as it comes; nothing is kept to go on from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Self

from seqforge.base.targets import Target
from seqforge.core.domain import Domain, Sample
from seqforge.errors import RunError

Piece = Callable[[Sample, bool], bytes]
"""What a sample adds to a file; True for the first sample."""


class DirectOutput:
    """Written to as it is, like the shell's ``>``: a reader has each sample when it is drawn."""

    resumable = False

    def __init__(self, domain: Domain, target: Target, piece: Piece | None) -> None:
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
        """Send the next sample."""
        if self._piece is None:
            self._samples.append(sample)
        else:
            self._send(self._piece(sample, not self._written))
        self._written += 1
        return []

    def save(self) -> None:
        """Nothing: what was sent is sent."""

    def finish(self) -> list[Path]:
        """Send what was held back; there is no file to name."""
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
    """The files that a domain makes of samples, that of the ending asked for first."""
    with TemporaryDirectory(prefix="seqforge-") as folder:
        files = domain.write(samples, Path(folder) / f"sample{domain.suffix}")
        files.sort(key=lambda file: file.suffix != named.suffix.lower())
        return [file.read_bytes() for file in files]


def own_file_piece(domain: Domain, named: Path, count: int) -> Piece:
    """What goes to a stream of a domain whose samples have files of their own.

    The one file that the ending asks for, where there is one sample; else what a terminal gets.
    """
    formats = [f".{name}" for name in getattr(domain, "formats", ())] or [domain.suffix]
    if count == 1 and named.suffix.lower() in formats:
        return lambda sample, first: written_by(domain, [sample], named)[0]
    return lambda sample, first: domain.show(sample).encode("utf-8", "surrogatepass")
