"""The annotation of a field in, an option out: how it is given, and which values it may have."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo

from seqforge.base.messages import shown

NEVER: Any = object()
"""What no value is equal to."""

BEGIN, DRAW, STOP = "What to begin with", "How to draw", "Where to stop"
_KIND_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "True or False"}


@dataclass(frozen=True)
class Option:
    """How a field is given as an option: on the command line, from Python, in a conversation."""

    help: str
    name: str = ""
    """Of the argument, where it is not the field's."""
    panel: str | None = DRAW
    """Where the help shows it."""
    flags: tuple[str, ...] = ()
    """On the command line, where they are not made from the name."""
    metavar: str | None = None
    chat: tuple[str, ...] = ()
    """Names of its command in a conversation."""
    example: str = ""
    off: Any = NEVER
    """A value that means off, as the default does."""
    source: str = ""
    """Where it is described."""
    optional: bool = False
    """Whether None may be given, and stands for the default."""
    given: Any = None
    """Its type from Python, where it is not the field's."""
    like: str = ""
    """The field whose kind and bounds it has, where they are not its own."""
    default: Any = NEVER
    """The argument's, where it is not the field's."""
    parse: Callable[[Any], Any] | None = None
    """Reads what was typed."""
    negated: bool = False
    """Whether its flag switches it off."""
    bare: str | None = None
    """The value of a flag that stands without one."""


class Bounds(NamedTuple):
    """The interval that a number lies in; open where a limit does not belong to it."""

    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False

    @classmethod
    def of(cls, field: FieldInfo) -> Bounds:
        """The interval that the metadata of a field give."""
        limits = {
            name: limit
            for part in field.metadata
            for name in ("ge", "gt", "le", "lt")
            if (limit := getattr(part, name, None)) is not None
        }
        return cls(
            limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt")),
            "gt" in limits, "lt" in limits,
        )  # fmt: skip

    def hold(self, value: Any) -> bool:
        """Whether a value lies inside; NaN does not."""
        above = self.low is None or (value > self.low if self.low_open else value >= self.low)
        below = self.high is None or (value < self.high if self.high_open else value <= self.high)
        return bool(above and below)

    def __str__(self) -> str:
        if self.high is None:
            return f"be {_short(self.low or 0)} or above"
        left, right = "(" if self.low_open else "[", ")" if self.high_open else "]"
        return f"lie in {left}{_short(self.low or 0)}, {_short(self.high)}{right}"


def _short(number: float) -> str:
    """``2^31`` for a large power of 2 or of 10, else the number."""
    for base, least in ((2, 31), (10, 6)):
        power = round(math.log(number, base)) if number > 1 else 0
        if power >= least and base**power == number:
            return f"{base}^{power}"
    return f"{number:g}" if isinstance(number, float) else str(number)


class Values(NamedTuple):
    """What a field may be."""

    kind: type
    """int, float (a whole number is one too), str or bool."""
    optional: bool
    """Whether it may be None."""
    bounds: Bounds
    choices: tuple[str, ...]

    @classmethod
    def of(cls, field: FieldInfo) -> Values:
        """What the annotation of a field says."""
        kind, optional, choices = _kind(field.annotation)
        return cls(kind, optional, Bounds.of(field), choices)

    def checked(self, name: str, value: Any) -> Any:
        """A value of the field; a number of numpy's becomes one of Python's.

        Raises:
            ValueError: If it is of the wrong kind or out of range.
        """
        if value is None and self.optional:
            return None
        check_kind(name, value, self.kind)
        if self.choices and value not in self.choices:
            raise ValueError(f"{name} is one of {', '.join(self.choices)}, not {value!r}")
        if self.kind in (int, float) and not self.bounds.hold(value):
            raise ValueError(f"{name} must {self.bounds}, not {value}")
        return value.item() if hasattr(value, "item") else value


class Row(NamedTuple):
    """An option as the table has it."""

    name: str
    """Of the argument."""
    field: str
    values: Values
    default: Any
    option: Option

    @property
    def given(self) -> Any:
        """The type of the argument from Python."""
        choices = self.values.choices
        kind = self.option.given or (Literal[choices] if choices else self.values.kind)
        return kind | None if self.values.optional else kind


class OptionTable(BaseModel):
    """Fields that are checked by what the table says of them, in sentences that name them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __init__(self, **values: Any) -> None:
        """Take values by their names.

        Raises:
            TypeError: If there is no option of a name.
            ValueError: If a value is of the wrong kind or out of range.
        """
        if strange := sorted(values.keys() - type(self).model_fields.keys()):
            raise TypeError(f"there is no option {strange[0]!r} of drawing")
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise ValueError(first["msg"].removeprefix("Value error, ")) from error

    @model_validator(mode="before")
    @classmethod
    def _checked(cls, values: dict[str, Any]) -> dict[str, Any]:
        values = cls._separated(values)
        fields = cls.model_fields
        return {name: Values.of(fields[name]).checked(name, v) for name, v in values.items()}

    @classmethod
    def _separated(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The values by fields, where one of them stands for several."""
        return values

    def changed(self, **values: Any) -> Self:
        """The same with other values, checked."""
        return type(self)(**{**dict(self), **values})

    def value_or_off(self, name: str) -> Any:
        """A field's value, as float where it may be one; where it is None, its value for off."""
        field, value = type(self).model_fields[name], getattr(self, name)
        return Values.of(field).kind(options_of(field)[0].off if value is None else value)


def options_of(field: FieldInfo) -> list[Option]:
    """How a field is given; empty where it is part of another's value."""
    return [part for part in field.metadata if isinstance(part, Option)]


def check_kind(name: str, value: Any, kind: type) -> None:
    """See that a value is of a kind: int, float (a whole number is one too), str or bool.

    Raises:
        ValueError: If it is not; True is no number.
    """
    plain = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
    fits = isinstance(plain, int | float) if kind is float else isinstance(plain, kind)
    if not fits or (kind is not bool and isinstance(plain, bool)):
        raise ValueError(f"{name} must be {_KIND_WORDS[kind]}, not {value!r:.60}")


def _kind(annotation: Any) -> tuple[type, bool, tuple[str, ...]]:
    """int, float, str or bool; whether None is one too; the choices there are."""
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return str, False, get_args(annotation)
    parts = get_args(annotation)
    if not parts:
        return annotation, False, ()
    plain = [_kind(part)[0] for part in parts if part is not NoneType]
    return (float if float in plain else plain[0]), NoneType in parts, ()


def driven_units(text: str) -> dict[tuple[int, int], float]:
    """``1:73=0.9,0:5=-1`` in, values by layer and unit out.

    Raises:
        ValueError: If it is written otherwise, a value is no number, or a unit stands twice.
    """
    found: dict[tuple[int, int], float] = {}
    for part in text.split(",") if text.strip() else ():
        match = _DRIVEN.fullmatch(part.strip())
        value = float(match[3]) if match else math.nan
        if match is None or not abs(value) <= _MOST_DRIVEN:
            raise ValueError(
                f"drive: {shown(part.strip(), 60)} is not layer:unit=value, such as 1:73=0.9, with "
                f"a value in [-{_MOST_DRIVEN:g}, {_MOST_DRIVEN:g}]"
            )
        unit = int(match[1]), int(match[2])
        if unit in found:
            raise ValueError(f"drive: unit {match[1]}:{match[2]} is given twice")
        found[unit] = value
    return found


_DRIVEN = re.compile(r"([0-9]{1,9}):([0-9]{1,9})=([-+]?[0-9.]{1,20}(?:[eE][-+]?[0-9]{1,3})?)")
_MOST_DRIVEN = 1e6  # an LSTM's cell goes far beyond 1
