"""Reading what comes from the network with suspicion: XML without entities, pages, error texts."""

from __future__ import annotations

import html
import json
import re
from typing import Any
from xml.etree import ElementTree

from seqforge.base.printable import one_line
from seqforge.domains.genome.similarity.ebi.failures import Unreadable

_PAGE = re.compile(r"<!doctype html|<html[\s>]", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_CHARACTERS = 300
_LOOKED_AT = 1 << 16
"""What an answer says to a person stands at its beginning."""
_ELEMENTS = 2_000_000
"""More parts than any result has: a few bytes each would become a hundred times as many."""
_REMEDIES = tuple(
    (re.compile(pattern, re.IGNORECASE), advice)
    for pattern, advice in (
        ("e-?mail", "give an address of yours that exists with --email"),
        ("input is too big", "search with fewer letters"),
        ("sequence ->|reading input", "look at the letters of this sequence"),
        ("database", "choose another --database"),
        (r"expect|\bexp\b", "choose another --evalue"),
        ("match", "choose other --match-scores"),
        ("gap", "choose other --gaps"),
        ("filter", "leave --dust out, or give it"),
    )
)


def as_text(body: bytes) -> str:
    """The body as text; what is not UTF-8 shows as a question mark, for it is shown to people."""
    return body.decode("utf-8", errors="replace")


def is_page(body: bytes) -> bool:
    """Whether this is a web page, as a proxy, a login or a broken server gives for data."""
    return _PAGE.search(as_text(body[:2000])) is not None


def said(body: bytes) -> str:
    """What an answer says to a person: its <description>, a page's <h1>, else its beginning."""
    text = as_text(body[:_LOOKED_AT])
    if (found := _inside(text, "description")) is not None:
        return _plain(found)
    if is_page(body):
        for tag in ("h1", "title"):
            if (found := _inside(text, tag)) is not None:
                return f"a web page titled “{_plain(found)}”"
        return "a web page without a title"
    return _plain(text)


def _inside(text: str, tag: str) -> str | None:
    """What the first element of this name holds; each step of the search goes on from the last."""
    opened = re.search(rf"<{tag}\b", text, re.IGNORECASE)
    begins = text.find(">", opened.end()) + 1 if opened else 0
    if not begins:
        return None
    closed = re.compile(f"</{tag}>", re.IGNORECASE).search(text, begins)
    return text[begins : closed.start()] if closed else None


def remedy(refusal: str) -> str:
    """What a person can do about a refusal, by the first thing it names."""
    for pattern, advice in _REMEDIES:
        if pattern.search(refusal):
            return advice
    return "change what is asked and run again"


def parse_json(body: bytes) -> Any:
    """The document.

    Raises:
        Unreadable: If it is no JSON, is nested too deeply, or has more parts than any reply has.
    """
    check_parts(sum(map(body.count, (b",", b"[", b"{"))))
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the reply is no whole JSON ({error}): {said(body)}") from error


def check_parts(count: int) -> None:
    """Raise Unreadable where a reply would take far more memory than it has bytes."""
    if count > _ELEMENTS:
        raise Unreadable(f"the reply has {count:,} parts, more than any result")


def parse_xml(body: bytes) -> ElementTree.Element:
    """The document's root, its namespaces taken off.

    Raises:
        Unreadable: If it is no well-formed XML, or declares a document type or entities, with
            which a few bytes can grow to fill the memory.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("the reply is not UTF-8 text") from error
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise Unreadable(f"the reply declares a document type, which no reply does: {said(body)}")
    check_parts(text.count("<"))
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise Unreadable(f"the reply is not well-formed XML ({error})") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _plain(text: str) -> str:
    """One line, without tags, at most so long."""
    line = one_line(" ".join(html.unescape(_TAG.sub(" ", text)).split()))
    return line if len(line) <= _CHARACTERS else line[: _CHARACTERS - 1] + "…"
