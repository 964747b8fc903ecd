"""Arguments in, a command run out; errors are shown here, as one sentence."""

from __future__ import annotations

import os
from typing import Any

import typer
from typer.core import TyperGroup

from seqforge.base.paths import as_typed, forget
from seqforge.cli.console import StdoutError, echo, say
from seqforge.errors import NO_MEMORY, SaidElsewhere, SeqforgeError, out_of_memory
from seqforge.version import __version__

STOPPED = 130

# Products this small gain nothing from a second thread, and lose most of their speed to it when
# anything else runs. numpy reads this when it is first imported, which no command has done yet.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


class _Group(TyperGroup):
    """Shows our own errors as one line; a bug still gives a traceback."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().make_context(*args, **kwargs)
        except KeyboardInterrupt:
            say("stopped", "yellow")
            raise typer.Exit(STOPPED) from None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and self.get_command(ctx, args[0]) is None and _is_pipeline(args[0]):
            ctx.fail(f"No such command {args[0]!r}. Did you mean 'run {args[0]}'?")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except SeqforgeError as error:
            if not isinstance(error, SaidElsewhere):
                say(f"error: {as_typed(str(error))}", "red")
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            say("stopped", "yellow")
            raise typer.Exit(STOPPED) from None
        except (MemoryError, RuntimeError, ImportError) as error:
            if not out_of_memory(error):
                raise
            say(f"error: {NO_MEMORY}", "red")
            raise typer.Exit(1) from error
        except BrokenPipeError:  # the reader of our output has gone, as `head` does
            raise typer.Exit(1) from None
        except StdoutError:  # is said where all commands end
            raise
        except OSError as error:  # a right, a name too long: the system's word, not a traceback
            where = f"{error.filename}: " if error.filename else ""
            say(f"error: {where}{error.strerror or error}", "red")
            raise typer.Exit(1) from error


def _is_pipeline(name: str) -> bool:
    from seqforge.registry import installed
    from seqforge.runs.recipes import recipe_names

    return name in recipe_names() or name in installed()


app = typer.Typer(
    cls=_Group,
    name="seqforge",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train small sequence models on your own text, genome or tunes, and sample them.",
)


def _version(asked: bool) -> None:
    if asked:
        echo(f"seqforge {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    """Train small sequence models on your own text, genome or tunes, and sample them."""
    ctx.call_on_close(forget)
