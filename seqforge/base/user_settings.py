"""The settings file of a user in, checked values out: what stands until it is changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

import platformdirs
import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError

from seqforge.base.atomic_files import read_toml, replacing
from seqforge.base.messages import did_you_mean, first_problem
from seqforge.base.paths import target_of
from seqforge.errors import ConfigError


class UserSettings(BaseModel):
    """Values that stand until they are changed, None where one is not settled.

    Whoever has settings declares them in a class of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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
            raise ConfigError(
                f"{path}: {first_problem(error, cls.names())}; mend or remove it"
            ) from error

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
            raise ConfigError(first_problem(error)) from error

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


def settings_file() -> Path:
    """The settings file, in ``SEQFORGE_CONFIG`` or the user's configuration folder."""
    named = os.environ.get("SEQFORGE_CONFIG")
    folder = Path(named) if named else platformdirs.user_config_path("seqforge")
    return folder / "settings.toml"
