"""Drawn samples in; out on the terminal, as JSON, or in files that a stop does not cost."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from seqforge.cli.app import STOPPED
from seqforge.cli.console import echo, echo_data, echo_path, ready_stdout, say
from seqforge.cli.options import command_line

if TYPE_CHECKING:
    from seqforge.cli.progress import SamplingProgress
    from seqforge.core.data.domain import Domain, Sample
    from seqforge.core.output.writer import SampleWriter
    from seqforge.core.sampling.params import SamplerParams
    from seqforge.core.sampling.sampler import OnSymbols, Stream


@contextmanager
def output_folder(
    folder: Path, names: str, timed: Collection[str] = (), quiet: bool = False
) -> Iterator[None]:
    """Work in a folder, made where it is missing; see `claimed_folder`.

    Args:
        folder: Where files are to be written.
        names: A regular expression of all their names.
        timed: Those that hold the time.
        quiet: Whether nothing is said of files of an earlier command that are others now.

    Raises:
        RunError: As `claimed_folder`.
    """
    from seqforge.base.folders import claimed_folder, folder_for

    tell = (lambda said: None) if quiet else partial(echo, err=True)
    with folder_for(folder), claimed_folder(folder, names, tell, timed):
        yield


_LONG = 100_000  # symbols of a sample that nobody should have to wait for
_LONGEST = 1000  # symbols of a text among the settings that are noted as they are


@dataclass(frozen=True)
class SamplingJob:
    """What is to be drawn."""

    domain: Domain
    count: int
    draw: Callable[[int, OnSymbols], Iterator[Sample]]
    """Samples from this number on, to ``count``; told of symbols while they are drawn."""
    stream: Callable[[int], Stream] | None
    """A sample symbol by symbol, where it can be drawn so."""
    settings: Mapping[str, Any]
    """All that decides the samples, as `settings_of` gives it."""
    inputs: tuple[Path, ...] = ()
    """Files that they come from, which nothing is written over."""

    def counting(self, done: int, quiet: bool) -> SamplingProgress:
        """What shows how far it is, when ``done`` samples are there already."""
        from seqforge.cli.progress import SamplingProgress

        settings = self.settings
        exact = settings.get("exact_length") and not settings.get("suffix")
        return SamplingProgress(done, self.count, quiet, settings["length"] if exact else None)

    def samples(self, first: int, counting: SamplingProgress) -> Iterator[Sample]:
        """Samples from this number on, their symbols counted while they are drawn."""
        return self.draw(first, counting.drew)


def settings_of(
    model: Path, count: int, options: SamplerParams, found: Mapping[str, Any], device: str = "cpu",
) -> dict[str, Any]:  # fmt: skip
    """All that decides the samples; a long text stands there as its hash."""
    from hashlib import sha256

    from seqforge.base.folders import sha256_of
    from seqforge.version import __version__

    settings = {
        "seqforge": __version__,
        "model": sha256_of(model),
        "count": count,
        "device": "cpu" if device == "auto" else device,
        **found,
        **dict(options),
    }
    for name, value in settings.items():
        if isinstance(value, str) and len(value) > _LONGEST:
            digest = sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
            settings[name] = f"{digest} ({len(value):,} symbols)"
    return settings


def show(drawing: SamplingJob, quiet: bool) -> None:
    """To stdout, as the domain shows them; to whoever reads along while they are drawn."""
    from seqforge.core.data.domain import ShowsAsDrawn

    ready_stdout()
    domain, stream = drawing.domain, drawing.stream
    if stream is None or not isinstance(domain, ShowsAsDrawn) or not _read_along(drawing):
        for sample in _counted(drawing, quiet):
            echo_data(domain.show(sample), nl=False)
        return
    tally = Tally(quiet)
    with drawing.counting(0, quiet or sys.stdout.isatty()) as counting:
        for one in map(stream, range(1, drawing.count + 1)):
            drawn = _told(one, counting)
            _echo(domain.showing(one.begun, chain([one.begun.symbols], drawn)))
            tally.take(*one.samples)
            for sample in one.samples:
                counting.saw(sample)
    tally.say()


def _read_along(drawing: SamplingJob) -> bool:
    """Whether somebody sees symbols come: at a terminal, or behind a pipe if they take long.

    Shorter samples are drawn side by side, which is several times as fast; and each is headed with
    its probability, which is known when it is whole.
    """
    if sys.stdout.isatty():
        return True
    try:
        piped = not stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except (OSError, ValueError):  # has no file behind it
        piped = False
    return piped and drawing.settings["length"] >= _LONG


def _told(stream: Stream, counting: SamplingProgress) -> Iterator[str]:
    for symbols in stream:
        counting.drew(len(symbols))
        yield symbols


def _echo(pieces: Iterator[str]) -> None:
    """Text as it comes; where it is stopped, what is said of that begins a line."""
    last = "\n"
    try:
        for text in pieces:
            echo_data(text, nl=False)
            last = text[-1:] or last
    except KeyboardInterrupt:
        if last != "\n":
            echo()
        raise


def show_json(drawing: SamplingJob, quiet: bool) -> None:
    """To stdout as one JSON array, a sample a line."""
    ready_stdout()
    array = _Array()
    for sample in _counted(drawing, quiet):
        array.add(sample)
    array.close()


def _counted(drawing: SamplingJob, quiet: bool) -> Iterator[Sample]:
    """All samples, counted where they themselves are not seen to come."""
    with drawing.counting(0, quiet or sys.stdout.isatty()) as counting:
        tally = Tally(quiet)
        for sample in drawing.samples(1, counting):
            counting.saw(sample)
            tally.take(sample)
            yield sample
    tally.say()


class Tally:
    """How much of the model's probability a grammar has taken away."""

    def __init__(self, quiet: bool) -> None:
        self._quiet, self._removed, self._symbols = quiet, 0.0, 0

    def take(self, *samples: Sample) -> None:
        """Count samples in."""
        for sample in samples:
            if sample.removed_mass is not None:
                symbols = len(sample.drawn) + sample.ended
                self._removed += sample.removed_mass * symbols
                self._symbols += symbols

    def say(self) -> None:
        """Say it on stderr, where there was a grammar."""
        if self._symbols and not self._quiet:
            share = self._removed / self._symbols
            echo(f"the grammar forbade {share:.2%} of the model's probability on the way", err=True)


def save(
    drawing: SamplingJob,
    out: Path,
    quiet: bool,
    json_: bool,
    resume: bool = False,
    named: bool = True,
) -> None:
    """To files, each sample when it is drawn; names of whole files go to stdout.

    Going on, it draws only what is missing, except for a JSON array, which has to have it all.
    With ``resume``, files that are there and whole are left as they are. Where the names of files
    are not to be ``named``, the caller says them.
    """
    from seqforge.core.output.writer import is_finished, writer_for

    ready_stdout()
    if resume and is_finished(drawing.domain, out, drawing.count):
        if not quiet:
            echo(
                f"{out}: is there and nothing of it is unfinished; without --resume it is drawn "
                "anew", err=True,
            )  # fmt: skip
        if json_:
            show_json(drawing, quiet)
        return
    output = writer_for(drawing.domain, out, drawing.count, drawing.settings, inputs=drawing.inputs)
    with output:
        if output.done and not quiet:
            done, count = f"{output.done:,}", f"{drawing.count:,}"
            echo(f"{out}: going on after {done} of {count} samples", err=True)
        try:
            _fill(output, drawing, quiet, json_, named)
        except KeyboardInterrupt:
            output.save()
            say(_stopped(output, drawing.count), "yellow")
            raise typer.Exit(STOPPED) from None


def _fill(
    output: SampleWriter, drawing: SamplingJob, quiet: bool, json_: bool, named: bool
) -> None:
    array = _Array() if json_ else None
    begun = 0 if json_ else output.done
    tally = Tally(quiet)
    with drawing.counting(begun, quiet) as counting:
        rest = drawing.samples(begun + 1, counting) if begun < drawing.count else iter(())
        for number, sample in enumerate(rest, begun + 1):
            if array is not None:
                array.add(sample)
            if number > output.done:
                files = output.add(sample)
                _name(files if named else [], json_)
            counting.saw(sample)
            tally.take(sample)
    files = output.finish()
    _name(files if named else [], json_)
    tally.say()
    if array is not None:
        array.close()


def _name(files: list[Path], json_: bool) -> None:
    for path in files:
        echo_path(path, err=json_)


def _stopped(output: SampleWriter, count: int) -> str:
    if not output.resumable:
        return "stopped; nothing is kept that could be gone on with"
    if not output.done:
        return "stopped before a sample was whole; nothing is kept"
    return f"stopped after {output.done:,} of {count:,} samples; go on with: {command_line()}"


class _Array:
    """A JSON array on stdout, written element by element."""

    def __init__(self) -> None:
        self._before = "["

    def add(self, sample: Sample) -> None:
        from seqforge.core.output.metadata import sample_as_json

        echo_data(self._before + sample_as_json(sample), nl=False)
        self._before = ",\n"

    def close(self) -> None:
        echo("[]" if self._before == "[" else "]")
