"""The options that say how to draw, for every command that draws."""

from __future__ import annotations

import math
from typing import Annotated, Any, NamedTuple

import typer

_STRATEGY, _END = "How to draw", "Where to stop"


class Heat(NamedTuple):
    """A temperature, or that of the first and of the last symbol."""

    start: float
    end: float | None = None

    @property
    def value(self) -> float | tuple[float, float]:
        """As the Python door takes it."""
        return self.start if self.end is None else (self.start, self.end)


PLAIN_HEAT = Heat(1.0)


def heat(text: Any) -> Heat:
    """Read ``0.8`` or ``1.2:0.5``.

    Raises:
        typer.BadParameter: If it is neither.
    """
    if isinstance(text, Heat):
        return text
    try:
        numbers = [float(part) for part in str(text).split(":")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not all(number >= 0 for number in numbers):
        raise typer.BadParameter(
            f"{text!r} is no temperature: give a number, 0 or above (inf draws uniformly), or "
            "START:END such as 1.2:0.5"
        )
    if len(numbers) == 2 and math.isinf(sum(numbers)):
        raise typer.BadParameter("a temperature that changes must be finite at both ends")
    return Heat(*numbers)


Temperature = Annotated[
    Heat,
    typer.Option("--temperature", "-t", parser=heat, metavar="T|START:END", show_default=False,
                 rich_help_panel=_STRATEGY,
                 help="1 if nothing is said; 0 takes the likeliest symbol; inf any; START:END "
                      "changes on the way."),
]  # fmt: skip
Count = Annotated[int, typer.Option("-n", "--count", min=1, max=10**12, help="How many.")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Same seed, same samples.")]


def _share(what: str) -> Any:
    def above_zero(value: float | None) -> float | None:
        if value is not None and not 0 < value <= 1:
            raise typer.BadParameter("a share above 0 and up to 1 is wanted")
        return value

    return typer.Option(callback=above_zero, rich_help_panel=_STRATEGY, help=what)


TopK = Annotated[
    int | None,
    typer.Option(
        min=1, max=2**31 - 1, rich_help_panel=_STRATEGY, help="Draw from the K likeliest."
    ),
]
TopP = Annotated[float | None, _share("Draw from the likeliest that reach this mass.")]
MinP = Annotated[
    float | None,
    _share("Draw from those at least so many times as likely as the likeliest."),
]
TypicalP = Annotated[
    float | None,
    _share("Draw from those of the most typical surprise that reach this mass."),
]
RepetitionPenalty = Annotated[
    float,
    typer.Option(min=1, max=1e6, rich_help_panel=_STRATEGY,
                 help="Above 1 makes symbols of the last few less likely."),
]  # fmt: skip
RepetitionWindow = Annotated[
    int,
    typer.Option(
        min=1, max=65536, rich_help_panel=_STRATEGY, help="How many symbols these last few are."
    ),
]
Beam = Annotated[
    int | None,
    typer.Option(min=1, max=10_000, rich_help_panel=_STRATEGY,
                 help="Draw nothing: search for the likeliest sequences, so many at a time; -n of "
                      "them come out."),
]  # fmt: skip
LengthPenalty = Annotated[
    float,
    typer.Option(min=0, max=100, rich_help_panel=_STRATEGY,
                 help="Above 0 lets --beam favour longer sequences."),
]  # fmt: skip
Adapt = Annotated[
    int | None,
    typer.Option(min=1, max=1000, metavar="PASSES", rich_help_panel=_STRATEGY,
                 help="First let the model learn from the prime, reading it so many times (1 if "
                      "no number is given)."),
]  # fmt: skip
NoConstraint = Annotated[
    bool,
    typer.Option("--no-constraint", rich_help_panel=_STRATEGY,
                 help="Do not keep to the domain's grammar."),
]  # fmt: skip
Length = Annotated[
    int | None,
    typer.Option(min=1, max=10**12, rich_help_panel=_END,
                 help="Exactly so many symbols, what is given not counted."),
]  # fmt: skip
MinLength = Annotated[
    int | None,
    typer.Option(
        min=1, max=10**12, rich_help_panel=_END, help="Hold the record's end back until then."
    ),
]
MaxLength = Annotated[
    int | None,
    typer.Option(
        min=1, max=10**12, rich_help_panel=_END, help="Stop where the record ends, or here."
    ),
]
Records = Annotated[
    int,
    typer.Option(min=1, max=10**12, rich_help_panel=_END,
                 help="Go on through the end of a record until so many came."),
]  # fmt: skip
Stop = Annotated[
    str | None,
    typer.Option(metavar="TEXT", rich_help_panel=_END,
                 help="Stop once this was drawn; it is kept."),
]  # fmt: skip
Bars = Annotated[
    int | None,
    typer.Option(min=1, rich_help_panel=_END, help="Stop after so many bars (of music)."),
]
