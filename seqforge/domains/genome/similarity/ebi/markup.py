"""Reading what comes from the network with suspicion: XML without entities, pages, error texts."""

from __future__ import annotations

import html
import re
from xml.etree import ElementTree

from seqforge.base.printable import one_line
from seqforge.domains.genome.similarity.ebi.failures import Unreadable

_DESCRIPTION = re.compile(r"<description[^>]*>(.*?)</description>", re.DOTALL | re.IGNORECASE)
_HEADINGS = tuple(
    re.compile(rf"<{tag}[^>]*>(.*?)</{tag}>", re.DOTALL | re.IGNORECASE) for tag in ("h1", "title")
)
_PAGE = re.compile(r"<!doctype html|<html[\s>]", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_CHARACTERS = 300
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
    text = as_text(body)
    if found := _DESCRIPTION.search(text):
        return _plain(found[1])
    if is_page(body):
        for heading in _HEADINGS:
            if found := heading.search(text):
                return f"a web page titled “{_plain(found[1])}”"
        return "a web page without a title"
    return _plain(text)


def remedy(refusal: str) -> str:
    """What a person can do about a refusal, by the first thing it names."""
    for pattern, advice in _REMEDIES:
        if pattern.search(refusal):
            return advice
    return "change what is asked and run again"


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
