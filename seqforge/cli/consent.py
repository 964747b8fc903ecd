"""Whether sequences may leave the machine, and in whose name: never without a yes."""

from __future__ import annotations

import sys

import typer

from seqforge.errors import ConfigError
from seqforge.settings import Settings, checked_email, email_address


def sender(given: str | None, yes: bool, leaving: str) -> str:
    """The address that a service is told, once the person has agreed to what leaves the machine.

    An address in the settings is a standing yes. One that was given (as an option, in the
    environment) is asked about on a terminal unless ``yes``; where nobody can be asked it was given
    for this. One that was typed in answer is kept in the settings.

    Args:
        given: The value of ``--email``.
        yes: Whether ``--yes`` was given.
        leaving: What leaves, and where to, as a person reads it.

    Raises:
        ConfigError: If there is no address, or the person says no.
    """
    settings, asked = Settings.load(), sys.stdin.isatty() and sys.stderr.isatty()
    address = _checked(given) if given else email_address()
    if address is None:
        if not asked:
            raise ConfigError(
                f"{leaving} needs an e-mail address, which the service asks for: give --email "
                f"(or SEQFORGE_EMAIL, or once and for all `seqforge config set email ...`); or "
                "search at home with --against FASTA, which sends nothing"
            )
        return _typed(leaving, settings)
    if asked and not yes and address != settings.email:
        typer.echo(f"{leaving}, in the name of {address}.", err=True)
        if not typer.confirm("Send them?", err=True):
            raise ConfigError("nothing was sent; --against FASTA searches at home")
    return address


def _typed(leaving: str, settings: Settings) -> str:
    typer.echo(
        f"{leaving}. The service asks for an e-mail address; giving one is a yes to sending "
        "sequences there, now and later (`seqforge config unset email` takes it back).",
        err=True,
    )
    answer = typer.prompt("e-mail (empty: send nothing)", default="", show_default=False, err=True)
    if not answer:
        raise ConfigError("nothing was sent; --against FASTA searches at home")
    address = _checked(answer.strip())
    settings.with_value("email", address).save()
    return address


def _checked(address: str) -> str:
    try:
        return checked_email(address)
    except ValueError as error:
        raise ConfigError(f"--email: {error}") from error
