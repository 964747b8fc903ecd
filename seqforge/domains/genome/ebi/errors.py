"""A reply or a failure in, a typed error with a sentence out: refused, transient, fate unknown,
gone. Also XML, JSON and error pages of the network parsed defensively.
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
    """A request to EMBL-EBI that gave nothing; ``str(error)`` is a sentence."""


class Refused(EbiError):
    """Turned down by validation: never became a job, whatever was submitted."""


class Transient(EbiError):
    """Nothing happened, for certain; ``retry_after`` is what the service asked for, in seconds."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class FateUnknown(EbiError):
    """A submission that may have become a job: it must not be repeated without being asked.

    ``answered`` says that something did answer, but not as the service does.
    """

    def __init__(self, text: str, *, answered: bool = False) -> None:
        super().__init__(text)
        self.answered = answered


class Gone(EbiError):
    """A job the service does not know."""


class Unreadable(EbiError):
    """A reply that cannot be read: truncated, or another thing than was asked for."""


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


def page_text(body: bytes) -> str:
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
        raise Unreadable(f"the reply is no whole JSON ({error}): {page_text(body)}") from error


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
    """One line, without tags, at most so long."""
    line = one_line(" ".join(html.unescape(_TAG.sub(" ", text)).split()))
    return line if len(line) <= _CHARACTERS else line[: _CHARACTERS - 1] + "…"


KEPT_DAYS = 7
"""EMBL-EBI deletes results after so long."""

KEPT_SECONDS = KEPT_DAYS * 86400.0


def poll_seconds(age: float) -> float:
    """How long to wait for the next look at a job of this age: 3, then 5, then 10 to 30 s."""
    if age < 30:
        return 3.0
    if age < 120:
        return 5.0
    return min(30.0, 10.0 + (age - 120) / 24)


def about_the_query(refusal: str) -> bool:
    """Whether a refusal is about one query's sequence, and not about what all queries share."""
    return any(word in refusal for word in ("Sequence ->", "Input is too big", "Entry found"))


def renamed(note: str, old: str, new: str) -> str:
    """A sentence of these with another query's name in what it advises."""
    return note.replace(f"--resubmit {old} ", f"--resubmit {new} ")


def fate_unknown(what: str, query: str) -> str:
    """The sentence on a submission of which nobody knows whether it became a job."""
    return (
        f"{what} after it was sent to EMBL-EBI and before a job's id came back: it may run there "
        f"or not, so it is not sent again by itself; --resubmit {query} sends it again"
    )


def id_not_written(why: str, job_id: str, *, kept: bool) -> str:
    """The sentence on a job that was submitted just before the store could not be written."""
    after = "it is kept beside the store, and goes on" if kept else "nothing but this line tells it"
    return f"{why}; the job {job_id} was just submitted: {after}"


def result_damaged(query: str) -> str:
    """The sentence on a finished search of which nothing readable is left."""
    return (
        "its result in the store is damaged, and no reply that can be read is kept beside it; "
        f"--resubmit {query} searches again"
    )


def not_trusted(what: str) -> str:
    """The sentence on why the other queries are not submitted after one of unknown fate."""
    return (
        f"{what}, which is no answer of EMBL-EBI's, so nothing more is submitted now; look at "
        "the network (is there a page to log in to?) and run the same command again to submit "
        "those that are left"
    )


def expired(query: str, job_id: str) -> str:
    """The sentence on results that are too old."""
    return (
        f"EMBL-EBI keeps results for {KEPT_DAYS} days, and {job_id} is older and not known there "
        f"any more; "
        f"--resubmit {query} searches again"
    )


def lost(query: str, job_id: str) -> str:
    """The sentence on a job that the service has forgotten."""
    return (
        f"EMBL-EBI does not know the job {job_id} any more (it keeps them for {KEPT_DAYS} "
        f"days); --resubmit {query} searches again"
    )


def failed(query: str, job_id: str, word: str, told: str) -> str:
    """The sentence on a job that ended badly; ``told`` is what the service's program said."""
    because = f" ({told[:300]})" if told else ""
    return (
        f"the search {job_id} failed at EMBL-EBI with {word}{because}; "
        f"--resubmit {query} tries it again"
    )


def unreadable(query: str, job_id: str, raw: Path) -> str:
    """The sentence on a finished job of which nothing can be read."""
    return (
        f"EMBL-EBI finished {job_id}, but none of its results can be read; what came is kept in "
        f"{raw}; --resubmit {query} searches again"
    )
