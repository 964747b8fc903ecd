"""Text and data in, stdout and stderr out, closed or broken streams included; prompts, answers
as JSON.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any, BinaryIO, TextIO, cast

import typer
from rich.text import Text

from seqforge.base.atomic_files import write_atomically
from seqforge.base.messages import printable
from seqforge.base.paths import STDOUT, target_of

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Buffer


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a sentence or a table to stdout, with control characters escaped."""
    typer.echo(printable(text), err=err, nl=nl)


def echo_data(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print data to stdout; escaped only on a terminal."""
    stream = sys.stderr if err else sys.stdout
    typer.echo(printable(text) if stream.isatty() else text, err=err, nl=nl)


def echo_path(path: Path, *, err: bool = False) -> None:
    """Print a file's name on its own line, as bytes, for other programs."""
    stream = sys.stderr if err else sys.stdout
    if stream.isatty():
        typer.echo(printable(str(path)), err=err)
    else:
        typer.echo(os.fsencode(path) + b"\n", err=err, nl=False)


def open_page(path: Path) -> None:
    """Open a page in the browser of the person, or say where it is."""
    import webbrowser

    if not webbrowser.open(path.absolute().as_uri()):
        say(f"no browser was found here; open {path} in one", "yellow")


def say(text: str, colour: str | None = None) -> None:
    """Print a line to stderr."""
    typer.secho(printable(text), fg=colour, err=True, color=in_colour(sys.stderr))


def in_colour(stream: IO[str]) -> bool:
    """Whether a stream accepts colours.

    ``NO_COLOR`` (https://no-color.org) and a dumb terminal say no, ``FORCE_COLOR`` says yes;
    otherwise a terminal does.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return _on_terminal(stream) and not _is_dumb()


def shows_bars(stream: IO[str]) -> bool:
    """Whether a stream can redraw lines: a terminal, not a dumb one."""
    return _on_terminal(stream) and not _is_dumb()


def screen_width() -> int | None:
    """Columns of the terminal that stdout is; None if it is none."""
    return shutil.get_terminal_size().columns if _on_terminal(sys.stdout) else None


def is_pipe(stream: IO[str]) -> bool:
    """Whether somebody may read along: neither a terminal nor a file."""
    try:
        return not stream.isatty() and not stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):  # without a file descriptor
        return False


def _on_terminal(stream: IO[str] | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def _is_dumb() -> bool:
    return os.environ.get("TERM", "").lower() in ("dumb", "unknown")


def console(stderr: bool = True, **options: Any) -> Console:
    """A rich console that writes no escapes for style where colours are refused."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    system: Any = "auto" if in_colour(stream) else None
    return Console(stderr=stderr, highlight=False, color_system=system, **options)


_READER_GONE = 1
_FAILED = 1
_UNWRITTEN = "error: standard output cannot be written ({})"


class StdoutError(OSError):
    """Standard output cannot be written."""


def guarded(command: Callable[[], None]) -> int:
    """Run a command; returns the exit code."""
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


_PROMPT = "> "
_BOLD, _PLAIN = "\033[1m", "\033[0m"
_NO_WIDTH = "\001{}\002"  # how readline is told that something in a prompt takes no place


def ready_stdout() -> None:
    """Set stdout to UTF-8, whatever the locale.

    A file or a pipe gets UTF-8, in which everything can be said that a file of samples says; a
    terminal gets what it can show, and ? for the rest.
    """
    if not isinstance(sys.stdout, io.TextIOWrapper):
        return
    if sys.stdout.isatty():
        sys.stdout.reconfigure(errors="replace")
    else:
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogatepass")


class Terminal:
    """Text goes to stdout; prompts and remarks too where that is a terminal, else to stderr.

    Ctrl-C raises `KeyboardInterrupt` only while a line is read; at other times it sets
    ``stopped``, so that nothing is left half done. Where no terminal gives the lines, it ends the
    program as it ends any other.
    """

    def __init__(self) -> None:
        self.shows_text, self.asks = sys.stdout.isatty(), sys.stdin.isatty()
        self.stopped = False
        self._reading = self._line_begun = False
        self._has_readline = False
        self._console = console(not self.shows_text, soft_wrap=True)
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="surrogateescape")  # a bad byte is said, not died of
        ready_stdout()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Enable line editing, history and Ctrl-C."""
        if not self.asks:
            yield
            return
        with suppress(ImportError):
            import readline  # noqa: F401  its import alone gives ``input`` its editing and history

            self._has_readline = True
        before = signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._reading:
            raise KeyboardInterrupt
        self.stopped = True

    def read(self) -> str | None:
        """The next line without its line break; None at the end.

        Raises:
            KeyboardInterrupt: At Ctrl-C.
        """
        prompt = _PROMPT if self.asks else ""
        if prompt and not self.shows_text:  # ``input`` would put it among the text
            sys.stderr.write(prompt)
            sys.stderr.flush()
            prompt = ""
        is_bold = bool(prompt) and self._has_readline and not self._console.is_dumb_terminal
        try:
            self._reading = True
            return input(prompt + _NO_WIDTH.format(_BOLD) if is_bold else prompt)
        except EOFError:
            if self.asks:
                self._console.print()
            return None
        except KeyboardInterrupt:
            self._console.print()
            raise
        finally:
            self._reading = False
            if is_bold:
                sys.stdout.write(_PLAIN)
                sys.stdout.flush()

    def text(self, text: str) -> None:
        """Print text as it comes."""
        if text:
            sys.stdout.write(printable(text) if self.shows_text else text)
            sys.stdout.flush()
            self._line_begun = not text.endswith("\n")

    def context(self, pieces: Sequence[tuple[str, bool]]) -> None:
        """Print the last line of the text so far, on a terminal only.

        Args:
            pieces: Of that line, each with whether the person typed it.
        """
        text = "".join(piece for piece, _ in pieces)
        if text and self.shows_text:
            self._console.print(_by_whom(pieces), end="")
            self._line_begun = not text.endswith("\n")

    def break_line(self) -> None:
        """Start a new line for the next output."""
        if self._line_begun:
            self.text("\n")

    def remark(self, said: str | Sequence[tuple[str, bool]]) -> None:
        """Print a remark that is not part of the text, or quote the text, in such pieces."""
        if self.shows_text:
            self.break_line()
        self._console.print(_by_whom([(said, False)] if isinstance(said, str) else said))


def _by_whom(pieces: Iterable[tuple[str, bool]]) -> Text:
    """What the person typed in bold, the rest dim."""
    styled = [(printable(piece), "bold" if typed else "dim") for piece, typed in pieces]
    return Text.assemble(*styled)


@dataclass(frozen=True)
class AnswerOptions:
    """Options that such commands share."""

    json: bool = False
    out: Path | None = None
    quiet: bool = False
    verbose: bool = False

    @property
    def width(self) -> int | None:
        """Columns that the answer has to fit into: those of a terminal, or None."""
        return screen_width() if self.out in (None, STDOUT) else None

    def answer(self, document: Any, lines: Iterable[str]) -> None:
        """Print the answer to stdout, or write it to ``--out``."""
        text = json.dumps(document, indent=2) if self.json else printable("\n".join(lines))
        if self.out is None or self.out == STDOUT:
            echo(text)
            return
        target, data = target_of(self.out), (text + "\n").encode("utf-8", "backslashreplace")
        if not target.direct:
            write_atomically(target.path, data)
            return
        with target.open() as stream:
            stream.write(data)

    def done(self, document: Any, sentence: str) -> None:
        """Report that something was done, unless quiet."""
        if self.json or self.out is not None:
            self.answer(document, [sentence])
        elif not self.quiet:
            echo(sentence)


def asked(
    ctx: typer.Context, json_: bool, out: Path | None, quiet: bool, verbose: bool
) -> AnswerOptions:  # fmt: skip
    """What was asked for, before the name of a subcommand or behind it."""
    before = ctx.find_object(AnswerOptions) or AnswerOptions()
    found = AnswerOptions(
        json_ or before.json, out or before.out, quiet or before.quiet, verbose or before.verbose
    )
    ctx.obj = found
    return found
