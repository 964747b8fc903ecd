"""seqforge config: settings of searches in, the settings file out."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from seqforge.cli.app import app
from seqforge.cli.console import asked
from seqforge.cli.options import Json, Out, Quiet, Verbose

config = typer.Typer(
    help="Show, set and remove what is settled for all searches: e-mail, database.",
    invoke_without_command=True,
)
app.add_typer(config, name="config")

_VARIABLES = ("SEQFORGE_CACHE", "SEQFORGE_CONFIG", "SEQFORGE_EMAIL")
"""Of the surroundings, what comes before the settings."""

Key = Annotated[str, typer.Argument(metavar="KEY", help="One of: email, database, base_url.")]


@config.callback()
def root(
    ctx: typer.Context, json_: Json = False, out: Out = None, quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """Show what is settled where nothing else is asked for."""
    asked(ctx, json_, out, quiet, verbose)
    if ctx.invoked_subcommand is None:
        show(ctx)


@config.command()
def show(
    ctx: typer.Context, json_: Json = False, out: Out = None, quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """Show what is settled, and where it stands."""
    from seqforge.base.user_settings import Settings, settings_file

    found, values, file = asked(ctx, json_, out, quiet, verbose), Settings.load(), settings_file()
    lines = [f"{key:<10} {'(not set)' if value is None else value}" for key, value in values]
    if found.verbose:
        lines += [
            f"{key}={value}" for key, value in sorted(os.environ.items()) if key in _VARIABLES
        ]
    found.answer({"file": str(file), **values.model_dump()}, [*lines, str(file)])


@config.command("set")
def set_value(
    ctx: typer.Context, key: Key,
    value: Annotated[str, typer.Argument(help="What it is to be.")], json_: Json = False,
    out: Out = None, quiet: Quiet = False, verbose: Verbose = False,
) -> None:  # fmt: skip
    """Set a value; an e-mail is a standing yes to sending sequences to EMBL-EBI."""
    from seqforge.base.user_settings import Settings

    path = Settings.load().with_value(key, value).save()
    sentence = f"{key} is {value} now; it stands in {path}"
    asked(ctx, json_, out, quiet, verbose).done({"file": str(path), key: value}, sentence)


@config.command()
def unset(
    ctx: typer.Context, key: Key, json_: Json = False, out: Out = None, quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """Remove a value."""
    from seqforge.base.user_settings import Settings

    path = Settings.load().with_value(key, None).save()
    sentence = f"{key} is not set any more in {path}"
    asked(ctx, json_, out, quiet, verbose).done({"file": str(path), key: None}, sentence)
