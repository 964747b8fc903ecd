"""The options that several commands share, sampling options included."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from seqforge.base.messages import did_you_mean
from seqforge.base.paths import is_stdin
from seqforge.base.textio import assuming
from seqforge.cli.console import echo
from seqforge.core.sampling.temperature_schedule import TemperatureSchedule
from seqforge.errors import ConfigError

Out = Annotated[Path | None, typer.Option("--out", "-o", help="Where to write.")]
Seed = Annotated[
    int | None, typer.Option(min=0, max=2**63 - 1, help="Seed of all randomness (default 0).")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing but results and errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more on the way.")]
Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="A bundled name, a .safetensors file, a run folder.")
]


def _assume(ctx: typer.Context, encoding: str) -> str:
    """Have all files of this command read so."""
    if encoding:
        ctx.with_resource(assuming(encoding))
    return encoding


Encoding = Annotated[
    str,
    typer.Option(
        "--encoding", metavar="NAME", callback=_assume,
        help="What files are written in that are not UTF-8 and have no byte-order mark.",
    ),
]  # fmt: skip


def await_stdin(*named: object) -> None:
    """Refuse ``-`` where it is named twice, and say what is waited for where it is a terminal.

    Args:
        named: What a command was given to read: names, lists of names, or None.

    Raises:
        ConfigError: If standard input would have to be read twice.
    """
    names = [
        name for some in named for name in (some if isinstance(some, list | tuple) else [some])
    ]
    piped = [str(name) for name in names if name is not None and is_stdin(str(name))]
    if len(piped) > 1:
        raise ConfigError(
            f"{' and '.join(piped)}: standard input can be read but once; name a file instead of "
            "one of them"
        )
    if piped and sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty():
        end = "Ctrl-Z and Enter" if sys.platform == "win32" else "Ctrl-D on a line of its own"
        echo(f"reading what is typed here, up to {end}", err=True)


def given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were given: those that are not None."""
    return {key: value for key, value in settings.items() if value is not None}


def assignments(texts: Sequence[str]) -> dict[str, Any]:
    """Read ``--set key.path=value``; a value is JSON where it can be, else a text.

    Raises:
        ConfigError: If there is no ``=``.
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {text}: write key.path=value, such as training.seq_len=64")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
        except RecursionError as error:
            raise ConfigError(f"--set {key}: lists are nested too deep in its value") from error
    return found


def extra_arguments(
    extras: Sequence[str], option_types: Mapping[str, Any], known: Sequence[str]
) -> tuple[list[str], dict[str, Any]]:
    """Part what the command does not know itself into inputs and options of the domain.

    Args:
        extras: Arguments as typed.
        option_types: The domain's options and their types.
        known: The command's own options, for suggestions.

    Returns:
        Inputs, and options by name.

    Raises:
        typer.BadParameter: For an option that neither knows (exit code 2).
    """
    inputs: list[str] = []
    options: dict[str, Any] = {}
    rest = list(extras)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("-") or argument == "-":
            inputs.append(argument)
            continue
        flag, equals, value = argument.partition("=")
        name = flag.removeprefix("--").replace("-", "_")
        if name not in option_types:
            raise typer.BadParameter(_unknown(flag, option_types, known))
        if equals:
            options[name] = value
        elif option_types[name] is bool:
            options[name] = True
        elif rest:
            options[name] = rest.pop(0)
        else:
            raise typer.BadParameter(f"{flag} needs a value")
    return inputs, options


def _unknown(flag: str, option_types: Mapping[str, Any], known: Sequence[str]) -> str:
    flags = [*known, *(f"--{name.replace('_', '-')}" for name in option_types)]
    hint = did_you_mean(flag, flags)
    own = ", ".join(f"--{name.replace('_', '-')}" for name in option_types) or "none"
    return f"no such option: {flag}{hint} (options of this domain: {own})"


def with_number(arguments: Sequence[str], flag: str, number: int) -> list[str]:
    """The arguments with a number behind a flag wherever it stands without one."""
    found: list[str] = []
    for place, argument in enumerate(arguments):
        found.append(argument)
        following = arguments[place + 1] if place + 1 < len(arguments) else ""
        if argument == flag and not following.removeprefix("-").isdecimal():
            found.append(str(number))
    return found


def command_line() -> str:
    """The command as it was typed, ready to be typed again."""
    return shlex.join(["seqforge", *sys.argv[1:]])


_STRATEGY, _END = "How to draw", "Where to stop"


def parsed_temperature(text: Any) -> TemperatureSchedule:
    """Read ``0.8`` or ``1.2:0.5``.

    Raises:
        typer.BadParameter: If it is neither.
    """
    if isinstance(text, TemperatureSchedule):
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
    return TemperatureSchedule(*numbers)


Temperature = Annotated[
    TemperatureSchedule,
    typer.Option("--temperature", "-t", parser=parsed_temperature, metavar="T|START:END",
                 show_default=False, rich_help_panel=_STRATEGY,
                 help="1 if nothing is said; 0 takes the likeliest symbol; inf any; START:END "
                      "changes on the way."),
]  # fmt: skip
Count = Annotated[int, typer.Option("-n", "--count", min=1, max=10**12, help="How many.")]
SamplingSeed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Same seed, same samples.")]


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
