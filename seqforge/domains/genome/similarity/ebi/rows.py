"""A search as it stands, from its row in the store: what is no such row is found out here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seqforge.domains.genome.similarity.ebi.store_errors import damaged
from seqforge.domains.genome.similarity.hits import from_json

State = Literal["planned", "submitting", "running", "finished", "failed", "unknown", "expired"]

NEXT: Mapping[State, frozenset[State]] = {
    "planned": frozenset({"submitting"}),
    "submitting": frozenset({"planned", "running", "unknown"}),
    "running": frozenset({"finished", "failed", "expired"}),
    "finished": frozenset({"failed"}),  # where what was kept of it turns out to be damaged
    "failed": frozenset({"planned"}),
    "unknown": frozenset({"planned"}),
    "expired": frozenset({"planned"}),
}
"""The states that each can become."""

COLUMNS = "key, service, query, form, state, job_id, submitted, note, result"


@dataclass(frozen=True)
class Job:
    """A search as it stands."""

    key: str
    service: str
    query: str
    """The query's name when the search was first asked for."""
    form: dict[str, Any]
    state: State
    job_id: str | None
    submitted: float | None
    """When its id came, in seconds since 1970."""
    note: str
    """A sentence on what went wrong, else empty."""
    result: dict[str, Any] | None
    """None too where a finished search's result cannot be read."""


def read_row(path: Path, row: Sequence[Any]) -> Job:
    """The search in a row of the `COLUMNS`.

    Raises:
        RunError: If the row is damaged; a result that is makes None, for it can be made again.
    """
    key, service, query, form_text, state, job_id, submitted, note, result = row
    for name, value in (("key", key), ("service", service), ("query", query), ("note", note)):
        if not isinstance(value, str):
            raise damaged(path, str(key), f"its {name} is no text")
    if state not in NEXT:
        raise damaged(path, key, f"its state is {state!r}")
    form = _document(form_text)
    if form is None or not all(map(_is_value, form.values())):
        raise damaged(path, key, "its form cannot be read")
    if not isinstance(job_id, str | None) or not isinstance(submitted, float | int | None):
        raise damaged(path, key, "its job's id or date cannot be read")
    if state == "running" and not job_id:
        raise damaged(path, key, "it runs, and has no job's id")
    return Job(
        key, service, query, form, state, job_id, submitted, note,
        None if result is None else _document(result),
    )  # fmt: skip


def is_result(document: dict[str, Any] | None) -> bool:
    """Whether this is what `to_json` makes of one result."""
    try:
        return document is not None and len(from_json(document)) == 1
    except (LookupError, TypeError, ValueError, AttributeError):
        return False


def _document(text: object) -> dict[str, Any] | None:
    """The JSON object of a text; None where there is none."""
    if not isinstance(text, str | bytes):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_value(value: object) -> bool:
    """Whether a form can have this: a text, or several."""
    several = value if isinstance(value, list) else [value]
    return all(isinstance(each, str) for each in several)
