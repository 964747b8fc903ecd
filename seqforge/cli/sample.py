"""seqforge sample: draw from a model."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from inspect import signature
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from seqforge.base.paths import STDIN, STDOUT, is_stdin
from seqforge.cli import options as how_to
from seqforge.cli.app import app
from seqforge.cli.console import say
from seqforge.cli.load_model import Device, UnknownSymbols, adapted, described, given, open_model
from seqforge.cli.options import (
    Encoding,
    Json,
    Model,
    Out,
    Quiet,
    Verbose,
    await_stdin,
    with_number,
)
from seqforge.cli.sample_output import SamplingJob, save, settings_of, show, show_json
from seqforge.core.sampling.temperature_schedule import CONSTANT_TEMPERATURE
from seqforge.errors import ConfigError

if TYPE_CHECKING:
    from seqforge.api.model import Model as Loaded
    from seqforge.core.data.domain import Sample
    from seqforge.core.sampling.options import SamplingOptions
    from seqforge.core.sampling.sampler import OnSymbols

Prime = Annotated[str | None, typer.Option(help="Begin with this text.")]
PrimeFile = Annotated[Path | None, typer.Option(help="Begin with what is in this file.")]
Suffix = Annotated[
    str | None, typer.Option(help="End with this text, after exactly --length symbols.")
]
Candidates = Annotated[
    int,
    typer.Option(min=1, max=10_000, help="How many ways to fill before --suffix are weighed."),
]
Interactive = Annotated[
    bool, typer.Option("--interactive", "-i", help="Write a text in turns with the model.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an --out that was stopped.")]


class _Sample(TyperCommand):
    """Takes ``--adapt`` without a number too: once."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, with_number(args, "--adapt", 1))


@app.command(cls=_Sample)
def sample(
    model: Model,
    count: how_to.Count = 1,
    prime: Prime = None,
    prime_file: PrimeFile = None,
    unknown: UnknownSymbols = "refuse",
    suffix: Suffix = None,
    candidates: Candidates = 64,
    temperature: how_to.Temperature = CONSTANT_TEMPERATURE,
    top_k: how_to.TopK = None,
    top_p: how_to.TopP = None,
    min_p: how_to.MinP = None,
    typical_p: how_to.TypicalP = None,
    repetition_penalty: how_to.RepetitionPenalty = 1.0,
    repetition_window: how_to.RepetitionWindow = 64,
    beam: how_to.Beam = None,
    length_penalty: how_to.LengthPenalty = 0.0,
    adapt: how_to.Adapt = None,
    no_constraint: how_to.NoConstraint = False,
    length: how_to.Length = None,
    min_length: how_to.MinLength = None,
    max_length: how_to.MaxLength = None,
    records: how_to.Records = 1,
    stop: how_to.Stop = None,
    bars: how_to.Bars = None,
    seed: how_to.SamplingSeed = 0,
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
    _check(locals())
    await_stdin(model, prime_file, STDIN if interactive and _comes_piped(prime_file) else None)
    loaded = open_model(model, device, quiet)
    begin = prime if prime is not None else prime_file or ""
    how: dict[str, Any] = {
        "prime": given(loaded, begin, unknown, "the prime", quiet),
        "suffix": given(loaded, suffix or "", unknown, "the suffix", quiet),
        "temperature": temperature.value, "top_k": top_k, "top_p": top_p, "min_p": min_p,
        "typical_p": typical_p, "repetition_penalty": repetition_penalty,
        "repetition_window": repetition_window, "candidates": candidates, "length": length,
        "min_length": min_length, "max_length": max_length, "records": records, "stop": stop,
        "bars": bars, "seed": seed, "constraint": not no_constraint,
    }  # fmt: skip
    loaded = adapted(loaded, how["prime"], adapt, quiet)
    if verbose and not quiet:
        say(described(loaded, _options(loaded, how), device))
    if interactive:
        from seqforge.cli.chat import converse

        _options(loaded, how)
        converse(loaded, loaded.conversation(**how), unknown, quiet)
        return
    found = {"beam": beam, "length_penalty": length_penalty, "adapt": adapt}
    drawing = _drawing(model, loaded, count, how, found, device, prime_file)
    if out is not None and out != STDOUT:
        save(drawing, out, quiet, json_, resume)
    elif json_:
        show_json(drawing, quiet)
    else:
        show(drawing, quiet)


_APART = {
    "length": ("min_length", "max_length", "records"),
    "prime": ("prime_file",),
    "suffix": ("stop", "bars", "beam", "max_length", "records"),
    "beam": ("temperature", "top_k", "top_p", "min_p", "typical_p", "repetition_penalty",
             "repetition_window", "records", "seed"),
    "interactive": ("out", "json_", "beam", "suffix", "bars", "count", "records"),
}  # fmt: skip
"""Options that exclude each other; silence about one of them would be a lie."""

_NEEDED = {
    "resume": ("out", "which is to be gone on with"),
    "suffix": ("length", "how much to fill in before it"),
    "candidates": ("suffix", "whose filling they are"),
    "length_penalty": ("beam", "whose search it belongs to"),
    "repetition_window": ("repetition_penalty", "whose window it is"),
}
"""Options that mean something only beside another."""


def _check(options: dict[str, Any]) -> None:
    """Refuse what does not go together.

    Raises:
        typer.BadParameter: Says what.
    """
    plain = {name: known.default for name, known in signature(sample).parameters.items()}
    said = {name for name, value in options.items() if value != plain[name]}
    for one, others in _APART.items():
        for other in said.intersection(others):
            if one in said:
                raise typer.BadParameter(f"give {_flag(one)} or {_flag(other)}, not both")
    for one, (other, why) in _NEEDED.items():
        if one in said and other not in said:
            raise typer.BadParameter(f"{_flag(one)} needs {_flag(other)}: {why}")
    if "resume" in said and options["out"] == STDOUT:
        raise typer.BadParameter("--out - is a stream, and cannot be gone on with")
    if "adapt" in said and not said & {"prime", "prime_file"}:
        raise typer.BadParameter("--adapt needs a --prime or --prime-file to learn from")
    if "beam" in said and options["count"] > options["beam"]:
        raise typer.BadParameter(f"--beam {options['beam']} finds no more than so many: raise it")


def _comes_piped(path: Path | None) -> bool:
    return path is not None and is_stdin(path)


def _flag(name: str) -> str:
    return f"--{name.strip('_').replace('_', '-')}"


def _options(loaded: Loaded, how: dict[str, Any]) -> SamplingOptions:
    try:
        return loaded.options(how)  # type: ignore[arg-type]
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _drawing(
    model: str, loaded: Loaded, count: int, how: dict[str, Any], found: dict[str, Any],
    device: str, prime_file: Path | None = None,
) -> SamplingJob:  # fmt: skip
    """What to draw, from any sample on, and what it is known by."""
    from seqforge.runs.folder import find_model

    options = _options(loaded, how)
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
        settings=settings_of(find_model(model), count, options, how, found, device),
        inputs=(find_model(model), *([prime_file] if prime_file else ())),
    )
