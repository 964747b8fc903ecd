"""A recipe's name or path in, the experiment that it asks for out, if it asks for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from seqforge.base.atomic_files import read_toml
from seqforge.base.messages import did_you_mean, first_problem, shown
from seqforge.base.paths import is_piped
from seqforge.errors import ConfigError
from seqforge.experiments.experiment import EXPERIMENTS, load_experiment
from seqforge.runs.recipes import experiment_names, experiment_path

_TABLE = "experiment"


@dataclass(frozen=True)
class ExperimentRecipe:
    """A recipe with a table ``[experiment]``."""

    name: str
    """Of the experiment."""
    values: Mapping[str, Any]
    """Its settings, unchecked."""
    where: str

    def settings(self, given: Mapping[str, Any], inputs: Sequence[str]) -> BaseModel:
        """The settings, checked.

        Args:
            given: Further ones, under their keys ``experiment.KEY``.
            inputs: Files; an experiment that reads some has the setting ``data``.

        Raises:
            ConfigError: Naming the setting and what was wanted.
        """
        values = dict(self.values)
        for key, value in given.items():
            table, _, name = key.partition(".")
            if table != _TABLE or not name:
                raise ConfigError(
                    f"{self.name} is an experiment and has no setting {shown(key, 60)}; give its "
                    f"own, such as --set experiment.{next(iter(self.values), 'seeds')}=..."
                )
            values[name] = value
        if inputs:
            values["data"] = [str(Path(path).absolute()) for path in inputs]
        where = f"{self.name} with the options given" if given or inputs else self.where
        return checked_settings(self.name, values, where)


def find_experiment(name: str) -> ExperimentRecipe | None:
    """A name, or the path of a recipe; None if it is none of an experiment.

    Raises:
        ConfigError: If the recipe cannot be read, or names an experiment that is not there.
    """
    if is_piped(name):
        return None
    path = Path(name) if name.endswith(".toml") else experiment_path(name)
    if not path.is_file():
        return None
    found = read_toml(path).get(_TABLE)
    if not isinstance(found, dict):
        return None
    values = dict(found)
    called = values.pop("name", path.stem)
    if called not in EXPERIMENTS:
        raise ConfigError(
            f"{path}: experiment.name: there is no experiment {shown(called)}; there are "
            f"{', '.join(EXPERIMENTS)}{did_you_mean(str(called), experiment_names())}"
        )
    return ExperimentRecipe(called, values, str(path))


def checked_settings(name: str, values: Mapping[str, Any], where: str) -> BaseModel:
    """An experiment's name and values in, its settings out.

    Raises:
        ConfigError: Naming the setting and what was wanted.
    """
    kind = load_experiment(name).SETTINGS
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problem = first_problem(error, list(kind.model_fields))
        raise ConfigError(f"{where}: experiment.{problem}") from error
