"""How far the drawing of samples is: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from seqforge.cli.progress import BAR_SECONDS, PLAIN_SECONDS, clock
from seqforge.cli.stderr import console, shows_bars

if TYPE_CHECKING:
    from seqforge.core.domain import Sample


class Counting:
    """Counts samples, and the symbols of those under way, on stderr while they come."""

    def __init__(self, done: int, count: int, quiet: bool, length: int | None = None) -> None:
        """``done`` of ``count`` samples were there before; ``length`` symbols each, if known."""
        self._begun = self._done = done
        self._count, self._quiet, self._length = count, quiet, length
        self._console = console()
        self._bars = shows_bars(sys.stderr)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._drawn = self._finished = 0

    def __enter__(self) -> Self:
        """Start the clock."""
        self._start = self._last = time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def drew(self, symbols: int) -> None:
        """So many symbols more, of whatever samples; cheap enough for every call of a loop."""
        self._drawn += symbols
        self._tick()

    def saw(self, sample: Sample) -> None:
        """One sample more."""
        self._done += 1
        self._finished += len(sample.drawn)
        self._tick()

    @property
    def _symbols(self) -> int:
        """Drawn here; what nobody counted while it was drawn counts when its sample is there."""
        return max(self._drawn, self._finished)

    def _tick(self) -> None:
        now = time.monotonic()
        wait = BAR_SECONDS if self._bars else PLAIN_SECONDS
        if self._quiet or now - self._last < wait:
            return
        self._last = now
        self._show(self._text(now - self._start))

    def _share(self) -> float:
        """How much is done of what was missing: by symbols where it is known how many come."""
        samples = self._count - self._begun
        if self._length:
            return min(1.0, self._symbols / (self._length * samples))
        return (self._done - self._begun) / samples

    def _text(self, seconds: float) -> str:
        share = self._share()
        left = seconds * (1 - share) / share if share else float("inf")
        under_way = f"{self._symbols:,} symbols, " if self._done == self._begun else ""
        return (
            f"{self._done:,} of {self._count:,} samples, {under_way}"
            f"{self._symbols / seconds / 1000:,.1f}k symbols/s, {clock(left)} left"
        )

    def _show(self, text: str) -> None:
        if not self._bars:
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
        done = self._begun + self._share() * (self._count - self._begun)
        self._bar.update(self._task, completed=done, description=text)
