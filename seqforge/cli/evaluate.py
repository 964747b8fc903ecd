"""seqforge evaluate: how well a model predicts files it may never have seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from seqforge.cli.app import app
from seqforge.cli.console import asked
from seqforge.cli.options import Encoding, Json, Model, Out, Quiet, Verbose, await_stdin


@app.command()
def evaluate(
    ctx: typer.Context,
    model: Model,
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT ...", help="Files or folders, or -.")
    ],
    encoding: Encoding = "",
    out: Out = None,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Score files: bits per symbol and perplexity, beside n-gram and compressor baselines."""
    from seqforge.cli.progress import make_watcher
    from seqforge.runs.evaluate import evaluate_model
    from seqforge.runs.folder import find_model

    await_stdin(model, inputs)
    watcher = make_watcher(quiet or json_, verbose)
    try:
        result = evaluate_model(find_model(model), inputs, watcher, verbose)
    finally:
        watcher.close()
    asked(ctx, json_, out, quiet, verbose).answer(result, _lines(result))


def _lines(result: dict[str, Any]) -> Iterator[str]:
    halves, counted = result["second_half"], result["second_half"]["baselines"]
    yield (
        f"{result['bits_per_symbol']:.4f} bits per {result['unit']} "
        f"(perplexity {result['perplexity']:.4f}) over {result['symbols']:,} symbols"
    )
    if sentence := result["trained_on"]["sentence"]:
        yield sentence
    yield "on the second half of the input, where the baselines have learnt from the first:"
    rows = [("the model", halves["bits_per_symbol"]), ("uniform", counted["uniform"])]
    rows += [(f"order-{counted['k']} n-gram", counted["order_k"])]
    rows += list(counted["compressors"].items())
    for name, bits in rows:
        yield f"  {name:<16} " + ("-" if bits is None else f"{bits:8.4f}")
