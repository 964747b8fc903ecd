"""``seqforge sample``: draw from a model."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
) -> None:
    """Draw samples from a model: to the terminal, or to a file with --out."""
    if length is not None and max_length is not None:
        raise typer.BadParameter("give --length or --max-length, not both")
    if prime is not None and prime_file is not None:
        raise typer.BadParameter("give --prime or --prime-file, not both")
    if top_p is not None and not top_p > 0:
        raise typer.BadParameter("--top-p must be above 0")
    from seqforge.api import load

    loaded = load(model)
    options = loaded.options(
        temperature=temperature, length=length, max_length=max_length, seed=seed, top_k=top_k,
        top_p=top_p, prime=prime if prime is not None else prime_file or "",
    )  # fmt: skip
    drawn = loaded.draw(count, options, constraint=not no_constraint)
    if out is not None:
        samples = list(_counted(drawn, count, quiet or json_))
        for path in loaded.domain.write(samples, out):
            typer.echo(str(path), err=json_)
        if json_:
            typer.echo(_as_json(samples))
    elif json_:
        typer.echo(_as_json(drawn))
    else:
        for one in drawn:
            typer.echo(loaded.domain.show(one), nl=False)


def _as_json(samples: Iterable[Sample]) -> str:
    rows = [asdict(one) for one in samples]
    for row in rows:
        if math.isinf(row["temperature"]):
            row["temperature"] = "inf"  # JSON has no number for it
    return json.dumps(rows, allow_nan=False)


def _counted(drawn: Iterator[Sample], count: int, quiet: bool) -> Iterable[Sample]:
    """The samples, with a bar where they take long."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if quiet or count < 100 or not console.is_terminal:
        return drawn
    return track(drawn, "drawing", total=count, console=console, transient=True)
