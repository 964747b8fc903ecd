"""The small documents: result types, lists of parameters, and a job's own parameters."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from tests.ebi_double.wire import XML, Exchange, Reply


@dataclass(frozen=True)
class Label:
    """What /resulttypes says of a type besides its identifier."""

    label: str
    description: str
    media: str
    suffix: str


LABELS = {
    "out": Label("Tool Output", "The results of the job in plain text", "text/plain", "txt"),
    "sequence": Label("Input Sequence", "Your input sequence", "text/plain", "txt"),
    "ids": Label("Hit IDs", "Hit identifiers", "text/plain", "txt"),
    "accs": Label("Hit accessions", "Hit accessions", "text/plain", "txt"),
    "xml": Label("XML", "EBI's XML", "application/xml", "xml"),
    "json": Label("JSON", "EBI's JSON", "application/json", "json"),
    "parameters": Label("Parameters", "The job's parameters", "application/xml", "xml"),
    "submission": Label("Submission", "The job's submission", "application/xml", "xml"),
    "error": Label("Tool Error", "What the tool wrote to stderr", "text/plain", "txt"),
}


def types_reply(kinds: Iterable[str], exchange: Exchange) -> Reply:
    """/resulttypes, as XML or JSON."""
    rows = [
        {
            "description": LABELS[kind].description,
            "fileSuffix": LABELS[kind].suffix,
            "identifier": kind,
            "label": LABELS[kind].label,
            "mediaType": LABELS[kind].media,
        }
        for kind in kinds
    ]
    if exchange.wants_json:
        return Reply(200, json.dumps({"types": rows}).encode(), "application/json")
    types = "".join(
        "  <type>" + "".join(f"<{k}>{escape(v)}</{k}>" for k, v in row.items()) + "</type>\n"
        for row in rows
    )
    return Reply(200, f"{XML}<types>\n{types}</types>\n".encode(), "application/xml")


def parameters_reply(names: Sequence[str], exchange: Exchange) -> Reply:
    """/parameters, as XML or JSON."""
    if exchange.wants_json:
        return Reply(200, json.dumps({"parameters": list(names)}).encode(), "application/json")
    ids = "".join(f"<id>{name}</id>" for name in names)
    return Reply(200, f"{XML}<parameters>{ids}</parameters>\n".encode(), "application/xml")


def parameters_document(form: Mapping[str, Sequence[str]]) -> bytes:
    """The result type ``parameters``; the e-mail is not told again."""
    rows = []
    for name, values in form.items():
        if name == "database":
            strings = "".join(f"<string>{escape(value)}</string>" for value in values)
            rows.append(
                f"<stringArrayParameter><name>{name}</name><value>{strings}</value>"
                "</stringArrayParameter>"
            )
        elif name != "email":
            inner = f"<name>{escape(name)}</name><value>{escape(values[0])}</value>"
            rows.append(f"<stringParameter>{inner}</stringParameter>")
    return f"{XML}<parameters>{''.join(rows)}</parameters>\n".encode()


def submission_document(job_id: str, submitted: float) -> bytes:
    """The result type ``submission``; its shape is inferred."""
    moment = datetime.fromtimestamp(int(submitted), UTC).isoformat()
    inner = f"<id>{job_id}</id><submitted>{moment}</submitted>"
    return f"{XML}<submission>{inner}</submission>\n".encode()
