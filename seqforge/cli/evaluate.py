"""seqforge evaluate: a model and files in, held-out scores beside baselines out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from seqforge.cli.app import app
from seqforge.cli.console import asked
from seqforge.cli.options import (
    Encoding,
    Json,
    MemoryEffort,
    Model,
    Out,
    Quiet,
    Verbose,
    await_stdin,
)

if TYPE_CHECKING:
    from seqforge.runs.results import EvaluateResult


Memory = Annotated[
    bool,
    typer.Option(
        "--memory/--no-memory",
        help="Score a memory of contexts and repeats too, alone and with the network: the one "
        "saved with the model, or a new one.",
    ),
]
MemoryBudget = Annotated[
    str, typer.Option(metavar="1G|500M", help="Most bytes of its counts.")
]  # fmt: skip
Effort = Annotated[
    MemoryEffort, typer.Option(help="best: fewer bits at two or three times the time.")
]


@app.command()
def evaluate(
    ctx: typer.Context,
    model: Model,
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT ...", help="Files or folders, or -.")
    ],
    encoding: Encoding = "",
    memory: Memory = False,
    memory_budget: MemoryBudget = "1G",
    memory_effort: Effort = "fast",
    out: Out = None,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Score files: bits per symbol and perplexity, beside n-gram and compressor baselines."""
    from seqforge.cli.progress import make_watcher
    from seqforge.runs.evaluate import MemoryWanted, evaluate_model
    from seqforge.runs.folder import find_model

    await_stdin(model, inputs)
    wanted = MemoryWanted(_size(memory_budget), memory_effort) if memory else None
    watcher = make_watcher(quiet or json_, verbose)
    try:
        result = evaluate_model(find_model(model), inputs, watcher, verbose, wanted)
    finally:
        watcher.close()
    asked(ctx, json_, out, quiet, verbose).answer(result.model_dump(mode="json"), _lines(result))


def _size(text: str) -> int:
    from seqforge.core.config import parse_size
    from seqforge.errors import ConfigError

    try:
        return parse_size(text)
    except ValueError as error:
        raise ConfigError(f"--memory-budget: {error}") from error


def _lines(result: EvaluateResult) -> Iterator[str]:
    from seqforge.reporting.named_baselines import named_baselines

    half = result.second_half
    known = "" if result.perplexity is None else f"(perplexity {result.perplexity:.4f}) "
    if result.bits_per_symbol is None:
        yield (
            f"infinitely many bits per {result.unit} over {result.symbols:,} symbols: "
            f"{result.never_seen:,} were never seen after their contexts{_others(result)}"
        )
    else:
        yield (
            f"{result.bits_per_symbol:.4f} bits per {result.unit} {known}"
            f"over {result.symbols:,} symbols"
        )
    if result.spelled is not None:
        yield result.spelled.sentence(result.unit)
    if result.trained_on.sentence:
        yield result.trained_on.sentence
    yield "on the second half of the input, where the baselines have learnt from the first:"
    rows: list[tuple[str, float | None]] = [("the model (frozen)", half.bits_per_symbol)]
    if half.never_seen:
        rows.append((f"the model, without {half.never_seen:,} never seen", half.bits_of_seen))
    if half.memory is not None:
        scores = half.memory
        rows += [
            ("memory alone (frozen)", scores.alone_frozen),
            ("memory alone (adaptive)", scores.alone_adaptive),
            ("model and memory (frozen)", scores.mixed_frozen),
            ("model and memory (adaptive)", scores.mixed_adaptive),
        ]
    rows += [(row.label, row.bits) for row in named_baselines(half.baselines, half)]
    width = max(len(label) for label, _ in rows)
    for label, bits in rows:
        if bits is not None:
            yield f"  {label:<{width}} {bits:8.4f}"


def _others(result: EvaluateResult) -> str:
    return "" if result.bits_of_seen is None else f"; the others need {result.bits_of_seen:.4f}"
