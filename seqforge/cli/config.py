"""``seqforge config``: what is settled once for all searches."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from seqforge.cli.app import app
from seqforge.cli.options import Json
from seqforge.cli.stdout import echo

config = typer.Typer(
    help="Show, set and remove what is settled for all searches: e-mail, database.",
    invoke_without_command=True,
)
app.add_typer(config, name="config")

Key = Annotated[str, typer.Argument(metavar="KEY", help="One of: email, database, base_url.")]


@config.callback()
def root(ctx: typer.Context, json_: Json = False) -> None:
    """Show what is settled where nothing else is asked for."""
    if ctx.invoked_subcommand is None:
        show(json_)


@config.command()
def show(json_: Json = False) -> None:
    """Show what is settled, and where it stands."""
    from seqforge.settings import Settings, settings_file

    values = Settings.load().model_dump()
    if json_:
        echo(json.dumps({"file": str(settings_file()), **values}))
        return
    for key, value in values.items():
        echo(f"{key:<10} {'(not set)' if value is None else value}")
    echo(str(settings_file()))


@config.command("set")
def set_value(key: Key, value: Annotated[str, typer.Argument(help="What it is to be.")]) -> None:
    """Set a value; an e-mail is a standing yes to sending sequences to EMBL-EBI."""
    from seqforge.settings import Settings

    path = Settings.load().with_value(key, value).save()
    echo(f"{key} is {value} now; it stands in {path}")


@config.command()
def unset(key: Key) -> None:
    """Remove a value."""
    from seqforge.settings import Settings

    path = Settings.load().with_value(key, None).save()
    echo(f"{key} is not set any more in {path}")
