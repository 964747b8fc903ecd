"""The service behind the addresses: jobs, their states, their results, and who asked for what."""

from __future__ import annotations

import random
import threading
import time as real_time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.ebi_double.offer import Offer
from tests.ebi_double.report import fasta36, pairwise
from tests.ebi_double.results import (
    LABELS,
    parameters_document,
    parameters_reply,
    submission_document,
    types_reply,
)
from tests.ebi_double.searching import Engine, SearchFailedError
from tests.ebi_double.translating import asked, command_line, filled_in
from tests.ebi_double.validation import InputSequence, read_sequence, refusal
from tests.ebi_double.wire import Exchange, Reply
from tests.ebi_double.writing import Finished, as_ids, as_json, as_xml

RETENTION_DAYS = 7
# A job that nobody asks for ends all the same, and its place is free again.
_FORGOTTEN_SECONDS = 3600
_FAILED = "the program ended with an error"


@dataclass(frozen=True)
class Submission:
    """A POST to /run that reached the service."""

    time: float
    tool: str
    parameters: Mapping[str, Sequence[str]]
    job_id: str | None
    """None where it was refused."""
    refusal: str | None = None

    def __getitem__(self, name: str) -> str:
        """A parameter's first value."""
        return self.parameters[name][0]


@dataclass
class Job:
    """An accepted submission."""

    number: int
    id: str
    tool: str
    form: Mapping[str, Sequence[str]]
    query: InputSequence
    submitted: float
    over: bool = False
    """Whether it is known to have ended: it fills no place any more."""
    done: Finished | None = None
    failed: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def value(self, name: str, default: str) -> str:
        """A parameter as it was sent, or what the service takes in its place."""
        values = [value for value in self.form.get(name, []) if value != ""]
        return values[0] if values else default


class Service:
    """All that the double knows; an HTTP server stands before it."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], float],
        *,
        run_seconds: float,
        limit: int,
        crowded: int,
    ) -> None:
        self.engine, self.clock = engine, clock
        self.run_seconds, self.limit, self.crowded = run_seconds, limit, crowded
        self.offer = Offer()
        self.jobs: dict[str, Job] = {}
        self.submissions: list[Submission] = []
        self.violations: list[str] = []
        self._lock = threading.Lock()
        self._rng = random.Random(5)

    def answer(self, exchange: Exchange) -> Reply:
        """What the service says to one request."""
        answers: dict[str, Callable[[Exchange], Reply]] = {
            "run": self._run,
            "status": self._status,
            "resulttypes": self._result_types,
            "result": self._result,
            "parameters": self._parameters,
            "parameterdetails": self._details,
        }
        return answers[exchange.call](exchange)

    def find(self, job_id: str) -> Job | None:
        """A job that is not older than the service keeps them."""
        job = self.jobs.get(job_id)
        if job is None or self.clock() - job.submitted > RETENTION_DAYS * 86_400:
            return None
        return job

    def _run(self, exchange: Exchange) -> Reply:
        form, now = exchange.form, self.clock()
        with self._lock:
            why, status = refusal(form, self.offer.parameters(exchange.tool)), 400
            if why is None and self._in_flight(now) >= self.limit:
                why, status = f"At most {self.limit} jobs may be running at a time", self.crowded
                self.violations.append(f"job {self.limit + 1} in flight was submitted")
            if why is not None:
                self.submissions.append(Submission(now, exchange.tool, form, None, why))
                return Reply.error(why, status)
            job = Job(
                len(self.jobs) + 1,
                self._new_id(exchange.tool, now),
                exchange.tool,
                form,
                read_sequence(form["sequence"][0]),
                now,
            )
            self.jobs[job.id] = job
            self.submissions.append(Submission(now, exchange.tool, form, job.id))
        exchange.job = job
        return Reply.text(job.id)

    def _in_flight(self, now: float) -> int:
        return sum(
            not job.over and now - job.submitted < _FORGOTTEN_SECONDS for job in self.jobs.values()
        )

    def _new_id(self, tool: str, now: float) -> str:
        moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
        numbers = f"{self._rng.randrange(10_000):04d}-{self._rng.randrange(10**6, 10**8)}"
        return f"{tool}-R{moment}-{numbers}-p1m"

    def _status(self, exchange: Exchange) -> Reply:
        return Reply.text("NOT_FOUND" if exchange.job is None else self._state(exchange.job))

    def _state(self, job: Job) -> str:
        """QUEUED for a fifth of its time, RUNNING, then the search is done at the first question.

        What ends with an error says ERROR, which is inferred.
        """
        age = self.clock() - job.submitted
        if age < self.run_seconds:
            return "QUEUED" if age < self.run_seconds / 5 else "RUNNING"
        with job.lock:
            if job.done is None and job.failed is None:
                self._search(job)
            job.over = True
            return "FINISHED" if job.failed is None else "ERROR"

    def _search(self, job: Job) -> None:
        form = filled_in(job)
        before = real_time.monotonic()
        try:
            found = self.engine.find(job.query, asked(form))
        except SearchFailedError as error:
            job.failed = str(error) or _FAILED
            return
        took = max(self.run_seconds, real_time.monotonic() - before)
        job.done = Finished(
            job.tool,
            job.id,
            tuple(job.form["database"]),
            form,
            job.submitted,
            job.submitted + took,
            found,
            command_line(job, form),
        )

    def _result_types(self, exchange: Exchange) -> Reply:
        if exchange.job is None:
            return Reply.error(f"Job '{exchange.name}' was not found")
        state = self._state(exchange.job)
        if state in {"QUEUED", "RUNNING"}:
            return Reply.error(f"Job '{exchange.job.id}' is still {state.lower()}")
        return types_reply(self._kinds(exchange), exchange)

    def _kinds(self, exchange: Exchange) -> list[str]:
        assert exchange.job is not None
        failed = exchange.job.failed is not None
        kinds = ["sequence", "parameters", "submission", "error"] if failed else list(LABELS)
        return [kind for kind in kinds if kind not in exchange.hidden]

    def _result(self, exchange: Exchange) -> Reply:
        job, kind = exchange.job, exchange.kind
        if job is None:
            return Reply.error(f"Job '{exchange.name}' was not found")
        state = self._state(job)
        if state in {"QUEUED", "RUNNING"}:
            return Reply.error(f"Job '{job.id}' is still {state.lower()}")
        if kind not in self._kinds(exchange):
            return Reply.error(f"Requested renderer '{kind}' not available for job '{job.id}'")
        return Reply(200, self._body(job, exchange), LABELS[kind].media)

    def _body(self, job: Job, exchange: Exchange) -> bytes:
        if exchange.kind == "sequence":
            return job.form["sequence"][0].encode()
        if exchange.kind == "parameters":
            return parameters_document(job.form)
        if exchange.kind == "submission":
            return submission_document(job.id, job.submitted)
        if exchange.kind == "error":
            return (job.failed or "").encode()
        done = job.done
        assert done is not None
        if exchange.kind == "json":
            return as_json(done, exchange.style)
        if exchange.kind == "xml":
            return as_xml(done, exchange.style)
        if exchange.kind == "out":
            return self._report(job, done).encode()
        return as_ids(done)

    def _report(self, job: Job, done: Finished) -> str:
        if job.tool == "fasta":
            return fasta36(done)
        told = self.engine.pairwise(job.query, asked(done.form))
        return pairwise(done) if told is None else told

    def _parameters(self, exchange: Exchange) -> Reply:
        return parameters_reply([p.name for p in self.offer.parameters(exchange.tool)], exchange)

    def _details(self, exchange: Exchange) -> Reply:
        for parameter in self.offer.parameters(exchange.tool):
            if parameter.name == exchange.name:
                if exchange.wants_json:
                    return Reply(200, parameter.as_json(), "application/json")
                return Reply(200, parameter.as_xml(), "application/xml")
        return Reply.error(f"Parameter '{exchange.name}' was not found")
