"""Lines from a person and text to one, on a terminal or through pipes."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from rich.text import Text

from seqforge.base.printable import printable
from seqforge.cli.stderr import console

_PROMPT = "> "


def ready_stdout() -> None:
    """Have stdout take any symbol, whatever encoding the surroundings ask for.

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
        self._reading = False
        self._line_begun = False
        self._console = console(not self.shows_text, soft_wrap=True)
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="surrogateescape")  # a bad byte is said, not died of
        ready_stdout()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Line editing, history, and Ctrl-C as said above."""
        if not self.asks:
            yield
            return
        with suppress(ImportError):
            import readline  # noqa: F401  its import alone gives ``input`` its editing and history
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
        """The next line without its break; None where there are no more.

        Raises:
            KeyboardInterrupt: At Ctrl-C.
        """
        prompt = _PROMPT if self.asks else ""
        if prompt and not self.shows_text:  # ``input`` would put it among the text
            sys.stderr.write(prompt)
            sys.stderr.flush()
            prompt = ""
        try:
            self._reading = True
            return input(prompt)
        except EOFError:
            if self.asks:
                self._console.print()
            return None
        except KeyboardInterrupt:
            self._console.print()
            raise
        finally:
            self._reading = False

    def text(self, text: str) -> None:
        """Text as it comes."""
        if text:
            sys.stdout.write(printable(text) if self.shows_text else text)
            sys.stdout.flush()
            self._line_begun = not text.endswith("\n")

    def context(self, text: str) -> None:
        """Text that stands already, for what follows to be read after it; of a terminal alone."""
        if text and self.shows_text:
            self._console.print(Text(printable(text), style="dim"), end="")
            self._line_begun = not text.endswith("\n")

    def break_line(self) -> None:
        """Let what follows begin a line."""
        if self._line_begun:
            self.text("\n")

    def remark(self, text: str) -> None:
        """Say something that is no part of the text."""
        if self.shows_text:
            self.break_line()
        self._console.print(Text(printable(text), style="dim"))
