"""A failed request in, a typed error with a sentence out: refused, transient, fate unknown,
gone. Untrusted XML, JSON and web pages in, parsed documents or their text out.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from seqforge.base.messages import one_line
from seqforge.errors import SeqforgeError


class EbiError(SeqforgeError):
    """A failed request to EMBL-EBI; ``str(error)`` is a sentence."""


class Refused(EbiError):
    """The service rejected the request; it did not become a job."""


class Transient(EbiError):
    """The request certainly had no effect; ``retry_after`` is the service's wait in seconds."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class FateUnknown(EbiError):
    """A submission that may have become a job. Do not repeat it unless the user asks for it.

    ``answered``: whether a response came, but not one that the service gives.
    """

    def __init__(self, text: str, *, answered: bool = False) -> None:
        super().__init__(text)
        self.answered = answered


class Gone(EbiError):
    """The service does not know the job."""


class Unreadable(EbiError):
    """A reply that cannot be parsed: truncated, or another document than was requested."""


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
    """A body in, text for messages out; invalid UTF-8 becomes question marks."""
    return body.decode("utf-8", errors="replace")


def is_page(body: bytes) -> bool:
    """Whether a body is a web page, as sent by a proxy, a login or a broken server."""
    return _PAGE.search(as_text(body[:2000])) is not None


def page_text(body: bytes) -> str:
    """A body in, its message out: the <description>, a page's <h1>, else the first characters."""
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
    """The content of the first element of this name; linear in the length of the text."""
    opened = re.search(rf"<{tag}\b", text, re.IGNORECASE)
    begins = text.find(">", opened.end()) + 1 if opened else 0
    if not begins:
        return None
    closed = re.compile(f"</{tag}>", re.IGNORECASE).search(text, begins)
    return text[begins : closed.start()] if closed else None


def remedy(refusal: str) -> str:
    """A refusal in, advice for the user out, by the first keyword found in it."""
    for pattern, advice in _REMEDIES:
        if pattern.search(refusal):
            return advice
    return "change what is asked and run again"


def parse_json(body: bytes) -> Any:
    """The document.

    Raises:
        Unreadable: If it is not JSON, nested too deeply, or has too many values.
    """
    check_parts(sum(map(body.count, (b",", b"[", b"{"))))
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the reply is no whole JSON ({error}): {page_text(body)}") from error


def check_parts(count: int) -> None:
    """Raise Unreadable for a reply with too many values: parsed, it could fill the memory."""
    if count > _ELEMENTS:
        raise Unreadable(f"the reply has {count:,} parts, more than any result")


def parse_xml(body: bytes) -> ElementTree.Element:
    """The root of an XML document, without namespaces.

    Raises:
        Unreadable: If it is not well-formed, or declares a document type or entities (entity
            expansion can fill the memory).
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("the reply is not UTF-8 text") from error
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise Unreadable(
            f"the reply declares a document type, which no reply does: {page_text(body)}"
        )
    check_parts(text.count("<"))
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise Unreadable(f"the reply is not well-formed XML ({error})") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _plain(text: str) -> str:
    """Text in, one line without tags out, cut to a length."""
    line = one_line(" ".join(html.unescape(_TAG.sub(" ", text)).split()))
    return line if len(line) <= _CHARACTERS else line[: _CHARACTERS - 1] + "…"


KEPT_DAYS = 7
"""EMBL-EBI deletes results after so long."""

KEPT_SECONDS = KEPT_DAYS * 86400.0


def poll_seconds(age: float) -> float:
    """A job's age in, the polling interval out: 3, then 5, then 10 to 30 s."""
    if age < 30:
        return 3.0
    if age < 120:
        return 5.0
    return min(30.0, 10.0 + (age - 120) / 24)


def about_the_query(refusal: str) -> bool:
    """Whether a refusal concerns one query's sequence, not settings that all queries share."""
    return any(word in refusal for word in ("Sequence ->", "Input is too big", "Entry found"))


def renamed(note: str, old: str, new: str) -> str:
    """A sentence of this module with another query's name in its advice."""
    return note.replace(f"--resubmit {old} ", f"--resubmit {new} ")


def fate_unknown(what: str, query: str) -> str:
    """The sentence on a submission that may or may not have become a job."""
    return (
        f"{what} after it was sent to EMBL-EBI and before a job's id came back: it may run there "
        f"or not, so it is not sent again by itself; --resubmit {query} sends it again"
    )


def id_not_written(why: str, job_id: str, *, kept: bool) -> str:
    """The sentence on a submitted job whose id could not be written to the store."""
    after = "it is kept beside the store, and goes on" if kept else "nothing but this line tells it"
    return f"{why}; the job {job_id} was just submitted: {after}"


def result_damaged(query: str) -> str:
    """The sentence on a finished search whose result and raw replies are all damaged."""
    return (
        "its result in the store is damaged, and no reply that can be read is kept beside it; "
        f"--resubmit {query} searches again"
    )


def not_trusted(what: str) -> str:
    """The sentence on queries that are not submitted because another one's fate is unknown."""
    return (
        f"{what}, which is no answer of EMBL-EBI's, so nothing more is submitted now; look at "
        "the network (is there a page to log in to?) and run the same command again to submit "
        "those that are left"
    )


def expired(query: str, job_id: str) -> str:
    """The sentence on results that the service has deleted by now."""
    return (
        f"EMBL-EBI keeps results for {KEPT_DAYS} days, and {job_id} is older and not known there "
        f"any more; "
        f"--resubmit {query} searches again"
    )


def lost(query: str, job_id: str) -> str:
    """The sentence on a job that the service no longer knows."""
    return (
        f"EMBL-EBI does not know the job {job_id} any more (it keeps them for {KEPT_DAYS} "
        f"days); --resubmit {query} searches again"
    )


def failed(query: str, job_id: str, word: str, told: str) -> str:
    """The sentence on a failed job; ``told`` is the error output of the service's program."""
    because = f" ({told[:300]})" if told else ""
    return (
        f"the search {job_id} failed at EMBL-EBI with {word}{because}; "
        f"--resubmit {query} tries it again"
    )


def unreadable(query: str, job_id: str, raw: Path) -> str:
    """The sentence on a finished job with no readable result."""
    return (
        f"EMBL-EBI finished {job_id}, but none of its results can be read; what came is kept in "
        f"{raw}; --resubmit {query} searches again"
    )
