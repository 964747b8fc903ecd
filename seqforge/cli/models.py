"""``seqforge models``: bundled and local models with their cards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from seqforge.base.printable import one_line
from seqforge.cli.answering import asked
from seqforge.cli.app import app
from seqforge.cli.options import Json, Model, Out, Quiet, Verbose

models = typer.Typer(help="Bundled and local models with their cards.", invoke_without_command=True)
app.add_typer(models, name="models")

_NAMED = 12  # files that a model learnt from, on its card


@models.callback()
def root(
    ctx: typer.Context, json_: Json = False, out: Out = None, quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """List models where nothing else is asked for."""
    asked(ctx, json_, out, quiet, verbose)
    if ctx.invoked_subcommand is None:
        list_models(ctx)


@models.command("list")
def list_models(
    ctx: typer.Context, json_: Json = False, out: Out = None, quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """List bundled models and those of the run folders here."""
    from seqforge.models import bundled_models, local_models

    rows = [_row(name, path) for name, path in {**bundled_models(), **local_models()}.items()]
    found = asked(ctx, json_, out, quiet, verbose)
    lines = []
    for row in rows:
        name, domain = one_line(row["name"]), one_line(row.get("domain", "-"))
        where = f" ({one_line(row['path'])})" if found.verbose and "path" in row else ""
        lines.append(f"{name:<34} {domain:<8} {one_line(row['said'])}{where}")
    found.answer(rows, lines or ["no models yet; `seqforge run` makes one"])


@models.command()
def show(
    ctx: typer.Context, name: Model, json_: Json = False, out: Out = None, quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """Show the card of a model: data, settings, held-out score."""
    from seqforge.core.checkpoint import load_checkpoint
    from seqforge.core.config import flat
    from seqforge.core.holdout import PARTS
    from seqforge.models import find_model

    path = find_model(name)
    card = load_checkpoint(path).card
    found = asked(ctx, json_, out, quiet, verbose)
    made, model = card.provenance, card.config.model
    rows = {
        "model": f"{card.name} ({path})",
        "domain": card.config.domain,
        "network": f"{model.num_layers} x {model.hidden_size} {model.cell}",
        "symbols": f"{len(card.symbols)}: {card.vocabulary.listing()}",
        "trained on": _listed([name for name, _ in made.inputs]),
        "sizes": ", ".join(f"{made.symbols.get(part, 0):,} {part}" for part in PARTS),
        "held out": _bits(made.bits_per_symbol) or "nothing",
        "training": f"{made.steps:,} steps, {made.trained_seconds:,.0f} s, {made.date}",
        "seed": str(card.config.training.seed),
        "started from": ", ".join(f"{one.name} ({one.sha256[:12]})" for one in made.ancestors)
        or "fresh weights",
        "note": made.note or "-",
        "written by": f"seqforge {card.seqforge_version}, format {card.format}",
    }
    if found.verbose:
        rows |= {key: str(value) for key, value in flat(card.config.model_dump()).items()}
        rows["files"] = ", ".join(f"{name} ({digest[:12]})" for name, digest in made.inputs)
    lines = [f"{label:<12} {one_line(value)}" for label, value in rows.items()]
    found.answer(card.model_dump(mode="json"), lines)


def _row(name: str, path: Path) -> dict[str, Any]:
    from seqforge.core.checkpoint import load_checkpoint
    from seqforge.errors import CheckpointError

    try:
        card = load_checkpoint(path).card
    except CheckpointError as error:
        return {"name": name, "said": str(error)}
    bits = _bits(card.provenance.bits_per_symbol)
    size = f"{path.stat().st_size / 1e6:.1f} MB"
    said = ", ".join(part for part in (bits, size, card.provenance.date) if part)
    return {"name": name, "path": str(path), "domain": card.config.domain, "said": said}


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more files" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _bits(found: dict[str, float | None]) -> str:
    return ", ".join(
        f"{bits:.4f} bits a symbol on {part}" for part, bits in found.items() if bits is not None
    )
