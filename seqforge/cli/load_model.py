"""A model name and options in, an opened Model out, with what a person should know of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from seqforge.base.paths import bundled_folder
from seqforge.cli.console import echo

if TYPE_CHECKING:
    from seqforge.api.model import Model
    from seqforge.core.data.vocabulary import Unknown
    from seqforge.core.records import Prompt
    from seqforge.core.sampling.params import SamplerParams

Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    typer.Option(help="Where to compute; auto is the compiled kernel on the CPU."),
]


Label = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Label, of a model trained with labels (--labels)."),
]


def open_model(name: str, device: str = "auto", label: str | None = None) -> Model:
    """A model's name in, the model out; its kernel is compiled beside the imports."""
    from seqforge.core.sampling.engine import prepare_for

    if device in ("auto", "cpu"):
        prepare_for(_file_of(name))
    from seqforge.api.model import load

    return load(name, "cpu" if device == "auto" else device, label)


def _file_of(name: str) -> Path:
    """Where a model's file is, if it is one; `load` says what is wrong with it."""
    path, file = Path(name), f"{name}.safetensors"
    if path.is_dir():
        return path / "model.safetensors"
    return path if path.is_file() else bundled_folder() / file


def prompt(loaded: Model, source: str | Path, unknown: Unknown, what: str, quiet: bool) -> Prompt:
    """What to begin or end with; says on stderr what was changed about it."""
    from seqforge.base.messages import collected_remarks

    with collected_remarks() as remarks:
        found = loaded.prompt(source, unknown, what)
    for sentence in () if quiet else remarks:
        echo(sentence, err=True)
    say_unknown(what, found.unknown, unknown, quiet)
    return found


def say_unknown(what: str, strange: Mapping[str, int], unknown: str, quiet: bool) -> None:
    """Report unknown symbols on stderr."""
    if strange and not quiet:
        from seqforge.core.data.vocabulary import listed

        fate = "left out" if unknown == "skip" else "taken for the unknown symbol"
        echo(f"{what}: {fate}: {listed(strange)}", err=True)


def adapted(loaded: Model, prime: str | Prompt, passes: int | None, quiet: bool) -> Model:
    """The model, adapted to the prime if asked for."""
    if passes is None:
        return loaded
    after, found = loaded.adapted(prime, passes)
    if not quiet:
        echo(
            f"adapted to the prime in {found.steps:,} steps: {found.before:.3f} bits a symbol "
            f"before, {found.during:.3f} while it was learned from, {found.after:.3f} after",
            err=True,
        )
    return after


def described(loaded: Model, options: SamplerParams, device: str) -> str:
    """A model and its sampling options, one line each."""
    card, drawn = loaded.card, {**options.settings, "length": options.length, "seed": options.seed}
    where = "cpu" if device == "auto" else device
    return (
        f"{card.name}: {card.config.domain}, {card.config.model.title}, "
        f"{len(card.symbols)} symbols, on {where}\n"
        f"temperature {options.temperature:g}, "
        + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in drawn.items())
    )
