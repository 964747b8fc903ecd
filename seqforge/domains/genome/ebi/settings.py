"""The settings file in; e-mail address, database and service URL for EMBL-EBI out."""

from __future__ import annotations

import os
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from seqforge.base.user_settings import UserSettings
from seqforge.errors import ConfigError

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


def checked_email(address: str) -> str:
    """An e-mail address in, the same out if it is well-formed; the service checks its domain.

    Raises:
        ValueError: If it is not well-formed.
    """
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"{address!r} is not an e-mail address; write it as name@example.org")
    return address


def checked_url(address: str) -> str:
    """A service URL in, the same out if it is https (or http on this machine).

    Raises:
        ValueError: If it is neither: sequences would be sent unencrypted, or nowhere.
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    at_home = host in ("localhost", "127.0.0.1", "::1")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and at_home)):
        raise ValueError(f"{address!r} is not the address of a service; write https://host/path")
    return address


class EbiSettings(UserSettings):
    """Settings of searches at EMBL-EBI; None: not set."""

    email: Annotated[str, AfterValidator(checked_email)] | None = None
    """Sent with every search at EMBL-EBI; storing it is standing consent to send sequences
    there."""
    database: Annotated[str, Field(min_length=1)] | None = None
    """Default database at EMBL-EBI."""
    base_url: Annotated[str, AfterValidator(checked_url)] | None = None
    """Address of the service, if not EMBL-EBI's own."""


def email_address() -> str | None:
    """The e-mail address from ``SEQFORGE_EMAIL``, else from the settings; None if there is none.

    Raises:
        ConfigError: If it is not well-formed, or the settings cannot be read.
    """
    named = os.environ.get("SEQFORGE_EMAIL")
    try:
        return checked_email(named) if named else EbiSettings.load().email
    except ValueError as error:
        raise ConfigError(f"SEQFORGE_EMAIL: {error}") from error
