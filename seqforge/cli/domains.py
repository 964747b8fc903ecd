"""``seqforge domains``: what is installed, and its options."""

from __future__ import annotations

import json
from typing import Any

from seqforge.cli.app import app
from seqforge.cli.options import Json
from seqforge.cli.stdout import echo


@app.command()
def domains(json_: Json = False) -> None:
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
    if json_:
        echo(json.dumps(rows, indent=2))
        return
    for name, row in rows.items():
        echo(f"{name:<10} {row.get('description', row.get('error'))} [{row['package']}]")
        for option, default in row.get("options", {}).items():
            echo(f"{'':<10}   --{option.replace('_', '-')} (default: {default})")


def _described(name: str) -> dict[str, Any]:
    from seqforge.registry import domain_class, option_types

    found = domain_class(name)
    fields = getattr(found, "__dataclass_fields__", {})
    return {
        "description": (found.__doc__ or "").strip().split("\n")[0],
        "options": {option: str(fields[option].default) for option in option_types(name)},
    }
