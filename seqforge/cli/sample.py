"""``seqforge sample``: draw from a model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from seqforge.cli.app import app
from seqforge.cli.options import Json, Model, Out, Quiet

if TYPE_CHECKING:
    from seqforge.core.domain import Sample


def _temperature(value: float) -> float:
    if math.isnan(value):
        raise typer.BadParameter("a number is wanted, 0 or above; inf draws uniformly")
    return value


Temperature = Annotated[
    float,
    typer.Option("--temperature", "-t", min=0, callback=_temperature,
                 help="0 takes the likeliest symbol; inf any symbol."),
]  # fmt: skip
Count = Annotated[int, typer.Option("-n", "--count", min=1, help="How many.")]
Prime = Annotated[str | None, typer.Option(help="Begin with this text.")]
PrimeFile = Annotated[Path | None, typer.Option(help="Begin with what is in this file.")]
TopK = Annotated[int | None, typer.Option(min=1, help="Draw from the K likeliest.")]
TopP = Annotated[
    float | None, typer.Option(max=1, help="Draw from the likeliest that reach this mass.")
]
UnknownSymbols = Annotated[
    Literal["refuse", "skip", "map"],
    typer.Option("--unknown",
                 help="Symbols of the prime that the model does not know: refuse them, leave them "
                      "out, or take them for its unknown symbol."),
]  # fmt: skip
DrawSeed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Same seed, same samples.")]


@app.command()
def sample(
    model: Model,
    count: Count = 1,
    length: Annotated[
        int | None, typer.Option(min=1, help="Exactly so many symbols, the prime not counted.")
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(min=1, help="Stop where the record ends, or here.")
    ] = None,
    prime: Prime = None,
    prime_file: PrimeFile = None,
    temperature: Temperature = 1.0,
    top_k: TopK = None,
    top_p: TopP = None,
    seed: DrawSeed = 0,
    out: Out = None,
    no_constraint: Annotated[
        bool, typer.Option("--no-constraint", help="Do not keep to the domain's grammar.")
    ] = False,
    json_: Json = False,
    quiet: Quiet = False,
    unknown: UnknownSymbols = "refuse",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an --out that was stopped.")
    ] = False,
) -> None:
    """Draw samples from a model: to the terminal, or to a file with --out."""
    if length is not None and max_length is not None:
        raise typer.BadParameter("give --length or --max-length, not both")
    if prime is not None and prime_file is not None:
        raise typer.BadParameter("give --prime or --prime-file, not both")
    if top_p is not None and not top_p > 0:
        raise typer.BadParameter("--top-p must be above 0")
    if resume and out is None:
        raise typer.BadParameter("--resume needs the --out that is to be gone on with")
    from seqforge.api import load
    from seqforge.cli import saving
    from seqforge.models import find_model

    loaded = load(model)
    symbols, strange = loaded.prime(prime if prime is not None else prime_file or "", unknown)
    say_unknown(strange, unknown, quiet)
    options = replace(loaded.options(
        temperature=temperature, length=length, max_length=max_length, seed=seed, top_k=top_k,
        top_p=top_p, prime="",
    ), prime=symbols)  # fmt: skip

    def draw(first: int) -> Iterator[Sample]:
        return islice(loaded.draw(count, options, not no_constraint), first - 1, None)

    settings = saving.settings_of(find_model(model), count, options, not no_constraint)
    drawing = saving.Drawing(loaded.domain, count, draw, settings)
    if out is not None:
        saving.save(drawing, out, quiet, json_)
    elif json_:
        saving.show_json(drawing, quiet)
    else:
        saving.show(drawing, quiet)


def say_unknown(
    strange: Mapping[str, int], unknown: str, quiet: bool, where: str = "the prime"
) -> None:
    """What became of symbols of a prime that the model does not know, on stderr."""
    if strange and not quiet:
        from seqforge.core.vocabulary import listed

        fate = "left out" if unknown == "skip" else "taken for the unknown symbol"
        typer.echo(f"{where}: {fate}: {listed(strange)}", err=True)
