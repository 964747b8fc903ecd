"""A call of the EMBL-EBI Job Dispatcher API in, its parsed response out. No retries, no state."""

from __future__ import annotations

import math
import platform
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import requests

from seqforge.domains.genome.ebi.errors import (
    FateUnknown,
    Gone,
    Refused,
    Transient,
    Unreadable,
    as_text,
    is_page,
    page_text,
    parse_json,
    parse_xml,
    remedy,
)
from seqforge.domains.genome.ebi.settings import checked_email
from seqforge.domains.genome.ebi.transport import (
    fetch,
    is_too_long,
    never_sent,
    new_session,
    reason_of,
)
from seqforge.errors import ConfigError
from seqforge.version import __version__

_VALUES = 10_000


@dataclass(frozen=True)
class ParameterValue:
    """An allowed value of a parameter."""

    value: str
    """The value as submitted."""
    label: str
    default: bool = False
    contexts: tuple[str, ...] = ()
    """Residue type: nucleotide, protein, vector; empty if the service gives none."""


@dataclass(frozen=True)
class ParameterDetails:
    """The service's description of a parameter."""

    name: str
    description: str
    type: str
    values: tuple[ParameterValue, ...]
    """Empty if any value is allowed."""


def read_details(body: bytes) -> ParameterDetails:
    """The body of ``/parameterdetails`` in, its parameter description out.

    Raises:
        Unreadable: If it is neither its JSON nor its XML.
    """
    data = _document(body)
    if not isinstance(data, dict) or "name" not in data:
        raise Unreadable(f"this describes no parameter: {page_text(body)}")
    found = _inside(data, "values")
    if len(found) > _VALUES:
        raise Unreadable(f"this parameter has {len(found):,} values, more than any has")
    values = tuple(_value(value) for value in found if value.get("value"))
    kind, description = str(data.get("type") or ""), str(data.get("description") or "")
    return ParameterDetails(str(data["name"]), description, kind, values)


def read_types(body: bytes) -> list[str]:
    """The body of ``/resulttypes`` in, its identifiers out, in order.

    Raises:
        Unreadable: If it is neither its JSON nor its XML.
    """
    found = [
        str(each["identifier"])
        for each in _mappings(_document(body))
        if isinstance(each.get("identifier"), str)
    ]
    if not found:
        raise Unreadable(f"this names no kind of result: {page_text(body)}")
    return found


def _document(body: bytes) -> Any:
    """A reply in, its JSON document out; XML is converted to the service's JSON."""
    if body.lstrip()[:1] == b"<":
        try:
            return _converted(parse_xml(body))
        except RecursionError as error:
            raise Unreadable("the reply is nested too deeply") from error
    return parse_json(body)


def _converted(element: Element) -> Any:
    """XML in, JSON out: leaves as text, children of one name as a list, others as a dict."""
    children = list(element)
    if not children:
        return (element.text or "").strip()
    names = [child.tag for child in children]
    if element.tag in {"values", "properties", "types"} or len(set(names)) < len(names):
        return {names[0]: [_converted(child) for child in children]}
    return {child.tag: _converted(child) for child in children}


def _value(data: dict[str, Any]) -> ParameterValue:
    properties = {
        str(each.get("key")): str(each.get("value")) for each in _inside(data, "properties")
    }
    contexts = tuple(part.strip() for part in properties.get("contexts", "").split(","))
    value = str(data["value"])
    return ParameterValue(
        value,
        str(data.get("label") or value),
        str(data.get("defaultValue")).lower() == "true",
        tuple(filter(None, contexts)),
    )


def _inside(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The list in ``data[name]``; JSON wraps it in another dictionary."""
    inner = data.get(name)
    while isinstance(inner, dict):
        inner = next((value for value in inner.values() if isinstance(value, list | dict)), None)
    return [each for each in inner if isinstance(each, dict)] if isinstance(inner, list) else []


def _mappings(data: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary in a document, at any depth, in document order."""
    left = [data]
    while left:
        data = left.pop()
        if isinstance(data, dict):
            yield data
            left.extend(reversed(data.values()))
        elif isinstance(data, list):
            left.extend(reversed(data))


BASE_URL = "https://www.ebi.ac.uk/Tools/services/rest"

TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and seconds without a byte."""

_EXCHANGE_SECONDS = 600.0
"""For a request and all of its answer."""

_GRACE_SECONDS = 2.0
_SUBMISSION_SECONDS = 15.0
"""An exchange that was begun may take so long though the deadline comes; a submission that is not
seen through has an unknown fate."""

_RESULT_BYTES, _WORDS_BYTES = 64 << 20, 4 << 20

Form = Mapping[str, str | Sequence[str]]
"""What is submitted; a name with several values is sent once for each."""

_MOST_WAIT = 60.0
_WORD = re.compile(r"[A-Za-z_]{2,40}")
_LOST = re.compile(r"not found|cannot be found|not exist|expired|no longer", re.IGNORECASE)
_EARLY = re.compile(r"still (queued|pending|running)|not (yet )?finished", re.IGNORECASE)
_ABSENT = re.compile(r"renderer|result type", re.IGNORECASE)


class EbiClient:
    """REST client of one tool (``ncbiblast`` or ``fasta``).

    Args:
        email: Sent with every submission; the service requires a working address.
        base_url: The URL before the tool's name.
        sleep: Waits some seconds. Not used here but by callers that poll.
        clock: Seconds since 1970, for ages and dates; for callers too.
        monotonic: Monotonic seconds, for deadlines; for callers too.
        timeout: Connect and read time-outs in seconds.
        grace: Seconds that an exchange may go on past the deadline.
    """

    def __init__(
        self,
        email: str,
        tool: str = "ncbiblast",
        base_url: str = BASE_URL,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        timeout: tuple[float, float] = TIMEOUT,
        grace: float = _GRACE_SECONDS,
    ) -> None:
        self.email, self.tool = email, tool
        self.url = f"{base_url.rstrip('/')}/{tool}"
        self.sleep, self.clock, self.monotonic = sleep, clock, monotonic
        self.until = math.inf
        """Deadline by the monotonic clock: exchanges end soon after it."""
        self._timeout, self._grace = timeout, grace
        self._session = new_session()
        self._job_id = re.compile(rf"{re.escape(tool)}-\w\d{{8}}(-\w+){{4}}", re.ASCII)

    @property
    def service(self) -> str:
        """Host and path without the scheme. Job ids are unique within it."""
        parts = urlsplit(self.url)
        return f"{parts.netloc}{parts.path}"

    def of(self, service: str) -> EbiClient:
        """A client with these settings for another `service` of this host; itself for its own."""
        if service == self.service:
            return self
        parts = urlsplit(self.url)
        base, _, tool = service.rpartition("/")
        other = EbiClient(
            self.email,
            tool,
            f"{parts.scheme}://{base}",
            self.sleep,
            self.clock,
            self.monotonic,
            self._timeout,
            self._grace,
        )
        other.until, other._session = self.until, self._session
        return other

    def shares_host(self, service: str) -> bool:
        """Whether a `service` is on this host, so that its jobs count towards the same limit."""
        return service.partition("/")[0] == urlsplit(self.url).netloc

    def require_email(self) -> None:
        """Raise ConfigError if there is no valid e-mail address to submit with."""
        try:
            checked_email(self.email)
        except ValueError as error:
            raise ConfigError(
                f"EMBL-EBI requires an e-mail address, and {self.email!r} is none; "
                "give --email or set SEQFORGE_EMAIL"
            ) from error

    def submit(self, form: Form) -> str:
        """A form in, the job id out; submits once, without retries.

        Raises:
            ConfigError: If there is no e-mail address; nothing was sent.
            Refused: If the service rejects it; there is no job.
            Transient: If it certainly did not become a job.
            FateUnknown: If it was sent and may have become a job.
        """
        self.require_email()
        try:
            # A new connection: the server may close a kept-alive one just as it is used, and then
            # the fate of the job is unknown.
            with new_session() as session:
                answer, body = fetch(
                    session,
                    "POST",
                    f"{self.url}/run",
                    seconds=self._seconds(max(self._grace, _SUBMISSION_SECONDS)),
                    size=_WORDS_BYTES,
                    timeout=self._timeout,
                    data={**form, "email": self.email},
                    headers={**self._headers("text/plain"), "Connection": "close"},
                )
        except requests.RequestException as error:
            if never_sent(error):
                raise Transient(f"{self.url} cannot be reached ({reason_of(error)})") from error
            raise FateUnknown(f"the connection broke ({reason_of(error)})") from error
        return self._submitted(answer, body)

    def _submitted(self, answer: requests.Response, body: bytes) -> str:
        code, text = answer.status_code, page_text(body)
        if code == requests.codes.ok:
            job_id = as_text(body).strip()
            if self._job_id.fullmatch(job_id):
                return job_id
            raise FateUnknown(f"in place of a job's id came {text or 'nothing'}", answered=True)
        if code in {429, 503}:  # rejected before it became a job
            raise Transient(f"{self.url} is busy ({code}: {text})", self._retry_after(answer))
        if 300 <= code < 400:
            raise Refused(f"{self.url} did not take the search ({code}): {_elsewhere(answer)}")
        if 400 <= code < 500:
            text = text or answer.reason
            raise Refused(f"EMBL-EBI refused the search ({code}): {text}; {remedy(text)}")
        raise FateUnknown(f"the answer was {code}: {text or answer.reason}", answered=True)

    def status(self, job_id: str) -> str:
        """A job id in, the service's status out; NOT_FOUND for an unknown job.

        Raises:
            Transient: If no status came.
        """
        try:
            body = self._get(f"status/{job_id}", "text/plain")
        except (Gone, Refused):
            return "NOT_FOUND"
        word = as_text(body).strip()
        if not _WORD.fullmatch(word):
            raise Transient(f"in place of a state came {page_text(body) or 'nothing'}")
        return word.upper()

    def result_types(self, job_id: str) -> list[str]:
        """A finished job's id in, its result types out: json, xml, out, ...

        Raises:
            Transient, Gone, Refused, Unreadable.
        """
        return read_types(self._get(f"resulttypes/{job_id}", "application/json"))

    def result(self, job_id: str, kind: str) -> bytes:
        """A finished job's id and a result type in, the raw result out.

        Raises:
            Transient, Gone: See `errors`.
            Refused: If the job has no result of this type.
        """
        body = self._get(f"result/{job_id}/{kind}", "*/*", _RESULT_BYTES)
        if is_page(body):
            raise Transient(f"in place of the result came {page_text(body)}")
        return body

    def parameter_details(self, name: str) -> ParameterDetails:
        """A parameter's name in, its description and allowed values out.

        Raises:
            Transient, Unreadable: See `errors`.
            Refused: If the tool has no such parameter.
        """
        body = self._get(f"parameterdetails/{name}", "application/json")
        if is_page(body):
            raise Transient(f"in place of the parameter {name} came {page_text(body)}")
        return read_details(body)

    def close(self) -> None:
        """Close the kept-alive connection."""
        self._session.close()

    def _seconds(self, least: float) -> float:
        """Seconds that an exchange beginning now may take."""
        return min(_EXCHANGE_SECONDS, max(self.until - self.monotonic(), least))

    def _get(self, path: str, accept: str, size: int = _WORDS_BYTES) -> bytes:
        try:
            answer, body = fetch(
                self._session,
                "GET",
                f"{self.url}/{path}",
                seconds=self._seconds(self._grace),
                size=size,
                timeout=self._timeout,
                headers=self._headers(accept),
            )
        except requests.RequestException as error:
            if is_too_long(error):
                raise Refused(f"{self.url}/{path}: {reason_of(error)}") from error
            raise Transient(f"{self.url} did not answer ({reason_of(error)})") from error
        code = answer.status_code
        if code == requests.codes.ok:
            return body
        text = (_elsewhere(answer) if 300 <= code < 400 else page_text(body)) or answer.reason
        # A web page, or a status code that the service does not use, comes from a proxy.
        if code not in {400, 404} or is_page(body) or _EARLY.search(text):
            raise Transient(f"the answer was {code}: {text}", self._retry_after(answer))
        if _LOST.search(text) and not _ABSENT.search(text):
            raise Gone(f"EMBL-EBI answers: {text}")
        raise Refused(f"{self.url}/{path}: {code}: {text}")

    def _headers(self, accept: str) -> dict[str, str]:
        return {"User-Agent": user_agent(), "Accept": accept, "Accept-Encoding": "identity"}

    def _retry_after(self, answer: requests.Response) -> float | None:
        """The wait of a Retry-After header (seconds or a date), at most a minute."""
        value = answer.headers.get("Retry-After", "").strip()
        if re.fullmatch(r"[0-9]+", value):  # RFC 9110, 10.2.3: seconds are digits alone
            return _MOST_WAIT if len(value) > 9 else min(float(value), _MOST_WAIT)
        try:
            seconds = parsedate_to_datetime(value).timestamp() - self.clock()
        except (ValueError, TypeError, OverflowError, OSError):
            return None
        return min(max(seconds, 0.0), _MOST_WAIT)


def _elsewhere(answer: requests.Response) -> str:
    """A redirect in, a sentence on it out; redirects are not followed."""
    place = page_text(answer.headers.get("Location", "").encode("latin-1", "replace"))
    return (
        f"it names another address, {place or 'which it does not tell'}, and nothing is sent "
        "there by itself; give that address with --base-url if you trust it"
    )


@cache  # what is installed is looked for on the disk, and every request says it
def user_agent() -> str:
    """The User-Agent header, in the form of the service's own clients."""
    python, system = platform.python_version(), platform.system()
    return f"seqforge/{__version__} (Python {python}; {system}) requests/{version('requests')}"
