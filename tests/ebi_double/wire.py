"""What goes over the wire: a request as the service sees it, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from tests.ebi_double.service import Job

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
# What XML 1.0 cannot hold even escaped (its clause 2.2).
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Reply:
    """An HTTP answer, and how it is to be sent."""

    status: int
    body: bytes
    media: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: int = 1
    """In how many pieces the body is sent."""
    pause: float = 0.0
    """Real seconds before each piece."""
    sent: int | None = None
    """Only so many bytes of the body are sent before the connection ends; None for all."""

    @classmethod
    def text(cls, words: str) -> Reply:
        """200 with some words, as ids and states come."""
        return cls(200, words.encode())

    @classmethod
    def error(cls, description: str, status: int = 400) -> Reply:
        """The service's XML around a sentence."""
        words = escape(_NO_XML.sub("?", description))
        body = f"{XML}<error>\n <description>{words}</description>\n</error>\n"
        return cls(status, body.encode(), "text/xml")


class Cut(Exception):
    """Raised for an answer that never comes: the connection is reset."""


@dataclass
class Style:
    """Ways of writing results that the service has had over the years."""

    old_dates: bool = False
    """21/05/2020 08:44:25 BST and 0:02:01, as until 2022."""
    organisms: bool = False
    """hit_os is filled from the description where False says "NA"."""
    dbfetch: bool = True
    """hit_dbfetch_url, which came in March 2023."""


@dataclass
class Exchange:
    """One request."""

    call: str
    """run, status, resulttypes, result, parameters or parameterdetails."""
    tool: str
    time: float
    job: Job | None = None
    """The job that the address names, where there is such a one."""
    name: str = ""
    """The id, or the parameter's name, as the address has it."""
    kind: str = ""
    """The result type."""
    form: Mapping[str, Sequence[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    """Result types that the service shall not have this time."""
    style: Style = field(default_factory=Style)
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def wants_json(self) -> bool:
        """XML is what comes without a word."""
        return "application/json" in self.headers.get("accept", "")
