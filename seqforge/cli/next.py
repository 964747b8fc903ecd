"""seqforge next: a model and a context in, the distribution of the next symbol out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from seqforge.cli.app import app
from seqforge.cli.console import asked
from seqforge.cli.load_model import Device, Label, open_model, prompt
from seqforge.cli.options import Json, Model, Out, Quiet, Verbose

if TYPE_CHECKING:
    from seqforge.core.sampling.next_symbols import NextSymbol

Context = Annotated[
    str,
    typer.Argument(
        metavar="[CONTEXT]",
        help="How the record begins, written as a prime is; without it, its beginning.",
    ),
]
Most = Annotated[int, typer.Option("-k", min=1, metavar="K", help="Show the K likeliest symbols.")]
Strange = Annotated[
    Literal["refuse", "skip", "map"],
    typer.Option("--unknown", help="What becomes of symbols that the model does not know."),
]
Memory = Annotated[
    bool, typer.Option("--memory/--no-memory", help="Mix with the memory saved beside the model.")
]


@app.command("next")
def next_(
    ctx: typer.Context,
    model: Model,
    context: Context = "",
    k: Most = 10,
    unknown: Strange = "refuse",
    memory: Memory = False,
    label: Label = None,
    device: Device = "auto",
    json_: Json = False,
    out: Out = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show which symbols may come next after a context, and how likely each is."""
    loaded = open_model(model, device, label)
    begun = prompt(loaded, context, unknown, "the context", quiet)
    found = loaded.next(begun, k=k, memory=memory)
    document = [row._asdict() for row in found]
    asked(ctx, json_, out, quiet, verbose).answer(document, map(_line, found))


def _line(row: NextSymbol) -> str:
    return f"{repr(row.symbol) if row.symbol else 'end':<10} {row.probability:.6f}"
