"""The settings file of a user in, checked values (e-mail address, database, service URL) out."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

import platformdirs
import tomli_w
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from seqforge.base.atomic_files import read_toml, replacing
from seqforge.base.messages import did_you_mean
from seqforge.base.paths import target_of
from seqforge.errors import ConfigError

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


def checked_email(address: str) -> str:
    """An address that can be one; the service asks the domain's name server as well.

    Raises:
        ValueError: If it cannot.
    """
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"{address!r} is no e-mail address; write it as name@example.org")
    return address


def checked_url(address: str) -> str:
    """The address of a service: https, or http on this machine alone.

    Raises:
        ValueError: If it is none; sequences would travel in the clear, or nowhere.
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    at_home = host in ("localhost", "127.0.0.1", "::1")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and at_home)):
        raise ValueError(f"{address!r} is no address of a service; write https://host/path")
    return address


class Settings(BaseModel):
    """Values that stand until they are changed; None: not settled."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: Annotated[str, AfterValidator(checked_email)] | None = None
    """Sent with every search at EMBL-EBI; that it stands here is a standing yes to sending
    sequences there."""
    database: Annotated[str, Field(min_length=1)] | None = None
    """Searched at EMBL-EBI where nothing else is said."""
    base_url: Annotated[str, AfterValidator(checked_url)] | None = None
    """Where the service is, if not at EMBL-EBI's own address."""

    @classmethod
    def load(cls) -> Self:
        """What is settled; nothing where there is no file.

        Raises:
            ConfigError: If the file cannot be used.
        """
        path = settings_file()
        try:
            if not path.exists():
                return cls()
            return cls.model_validate(read_toml(path, "settings"))
        except (OSError, ConfigError) as error:
            raise ConfigError(f"{error}; mend or remove it") from error
        except ValidationError as error:
            raise ConfigError(f"{path}: {_problem(error)}; mend or remove it") from error

    def with_value(self, key: str, value: str | None) -> Self:
        """The same with one value changed; None takes it away.

        Raises:
            ConfigError: If there is no such setting, or the value does not fit.
        """
        if key not in type(self).model_fields:
            raise ConfigError(
                f"there is no setting {key}; there are {', '.join(self.names())}"
                + did_you_mean(key, self.names())
            )
        try:
            return type(self).model_validate({**self.model_dump(), key: value})
        except ValidationError as error:
            raise ConfigError(_problem(error)) from error

    @classmethod
    def names(cls) -> list[str]:
        """All settings there are."""
        return list(cls.model_fields)

    def save(self) -> Path:
        """Keep them; returns the file, which only its owner may read.

        Raises:
            ConfigError: If the folder cannot be written.
        """
        path = settings_file()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target_of(path).path, private=True) as stream:
                stream.write(tomli_w.dumps(self.model_dump(exclude_none=True)).encode())
        except OSError as error:
            raise ConfigError(
                f"{path}: cannot be written ({error.strerror or error}); set SEQFORGE_CONFIG to "
                "a folder of yours"
            ) from error
        return path


def _problem(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(map(str, first["loc"]))
    return f"{key}: {first['msg'].removeprefix('Value error, ')}"


def email_address() -> str | None:
    """What a service is told: ``SEQFORGE_EMAIL``, else what is settled; None for nothing.

    Raises:
        ConfigError: If it is no address, or the settings cannot be used.
    """
    named = os.environ.get("SEQFORGE_EMAIL")
    try:
        return checked_email(named) if named else Settings.load().email
    except ValueError as error:
        raise ConfigError(f"SEQFORGE_EMAIL: {error}") from error


def settings_file() -> Path:
    """Where they stand: in ``SEQFORGE_CONFIG``, else in the user's configuration folder."""
    named = os.environ.get("SEQFORGE_CONFIG")
    folder = Path(named) if named else platformdirs.user_config_path("seqforge")
    return folder / "settings.toml"
