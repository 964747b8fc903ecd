"""What can go wrong, as small pieces that say on which call, for which job and how often.

A script is a list of them. The first stands nearest the client: where it answers by itself, the
others and the service see nothing of the call.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from tests.ebi_double.wire import Cut, Exchange, Reply, Style

Proceed = Callable[[], Reply]

BAD_GATEWAY = (
    "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head>\n"
    "<body><center><h1>502 Bad Gateway</h1></center></body></html>\n"
)
LOGIN_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>Network login</title></head>\n"
    "<body><h1>Please log in to use this network</h1></body></html>\n"
)
_OVER = {"FINISHED", "FAILURE", "NOT_FOUND"}


@dataclass(kw_only=True)
class Fault:
    """Strikes some calls; every job is counted on its own."""

    on: str = "status"
    """The call: run, status, resulttypes, result, parameters, parameterdetails."""
    times: int | None = 1
    """How many calls it strikes; None is all of them."""
    after: int = 0
    """How many calls it lets pass first."""
    job: int | None = None
    """Only the job of this number, in the order of acceptance, from 1."""
    kind: str | None = None
    """Only this result type."""
    together: bool = False
    """Whether the calls of all jobs are counted as one."""
    struck: int = field(default=0, init=False)
    """How often it has struck: a test can see that what it scripted did happen."""
    _seen: Counter[str] = field(default_factory=Counter, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def strikes(self, exchange: Exchange) -> bool:
        """Whether this call is struck; each call is asked about once."""
        if exchange.call not in self.on.split("|"):
            return False
        if self.job is not None and (exchange.job is None or exchange.job.number != self.job):
            return False
        if self.kind is not None and exchange.kind != self.kind:
            return False
        with self._lock:
            key = "" if exchange.job is None or self.together else exchange.job.id
            self._seen[key] += 1
            turn = self._seen[key] - self.after
            struck = turn >= 1 and (self.times is None or turn <= self.times)
            self.struck += struck
            return struck

    def act(self, exchange: Exchange, proceed: Proceed) -> Reply:
        """Answer in the service's place, or with what it says."""
        return proceed()


@dataclass
class Says(Fault):
    """A job's state is this word, known or not."""

    word: str

    def act(self, exchange: Exchange, proceed: Proceed) -> Reply:
        if exchange.job is not None and self.word in _OVER:
            exchange.job.over = True
        return Reply.text(self.word)


@dataclass
class Answers(Fault):
    """Something between client and service answers: a proxy, a login page, a rate limit."""

    status: int
    body: str
    media: str = "text/html"
    headers: Mapping[str, str] = field(default_factory=dict)
    handled: bool = False
    """Whether the service had the call and its own answer was lost."""

    def act(self, exchange: Exchange, proceed: Proceed) -> Reply:
        if self.handled:
            proceed()
        return Reply(self.status, self.body.encode(), self.media, self.headers)


@dataclass
class Resets(Fault):
    """The connection is reset in place of an answer."""

    handled: bool = False
    """Whether the service had the call, and what it did stays done."""

    def act(self, exchange: Exchange, proceed: Proceed) -> Reply:
        if self.handled:
            proceed()
        raise Cut


@dataclass
class Stops(Fault):
    """The program behind an accepted job ends with an error, and says this on stderr."""

    text: str

    def __post_init__(self) -> None:
        self.on = "run"

    def act(self, exchange: Exchange, proceed: Proceed) -> Reply:
        reply = proceed()
        if exchange.job is not None:
            exchange.job.failed = self.text
        return reply


@dataclass
class Slow(Fault):
    """The body comes in pieces, with a real pause before each."""

    pieces: int = 10
    pause: float = 0.01

    def act(self, exchange: Exchange, proceed: Proceed) -> Reply:
        return replace(proceed(), pieces=self.pieces, pause=self.pause)


@dataclass
class Truncated(Fault):
    """A body that stops before its end."""

    keep: float = 0.5
    """The share of the bytes that comes."""
    announced: bool = True
    """Whether Content-Length tells the full length, so that the cut can be seen."""

    def act(self, exchange: Exchange, proceed: Proceed) -> Reply:
        reply = proceed()
        cut = int(len(reply.body) * self.keep)
        return replace(reply, sent=cut) if self.announced else replace(reply, body=reply.body[:cut])


@dataclass
class Lacks(Fault):
    """Some result types do not exist."""

    kinds: tuple[str, ...] = ("json",)

    def __post_init__(self) -> None:
        self.on = "resulttypes|result"

    def act(self, exchange: Exchange, proceed: Proceed) -> Reply:
        exchange.hidden |= set(self.kinds)
        return proceed()


@dataclass
class Written(Fault):
    """Results are written as in another year."""

    style: Style = field(default_factory=Style)

    def __post_init__(self) -> None:
        self.on = "result"

    def act(self, exchange: Exchange, proceed: Proceed) -> Reply:
        exchange.style = self.style
        return proceed()


def bad_gateway(on: str = "status", times: int | None = 1, *, handled: bool = False) -> Answers:
    """The HTML page of a proxy that has lost its server."""
    return Answers(502, BAD_GATEWAY, on=on, times=times, handled=handled)


def login_page(on: str = "run", times: int | None = 1, *, handled: bool = False) -> Answers:
    """An HTML page with status 200."""
    return Answers(200, LOGIN_PAGE, on=on, times=times, handled=handled)


def too_many_requests(
    on: str = "status", times: int | None = 1, retry_after: str | None = "7"
) -> Answers:
    """429 before the service has seen anything."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Answers(429, "Too many requests\n", "text/plain", headers, on=on, times=times)
