"""seqforge sweep: a recipe and ranges of its settings in, the best settings and a page out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seqforge.base.paths import folder_named
from seqforge.cli.app import app
from seqforge.cli.options import Json, Open, Out, Quiet, Verbose, assignments, command_line
from seqforge.cli.run import LENIENT, Inputs, More, Pipeline, Set, chosen_of, parted, with_settings
from seqforge.cli.sweep_run import run_sweep
from seqforge.errors import ConfigError

Trials = Annotated[
    int | None,
    typer.Option(
        min=1, max=10**6, metavar="N",
        help="Finished trials wanted, over all processes (default 20).",
    ),
]  # fmt: skip
SetRange = Annotated[
    list[str] | None,
    typer.Option(
        "--set-range", metavar="KEY=a,b,c|KEY=lo..hi",
        help="Sweep this setting too, or over this range; default: model.hidden_size=64..512 and "
        "model.num_layers=1..3.",
    ),
]  # fmt: skip
Storage = Annotated[
    str | None,
    typer.Option(
        metavar="sqlite:///FILE",
        help="Where trials are kept, for several processes (default: sweep.db in the folder).",
    ),
]
_NOT_HERE = ("blast", "against", "save_memory")
_SQLITE = "sqlite:///"


def launch(
    ctx: typer.Context,
    pipeline: Pipeline,
    more: More = None,
    inputs: Inputs = None,
    trials: Trials = None,
    set_range: SetRange = None,
    storage: Storage = None,
    out: Out = None,
    settings: Set = None,
    open_: Open = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    **named: Any,
) -> None:
    """The body of the command."""
    folder_named(out)
    chosen = chosen_of({**dict.fromkeys(_NOT_HERE), **named}) | assignments(settings or [])
    paths, options = parted(ctx, pipeline, more or [])
    chosen |= {f"domain_options.{key}": value for key, value in options.items()}
    from seqforge.runs.sweep.sweep import SweepRequest

    request = SweepRequest(
        pipeline, (*(inputs or []), *paths), chosen, tuple(set_range or []), trials,
        storage_named(storage), out, command_line(),
    )  # fmt: skip
    run_sweep(request, quiet, verbose, json_, open_)


def storage_named(text: str | None) -> Path | None:
    """``sqlite:///FILE``, or a file, in; its path out.

    Raises:
        ConfigError: For another kind of storage.
    """
    if text is None:
        return None
    path = text.removeprefix(_SQLITE)
    if not path or ":/" in path:
        raise ConfigError(f"--storage: sqlite:///FILE is wanted (got {text[:60]!r})")
    return Path(path)


app.command("sweep", context_settings=LENIENT, help=(
    "Train a recipe under many settings at equal budget: which size is best for my data?\n\n"
    "Several processes with the same command share the trials. After a stop at any moment the same "
    "command goes on."
))(with_settings(launch, before="settings", without=_NOT_HERE))  # fmt: skip
