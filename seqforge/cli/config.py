"""seqforge config: settings of searches in, the settings file out. And a person is asked; out comes
whether sequences may be sent to EMBL-EBI, and in whose name.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from seqforge.cli.app import app
from seqforge.cli.console import asked, echo
from seqforge.cli.options import Json, Out, Quiet, Verbose
from seqforge.errors import ConfigError

if TYPE_CHECKING:
    from seqforge.domains.genome.ebi.settings import EbiSettings

config = typer.Typer(
    help="Show, set and remove settings of searches: e-mail, database.",
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
    """Show all settings if no subcommand is given."""
    asked(ctx, json_, out, quiet, verbose)
    if ctx.invoked_subcommand is None:
        show(ctx)


@config.command()
def show(
    ctx: typer.Context, json_: Json = False, out: Out = None, quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """Show the settings and their file."""
    from seqforge.base.user_settings import settings_file
    from seqforge.domains.genome.ebi.settings import EbiSettings

    found, values, file = (
        asked(ctx, json_, out, quiet, verbose),
        EbiSettings.load(),
        settings_file(),
    )
    lines = [f"{key:<10} {'(not set)' if value is None else value}" for key, value in values]
    if found.verbose:
        lines += [
            f"{key}={value}" for key, value in sorted(os.environ.items()) if key in _VARIABLES
        ]
    found.answer({"file": str(file), **values.model_dump()}, [*lines, str(file)])


@config.command("set")
def set_value(
    ctx: typer.Context, key: Key,
    value: Annotated[str, typer.Argument(help="New value.")], json_: Json = False,
    out: Out = None, quiet: Quiet = False, verbose: Verbose = False,
) -> None:  # fmt: skip
    """Set a value; an e-mail is standing consent to send sequences to EMBL-EBI."""
    from seqforge.domains.genome.ebi.settings import EbiSettings

    path = EbiSettings.load().with_value(key, value).save()
    sentence = f"{key} is {value} now; it stands in {path}"
    asked(ctx, json_, out, quiet, verbose).done({"file": str(path), key: value}, sentence)


@config.command()
def unset(
    ctx: typer.Context, key: Key, json_: Json = False, out: Out = None, quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """Remove a value."""
    from seqforge.domains.genome.ebi.settings import EbiSettings

    path = EbiSettings.load().with_value(key, None).save()
    sentence = f"{key} is not set any more in {path}"
    asked(ctx, json_, out, quiet, verbose).done({"file": str(path), key: None}, sentence)


Answer = TypeVar("Answer")


class NothingSent(ConfigError):
    """The user refused."""


def sender(given: str | None, yes: bool, leaving: str, standing: bool = True) -> str:
    """The e-mail address for a service, after consent to what is sent.

    An address in the settings is a standing yes. One that was given (as an option, in the
    environment) is asked about on a terminal unless ``yes``; where nobody can be asked it was given
    for this. One that was typed in answer is kept in the settings.

    Args:
        given: The value of ``--email``.
        yes: Whether ``--yes`` was given.
        leaving: What leaves, and where to, as a person reads it.
        standing: Whether the settings' yes holds there: it was given for EMBL-EBI.

    Raises:
        ConfigError: If there is no address, or the person says no.
    """
    from seqforge.domains.genome.ebi.settings import EbiSettings, email_address

    settings, there = EbiSettings.load(), can_ask()
    address = _checked(given) if given else email_address()
    if address is None:
        if not there:
            raise ConfigError(
                f"{leaving} needs an e-mail address, which the service asks for: give --email "
                f"(or SEQFORGE_EMAIL, or once and for all `seqforge config set email ...`); or "
                "search at home (--backend local, --against FASTA), which sends nothing"
            )
        return _typed(leaving, settings, standing)
    if there and not yes and not (standing and address == settings.email):
        echo(f"{leaving}, in the name of {address}.", err=True)
        if not _answered(lambda: typer.confirm("Send them?", err=True)):
            raise NothingSent("nothing was sent; --backend local searches at home")
    return address


def settle(leaving: str) -> None:
    """Make sure that the settings hold standing consent, which a run needs hours later; else ask.

    Raises:
        ConfigError: If there is none and nobody can be asked, or the person says no.
    """
    from seqforge.domains.genome.ebi.settings import EbiSettings

    settings = EbiSettings.load()
    if settings.email is not None:
        return
    if not can_ask():
        raise ConfigError(
            f"{leaving} needs an e-mail address in the settings, as standing consent: "
            "`seqforge config set email ...`"
        )
    _typed(leaving, settings)


def wanted_elsewhere(leaving: str, here: str) -> bool:
    """Ask whether to search locally or at EMBL-EBI.

    Args:
        leaving: What would leave, and where to.
        here: The library at home, in words.
    """
    echo(f"The search can be made here, in {here}; nothing is sent.", err=True)
    echo(f"Or at EMBL-EBI, in known sequence of all kinds: {leaving}.", err=True)
    places = {"here": False, "ebi": True}
    answer = ""
    while answer not in places:
        said: str = _answered(lambda: typer.prompt("Where (here or ebi)", "here", err=True))
        answer = said.strip().lower()
    return places[answer]


def can_ask() -> bool:
    """Whether a person can answer."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def _answered(ask: Callable[[], Answer]) -> Answer:
    """An answer; Ctrl-C stops the program as it does elsewhere."""
    try:
        return ask()
    except typer.Abort:
        raise KeyboardInterrupt from None


def _typed(leaving: str, settings: EbiSettings, remember: bool = True) -> str:
    when = (
        "now and later (`seqforge config unset email` takes it back)" if remember else "this once"
    )
    echo(
        f"{leaving}. The service asks for an e-mail address; giving one is a yes to sending "
        f"sequences there, {when}.",
        err=True,
    )
    answer: str = _answered(
        lambda: typer.prompt(
            "e-mail (empty: send nothing)", default="", show_default=False, err=True
        )
    )
    if not answer:
        raise NothingSent("nothing was sent; --backend local searches at home")
    address = _checked(answer.strip())
    if remember:
        settings.with_value("email", address).save()
    return address


def _checked(address: str) -> str:
    from seqforge.domains.genome.ebi.settings import checked_email

    try:
        return checked_email(address)
    except ValueError as error:
        raise ConfigError(f"--email: {error}") from error
