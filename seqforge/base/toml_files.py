"""A TOML file in, its tables out, with every mishap as one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqforge.errors import ConfigError

_MOST = 256_000_000  # bytes; the config of a run lists all its files


def read_toml(path: Path, what: str = "a recipe") -> dict[str, Any]:
    """The tables of a TOML file.

    Args:
        path: A plain file.
        what: What it is to be, for messages.

    Raises:
        ConfigError: If it is missing or is not TOML; names the line.
    """
    import tomllib

    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST + 1)
        if len(data) > _MOST:
            raise ConfigError(f"{path}: is too large for {what}; is it another kind of file?")
        return tomllib.loads(data.decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read as {what} ({error.strerror or error})"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: cannot be read as {what}: byte 0x{error.object[error.start]:02x} at offset "
            f"{error.start} is not UTF-8, and a text file in TOML is wanted"
        ) from error
    except RecursionError as error:
        raise ConfigError(f"{path}: is not TOML: tables or lists are nested too deep") from error
    except ValueError as error:  # tomllib's own, and numbers of thousands of digits
        raise ConfigError(f"{path}: is not TOML: {str(error).partition(';')[0]}") from error
