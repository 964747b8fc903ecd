"""Planned jobs in, ended jobs out: submitted, polled and fetched at EMBL-EBI, with back-off."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from seqforge.base.messages import Advance
from seqforge.domains.genome.ebi.client import EbiClient
from seqforge.domains.genome.ebi.errors import (
    KEPT_SECONDS,
    EbiError,
    FateUnknown,
    Gone,
    Refused,
    Transient,
    Unreadable,
    about_the_query,
    expired,
    failed,
    fate_unknown,
    id_not_written,
    lost,
    not_trusted,
    page_text,
    poll_seconds,
    unreadable,
)
from seqforge.domains.genome.ebi.job_store import Job, JobState, JobStore
from seqforge.domains.genome.ebi.replies import KINDS
from seqforge.errors import RunError


@dataclass
class TrackedJob:
    """A job that this process follows."""

    job: Job
    client: EbiClient
    """Client of the job's tool."""
    wanted: bool = True
    """False for a running job of an earlier command: it is fetched, but not waited for."""
    due: float = 0.0
    since: float = 0.0
    """Monotonic time at which this process submitted it or took it up."""
    failures: int = 0
    """Consecutive failed requests."""
    bad_words: int = 0
    lost: int = 0
    stalls: int = 0
    """Failed fetches of the result of a finished job."""
    broken: Counter[str] = field(default_factory=Counter)
    """Unreadable results, by result type."""
    useless: set[str] = field(default_factory=set)
    """Result types that are not requested again."""
    refused: bool = False
    """Whether the service refused this query, in this process."""


IN_FLIGHT = 30
"""EMBL-EBI asks for no more jobs at a time."""

_GRACE = 60.0  # a job may be NOT_FOUND for so long after it was submitted
_IN_A_ROW = 3  # ERROR, or NOT_FOUND later on, may be the service's own trouble so often
_RETRIES = 3  # of a reply that came broken, before another kind of it is asked for
_LONGEST = 60.0
_UNKNOWN_IN_A_ROW = 2  # one broken connection is bad luck
_BELIEVED = 5  # for so many failures in a row a short Retry-After is followed
_WAITING = frozenset(
    ("QUEUED", "PENDING", "RUNNING", "WAITING", "SUBMITTED", "RESUBMITTED", "ACCEPTED",
     "SCHEDULED", "STARTING", "STARTED", "PROCESSING", "HELD")
)  # fmt: skip
# These statuses are final at once.
_ENDED = re.compile(r"FAIL|CANCEL|KILL|ABORT|TERMINAT|REJECT|DELETED|TIMED?_?OUT")


class JobRunner:
    """Runs jobs of a store to their end with one client.

    Args:
        read: Parses a raw reply into the stored result; raises Unreadable.
        say: Receives messages for the user.
        progress: Receives the number of jobs done, and queued and running ones as text.
        refusal: Why nothing is submitted, if an earlier portion found out.
    """

    def __init__(
        self,
        client: EbiClient,
        store: JobStore,
        jobs: Iterable[Job],
        read: Callable[[Job, str, bytes], dict[str, object]],
        say: Callable[[str], None],
        progress: Advance,
        refusal: str | None = None,
    ) -> None:
        self._client, self._store, self._read = client, store, read
        self._say, self._progress = say, progress
        now = client.monotonic()
        self.tasks = [TrackedJob(job, client, since=now) for job in jobs]
        ours = {task.job.key for task in self.tasks}
        # Other tools' jobs too: the service's limit counts all of them.
        others = [
            job
            for job in store.jobs("running")
            if job.key not in ours and client.shares_host(job.service)
        ]
        clients = {service: client.of(service) for service in {job.service for job in others}}
        self.tasks += [
            TrackedJob(job, clients[job.service], wanted=False, since=now) for job in others
        ]
        self._turned_away = self._unknown = 0
        self.refusal = refusal
        """Why nothing more is submitted: the cause concerns every query."""

    def run(self, deadline: float) -> bool:
        """Work until all jobs have ended, or until ``deadline`` by the client's monotonic clock.

        Returns:
            Whether all jobs have ended.
        """
        for task in self.tasks:
            self._pick_up(task)
        while True:
            self._report()
            if not any(task.wanted and self._goes_on(task) for task in self.tasks):
                return True
            task = min(self._eligible(), key=lambda each: each.due)
            wait = task.due - self._client.monotonic()
            if max(task.due, self._client.monotonic()) >= deadline:
                return False
            if wait > 0:
                self._client.sleep(wait)
            if task.job.state == "planned":
                self._submit(task)
            else:
                self._look(task)

    def _pick_up(self, task: TrackedJob) -> None:
        """Take up a job of an earlier process: parse stored raw replies."""
        job = task.job
        if job.state in {"unknown", "failed", "expired"}:
            self._say(f"{job.query}: {job.note}")
        if job.state != "running" or job.job_id is None:
            return
        for kind in KINDS:
            body = self._store.raw(job.job_id, kind)
            if body is not None and self._finish(task, kind, body):
                return

    def _eligible(self) -> list[TrackedJob]:
        """Running jobs, and planned ones if the limit of jobs in flight is not reached."""
        running = [task for task in self.tasks if task.job.state == "running"]
        if len(running) >= IN_FLIGHT:
            return running
        return [task for task in self.tasks if self._goes_on(task)]

    def _goes_on(self, task: TrackedJob) -> bool:
        """Whether this process can still advance a job."""
        if task.job.state == "planned":
            return self.refusal is None and not task.refused
        return task.job.state == "running"

    def _submit(self, task: TrackedJob) -> None:
        key, name = task.job.key, task.job.query
        self._store.move(key, "submitting")
        try:
            job_id = self._client.submit(task.job.form)
        except Transient as error:
            task.job = self._store.move(key, "planned", note=str(error))
            self._turned_away += 1
            task.failures = self._turned_away - 1
            self._postpone(task, error, f"{name} could not be submitted")
            for other in self.tasks:  # the service is busy for all jobs
                if other.job.state == "planned":
                    other.due = max(other.due, task.due)
        except FateUnknown as error:
            self._end(task, "unknown", fate_unknown(str(error), name))
            self._doubt(error)
        except Refused as error:
            task.job = self._store.move(key, "planned", note=f"{error}")
            self._say(f"{name}: {error}")
            task.refused = True
            if not about_the_query(str(error)):
                self.refusal = str(error)
        except BaseException:  # Ctrl-C during the submission
            self._store.move(key, "unknown", note=fate_unknown("seqforge was stopped", name))
            raise
        else:
            task.job = self._running(key, job_id)
            task.failures = self._turned_away = self._unknown = 0
            task.since = self._client.monotonic()
            task.due = task.since + poll_seconds(0.0)

    def _running(self, key: str, job_id: str) -> Job:
        """Store the id of a new job, in a file beside the store if the database fails.

        Raises:
            RunError: If the store cannot be written; the message has the id.
        """
        try:
            return self._store.move(key, "running", job_id=job_id)
        except BaseException as error:  # Ctrl-C too: without its id a job is lost
            kept = self._store.keep_id(key, job_id)
            if isinstance(error, RunError):
                raise RunError(id_not_written(str(error), job_id, kept=kept)) from error
            raise

    def _doubt(self, error: FateUnknown) -> None:
        """Stop submitting if the next job is likely to have an unknown fate too."""
        self._unknown += 1
        if not error.answered and self._unknown < _UNKNOWN_IN_A_ROW:
            return
        self.refusal = not_trusted(str(error))
        left = sum(task.job.state == "planned" for task in self.tasks)
        if left:
            self._say(f"{self.refusal} ({left} of them)")

    def _look(self, task: TrackedJob) -> None:
        """Poll a job once and act on its status."""
        job_id = task.job.job_id or ""
        try:
            word = task.client.status(job_id)
            if word == "FINISHED":
                self._fetch(task, job_id)
                return
        except Transient as error:
            self._postpone(task, error, f"{task.job.query} ({job_id})")
            return
        task.failures = 0
        self._judge(task, word)

    def _judge(self, task: TrackedJob, word: str) -> None:
        """Act on a status other than FINISHED: any status that does not mean "wait" ends the job.

        EMBL-EBI's own clients do the same. Here a status not known to be final has to repeat,
        since ERROR may be a transient fault of the service, and new statuses are unknown.
        """
        age = self._age(task)
        known = word in _WAITING or word == "NOT_FOUND"
        task.bad_words = 0 if known else task.bad_words + 1
        task.lost = task.lost + 1 if word == "NOT_FOUND" and age > _GRACE else 0
        if _ENDED.search(word) or task.bad_words > _IN_A_ROW:
            self._end(task, "failed", self._failure(task, word))
        elif task.lost > _IN_A_ROW or (task.lost and age > KEPT_SECONDS):
            told = expired if age > KEPT_SECONDS else lost
            self._end(task, "expired", told(task.job.query, task.job.job_id or ""))
        else:
            task.due = self._client.monotonic() + poll_seconds(age)

    def _fetch(self, task: TrackedJob, job_id: str) -> None:
        """Fetch the first result type that the job has and that can be parsed.

        Raises:
            Transient: If no result came.
        """
        try:
            offered = task.client.result_types(job_id)
        except Gone:
            self._judge(task, "NOT_FOUND")
            return
        except (Refused, Unreadable):
            offered = list(KINDS)
        while kinds := [kind for kind in KINDS if kind in offered and kind not in task.useless]:
            # If the service fails to make one type, the others are tried in turn.
            kind = kinds[task.stalls // _RETRIES % len(kinds)]
            try:
                body = task.client.result(job_id, kind)
            except Gone:
                self._judge(task, "NOT_FOUND")
                return
            except Refused:
                task.useless.add(kind)
                continue
            except Transient:
                task.stalls += 1
                raise
            self._store.keep_raw(job_id, kind, body)
            if self._finish(task, kind, body):
                return
            task.broken[kind] += 1
            if task.broken[kind] < _RETRIES:
                raise Transient(f"its {kind} came broken")
            task.useless.add(kind)
        raw = self._store.path.parent / "raw"
        self._end(task, "failed", unreadable(task.job.query, job_id, raw))

    def _finish(self, task: TrackedJob, kind: str, body: bytes) -> bool:
        """Store the result of a raw reply; returns whether it could be parsed."""
        try:
            result = self._read(task.job, kind, body)
        except Unreadable:
            return False
        task.job = self._store.move(task.job.key, "finished", result=result)
        return True

    def _end(self, task: TrackedJob, state: JobState, note: str) -> None:
        task.job = self._store.move(task.job.key, state, note=note)
        self._say(f"{task.job.query}: {note}")

    def _postpone(self, task: TrackedJob, error: Transient, what: str) -> None:
        """Schedule a retry: after the service's Retry-After, else with exponential back-off."""
        task.failures += 1
        wait = _backoff(task.failures)
        if error.retry_after is not None:
            # Back off even if the service keeps sending Retry-After: 0.
            wait = max(error.retry_after, _backoff(task.failures - _BELIEVED))
            quiet = self._client.monotonic() + wait
            for other in self.tasks:  # Retry-After holds for the host, not for this job alone
                other.due = max(other.due, quiet)
        if task.failures in {1, 5}:
            self._say(f"{what}: {error}; trying again in {wait:.0f} s")
        task.due = self._client.monotonic() + wait

    def _failure(self, task: TrackedJob, word: str) -> str:
        """The sentence on a failed job, with the program's error output if it can be fetched."""
        job_id = task.job.job_id or ""
        try:
            told = page_text(task.client.result(job_id, "error"))
        except EbiError:
            told = ""
        return failed(task.job.query, job_id, word, told)

    def _age(self, task: TrackedJob) -> float:
        """Seconds since a job was submitted; at least the time that this process followed it."""
        by_date = self._client.clock() - (task.job.submitted or 0.0)
        return max(by_date, self._client.monotonic() - task.since)

    def _report(self) -> None:
        states = [task.job.state for task in self.tasks if task.wanted]
        queued, running = states.count("planned"), states.count("running")
        done = len(states) - queued - running
        self._progress(done, len(states), f"{queued} queued, {running} running, {done} done")


def _backoff(failures: int) -> float:
    """Failures in a row in, seconds to wait out: doubled each time, up to a minute."""
    return min(_LONGEST, 2.0 ** min(max(failures, 0), 6))
