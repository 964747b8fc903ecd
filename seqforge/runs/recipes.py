"""A recipe (TOML, shipped or own) in, the settings and inputs of a run out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from seqforge.base.atomic_files import read_toml
from seqforge.base.messages import did_you_mean, shown
from seqforge.base.paths import STDIN, is_piped, recipe_folder, spooled
from seqforge.core.cells.catalogue import NGRAM
from seqforge.core.config import RunConfig, with_setting
from seqforge.core.model_config import NGRAM_SETTINGS
from seqforge.errors import ConfigError
from seqforge.registry import installed, with_search_options

Settings = Mapping[str, object]
"""Settings under their dotted keys, unchecked."""

_ABOUT = (
    "description",
    "inputs",
    "note",
    "made",
    "sweep",
    "wants",
    "beside",
    "source",
    "small",
)  # beside its settings
_EXPERIMENTS = "experiments"
_LONGEST = 200  # bytes of a name: a file system takes 255, and the time is put behind it
_SHOWN = 40


@dataclass(frozen=True)
class Recipe:
    """A recipe, before command-line options are applied."""

    name: str
    where: str
    """The file, for messages."""
    settings: dict[str, object] = field(default_factory=dict)
    """Tables of settings, unchecked."""
    inputs: tuple[str, ...] = ()
    """Paths; relative ones are resolved from the recipe's folder."""
    description: str = ""
    note: str = ""
    """For the model's card: source and licence of the data."""
    wants: tuple[str, ...] = ()
    """Names of the files or folders that it is made for, where they do not ship."""
    beside: dict[str, str] = field(default_factory=dict)
    """Settings that are files, too, and their names."""
    source: str = ""
    """Where a person gets them, in words."""
    sweep: dict[str, object] | None = None
    """Table ``[sweep]``, unchecked: a recipe that has one is run as a sweep."""

    def with_settings(self, settings: Settings) -> Recipe:
        """The recipe with some settings changed, each under its dotted key."""
        changed = _copied(self.settings)
        for key, value in settings.items():
            with_setting(changed, key, value)
        if _table(changed, "model").get("cell") == NGRAM:
            _check_counted(settings)
            if "model.cell" in settings:  # a recipe for a network gives way
                own = ("cell", *NGRAM_SETTINGS)
                table = _table(changed, "model").items()
                changed["model"] = {key: value for key, value in table if key in own}
        where = f"{self.name} with the options given" if settings else self.where
        return replace(self, settings=changed, where=where)

    def config(self) -> RunConfig:
        """The settings, checked.

        Raises:
            ConfigError: Naming the key and what was wanted.
        """
        return with_search_options(RunConfig.of(self.settings, self.where), self.where)


_OF_TRAINING = ("model.", "training.", "memory.", "init.")
_COUNTED = {f"model.{name}" for name in ("cell", *NGRAM_SETTINGS)} | {"training.seed"}


def _check_counted(settings: Settings) -> None:
    """Refuse settings of networks and their training for an n-gram model.

    Raises:
        ConfigError: Names them, and those that it has.
    """
    if settings.get("init.model") is not None:
        raise ConfigError(
            "an n-gram model counts its training data and begins from no other model; leave out "
            "--init"
        )
    off = {"memory.enabled": False}  # asks for what is so anyway
    strange = [
        key.partition(".")[2]
        for key, value in settings.items()
        if key.startswith(_OF_TRAINING) and key not in _COUNTED and off.get(key) != value
    ]
    if strange:
        names = " or ".join(_OPTIONS.get(name, name) for name in strange)
        raise ConfigError(
            f"an n-gram model is counted, not trained, and has no {names}; it has "
            f"{' and '.join(NGRAM_SETTINGS)}"
        )


_OPTIONS = {"enabled": "memory", "save": "memory"}  # what a person gave for these keys


def _table(settings: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = settings.get(name)
    return found if isinstance(found, dict) else {}


def find_recipe(name: str) -> Recipe:
    """A path, a name or a domain in, the recipe out.

    Raises:
        ConfigError: If there is none.
    """
    path = Path(name)
    if is_piped(name):
        return read_recipe(spooled(path), named=Path("recipe.toml"))
    if path.suffix == ".toml":
        return read_recipe(path)
    ours = recipe_folder() / f"{name}.toml"
    if ours.is_file():
        return read_recipe(ours)
    if name in installed():
        return Recipe(name, f"domain {name}", {"domain": name})
    known = sorted({*recipe_names(), *experiment_names(), *installed()})
    raise ConfigError(
        f"{shown(name, 60)} is neither a pipeline nor a recipe; there are {', '.join(known)}, or "
        f"give a path that ends in .toml{did_you_mean(name, known)}"
    )


def recipe_names() -> list[str]:
    """Names of the recipes that ship; those of experiments are `experiment_names`."""
    return sorted(path.stem for path in recipe_folder().glob("*.toml"))


def experiment_names() -> list[str]:
    """Names of the recipes that ship, of experiments: many small trainings and one page."""
    return sorted(path.stem for path in (recipe_folder() / _EXPERIMENTS).glob("*.toml"))


def experiment_path(name: str) -> Path:
    """Where a shipped experiment's recipe is, if there is one of this name."""
    return recipe_folder() / _EXPERIMENTS / f"{name}.toml"


def read_recipe(path: Path, named: Path | None = None) -> Recipe:
    """A recipe file in, the recipe out; a piped one is treated as the file ``named``.

    Raises:
        ConfigError: If it cannot be read or says something unknown about itself.
    """
    return recipe_of(read_toml(path), named or path)


def recipe_of(document: Mapping[str, object], path: Path) -> Recipe:
    """A recipe from the tables of its file.

    Raises:
        ConfigError: If it says something unknown about itself.
    """
    settings = {key: value for key, value in document.items() if key not in _ABOUT}
    about = {key: document[key] for key in _ABOUT if key in document}
    inputs = about.get("inputs", [])
    if not isinstance(inputs, list) or not all(isinstance(item, str) for item in inputs):
        raise ConfigError(f"{path}: inputs: a list of paths is wanted (got {shown(inputs)})")
    if "domain" not in settings:
        raise ConfigError(f'{path}: domain: is missing; name one, such as domain = "text"')
    return Recipe(
        name=_name(path, about.get("made")),
        where=str(path),
        settings=settings,
        inputs=tuple(_seen_from(path.parent, item) for item in inputs),
        description=str(about.get("description", "")),
        note=str(about.get("note", "")),
        wants=tuple(map(str, wants)) if isinstance(wants := about.get("wants", ()), list) else (),
        beside=_texts(about.get("beside")),
        source=str(about.get("source", "")),
        sweep=_sweep(about.get("sweep"), path),
    )


def _texts(table: object) -> dict[str, str]:
    items = table.items() if isinstance(table, dict) else ()
    return {str(key): str(value) for key, value in items}


def _sweep(table: object, path: Path) -> dict[str, object] | None:
    if table is None or isinstance(table, dict):
        return table
    raise ConfigError(f"{path}: sweep: a table is wanted (got {shown(table)})")


def _seen_from(folder: Path, item: str) -> str:
    return item if item == STDIN else str(folder / os.path.expanduser(item))


def _name(path: Path, made: object) -> str:
    """The recipe's name; the config of a run is a recipe too, and goes by the pipeline's.

    Runs are called after it, so it is one that a folder can have.
    """
    found = made if isinstance(made, dict) else {}
    said, name = "pipeline" in found, found.get("pipeline", path.stem)
    if (
        isinstance(name, str)
        and name.isprintable()
        and name.strip()
        and not name.startswith(".")
        and not set(name) & {"/", "\\"}
        and len(name.encode()) <= _LONGEST
    ):
        return name
    shown = ascii(name)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    where = "made.pipeline: " if said else ""
    raise ConfigError(
        f"{path}: {where}{shown} is not a valid name for a run; give letters, digits and -, "
        f"{_LONGEST} bytes at most"
    )


def _copied(settings: dict[str, object]) -> dict[str, object]:
    return {k: _copied(v) if isinstance(v, dict) else v for k, v in settings.items()}
