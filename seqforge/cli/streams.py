"""Standard output and error as they are found, closed or full, in; one sentence or none out.

What cannot be said on stderr is not said, and ends nothing. A reader of stdout that has gone, as
``head`` does, ends the program without a word; anything else that stdout refuses is a sentence.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

if TYPE_CHECKING:
    from typing_extensions import Buffer

_READER_GONE = 1
_FAILED = 1
_UNWRITTEN = "error: standard output cannot be written ({})"


class StdoutError(OSError):
    """What standard output has against what is written to it."""


def guarded(command: Callable[[], None]) -> int:
    """Run a command; returns the program's exit code."""
    _prepare()
    try:
        command()
        code: object = 0
    except SystemExit as end:
        code = end.code
    except BrokenPipeError:
        code = _READER_GONE
    except StdoutError as error:
        code = _say(error)
    number = code if isinstance(code, int) else 0 if code is None else _FAILED
    return _flushed(number)


def _prepare() -> None:
    """Give a closed stream a file of its own, so that no other file gets its number."""
    if sys.stdin is None:
        _put(0, os.O_RDONLY)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  for all its life
    if sys.stdout is None:
        _put(1, os.O_RDONLY)  # what is written to it fails, as to a closed one
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        _put(2, os.O_WRONLY)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = _over(sys.stdout, _Stdout)
    sys.stderr = _over(sys.stderr, _Stderr, "backslashreplace")


def _over(stream: TextIO, kind: type[_Stream], errors: str | None = None) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # of a program that runs this one inside itself
    return io.TextIOWrapper(
        cast(BinaryIO, kind(stream)),
        stream.encoding,
        errors or stream.errors,
        line_buffering=stream.line_buffering or kind is _Stderr,
        write_through=stream.write_through,
    )


class _Stream(io.BufferedIOBase):
    """Bytes for another stream, whose errors are `refused`."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text  # without which its buffer would be closed
        self._stream = cast(BinaryIO, text.buffer)

    def refused(self, error: OSError) -> None:
        """Raise it, or hear nothing of it."""
        raise NotImplementedError

    def write(self, data: Buffer) -> int:
        try:
            self._stream.write(data)
        except OSError as error:
            self.refused(error)
        return memoryview(data).nbytes

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self.refused(error)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()


class _Stdout(_Stream):
    def refused(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            raise error
        raise StdoutError(error.errno, error.strerror) from error


class _Stderr(_Stream):
    def refused(self, error: OSError) -> None:
        """Nobody is there to be told."""


def _put(number: int, flags: int) -> None:
    found = os.open(os.devnull, flags)
    if found != number:
        os.dup2(found, number)
        os.close(found)


def _say(error: OSError) -> int:
    print(_UNWRITTEN.format(error.strerror or error), file=sys.stderr)  # noqa: T201
    return _FAILED


def _flushed(code: int) -> int:
    """Write what waits; where that cannot be, see that nobody tries it again at the very end."""
    try:
        sys.stdout.flush()
    except OSError as error:
        with suppress(OSError):
            _put(1, os.O_WRONLY)
        if code or isinstance(error, BrokenPipeError):
            return code or _READER_GONE
        return _say(error)
    return code
