"""seqforge sample: a model and sampling options in, samples out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqforge.base.paths import STDIN, STDOUT, is_stdin
from seqforge.cli.app import app
from seqforge.cli.console import say
from seqforge.cli.load_model import Device, Label, adapted, described, open_model, prompt
from seqforge.cli.options import (
    Count,
    Encoding,
    Json,
    Model,
    Out,
    Quiet,
    Sampling,
    Verbose,
    await_stdin,
    refuse_conflicts,
    sampling_command,
)
from seqforge.cli.sample_output import SamplingJob, save, settings_of, show, show_json
from seqforge.errors import ConfigError

if TYPE_CHECKING:
    from seqforge.api.model import Model as Loaded
    from seqforge.core.data.domain import Sample
    from seqforge.core.sampling.params import SamplerParams
    from seqforge.core.sampling.sampler import OnSymbols

PrimeFile = Annotated[
    Path | None,
    typer.Option(rich_help_panel="What to begin with", help="Begin with what is in this file."),
]
Interactive = Annotated[
    bool, typer.Option("--interactive", "-i", help="Write a text in turns with the model.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an --out that was stopped.")]

_SEARCH = ("beam", "length_penalty", "adapt")


@sampling_command(app)
def sample(
    model: Model,
    count: Count = 1,
    *,
    how: Sampling,
    prime_file: PrimeFile = None,
    label: Label = None,
    device: Device = "auto",
    interactive: Interactive = False,
    out: Out = None,
    resume: Resume = False,
    encoding: Encoding = "",
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Draw samples from a model: to the terminal, or to a file with --out."""
    refuse_conflicts(how, _APART, _NEEDED)
    _check(how, count, out)
    await_stdin(model, prime_file, STDIN if interactive and _comes_piped(prime_file) else None)
    loaded = open_model(model, device, label)
    unknown, found = how.values["unknown"], how.only(*_SEARCH)
    drawn = {name: value for name, value in how.values.items() if name not in (*found, "unknown")}
    for name, text in (("prime", drawn["prime"]), ("suffix", drawn["suffix"])):
        source = prime_file if name == "prime" and text is None else text
        drawn[name] = prompt(loaded, source or "", unknown, f"the {name}", quiet) or ""
    loaded = adapted(loaded, drawn["prime"], found["adapt"], quiet)
    if verbose and not quiet:
        say(described(loaded, _options(loaded, drawn), device))
    if interactive:
        from seqforge.cli.chat import converse

        _options(loaded, drawn)
        converse(loaded, loaded.conversation(**drawn), unknown, quiet)
        return
    drawing = _drawing(model, loaded, count, drawn, found, device, prime_file)
    if out is not None and out != STDOUT:
        save(drawing, out, quiet, json_, resume)
    elif json_:
        show_json(drawing, quiet)
    else:
        show(drawing, quiet)


_APART = {
    "prime": ("prime_file",),
    "interactive": ("out", "json_", "beam", "suffix", "bars", "count", "records"),
}
_NEEDED = {"resume": ("out", "which is to be gone on with")}
"""What holds besides the rules of the table, as these are written."""


def _check(how: Sampling, count: int, out: Path | None) -> None:
    """Refuse what does not go together for what it says.

    Raises:
        typer.BadParameter: Says what.
    """
    said, beam = how.said, how.values["beam"]
    if "resume" in said and out == STDOUT:
        raise typer.BadParameter("--out - is a stream, and cannot be gone on with")
    if "adapt" in said and not said & {"prime", "prime_file"}:
        raise typer.BadParameter("--adapt needs a --prime or --prime-file to learn from")
    if beam is not None and count > beam:
        raise typer.BadParameter(f"--beam {beam} finds no more than so many: raise it")


def _comes_piped(path: Path | None) -> bool:
    return path is not None and is_stdin(path)


def _options(loaded: Loaded, how: dict[str, Any]) -> SamplerParams:
    try:
        return loaded.options(how)  # type: ignore[arg-type]  # names of the table
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _drawing(
    model: str, loaded: Loaded, count: int, how: dict[str, Any], found: dict[str, Any],
    device: str, prime_file: Path | None = None,
) -> SamplingJob:  # fmt: skip
    """What to draw, from any sample on, and what it is known by."""
    from seqforge.runs.folder import find_model

    options, path = _options(loaded, how), find_model(model)
    named = {"label": loaded.card.label} if loaded.card.label else {}
    memory = loaded.memory_path if options.memory else None
    streams = cache(lambda: loaded.drawings(**how))  # the prime is read once for all
    beam, penalty = found["beam"], found["length_penalty"]

    def draw(first: int, drawn: OnSymbols) -> Iterator[Sample]:
        if beam is not None:
            return islice(loaded.beam(beam, count, length_penalty=penalty, **how), first - 1, None)
        if options.records > 1:  # how many a stream gives is known only when it is drawn
            return islice(loaded.draw(count, drawn=drawn, **how), first - 1, None)
        return loaded.draw(count - first + 1, first=first, drawn=drawn, **how)

    as_drawn = beam is None and not options.suffix and options.records == 1
    return SamplingJob(
        domain=loaded.domain,
        count=count * options.records,
        draw=draw,
        stream=(lambda number: streams()(number)) if as_drawn else None,
        settings=settings_of(path, count, options, {**found, **named}, device, memory),
        inputs=tuple(one for one in (path, prime_file, memory) if one is not None),
    )
