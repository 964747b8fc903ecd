"""How far the drawing of samples is: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from seqforge.cli.progress import BAR_SECONDS, PLAIN_SECONDS, clock

if TYPE_CHECKING:
    from seqforge.core.domain import Sample


class Counting:
    """Counts samples on stderr while they come."""

    def __init__(self, done: int, count: int, quiet: bool) -> None:
        """``done`` of ``count`` samples were there before."""
        self._begun = self._done = done
        self._count, self._quiet = count, quiet
        self._console = Console(stderr=True, highlight=False)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._symbols = 0

    def __enter__(self) -> Self:
        """Start the clock."""
        self._start = self._last = time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def saw(self, sample: Sample) -> None:
        """One more."""
        self._done += 1
        self._symbols += len(sample.drawn)
        now = time.monotonic()
        wait = BAR_SECONDS if self._console.is_terminal else PLAIN_SECONDS
        if self._quiet or now - self._last < wait:
            return
        self._last = now
        self._show(self._text(now - self._start))

    def _text(self, seconds: float) -> str:
        left = seconds * (self._count - self._done) / (self._done - self._begun)
        return (
            f"{self._done:,} of {self._count:,} samples, "
            f"{self._symbols / seconds / 1000:,.1f}k symbols/s, {clock(left)} left"
        )

    def _show(self, text: str) -> None:
        if not self._console.is_terminal:
            print(f"  drawing | {text}", file=sys.stderr, flush=True)  # noqa: T201
            return
        if self._bar is None:
            self._bar = Progress(
                BarColumn(bar_width=12),
                TextColumn("{task.description}", markup=False),
                console=self._console,
                transient=True,
                redirect_stdout=sys.stdout.isatty(),  # a file must get what is meant for it
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=self._count)
        assert self._task is not None
        self._bar.update(self._task, completed=self._done, description=text)
