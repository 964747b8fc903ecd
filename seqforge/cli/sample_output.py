"""Drawn samples in, text on the terminal, JSON or resumable files out."""

from __future__ import annotations

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
from seqforge.cli.console import (
    echo,
    echo_data,
    echo_path,
    is_pipe,
    ready_stdout,
    say,
    shows_bars,
)
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
    """Claim an output folder, created if it is missing; see `claimed_folder`.

    Args:
        folder: Output folder.
        names: Regular expression of all output names.
        timed: Names of files that contain a time.
        quiet: Whether to omit the note on replaced files of an earlier command.

    Raises:
        RunError: As `claimed_folder`.
    """
    from seqforge.base.folders import claimed_folder, folder_for

    tell = (lambda said: None) if quiet else partial(echo, err=True)
    with folder_for(folder), claimed_folder(folder, names, tell, timed):
        yield


_LONG = 100_000  # samples of this length are streamed through a pipe
_LONGEST = 1000  # longer settings are recorded as a hash


@dataclass(frozen=True)
class SamplingJob:
    """A request for samples, and how to draw them."""

    domain: Domain
    count: int
    draw: Callable[[int, OnSymbols], Iterator[Sample]]
    """Draws samples from this number to ``count``; reports symbols as they are drawn."""
    stream: Callable[[int], Stream] | None
    """Draws one sample symbol by symbol; None if it cannot be streamed."""
    settings: Mapping[str, Any]
    """Settings that determine the samples; see `settings_of`."""
    inputs: tuple[Path, ...] = ()
    """Input files, which must not be overwritten."""

    def counting(self, done: int, quiet: bool) -> SamplingProgress:
        """The progress display, if ``done`` samples exist already."""
        from seqforge.cli.progress import SamplingProgress

        settings = self.settings
        exact = settings.get("exact_length") and not settings.get("suffix")
        return SamplingProgress(done, self.count, quiet, settings["length"] if exact else None)

    def samples(self, first: int, counting: SamplingProgress) -> Iterator[Sample]:
        """Draw samples from number ``first`` on and count their symbols."""
        return self.draw(first, counting.drew)


def settings_of(
    model: Path, count: int, options: SamplerParams, found: Mapping[str, Any], device: str = "cpu",
    memory: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Model, its memory's file if one is used, and options in, the settings that determine the
    samples out; long texts as hashes."""
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
        **({"memory": sha256_of(memory)} if memory else {}),
    }
    for name, value in settings.items():
        if isinstance(value, str) and len(value) > _LONGEST:
            digest = sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
            settings[name] = f"{digest} ({len(value):,} symbols)"
    return settings


def show(drawing: SamplingJob, quiet: bool) -> None:
    """Print the samples in the domain's form, streamed if somebody reads along."""
    from seqforge.core.data.domain import ShowsAsDrawn

    ready_stdout()
    domain, stream = drawing.domain, drawing.stream
    if stream is None or not isinstance(domain, ShowsAsDrawn) or not _read_along(drawing):
        for sample in _counted(drawing, quiet):
            echo_data(domain.show(sample), nl=False)
        return
    tally = Tally(quiet)
    # A bar would stand in the middle of what is read along.
    silent = quiet or sys.stdout.isatty() or shows_bars(sys.stderr)
    with drawing.counting(0, silent) as counting:
        for one in map(stream, range(1, drawing.count + 1)):
            drawn = _told(one, counting)
            _echo(domain.showing(one.begun, chain([one.begun.symbols], drawn)))
            tally.take(*one.samples)
            for sample in one.samples:
                counting.saw(sample)
    tally.say()


def _read_along(drawing: SamplingJob) -> bool:
    """Whether to stream symbols: on a terminal, or to a pipe if the samples are long.

    Other samples are drawn in a batch, which is several times as fast, and their headers contain
    the probability, which is known only at the end.
    """
    if sys.stdout.isatty():
        return True
    return is_pipe(sys.stdout) and drawing.settings["length"] >= _LONG


def _told(stream: Stream, counting: SamplingProgress) -> Iterator[str]:
    for symbols in stream:
        counting.drew(len(symbols))
        yield symbols


def _echo(pieces: Iterator[str]) -> None:
    """Print text in pieces; an interruption ends the line."""
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
    """Print the samples as a JSON array, one per line."""
    ready_stdout()
    array = _Array()
    for sample in _counted(drawing, quiet):
        array.add(sample)
    array.close()


def _counted(drawing: SamplingJob, quiet: bool) -> Iterator[Sample]:
    """Draw all samples, with progress on stderr."""
    with drawing.counting(0, quiet or sys.stdout.isatty()) as counting:
        tally = Tally(quiet)
        for sample in drawing.samples(1, counting):
            counting.saw(sample)
            tally.take(sample)
            counting.make_way()
            yield sample
    tally.say()


class Tally:
    """Mean probability that the grammar mask removed."""

    def __init__(self, quiet: bool) -> None:
        self._quiet, self._removed, self._symbols = quiet, 0.0, 0

    def take(self, *samples: Sample) -> None:
        """Add samples."""
        for sample in samples:
            if sample.removed_mass is not None:
                symbols = len(sample.drawn) + sample.ended
                self._removed += sample.removed_mass * symbols
                self._symbols += symbols

    def say(self) -> None:
        """Print it on stderr, if there was a grammar."""
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
    """Write each sample to files when it is drawn, and print the names of finished files.

    An interrupted command resumes: only missing samples are drawn, except for a JSON array, which
    needs all. With ``resume``, finished output is kept. Without ``named``, the caller prints names.
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
            counting.make_way()
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
    """Writes a JSON array to stdout, a line an element, each when the next is known to come."""

    def __init__(self) -> None:
        self._held = "["

    def add(self, sample: Sample) -> None:
        from seqforge.core.output.metadata import sample_as_json

        if self._held != "[":
            echo_data(self._held + ",")
            self._held = ""
        self._held += sample_as_json(sample)

    def close(self) -> None:
        echo_data(self._held + "]")
