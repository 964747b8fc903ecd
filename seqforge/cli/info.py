"""seqforge models, domains and doctor: what is installed, and whether it works."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

from seqforge.base.messages import one_line
from seqforge.base.tables import aligned, wrapped
from seqforge.cli.app import app
from seqforge.cli.console import asked
from seqforge.cli.options import Json, Model, Out, Quiet, Verbose
from seqforge.errors import RunError
from seqforge.version import __version__

if TYPE_CHECKING:
    from seqforge.core.model.checkpoint import ModelCard

models = typer.Typer(help="Bundled and local models, and their cards.", invoke_without_command=True)
app.add_typer(models, name="models")

_NAMED = 12  # files that a model learnt from, on its card


@models.callback()
def root(
    ctx: typer.Context, json_: Json = False, out: Out = None, quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """List models if no subcommand is given."""
    asked(ctx, json_, out, quiet, verbose)
    if ctx.invoked_subcommand is None:
        list_models(ctx)


@models.command("list")
def list_models(
    ctx: typer.Context, json_: Json = False, out: Out = None, quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """List bundled models and those of the run folders in runs/."""
    from seqforge.runs.folder import bundled_models, local_models

    rows = [_row(name, path) for name, path in {**bundled_models(), **local_models()}.items()]
    found = asked(ctx, json_, out, quiet, verbose)
    columns = None if found.verbose else -1
    table = [
        ["model", "domain", "bits a symbol", "size", "date", "file"],
        *(row for _, row in rows),
    ]
    lines = aligned([list(map(one_line, row[:columns])) for row in table], found.width)
    none = ["no models yet; `seqforge run` makes one"]
    found.answer([row for row, _ in rows], lines if rows else none)


@models.command()
def show(
    ctx: typer.Context, name: Model, json_: Json = False, out: Out = None, quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """Show the card of a model: data, settings, held-out score."""
    from seqforge.core.config import flat
    from seqforge.core.data.split import PARTS
    from seqforge.core.model.labels import labels_listed
    from seqforge.runs.folder import find_model

    path = find_model(name)
    card = _card_of(path)
    found = asked(ctx, json_, out, quiet, verbose)
    made, model = card.provenance, card.config.model
    rows = {
        "model": f"{card.name} ({path})",
        "domain": card.config.domain,
        "task": _task(card),
        "n-grams" if model.is_ngram else "network": model.title,
        "symbols": f"{len(card.symbols)}: {card.vocabulary.listing()}",
        **({"labels": labels_listed(card.labels)} if card.labels else {}),
        "trained on": _listed([name for name, _ in made.inputs]),
        "sizes": ", ".join(f"{made.symbols.get(part, 0):,} {part}" for part in PARTS),
        "held out": _bits(made.bits_per_symbol) or _unscored(card),
        "training": f"{'counted' if model.is_ngram else f'{made.steps:,} steps'}, "
        f"{made.trained_seconds:,.0f} s, {made.date}",
        "seed": str(card.config.training.seed),
        "started from": ", ".join(f"{one.name} ({one.sha256[:12]})" for one in made.ancestors)
        or ("nothing" if model.is_ngram else "fresh weights"),
        "note": made.note or "-",
        "written by": f"seqforge {card.seqforge_version}, format {card.format}",
    }
    if found.verbose:
        rows |= {key: str(value) for key, value in flat(card.config.model_dump()).items()}
        rows["files"] = ", ".join(f"{name} ({digest[:12]})" for name, digest in made.inputs)
    lines = aligned([(label, one_line(value)) for label, value in rows.items()], found.width)
    found.answer(card.model_dump(mode="json"), lines)


def _card_of(path: Path) -> ModelCard:
    """The card of a model of any task; the weights of one that generates are looked at too."""
    from seqforge.core.model.checkpoint import load_card, load_labelled

    card = load_card(path)
    return load_labelled(path).card if card.config.task.kind == "generate" else card


def _task(card: ModelCard) -> str:
    """What a model is for."""
    targets = card.target_symbols
    named = ", ".join(targets[:_NAMED]) + (", ..." if len(targets) > _NAMED else "")
    return f"{card.config.task.kind}{f' ({len(targets)}: {named})' if targets else ''}"


def _unscored(card: ModelCard) -> str:
    """Why a model has no held-out score."""
    held_out = any(card.provenance.symbols.get(part) for part in ("valid", "test"))
    return "infinitely many bits" if held_out and card.config.model.is_ngram else "nothing"


def _row(name: str, path: Path) -> tuple[dict[str, Any], list[str]]:
    """A model in, what is said of it out: for a program, and as cells of a table."""
    from seqforge.core.task_config import VERBS
    from seqforge.errors import CheckpointError

    try:
        card = _card_of(path)
    except CheckpointError as error:
        row = {"name": name, "said": str(error)}
        return row, [name, "-", str(error), "", "", str(path)]
    made, size = card.provenance, f"{path.stat().st_size / 1e6:.1f} MB"
    said = ", ".join(part for part in (_bits(made.bits_per_symbol), size, made.date) if part)
    kind = card.config.task.kind
    row = {
        "name": name, "path": str(path), "domain": card.config.domain, "task": kind, "said": said,
    }  # fmt: skip
    short = [f"{bits:.4f} ({part})" for part, bits in made.bits_per_symbol.items() if bits]
    shown = ", ".join(short) or "-"
    if kind != "generate":
        shown = f"{VERBS[kind]}{f': {shown}' if short else ''}"
    return row, [name, card.config.domain, shown, size, made.date, str(path)]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more files" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _bits(found: dict[str, float | None]) -> str:
    return ", ".join(
        f"{bits:.4f} bits a symbol on {part}" for part, bits in found.items() if bits is not None
    )


@app.command()
def domains(
    ctx: typer.Context, json_: Json = False, out: Out = None, quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """List the installed domains, built in or not, with their options."""
    from seqforge.errors import DomainError
    from seqforge.registry import installed

    rows: dict[str, dict[str, Any]] = {}
    for name, point in installed().items():
        package = point.dist.name if point.dist is not None else "?"
        rows[name] = {"package": package, "class": point.value}
        try:
            rows[name] |= _described(name)
        except DomainError as error:
            rows[name]["error"] = str(error)
    found, lines = asked(ctx, json_, out, quiet, verbose), list[str]()
    for name, row in rows.items():
        named = f"{name} ({row['class']}, {row['package']})" if found.verbose else name
        lines += [named, wrapped(f"  {row.get('description', row.get('error'))}", found.width, 2)]
        lines += [*aligned(_flags(name) if "options" in row else [], found.width, indent=4), ""]
    found.answer(rows, lines[:-1])


def _described(name: str) -> dict[str, Any]:
    from seqforge.registry import domain_class, option_types

    found = domain_class(name)
    fields = getattr(found, "__dataclass_fields__", {})
    return {
        "description": (found.__doc__ or "").strip().split("\n")[0],
        "options": {option: str(fields[option].default) for option in option_types(name)},
    }


def _flags(domain: str) -> list[list[str]]:
    """Options of a domain, what each may be, and its default, as they are typed."""
    from seqforge.registry import domain_class, option_types

    fields = getattr(domain_class(domain), "__dataclass_fields__", {})
    return [
        [f"--{name.replace('_', '-')}", _choices(kind), f"default: {_typed(fields[name].default)}"]
        for name, kind in option_types(domain).items()
    ]


def _choices(kind: Any) -> str:
    """A type in, what it may be out: its words, or number, text."""
    inside = [one for one in get_args(kind) if one not in (type(None), Ellipsis)]
    if get_origin(kind) is Literal:
        return ", ".join(map(str, inside))
    if inside:
        return _choices(inside[0])
    return {int: "number", float: "number", bool: "on, off", str: "text"}.get(kind, "-")


def _typed(value: Any) -> str:
    """A default in, how it is typed out."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "-" if value in (None, "") else str(value)


_PACKAGES = ("torch", "numpy", "safetensors", "parasail", "music21", "mido",
             "pretty_midi", "soundfile", "verovio", "resvg-py", "tensorboard",
             "tinysoundfont", "pyfluidsynth")  # fmt: skip
_PROGRAMS = {
    "blastn": "similarity search with NCBI BLAST+, far quicker in large libraries",
    "makeblastdb": "libraries for BLAST+; it comes with blastn",
    "abc2midi": "comparing our reading of ABC tunes with another program's",
    "fluidsynth": "playing tunes with the instruments of a SoundFont",
    "afplay": "hearing a tune with `seqforge music --play`; one of these five is enough",
    "ffplay": "the same",
    "paplay": "the same",
    "aplay": "the same",
    "play": "the same; SoX's",
    "chromium": "testing that the report page opens",
    "nvidia-smi": "seeing an NVIDIA GPU",
}


_FACTS = ("seqforge", "python", "system", "cores", "processor", "device")


WarmUp = Annotated[
    bool,
    typer.Option(help="First compile what the models and recipes that ship need, into the cache."),
]


@app.command()
def doctor(
    ctx: typer.Context, warm_up: WarmUp = False, json_: Json = False, out: Out = None,
    quiet: Quiet = False, verbose: Verbose = False,
) -> None:  # fmt: skip
    """Show versions, device, cores, and which optional programs are found."""
    if warm_up:
        from seqforge.runs.warm_up import compile_all

        compile_all()
    from seqforge.base.machine import choose_device, usable_cores
    from seqforge.core.kernels.llvm import PROCESSOR
    from seqforge.runs.load_inputs import corpus_cache

    cache, size = "", 0
    try:
        folder = corpus_cache()
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        cache = str(folder)
    except (RunError, OSError) as error:
        cache = f"not usable: {error}"
    found: dict[str, Any] = {
        "seqforge": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": usable_cores(),
        "processor": PROCESSOR,
        "device": str(choose_device("auto")),
        "packages": {name: _version(name) for name in _PACKAGES},
        "programs": {name: shutil.which(name) for name in _PROGRAMS},
        "corpus_cache": {"folder": cache, "megabytes": round(size / 1e6, 1)},
    }
    how = asked(ctx, json_, out, quiet, verbose)
    how.answer(found, _lines(found, how.verbose, how.width))


def _lines(found: dict[str, Any], verbose: bool, width: int | None) -> Iterator[str]:
    cache = found["corpus_cache"]
    size = f"{cache['megabytes']:,.1f} MB; may be removed at any time"
    facts = {key: str(found[key]) for key in _FACTS} | {"cache": f"{cache['folder']} ({size})"}
    if verbose:
        facts |= {"installed in": str(Path(__file__).parents[1]), "run by": sys.executable}
    yield from aligned(list(facts.items()), width)
    yield "\npackages:"
    yield from aligned([(k, v or "-") for k, v in found["packages"].items()], width, indent=2)
    yield "\noptional programs:"
    programs = [(k, v or "not found", _PROGRAMS[k]) for k, v in found["programs"].items()]
    yield from aligned(programs, width, indent=2)


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None
