"""Arguments as typed in, values of options out: options that several commands share, and the
sampling options, generated from the table in `core.sampling.params`.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer
from typer.core import TyperCommand
from typer.main import get_command

from seqforge.base.messages import did_you_mean
from seqforge.base.paths import is_stdin
from seqforge.base.textio import assuming
from seqforge.cli.console import echo
from seqforge.errors import ConfigError

if TYPE_CHECKING:
    from seqforge.core.sampling.options import Row

OUTPUT = "Output"
"""The panel of options that say where answers go and what is said on the way."""

Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", rich_help_panel=OUTPUT, help="Output file or folder."),
]
Seed = Annotated[
    int | None, typer.Option(min=0, max=2**63 - 1, help="Seed of all randomness (default 0).")
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", rich_help_panel=OUTPUT, help="One JSON document on stdout, nothing else."
    ),
]
Open = Annotated[
    bool, typer.Option("--open", rich_help_panel=OUTPUT, help="Open the page in a browser.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", rich_help_panel=OUTPUT, help="Print results and errors only.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", rich_help_panel=OUTPUT, help="Print more on the way.")
]


def _models(incomplete: str) -> list[str]:
    """The beginning of a model's name in, the names that begin so out, for the shell."""
    from seqforge.runs.folder import bundled_models, local_models

    return [name for name in (*bundled_models(), *local_models()) if name.startswith(incomplete)]


Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A bundled name, a .safetensors file, a run folder.",
        autocompletion=_models,
    ),
]


def _assume(ctx: typer.Context, encoding: str) -> str:
    """Set the encoding of all files that the command reads."""
    if encoding:
        ctx.with_resource(assuming(encoding))
    return encoding


Encoding = Annotated[
    str,
    typer.Option(
        "--encoding", metavar="NAME", callback=_assume,
        help="Encoding of files that are not UTF-8 and have no byte-order mark.",
    ),
]  # fmt: skip


def await_stdin(*named: object) -> None:
    """Refuse a second ``-``; print a hint if standard input is a terminal.

    Args:
        named: Inputs of a command: names, lists of names, or None.

    Raises:
        ConfigError: If standard input would have to be read twice.
    """
    names = [
        name for some in named for name in (some if isinstance(some, list | tuple) else [some])
    ]
    piped = [str(name) for name in names if name is not None and is_stdin(str(name))]
    if len(piped) > 1:
        raise ConfigError(
            f"{' and '.join(piped)}: standard input can be read only once; name a file instead of "
            "one of them"
        )
    if piped and sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty():
        end = "Ctrl-Z and Enter" if sys.platform == "win32" else "Ctrl-D on a line of its own"
        echo(f"reading what is typed here, up to {end}", err=True)


def given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in, those that are not None out."""
    return {key: value for key, value in settings.items() if value is not None}


def assignments(texts: Sequence[str]) -> dict[str, Any]:
    """Texts of ``--set key.path=value`` in, values by key out: JSON if valid, else text.

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
    """Arguments unknown to the command in, inputs and options of the domain out.

    Args:
        extras: Arguments as typed.
        option_types: Types of the domain's options, by name.
        known: The command's own options, for suggestions.

    Returns:
        Inputs, and options by name.

    Raises:
        typer.BadParameter: For an unknown option (exit code 2).
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


def with_number(arguments: Sequence[str], flag: str, number: str) -> list[str]:
    """Arguments in, the same out with a default number after each bare ``flag``."""
    found: list[str] = []
    for place, argument in enumerate(arguments):
        found.append(argument)
        following = arguments[place + 1] if place + 1 < len(arguments) else ""
        if argument == flag and not following.removeprefix("-").isdecimal():
            found.append(number)
    return found


def command_line() -> str:
    """The command as typed, quoted for the shell."""
    return shlex.join(["seqforge", *sys.argv[1:]])


MemoryEffort = Literal["fast", "best"]
Count = Annotated[int, typer.Option("-n", "--count", min=1, max=10**12, help="How many.")]


@dataclass(frozen=True)
class Sampling:
    """Sampling options of a command; see `core.sampling.params`."""

    values: Mapping[str, Any]
    """Values of all options that the command takes, by the table's argument names."""
    said: frozenset[str]
    """Names of all options of the command that are not at their default."""

    def only(self, *names: str) -> dict[str, Any]:
        """Names in, their values out."""
        return {name: self.values[name] for name in names}


def sampling_command(
    app: typer.Typer, *names: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A function in, a command out whose parameter ``how`` is replaced by sampling options.

    The table is imported when the command is called or its help is shown, not for the list of
    commands.

    Args:
        app: Application that gets the command.
        names: Argument names of the options; all if empty.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        class Command(_SamplingCommand):
            @staticmethod
            def whole() -> Callable[..., None]:
                return _with_options(function, names)

        def later() -> None:
            """Stand-in for the function until the table is imported."""

        app.command(function.__name__, cls=Command, help=function.__doc__)(later)
        return function

    return register


class _SamplingCommand(TyperCommand):
    """A command that builds its parameters on first access."""

    _built: list[Any] | None = None

    @property
    def params(self) -> list[Any]:
        """The command's own parameters and those of the table."""
        if self._built is None:
            program = typer.Typer(add_completion=False)
            program.command()(self.whole())
            built = get_command(program)
            self._built, self.callback = built.params, built.callback
        return self._built

    @params.setter
    def params(self, given: list[Any]) -> None:
        """Ignore the stand-in's parameters: there are none."""

    @staticmethod
    def whole() -> Callable[..., None]:
        """The function with all parameters."""
        raise NotImplementedError

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments; a bare flag takes the value that the table has for it."""
        from seqforge.core.sampling.params import rows

        for row in rows().values():
            if row.option.bare:
                args = with_number(args, _flag(row.name), row.option.bare)
        return super().parse_args(ctx, args)


def _with_options(function: Callable[..., None], names: Sequence[str]) -> Callable[..., None]:
    """A function in, the same with the table's options in place of ``how`` out."""
    from seqforge.core.sampling.options import BEGIN
    from seqforge.core.sampling.params import rows

    first = {None: 0, BEGIN: 1}  # as their groups stand in the help
    ordered = sorted(names or rows(), key=lambda name: first.get(rows()[name].option.panel, 2))
    table = {name: _option(rows()[name]) for name in ordered}
    hints = get_type_hints(function, include_extras=True)
    parameters: list[Parameter] = []
    for name, own in signature(function).parameters.items():
        if name == "how":
            parameters += table.values()
        else:
            parameters.append(own.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[name]))
    plain = {one.name: one.default for one in parameters}

    def command(**values: Any) -> None:
        said = frozenset(name for name, value in values.items() if value != plain[name])
        given = {name: values.pop(name) for name in table}
        turned = {name: not given[name] for name in table if rows()[name].option.negated}
        how = Sampling({**given, **turned}, said)
        function(how=how, **values)

    command.__dict__["__signature__"] = Signature(parameters)
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


def _option(row: Row) -> Parameter:
    """A row of the table in, a Typer parameter out."""
    option, (kind, _, bounds, choices) = row.option, row.values
    annotation = type(row.default) if option.parse else Literal[choices] if choices else kind
    least = most = None
    if kind in (int, float) and not option.parse and not bounds.low_open:
        least, most = bounds.low, bounds.high
    if most is not None and bounds.high_open:
        most -= 1
    info = typer.Option(
        *option.flags,
        help=option.help,
        metavar=option.metavar,
        min=least,
        max=most,
        parser=_refusing(option.parse) if option.parse else None,
        callback=_refusing(partial(row.values.checked, row.name)) if bounds.low_open else None,
        show_default=row.default is not None and kind is not bool and not option.parse,
        rich_help_panel=option.panel,
    )
    default = not row.default if option.negated else row.default
    annotation = Annotated[annotation | None if default is None else annotation, info]
    return Parameter(row.name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _refusing(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A parser in, the same with its ValueError as a usage error out."""

    def refusing(value: Any) -> Any:
        try:
            return read(value)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    return refusing


def refuse_conflicts(
    how: Sampling,
    apart: Mapping[str, tuple[str, ...]],
    needed: Mapping[str, tuple[str, str]],
) -> None:
    """Refuse conflicting options, by the table's rules and the command's own.

    Raises:
        typer.BadParameter: Names the options.
    """
    from seqforge.core.sampling.params import APART, NEEDED, conflict

    if sentence := conflict(how.said, _flag, {**APART, **apart}, {**needed, **NEEDED}):
        raise typer.BadParameter(sentence)


def _flag(name: str) -> str:
    return f"--{name.strip('_').replace('_', '-')}"
