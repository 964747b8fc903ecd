"""``KEY=64..512`` or ``KEY=a,b,c`` in, the values that a sweep may give a setting out."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, PositiveInt, ValidationError

from seqforge.base.messages import first_problem, shown
from seqforge.core.config import STRICT, RunConfig, renamed
from seqforge.errors import ConfigError
from seqforge.registry import option_types
from seqforge.runs.recipes import Recipe
from seqforge.runs.request import normal

Choice = str | int | float | bool | None
"""A value of a setting."""

_FORM = "write KEY=a,b,c or KEY=lo..hi, such as training.learning_rate=1e-3..1e-2"
_DIGITS = 3  # of a number that is drawn: it is typed again by hand
_DECADE = 10.0  # from which ratio of its ends on a range is drawn by its logarithm


@dataclass(frozen=True)
class Choices:
    """One of several values."""

    key: str
    values: tuple[Choice, ...]

    @property
    def count(self) -> int | None:
        """How many values there are; None: too many to count."""
        return len(self.values)

    def grid(self) -> Sequence[Choice]:
        """All values."""
        return self.values

    def rounded(self, value: Any) -> Any:
        """A drawn value in, the value that is taken out."""
        return value

    def has(self, value: object) -> bool:
        """Whether a value may be drawn."""
        return value in self.values

    def __str__(self) -> str:
        return ",".join(one if isinstance(one, str) else json.dumps(one) for one in self.values)


@dataclass(frozen=True)
class Interval:
    """A number between two, both of which may be drawn."""

    key: str
    low: float
    high: float
    whole: bool
    """Whether only whole numbers are drawn."""
    log: bool
    """Whether it is drawn by its logarithm."""
    multiple: int = 1
    """Whole numbers are multiples of it."""

    @property
    def values(self) -> tuple[Choice, ...]:
        """Both ends, in which all that the schema refuses shows."""
        return (self._typed(self.low), self._typed(self.high))

    @property
    def count(self) -> int | None:
        """How many values there are; None: too many to count."""
        if self.low == self.high:
            return 1
        return len(self.grid()) if self.whole else None

    def grid(self) -> Sequence[Choice]:
        """All values, of whole numbers."""
        first = math.ceil(self.low / self.multiple) * self.multiple
        return range(first, int(self.high) + 1, self.multiple)

    def rounded(self, value: float) -> float:
        """A drawn value in, the value that is taken out."""
        if self.whole:
            value = round(value / self.multiple) * self.multiple
        else:
            value = float(f"{value:.{_DIGITS}g}")
        return self._typed(min(self.high, max(self.low, value)))

    def has(self, value: object) -> bool:
        """Whether a value may be drawn."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= float(str(value)) <= self.high

    def _typed(self, value: float) -> float:
        return int(value) if self.whole else float(value)

    def __str__(self) -> str:
        return f"{self._typed(self.low)}..{self._typed(self.high)}"


Range = Choices | Interval

DEFAULT_RANGES: tuple[Range, ...] = (
    Interval("model.hidden_size", 64, 512, whole=True, log=True, multiple=16),
    Interval("model.num_layers", 1, 3, whole=True, log=False),
)
"""What is swept unless something else is named: the size of the network."""


class SweepTable(BaseModel):
    """Table ``[sweep]`` of a recipe: what ``seqforge run`` does with it is a sweep."""

    model_config = STRICT

    trials: PositiveInt = 20
    ranges: dict[str, str] = {}
    """By key, as after ``--set-range KEY=``."""

    @classmethod
    def of(cls, recipe: Recipe) -> SweepTable:
        """A recipe in, its table out, or what stands for one.

        Raises:
            ConfigError: If there is something else in it.
        """
        try:
            return cls.model_validate(recipe.sweep or {})
        except ValidationError as error:
            raise ConfigError(f"{recipe.where}: sweep.{first_problem(error)}") from error


def ranges_of(texts: Sequence[str], recipe: Recipe, fixed: Mapping[str, object]) -> list[Range]:
    """What was typed in, the range of each swept key out.

    Args:
        texts: Of ``--set-range``, each ``KEY=...``.
        recipe: With all other settings as asked for.
        fixed: Settings that were given a value: their keys are swept only if a range is given.

    Raises:
        ConfigError: If a key is unknown or settled, a range empty, or a value refused.
    """
    table = [f"{key}={text}" for key, text in SweepTable.of(recipe).ranges.items()]
    standing = {one.key: one for one in DEFAULT_RANGES} | _by_key(table, recipe)
    named = _by_key(texts, recipe)
    for key in named.keys() & fixed.keys():
        raise ConfigError(f"--set-range {key}: it was given a value too; leave one of both out")
    found = {key: one for key, one in standing.items() if key not in fixed} | named
    if not found:
        raise ConfigError("every range has a value given; name another with --set-range KEY=lo..hi")
    for one in found.values():
        _check(one, recipe)
    return list(found.values())


def _by_key(texts: Sequence[str], recipe: Recipe) -> dict[str, Range]:
    return {one.key: one for one in (_parsed(text, recipe) for text in texts)}


def _parsed(text: str, recipe: Recipe) -> Range:
    key, equals, said = (part.strip() for part in text.partition("="))
    if not equals or not key:
        raise ConfigError(f"--set-range {text}: {_FORM}")
    key = _present_name(key)
    low, dots, high = said.partition("..")
    if dots:
        return _interval(key, said, _number(key, low, said), _number(key, high, said), recipe)
    values = [_value(item.strip()) for item in said.split(",") if item.strip()]
    if not values:
        raise ConfigError(f"--set-range {key}: the range is empty; {_FORM}")
    return Choices(key, tuple(dict.fromkeys(values)))


def _present_name(key: str) -> str:
    table, dot, name = key.partition(".")
    return f"training.{next(iter(renamed({name: 0})))}" if table == "training" and dot else key


def _value(text: str) -> Choice:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(found, list | dict) else found


def _number(key: str, text: str, said: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(
            f"--set-range {key}: {shown(text.strip(), 60)} is no number; {said[:60]!r} is read as "
            "lo..hi, two numbers"
        )
    return number


def _interval(key: str, said: str, low: float, high: float, recipe: Recipe) -> Interval:
    if low > high:
        raise ConfigError(
            f"--set-range {key}: the range {said[:60]} is empty; the lower end comes first"
        )
    kinds = _kinds(key, recipe)
    if kinds and not kinds & {int, float}:
        raise ConfigError(f"--set-range {key}: takes no number; name choices, {key}=a,b,c")
    whole = int in kinds if kinds and float not in kinds else not kinds and low == int(low)
    if whole and (low != int(low) or high != int(high)):
        raise ConfigError(f"--set-range {key}: whole numbers are wanted (got {said[:60]})")
    return Interval(key, low, high, whole, log=low > 0 and high / low >= _DECADE)


def _kinds(key: str, recipe: Recipe) -> set[type]:
    """The types that a setting may have; none where that is not known."""
    table, _, name = key.partition(".")
    if table == "domain_options":
        kind = option_types(str(recipe.settings["domain"])).get(name)
        return set() if kind is None else set(_plain(kind))
    kind = RunConfig
    for part in key.split("."):
        if not isinstance(kind, type) or not issubclass(kind, BaseModel):
            return set()
        field = kind.model_fields.get(part)
        if field is None:
            return set()
        kind = field.annotation
    return set(_plain(kind))


def _plain(kind: Any) -> Iterator[type]:
    """The types that an annotation is made of, None among them left out."""
    if get_origin(kind) is Annotated:
        yield from _plain(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for one in get_args(kind):
            yield from _plain(one)
    elif isinstance(kind, type) and kind is not type(None):
        yield kind


def _check(one: Range, recipe: Recipe) -> None:
    """Refuse a key or a value that the schema refuses.

    Raises:
        ConfigError: Naming the key and what is wanted.
    """
    normal(recipe)  # whatever is wrong with it is not the range's fault
    for value in one.values:
        changed = recipe.with_settings({one.key: value})
        try:
            normal(changed)
        except ConfigError as error:
            why = str(error).removeprefix(f"{changed.where}: ").removeprefix(f"{one.key}: ")
            raise ConfigError(f"--set-range {one.key}: {why}") from error


def allowed(recipe: Recipe, settings: Mapping[str, object]) -> bool:
    """Whether values of several ranges go together."""
    try:
        normal(recipe.with_settings(settings))
    except ConfigError:
        return False
    return True


def combinations(ranges: Sequence[Range]) -> int | None:
    """How many different settings there are; None: too many to count."""
    counts = [one.count for one in ranges]
    return None if None in counts else math.prod(count or 1 for count in counts)


def all_settings(ranges: Sequence[Range]) -> Iterator[dict[str, Choice]]:
    """All of them, one after the other, where they can be counted."""
    for values in itertools.product(*(one.grid() for one in ranges)):
        yield dict(zip((one.key for one in ranges), values, strict=True))
