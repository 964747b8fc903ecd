"""``seqforge domains``: what is installed, and its options."""

from __future__ import annotations

from typing import Any

import typer

from seqforge.cli.answering import asked
from seqforge.cli.app import app
from seqforge.cli.options import Json, Out, Quiet, Verbose


@app.command()
def domains(
    ctx: typer.Context, json_: Json = False, out: Out = None, quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """List the installed domains, ours and others', with their options."""
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
        lines.append(f"{name:<10} {row.get('description', row.get('error'))} [{row['package']}]")
        if found.verbose:
            lines.append(f"{'':<10}   {row['class']}")
        for option, default in row.get("options", {}).items():
            lines.append(f"{'':<10}   --{option.replace('_', '-')} (default: {default})")
    found.answer(rows, lines)


def _described(name: str) -> dict[str, Any]:
    from seqforge.registry import domain_class, option_types

    found = domain_class(name)
    fields = getattr(found, "__dataclass_fields__", {})
    return {
        "description": (found.__doc__ or "").strip().split("\n")[0],
        "options": {option: str(fields[option].default) for option in option_types(name)},
    }
