"""seqforge inspect: a model and files in, what its units respond to out, with a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqforge.cli.app import app
from seqforge.cli.console import asked, say
from seqforge.cli.options import Encoding, Json, Model, Out, Quiet, Verbose, await_stdin

if TYPE_CHECKING:
    from seqforge.runs.inspect_results import InspectResult, UnitRow

_NAMES = r"units\.json|inspect\.html|trace\.tsv|surprise(-reverse)?\.bedgraph"


@app.command()
def inspect(
    ctx: typer.Context,
    model: Model,
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT ...", help="Files or folders, or -.")
    ],
    annotations: Annotated[
        list[Path] | None,
        typer.Option(help="What else units may follow: a table (TSV); for genomes GFF, GTF, BED."),
    ] = None,
    encoding: Encoding = "",
    out: Out = None,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find what single units follow (place in line, quotes, exons, bars), with controls and tests.

    With --out DIR: inspect.html to look at, units.json, trace.tsv, for genomes bedGraph.
    """
    from seqforge.cli.progress import make_watcher
    from seqforge.cli.sample_output import output_folder
    from seqforge.runs.folder import find_model
    from seqforge.runs.inspect import inspect_model
    from seqforge.runs.inspect_files import write_files

    await_stdin(model, inputs)
    watcher = make_watcher(quiet or json_, verbose)
    try:
        found = inspect_model(find_model(model), inputs, watcher, annotations or ())
        if out is not None:
            with output_folder(out, _NAMES, quiet=quiet):
                write_files(found, out, watcher)
    finally:
        watcher.close()
    answer = asked(ctx, json_, None, quiet, verbose)
    answer.answer(found.result.model_dump(mode="json"), _lines(found.result, verbose))
    if not quiet and not json_:
        say(f"open {out / 'inspect.html'}" if out else "--out DIR writes a page to look at")


def _lines(result: InspectResult, every: bool) -> Iterator[str]:
    yield (
        f"{result.bits_per_symbol:.4f} bits per {result.unit} over {result.symbols:,} symbols; "
        f"{len(result.found)} units found"
    )
    rows = result.units if every else result.found
    if rows:
        yield f"{'unit':>8}  {'value':>10}  {'untrained':>9}  {'silenced':>8}  follows"
    for row in rows:
        yield _line(row)
    names = dict.fromkeys(row.annotation for row in result.units)
    missed = [name for name in names if name not in {row.annotation for row in result.found}]
    if missed and not every:
        yield f"no unit beats the controls for {', '.join(missed)}"


def _line(row: UnitRow) -> str:
    value = f"r {row.value:+.2f}" if row.measure == "r" else f"AUC {row.value:.3f}"
    best = max(map(abs, row.untrained))
    control = f"{best:.2f}" if row.measure == "r" else f"{best:.3f}"
    cost = "" if row.ablation is None else f"{row.ablation.where:+.3f}"
    return f"{f'{row.layer}:{row.unit}':>8}  {value:>10}  {control:>9}  {cost:>8}  {row.annotation}"
