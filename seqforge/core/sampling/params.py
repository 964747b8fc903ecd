"""Options as given in, checked sampling parameters out: the one table of sampling options.

The command line, Python, the conversation, file headers and the reference in the docs are made
from it. To add an option, add a field to `SamplerParams` and a key to `How`; what it does to the
probabilities is written in `logit_filters`, whose `FilterParams` takes it by its name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypedDict

from pydantic import Field, SkipValidation, model_validator

from seqforge.core.config import Count, TemperatureSchedule, in_floats
from seqforge.core.records import Prompt
from seqforge.core.sampling.options import (
    BEGIN,
    NEVER,
    STOP,
    Option,
    OptionTable,
    Row,
    Values,
    driven_units,
    options_of,
)

MOST = 10**12
"""Upper limit of symbols and records."""
Number = int | float
"""A whole number stays one: headers say it as it was given."""
Text = Annotated[str, SkipValidation]
"""Any symbols, also those that are no valid Unicode."""
Share = Annotated[Number | None, Field(gt=0, le=1)]


class SamplerParams(OptionTable):
    """Sampling options, checked: filters, temperature, lengths, prime, seed.

    The filters apply in this order, each to what the one before it left.

    Raises:
        ValueError: If a value is out of range.
    """

    repetition_penalty: Annotated[
        Number,
        Field(ge=1, le=1e6),
        Option(
            "Multiply the log-probability of recent symbols by this; 1 is off.",
            chat=("penalty",),
            example="1.2",
            off=1,
            source="Keskar et al. 2019, of log-probabilities instead of logits",
        ),
    ] = 1.0
    """The log-probability times the penalty of Keskar et al. 2019
    (https://arxiv.org/abs/1909.05858), who apply it to logits, which are known only but for a
    constant."""
    repetition_window: Annotated[
        int,
        Field(ge=1, le=65536),
        Option(
            "Recent symbols that the repetition penalty looks at, the prime's too.",
            chat=("window",),
            example="64",
        ),
    ] = 64
    temperature: Annotated[
        Number,
        Field(ge=0),
        Option(
            "Sampling temperature: 0 is greedy, inf uniform; START:END changes it in equal steps "
            "from the first to the last symbol. Default 1.",
            flags=("--temperature", "-t"),
            metavar="T|START:END",
            chat=("t", "temperature"),
            example="0.8",
            default=TemperatureSchedule(1.0),
            parse=TemperatureSchedule.of,
            given=float | str | tuple[float, float],
            source="Ackley et al. 1985",
        ),
    ] = 1.0
    temperature_end: Annotated[Number | None, Field(ge=0)] = None
    """Temperature of the last of ``length`` symbols."""
    top_k: Annotated[
        int | None,
        Field(ge=1, lt=2**31),
        Option(
            "Keep the K most probable symbols.",
            metavar="K",
            chat=("top-k",),
            example="5",
            off=0,
            source="Fan et al. 2018, https://arxiv.org/abs/1805.04833",
        ),
    ] = None
    top_p: Annotated[
        Share,
        Option(
            "Nucleus: keep the fewest symbols with a total probability of P.",
            metavar="P",
            chat=("top-p",),
            example="0.9",
            off=1,
            source="Holtzman et al. 2020, https://arxiv.org/abs/1904.09751",
        ),
    ] = None
    min_p: Annotated[
        Number | None,
        Field(ge=0, le=1),
        Option(
            "Keep symbols with p >= P x the top probability.",
            metavar="P",
            chat=("min-p",),
            example="0.05",
            off=0,
            source="Nguyen et al. 2024, https://arxiv.org/abs/2407.01082",
        ),
    ] = None
    typical_p: Annotated[
        Share,
        Option(
            "Locally typical sampling with mass P.",
            metavar="P",
            chat=("typical",),
            example="0.9",
            off=1,
            source="Meister et al. 2023, https://arxiv.org/abs/2202.00666",
        ),
    ] = None
    length: Annotated[
        Count,
        Option(
            "Stop at the end of the record, or after N symbols.",
            name="max_length",
            panel=STOP,
            metavar="N",
            chat=("length",),
            example="300",
            optional=True,
        ),
    ] = 1000
    """Most symbols of a record, without prime and suffix; a longer one is cut there, and ends."""
    min_length: Annotated[
        int,
        Field(ge=0),
        Option(
            "Hold the end symbol back until N symbols of a record came.",
            panel=STOP,
            metavar="N",
            optional=True,
        ),
    ] = 0
    exact_length: Annotated[
        bool,
        Option(
            "Draw exactly N symbols, what is given not counted: the end symbol is held back.",
            name="length",
            panel=STOP,
            metavar="N",
            like="length",
            optional=True,
        ),
    ] = False
    """Hold back the end symbol, so that exactly ``length`` symbols are drawn."""
    records: Annotated[
        Count,
        Option(
            "Go on through the end symbol until N records came, each a sample of its own.",
            panel=STOP,
            metavar="N",
        ),
    ] = 1
    """Fewer if one is cut."""
    stop: Annotated[
        Text | None,
        Option(
            "Stop once TEXT was drawn; it is kept.",
            panel=STOP,
            metavar="TEXT",
            chat=("stop",),
            example="TEXT",
            off="",
        ),
    ] = None
    bars: Annotated[
        int | None,
        Field(ge=1, le=10**6),
        Option("Stop after N bars, where the domain has bars.", panel=STOP, metavar="N"),
    ] = None
    prime: Annotated[
        Text, Option("Begin with this text.", panel=BEGIN, given=str | Path | Prompt, optional=True)
    ] = ""
    suffix: Annotated[
        Text,
        Option(
            "End with this text, after exactly --length symbols (infilling).",
            panel=BEGIN,
            given=str | Path | Prompt,
            optional=True,
        ),
    ] = ""
    candidates: Annotated[
        int,
        Field(ge=1, le=10_000),
        Option("Candidates that are weighed before --suffix (importance resampling).", panel=BEGIN),
    ] = 64
    seed: Annotated[
        int,
        Field(ge=0, lt=2**63),
        Option("Same seed, same samples.", panel=None, chat=("seed",), example="4"),
    ] = 0
    constraint: Annotated[
        bool,
        Option(
            "Sample without the domain's grammar mask.", flags=("--no-constraint",), negated=True
        ),
    ] = True

    memory: Annotated[
        bool,
        Option(
            "Draw from the mixture of the network and the memory that was saved with it.",
            flags=("--memory/--no-memory",),
        ),
    ] = False

    copy_limit: Annotated[
        int | None,
        Field(ge=0, le=2000),
        Option(
            "Longest span that --memory may copy out of the training data; 0: any. "
            "Default 50 characters, 100 bases, 16 notes.",
            metavar="N",
        ),
    ] = None

    drive: Annotated[
        Text,
        Option(
            "Hold units at values while drawing: layer:unit=value, several with commas between.",
            metavar="L:I=VALUE",
            off="",
            source="Radford et al. 2017, https://arxiv.org/abs/1704.01444",
        ),
    ] = ""

    @classmethod
    def of(cls, how: Mapping[str, Any], most: int) -> Self:
        """Arguments by name in, parameters out; without a length, ``most`` symbols."""
        values, fields = dict(how), cls.model_fields
        length, max_length = values.pop("length", None), values.pop("max_length", None)
        for row in rows().values():
            if row.option.optional and values.get(row.name, NEVER) is None:
                del values[row.name]
        limit = max_length if length is None else length
        values["length"] = most if limit is None else limit
        return cls(
            exact_length=length is not None, **{n: v for n, v in values.items() if n in fields}
        )

    @classmethod
    def _separated(cls, values: dict[str, Any]) -> dict[str, Any]:
        given = values.get("temperature")
        if not isinstance(given, str | tuple | list):
            ends = ("temperature", "temperature_end")
            return {**values, **{name: in_floats(values[name]) for name in ends if name in values}}
        schedule = TemperatureSchedule.of(given)
        return {**values, "temperature": schedule.start, "temperature_end": schedule.end}

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        driven_units(self.drive)
        if self.temperature_end is not None and math.isinf(self.temperature + self.temperature_end):
            raise ValueError("a temperature that changes must be finite at both ends")
        if self.min_length > self.length:
            raise ValueError(
                f"min_length ({self.min_length:,}) must not be above max_length, which is "
                f"{self.length:,}: raise that too"
            )
        if self.suffix and not self.exact_length:
            raise ValueError("a suffix needs an exact length to fill")
        if self.suffix and self.stop:
            raise ValueError("give a suffix or where to stop, not both")
        if self.records > 1 and self.exact_length:
            raise ValueError("an exact length holds the end symbol back: no second record comes")
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """Options that differ from the defaults, by name, for a sample's settings."""
        found = {}
        for name, field in type(self).model_fields.items():
            off = [option.off for option in options_of(field)]
            if name not in _OF_THE_SAMPLE and getattr(self, name) not in (field.default, *off):
                found[name] = getattr(self, name)
        if self.repetition_penalty == 1:
            found.pop("repetition_window", None)
        if self.temperature_end == self.temperature:
            found.pop("temperature_end", None)
        return {**found, "candidates": self.candidates} if self.suffix else found


_OF_THE_SAMPLE = (
    "temperature", "length", "exact_length", "prime", "suffix", "candidates", "seed", "bars",
    "constraint",
)  # fmt: skip
"""What a sample says otherwise, or what does not matter once it is drawn."""


class DecodingParams(OptionTable):
    """Options beside sampling: reading of texts, beam search, dynamic evaluation."""

    unknown: Annotated[
        Literal["refuse", "skip", "map"],
        Option(
            "Symbols of prime or suffix that the model does not know: refuse them, leave them "
            "out, or take them for its unknown symbol.",
            panel=BEGIN,
        ),
    ] = "refuse"
    beam: Annotated[
        int | None,
        Field(ge=1, le=10_000),
        Option("Beam search of this width; -n prints the best n.", metavar="WIDTH", example="8"),
    ] = None
    length_penalty: Annotated[
        Number,
        Field(ge=0, le=100),
        Option(
            "Above 0 makes --beam favour longer sequences.", example="0.6", source="Wu et al. 2016"
        ),
    ] = 0.0
    adapt: Annotated[
        int | None,
        Field(ge=1, le=1000),
        Option(
            "Train on the prime first (dynamic evaluation), so many passes; 1 without a number.",
            metavar="PASSES",
            bare="1",
            source="Krause et al. 2018",
        ),
    ] = None


class How(TypedDict, total=False):
    """How to draw from Python: the table's arguments with their types, for type checkers.

    Sample k of a seed is the same however many are drawn beside it.
    """

    repetition_penalty: float
    repetition_window: int
    temperature: float | str | tuple[float, float]
    """A number, or a schedule: a pair, or ``"1.2:0.5"``, from the first symbol to the last."""
    top_k: int | None
    top_p: float | None
    min_p: float | None
    typical_p: float | None
    max_length: int | None
    """Stop at the end of the record, or after so many symbols; default: the model's own setting."""
    min_length: int | None
    length: int | None
    """Draw exactly so many symbols; the end symbol is held back."""
    records: int
    stop: str | None
    bars: int | None
    prime: str | Path | Prompt | None
    """Begin with this: text, or a file in the domain's format."""
    suffix: str | Path | Prompt | None
    candidates: int
    seed: int
    constraint: bool
    """Whether to use the domain's grammar mask."""
    memory: bool
    """Whether to draw from the mixture of network and saved memory."""
    copy_limit: int | None
    """Longest span that may be copied with the memory; None: the domain's own limit; 0: any."""
    drive: str
    """Units held at values, ``"1:73=0.9"``: layer, unit and value, several with commas between."""
    unknown: Literal["refuse", "skip", "map"]


APART: Mapping[str, tuple[str, ...]] = {
    "length": ("min_length", "max_length", "records"),
    "suffix": ("stop", "bars", "beam", "max_length", "records"),
    "beam": ("temperature", "top_k", "top_p", "min_p", "typical_p", "repetition_penalty",
             "repetition_window", "records", "seed"),
}  # fmt: skip
"""Options that exclude each other."""

NEEDED: Mapping[str, tuple[str, str]] = {
    "suffix": ("length", "how much to fill in before it"),
    "candidates": ("suffix", "whose filling they are"),
    "length_penalty": ("beam", "whose search it belongs to"),
    "repetition_window": ("repetition_penalty", "whose window it is"),
    "copy_limit": ("memory", "whose copies it limits"),
}
"""Options that require another one."""


def conflict(
    said: Collection[str], called: Callable[[str], str] = str,
    apart: Mapping[str, tuple[str, ...]] = APART, needed: Mapping[str, tuple[str, str]] = NEEDED,
) -> str | None:  # fmt: skip
    """Options given in, a sentence on those that do not go together out, or None."""
    for one, others in apart.items():
        for other in others if one in said else ():
            if other in said:
                return f"give {called(one)} or {called(other)}, not both"
    for one, (other, why) in needed.items():
        if one in said and other not in said:
            return f"{called(one)} needs {called(other)}: {why}"
    return None


@cache
def rows() -> Mapping[str, Row]:
    """All options by the names of their arguments, in the order of the table."""
    return {
        row.name: row
        for table in (SamplerParams, DecodingParams)
        for name in table.model_fields
        for row in _rows_of(name, table)
    }


def said(how: Mapping[str, Any]) -> set[str]:
    """The options whose values are not the default; an empty text says nothing."""
    return {name for name, value in how.items() if value not in (rows()[name].default, "")}


def _rows_of(name: str, table: type[OptionTable]) -> list[Row]:
    found = []
    for option in options_of(table.model_fields[name]):
        field = table.model_fields[option.like or name]
        values, default = Values.of(field), field.default
        if option.default is not NEVER:
            default = option.default
        if option.optional:
            values, default = values._replace(optional=True), None
        found.append(Row(option.name or name, name, values, default, option))
    return found
