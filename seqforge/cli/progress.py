"""Progress of a run or of sampling in, a progress bar or plain lines on stderr out."""

from __future__ import annotations

import math
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import typer
from rich.console import RenderableType
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from seqforge.base.machine import peak_memory_mb
from seqforge.base.messages import one_line, printable
from seqforge.cli.app import STOPPED
from seqforge.cli.console import console, is_pipe, say, shows_bars
from seqforge.cli.options import command_line

if TYPE_CHECKING:
    from seqforge.core.data.domain import Sample
    from seqforge.core.training.events import Evaluation, StepReport
    from seqforge.runs.progress import ProgressListener

PLAIN_SECONDS = 5.0
BAR_SECONDS = 0.2
_SAMPLE_LINES = 8


def make_watcher(quiet: bool, verbose: bool = False, samples: bool = False) -> ProgressListener:
    """Options in, a progress listener for stderr out.

    On a terminal samples are always shown, under the bar; elsewhere only with ``samples``.
    """
    from seqforge.runs.progress import NullProgress

    if quiet:
        return NullProgress()
    return _Shown(verbose, samples)


@contextmanager
def watching(quiet: bool, verbose: bool, kept: str) -> Iterator[ProgressListener]:
    """A progress listener for work that the same command goes on with after Ctrl-C.

    Args:
        quiet: See `make_watcher`.
        verbose: See `make_watcher`.
        kept: What stays of work that was stopped, for the sentence that then says so.

    Raises:
        typer.Exit: When stopped.
    """
    watcher = make_watcher(quiet, verbose)
    try:
        yield watcher
    except KeyboardInterrupt:
        watcher.close()
        say(f"stopped, {kept}; go on with: {command_line()}", "yellow")
        raise typer.Exit(STOPPED) from None
    finally:
        watcher.close()


class _Shown:
    """Shows a run's progress on stderr."""

    def __init__(self, verbose: bool, samples: bool) -> None:
        self._console = console()
        self._bars = shows_bars(sys.stderr)
        self._verbose, self._samples = verbose, samples
        self._bar: _ProgressBar | None = None
        self._task: TaskID | None = None
        self._stage = ""
        self._last = 0.0

    def stage(self, name: str) -> None:
        self._close()
        self._stage = name
        self._say(f"{name} ...", style="bold")

    def note(self, text: str) -> None:
        self._say(f"  {text}")

    def advance(self, done: float, total: float, what: str) -> None:
        share = min(1.0, done / total) if total else 1.0
        self._show(share, f"{what}")

    def pulse(self, pulse: StepReport) -> None:
        if not self._due():
            return
        self._draw(pulse.share, (_short if self._bars else _long)(pulse, self._verbose))

    def evaluation(self, evaluation: Evaluation) -> None:
        if self._verbose and evaluation.valid_bits is not None:
            mark = " (best)" if evaluation.best else ""
            self._say(
                f"  step {evaluation.step:,}: train {evaluation.train_bits:.4f}, "
                f"held-out {evaluation.valid_bits:.4f} bits{mark}"
            )

    def sample(self, step: int, text: str) -> None:
        lines = _excerpt(printable(text), max(8, self._console.width - 4))
        if self._bar is not None:
            self._bar.under = Text("\n".join(["", f"after step {step:,}:", *lines]), style="dim")
        elif self._samples and not self._bars:
            self._say("\n".join([f"  a sample after step {step:,}:", *(f"  | {k}" for k in lines)]))

    def _show(self, share: float, text: str) -> None:
        if self._due():
            self._draw(share, text)

    def _due(self) -> bool:
        wait = BAR_SECONDS if self._bars else PLAIN_SECONDS
        now = time.monotonic()
        if now - self._last < wait:
            return False
        self._last = now
        return True

    def _draw(self, share: float, text: str) -> None:
        text = one_line(text)
        if not self._bars:
            print(f"  {self._stage} {share:4.0%} | {text}", file=sys.stderr, flush=True)  # noqa: T201
            return
        if self._bar is None:
            self._bar = _ProgressBar(
                BarColumn(bar_width=10),
                TextColumn("{task.percentage:>3.0f}% {task.description}", markup=False),
                console=self._console,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=1.0)
        assert self._task is not None
        self._bar.update(self._task, completed=share, description=text)

    def _say(self, text: str, style: str | None = None) -> None:
        text = printable(text)
        if self._bars:
            self._console.print(text, style=style, markup=False)
        else:
            print(text, file=sys.stderr, flush=True)  # noqa: T201

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        self._last = 0.0

    def close(self) -> None:
        """Take the bar away."""
        self._close()


class _ProgressBar(Progress):
    """A progress bar with text under it."""

    under: Text | None = None

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bar, then the text."""
        yield from super().get_renderables()
        if self.under is not None:
            yield self.under


def _excerpt(text: str, width: int) -> list[str]:
    """A sample in, its first lines out, wrapped."""
    lines = [
        part
        for line in text.strip("\n").splitlines()
        for part in textwrap.wrap(line, width, drop_whitespace=False) or [""]
    ]
    return lines[:_SAMPLE_LINES]


def _long(pulse: StepReport, verbose: bool) -> str:
    """A step report in, a line of a log out."""
    valid = "" if pulse.valid_bits is None else f", held-out {pulse.valid_bits:.3f}"
    memory = peak_memory_mb()
    parts = [
        f"{_recent(pulse, verbose)}{valid}",
        f"{pulse.symbols_per_second / 1000:,.0f}k symbols/s",
        f"{clock_time(pulse.seconds_left)} left",
        *([] if memory is None else [f"{memory:,.0f} MB"]),
    ]
    return " | ".join(parts)


def _short(pulse: StepReport, verbose: bool) -> str:
    """A step report in, the text beside the bar out, for 80 columns."""
    told = verbose or pulse.valid_bits is None  # in lines of their own
    valid = "" if told else f" (held out {pulse.valid_bits:.3f})"
    memory = peak_memory_mb()
    parts = [
        f"{_recent(pulse, verbose)}{valid}",
        f"{pulse.symbols_per_second / 1000:,.0f}k/s",
        clock_time(pulse.seconds_left),
        *([] if memory is None else [f"{memory:,.0f} MB"]),
    ]
    return ", ".join(parts)


def _recent(pulse: StepReport, verbose: bool) -> str:
    """A step report in, the mean of the last steps and how many they are out."""
    steps = f"last {pulse.recent_steps} steps" if pulse.recent_steps > 1 else "first step"
    nats = f" ({pulse.train_bits * math.log(2):.3f} nats)" if verbose else ""
    return f"{steps}: {pulse.train_bits:.3f} bits{nats}"


def clock_time(seconds: float) -> str:
    """Seconds in, m:ss out, or hours and minutes."""
    if seconds == float("inf"):
        return "?"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}"


class SamplingProgress:
    """Shows drawn samples and symbols on stderr."""

    def __init__(self, done: int, count: int, quiet: bool, length: int | None = None) -> None:
        """``done`` of ``count`` samples exist already; ``length``: symbols of each, if known."""
        self._begun = self._done = done
        self._count, self._quiet, self._length = count, quiet, length
        self._console = console()
        self._bars = shows_bars(sys.stderr)
        self._read_along = is_pipe(sys.stdout)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._drawn = self._finished = 0

    def __enter__(self) -> Self:
        """Start the clock."""
        self._start = self._last = time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        """Take the bar away."""
        self._close()

    def make_way(self) -> None:
        """Take the bar away for a while: text comes, and whoever reads the pipe that it goes
        through may write to this terminal too."""
        if self._bars and self._read_along:
            self._close()
            self._last = time.monotonic()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def drew(self, symbols: int) -> None:
        """Count symbols as they are drawn; cheap enough for an inner loop."""
        self._drawn += symbols
        self._tick()

    def saw(self, sample: Sample) -> None:
        """Count a finished sample."""
        self._done += 1
        self._finished += len(sample.drawn)
        self._tick()

    @property
    def _symbols(self) -> int:
        """Symbols drawn so far; uncounted ones are added when their sample is finished."""
        return max(self._drawn, self._finished)

    def _tick(self) -> None:
        now = time.monotonic()
        wait = BAR_SECONDS if self._bars else PLAIN_SECONDS
        if self._quiet or now - self._last < wait:
            return
        self._last = now
        self._show(self._text(now - self._start))

    def _share(self) -> float:
        """Share done of the missing samples: by symbols if the length is known, else by samples."""
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
            f"{self._symbols / seconds / 1000:,.1f}k symbols/s, {clock_time(left)} left"
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
                redirect_stdout=sys.stdout.isatty(),  # stdout to a file must not go through the bar
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=self._count)
        assert self._task is not None
        done = self._begun + self._share() * (self._count - self._begun)
        self._bar.update(self._task, completed=done, description=text)
