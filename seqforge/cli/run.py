"""seqforge run and train: a pipeline and its options in, a finished run folder out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from seqforge.base.paths import folder_named, is_piped
from seqforge.cli.app import STOPPED, app
from seqforge.cli.console import echo_data, open_page
from seqforge.cli.experiments import run_as_experiment
from seqforge.cli.options import (
    Json,
    MemoryEffort,
    Open,
    Out,
    Quiet,
    Seed,
    Verbose,
    assignments,
    await_stdin,
    command_line,
    extra_arguments,
    given,
)
from seqforge.cli.run_all import ALL, run_every_recipe
from seqforge.cli.run_output import say_stopped, tell
from seqforge.cli.sweep_run import run_as_sweep
from seqforge.errors import ConfigError

if TYPE_CHECKING:
    from seqforge.core.training.distributed import Ranks
    from seqforge.runs.folder import RunFolder
    from seqforge.runs.request import RunRequest

# Options of the domain are not known here: they come with the inputs and are parted later.
LENIENT = {"ignore_unknown_options": True}
_PANEL = "Model and training (defaults are those of the pipeline)"


def _pipelines(incomplete: str) -> list[str]:
    """The beginning of a pipeline's name in, the names that begin so out, for the shell."""
    from seqforge.registry import installed
    from seqforge.runs.recipes import experiment_names, recipe_names

    names = sorted({ALL, *recipe_names(), *experiment_names(), *installed()})
    return [name for name in names if name.startswith(incomplete)]


Pipeline = Annotated[
    str,
    typer.Argument(
        metavar="PIPELINE",
        autocompletion=_pipelines,
        help="text, genome, music or another domain, a recipe's name, or recipe.toml",
    ),
]
More = Annotated[
    list[str] | None,
    typer.Argument(metavar="[INPUT ...]", help="Inputs, as with --input."),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input", "--fasta", "-i", metavar="PATH ...",
        help="Files or folders to train on, compressed or not; - is standard input.",
    ),
]  # fmt: skip
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Resume a stopped run; without --out, the newest unfinished one of this pipeline.",
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        help="How long to train: 90s, 10m, 2h, 20000steps or 3epochs.", rich_help_panel=_PANEL
    ),
]
Cell = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=_PANEL,
        help="Recurrent cell: lstm, gru, rnn, mingru, ... (all: docs/cells.md); or ngram.",
    ),
]
Attention = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=4096,
        metavar="N",
        rich_help_panel=_PANEL,
        help="Attention over so many past states of the top layer (default 0: none).",
    ),
]
Order = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=32,
        metavar="N",
        rich_help_panel=_PANEL,
        help="Symbols of context of an n-gram model (default 4).",
    ),
]
Smoothing = Annotated[
    Literal["none", "kneser-ney"] | None,
    typer.Option(help="Smoothing of an n-gram model (default none).", rich_help_panel=_PANEL),
]
Task = Annotated[
    Literal["generate", "classify", "label", "translate"] | None,
    typer.Option(
        help="What the model is for: the next symbol (generate), a class a text, a label a "
        "symbol, or another text (translate).",
        rich_help_panel=_PANEL,
    ),
]
Bidirectional = Annotated[
    bool | None,
    typer.Option(
        "--bidirectional/--no-bidirectional",
        help="Layers that read both ways, for tasks but generate (default there: both ways).",
        rich_help_panel=_PANEL,
    ),
]
Split = Annotated[
    str | None,
    typer.Option(help="train/valid/test in percent (default 90/5/5).", rich_help_panel=_PANEL),
]
HoldOut = Annotated[
    str | None,
    typer.Option(
        metavar="chrX,chr4:1-2000000", rich_help_panel=_PANEL,
        help="Records or regions (1-based, inclusive) that are the test part.",
    ),
]  # fmt: skip
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"] | None,
    typer.Option(help="Device to train on.", rich_help_panel=_PANEL),
]
Precision = Annotated[
    Literal["auto", "fp32", "bf16", "fp16"] | None,
    typer.Option(help="Number format; auto takes the fastest, measured.", rich_help_panel=_PANEL),
]
Lanes = Annotated[
    str | None,
    typer.Option(metavar="auto|N", help="Training threads.", rich_help_panel=_PANEL),
]
SampleEvery = Annotated[
    str | None,
    typer.Option(
        metavar="30s|500steps", rich_help_panel=_PANEL,
        help="How often to show a sample while training (default: at each evaluation, on a "
        "terminal).",
    ),
]  # fmt: skip


def _number(text: str) -> Any:
    return typer.Option(min=1, metavar="N", help=text, rich_help_panel=_PANEL)


def _real(text: str) -> Any:
    return typer.Option(min=0, metavar="X", help=text, rich_help_panel=_PANEL)


HiddenSize = Annotated[int | None, _number("Width of a recurrent layer.")]
NumLayers = Annotated[int | None, _number("Recurrent layers.")]
EmbeddingSize = Annotated[int | None, _number("Width of the embedding (default: hidden size).")]
Dropout = Annotated[float | None, _real("Dropout rate.")]
BatchSize = Annotated[int | None, _number("Streams per batch.")]
SeqLen = Annotated[int | None, _number("Symbols per stream and step (TBPTT window).")]
LearningRate = Annotated[float | None, _real("Peak learning rate.")]
MinCount = Annotated[int | None, _number("Rarer symbols become one unknown symbol.")]
Init = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="Warm start from a model: a bundled name, a .safetensors file, a run folder.",
        rich_help_panel=_PANEL,
    ),
]
Extend = Annotated[
    bool,
    typer.Option(
        "--extend-vocabulary",
        help="Add symbols that the --init model does not know.",
        rich_help_panel=_PANEL,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Any other setting of the recipe."),
]
Memory = Annotated[
    bool | None,
    typer.Option(
        "--memory/--no-memory",
        help="Score with a memory of contexts and repeats beside the network (default: memory).",
        rich_help_panel=_PANEL,
    ),
]
MemoryBudget = Annotated[
    str | None,
    typer.Option(metavar="1G|500M", help="Most bytes of its counts.", rich_help_panel=_PANEL),
]
Effort = Annotated[
    MemoryEffort | None,
    typer.Option(help="best: fewer bits at two or three times the time.", rich_help_panel=_PANEL),
]
SaveMemory = Annotated[
    bool,
    typer.Option(
        "--save-memory",
        help="Keep the memory beside the model, for sample --memory.",
        rich_help_panel=_PANEL,
    ),
]
Blast = Annotated[
    str | None,
    typer.Option(metavar="local|blast+|ebi|off", help="Similarity search of DNA samples."),
]
Against = Annotated[
    list[str] | None, typer.Option(metavar="FASTA", help="Library to search (default: the input).")
]


_SETTINGS: dict[str, tuple[str, Any]] = {
    "seed": ("training.seed", Seed),
    "budget": ("training.budget", Budget),
    "split": ("data.split", Split),
    "hold_out": ("data.hold_out", HoldOut),
    "task": ("task.kind", Task),
    "cell": ("model.cell", Cell),
    "attention": ("model.attention", Attention),
    "order": ("model.order", Order),
    "smoothing": ("model.smoothing", Smoothing),
    "hidden_size": ("model.hidden_size", HiddenSize),
    "num_layers": ("model.num_layers", NumLayers),
    "embedding_size": ("model.embedding_size", EmbeddingSize),
    "bidirectional": ("model.bidirectional", Bidirectional),
    "dropout": ("model.dropout", Dropout),
    "batch_size": ("training.batch_size", BatchSize),
    "seq_len": ("training.seq_len", SeqLen),
    "learning_rate": ("training.learning_rate", LearningRate),
    "min_count": ("data.min_count", MinCount),
    "init": ("init.model", Init),
    "extend_vocabulary": ("init.extend_vocabulary", Extend),
    "device": ("training.device", Device),
    "precision": ("training.precision", Precision),
    "lanes": ("training.lanes", Lanes),
    "memory": ("memory.enabled", Memory),
    "memory_budget": ("memory.budget", MemoryBudget),
    "memory_effort": ("memory.effort", Effort),
    "save_memory": ("memory.save", SaveMemory),
    "blast": ("search.backend", Blast),
    "against": ("search.against", Against),
}
"""Options that stand for a setting: its key, and what they take; all but flags are None unless
they are given."""


def launcher(only_train: bool) -> Callable[..., None]:
    """The body of ``run`` or of ``train``: the same options, read the same way."""

    def launch(
        ctx: typer.Context,
        pipeline: Pipeline,
        more: More = None,
        inputs: Inputs = None,
        out: Out = None,
        resume: Resume = False,
        sample_every: SampleEvery = None,
        settings: Set = None,
        open_: Open = False,
        json_: Json = False,
        quiet: Quiet = False,
        verbose: Verbose = False,
        **named: Any,
    ) -> None:
        folder_named(out)
        chosen = chosen_of(named) | assignments(settings or [])
        files = [*(inputs or []), *(more or [])]
        if pipeline == ALL and not only_train:
            run_every_recipe(files, chosen, out, quiet, verbose, json_)
            return
        if run_as_experiment(pipeline, files, chosen, out, quiet, verbose, json_, open_):
            return
        paths, options = parted(ctx, pipeline, more or [])
        await_stdin(pipeline, inputs, paths, named["against"], named["init"])
        chosen |= {f"domain_options.{key}": value for key, value in options.items()}
        named_inputs = (*(inputs or []), *paths)
        if not only_train and run_as_sweep(
            pipeline, named_inputs, chosen, out, quiet, verbose, json_, open_
        ):
            return
        if chosen.get("search.backend") == "ebi":  # asked now, and not after hours of training
            from seqforge.cli.config import settle

            settle("Sending the samples of a run to EMBL-EBI")
        order = _order(pipeline, named_inputs, chosen, out, resume, only_train, sample_every)
        if open_ and only_train:
            raise ConfigError("train writes no page to open; run does")
        _run(order, quiet or json_, verbose, json_, open_)

    return with_settings(launch)


def with_settings(
    launch: Callable[..., None], before: str = "sample_every", without: Collection[str] = ()
) -> Callable[..., None]:
    """The function with an option for each setting, but some, in the place of its ``named``.

    They stand before one of its own in the help.
    """
    hints = get_type_hints(launch, include_extras=True)
    own = signature(launch).parameters
    parameters = [
        one.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[name])
        for name, one in own.items()
        if name != "named"
    ]
    place = list(own).index(before)
    parameters[place:place] = [
        Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            default=False if kind in (Extend, SaveMemory) else None,
            annotation=kind,
        )
        for name, (_, kind) in _SETTINGS.items()
        if name not in without
    ]
    launch.__dict__["__signature__"] = Signature(parameters)
    launch.__annotations__ = {one.name: one.annotation for one in parameters}
    return launch


def chosen_of(named: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that options were given for, by their keys."""
    against = named["against"]
    values = {
        **named,
        "lanes": _lanes(named["lanes"]),
        "extend_vocabulary": named["extend_vocabulary"] or None,
        "save_memory": named["save_memory"] or None,
        "against": list(map(_place, against)) if against else None,
    }
    return given({_SETTINGS[name][0]: value for name, value in values.items()})


def _order(
    pipeline: str, inputs: tuple[str, ...], chosen: dict[str, Any], out: Path | None, resume: bool,
    only_train: bool, sample_every: str | None,
) -> RunRequest:  # fmt: skip
    from seqforge.runs.request import RunRequest

    return RunRequest(
        pipeline, inputs, chosen, out, resume, command_line(), only_train, sample_every
    )


def _run(order: RunRequest, quiet: bool, verbose: bool, json_: bool, open_: bool) -> None:
    from seqforge.core.training.distributed import joined_process_group

    with joined_process_group() as ranks:
        if ranks.rank == 0:
            folder = _lead(order, ranks, quiet, verbose, json_)
            if open_:
                open_page(folder.page)
            return
        from seqforge.runs.worker import run_worker

        try:
            finished = run_worker(ranks)
        except KeyboardInterrupt:  # before training began; rank 0 says so
            finished = False
    if not finished:
        raise typer.Exit(STOPPED)


def _lead(order: RunRequest, ranks: Ranks, quiet: bool, verbose: bool, json_: bool) -> RunFolder:
    """Do what was asked, and say how it went: what one process alone does, or the first."""
    from seqforge.cli.progress import make_watcher
    from seqforge.runs.pipeline import run
    from seqforge.runs.request import Interrupted

    watcher = make_watcher(quiet, verbose, samples=order.sample_every is not None)
    try:
        folder = run(order, watcher, ranks)
    except Interrupted as stopped:
        watcher.close()
        say_stopped(order, stopped.folder)
        raise typer.Exit(STOPPED) from None
    finally:
        watcher.close()
    if json_:
        echo_data(folder.summary.read_text(encoding="utf-8"), nl=False)
    else:
        tell(folder)
    return folder


def parted(ctx: typer.Context, pipeline: str, more: list[str]) -> tuple[list[str], dict[str, Any]]:
    """Part what was typed behind the pipeline into inputs and options of its domain."""
    if not any(argument.startswith("-") and argument != "-" for argument in more):
        return more, {}
    from seqforge.registry import option_types
    from seqforge.runs.recipes import find_recipe

    known = [flag for parameter in ctx.command.params for flag in parameter.opts]
    types = option_types(str(find_recipe(pipeline).settings["domain"]))
    return extra_arguments(more, types, known)


def _place(library: str) -> str:
    """How a library is written down: a pipe as it is, anything else as a whole path."""
    return library if is_piped(library) else str(Path(library).absolute())


def _lanes(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdecimal() and text.isascii() else text


app.command("run", context_settings=LENIENT, help=(
    "Read, train, score, sample, search and report: from files to a page.\n\n"
    "After a stop at any moment the same command resumes; without --out, the unfinished run under "
    "runs/ that it began.\n\n"
    "Options of the domain (see `seqforge domains`) may be given too: --strands forward, --bytes."
))(launcher(only_train=False))  # fmt: skip

app.command(
    "train",
    context_settings=LENIENT,
    help="Train and score a model, without samples and report.",
)(launcher(only_train=True))
