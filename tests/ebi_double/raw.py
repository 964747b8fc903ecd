"""Requests to the double as they are, without the package's client."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import requests

from tests.ebi_double.server import EbiDouble
from tests.patience import PATIENCE

JSON = {"Accept": "application/json"}


def form(sequence: str, **changes: Any) -> dict[str, Any]:
    """A submission that is all right, but for the changes."""
    values = {
        "email": "a@ebi.ac.uk",
        "program": "blastn",
        "stype": "dna",
        "database": "em_std_inv",
        "sequence": f">q1\n{sequence}\n",
    }
    return {**values, **changes}


def submit(double: EbiDouble, sequence: str, tool: str = "ncbiblast", **changes: Any) -> str:
    """The answer to a submission, which must be 200."""
    reply = requests.post(
        f"{double.url}/{tool}/run", data=form(sequence, **changes), timeout=PATIENCE
    )
    assert reply.status_code == 200, reply.text
    return reply.text


def get(double: EbiDouble, path: str, tool: str = "ncbiblast", **options: Any) -> requests.Response:
    """The answer to a question."""
    return requests.get(f"{double.url}/{tool}/{path}", timeout=PATIENCE, **options)


def finished(double: EbiDouble, sequence: str, tool: str = "ncbiblast", **changes: Any) -> str:
    """A submission's id, once it has run."""
    job = submit(double, sequence, tool, **changes)
    assert get(double, f"status/{job}", tool).text == "FINISHED"
    return job


def described(reply: requests.Response) -> str:
    """What the XML of a 400 says."""
    assert reply.status_code == 400
    assert reply.headers["Content-Type"].startswith("text/xml")
    return ET.fromstring(reply.text).findtext("description") or ""


def refused(double: EbiDouble, sequence: str, **changes: Any) -> str:
    """What is said of a submission that is not taken."""
    reply = requests.post(
        f"{double.url}/ncbiblast/run", data=form(sequence, **changes), timeout=PATIENCE
    )
    return described(reply)
