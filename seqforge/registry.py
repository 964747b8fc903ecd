"""A name in, a domain out, through entry points; listing names imports none."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, get_type_hints

from pydantic import ValidationError

from seqforge.base.messages import did_you_mean, first_problem, shortened, shown
from seqforge.core.config import RunConfig
from seqforge.core.data.domain import Domain, Searches
from seqforge.errors import ConfigError, DomainError

GROUP = "seqforge.domains"


def installed() -> dict[str, EntryPoint]:
    """Entry points of the installed domains by name, in alphabetical order."""
    return dict(_installed_on(tuple(sys.path)))


@lru_cache(maxsize=1)  # a command asks ten times, and all packages are read for an answer
def _installed_on(path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """Places of packages in, their domains out."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda p: p.name)}


def domain_class(name: str) -> type[Any]:
    """A domain's name in, its class out.

    Raises:
        DomainError: If none has this name, or its package fails to load.
    """
    points = installed()
    if name not in points:
        known = ", ".join(points) or "none at all: install seqforge with pip"
        raise DomainError(
            f"{shown(name, 60)} is not an installed domain; installed: {known}"
            + did_you_mean(name, points)
        )
    try:
        found: type[Any] = points[name].load()
    except (ImportError, AttributeError) as error:
        raise DomainError(
            f"the domain {name!r} ({points[name].value}) cannot be loaded: {error}"
        ) from error
    return found


def load_domain(name: str, options: Mapping[str, Any] | None = None) -> Domain:
    """A domain's name and options in, the domain out.

    Raises:
        DomainError: If it is missing or fails to load.
        ConfigError: If it does not take the options.
    """
    try:
        domain: Domain = domain_class(name)(**(options or {}))
    except ValidationError as error:
        problem = first_problem(error)
        known = ", ".join(option_types(name)) or "none"
        raise ConfigError(f"domain {name}: {problem}; its options: {known}") from error
    except TypeError as error:
        raise ConfigError(f"domain {name}: {shortened(str(error))}") from error
    return domain


def with_search_options(config: RunConfig, where: str) -> RunConfig:
    """The config with the table ``[search]`` as its domain reads it, all values filled in.

    A domain that searches nothing reads nothing of it.

    Raises:
        ConfigError: With ``where``, the key and what was wanted.
        DomainError: If the domain is missing or fails to load.
    """
    found = domain_class(config.domain)
    if not issubclass(found, Searches):
        return config.model_copy(update={"search": {}})
    options = found.search_options()
    try:
        searched = options.model_validate(config.search).model_dump()
    except ValidationError as error:
        problem = first_problem(error, list(options.model_fields))
        raise ConfigError(f"{where}: search.{problem}") from error
    return config.model_copy(update={"search": searched})


def option_types(name: str) -> dict[str, Any]:
    """A domain's name in, its options and their types out.

    Raises:
        DomainError: If it is missing or fails to load.
    """
    found = domain_class(name)
    if not dataclasses.is_dataclass(found):
        return {}
    hints = get_type_hints(found)
    return {field.name: hints.get(field.name, str) for field in dataclasses.fields(found)}


def options_for_files(options: Mapping[str, Any]) -> dict[str, Any]:
    """A model's domain options in, those for reading other files than its training files out.

    What those were written in says nothing of these.
    """
    return {name: value for name, value in options.items() if name != "encoding"}


def package_version(name: str) -> str:
    """The version of a domain's package; empty if it has none."""
    point = installed().get(name)
    return point.dist.version if point is not None and point.dist is not None else ""


def options_of(domain: Domain) -> dict[str, Any]:
    """A domain in, its options as plain values out."""
    return {name: getattr(domain, name) for name in option_types(domain.name)}
