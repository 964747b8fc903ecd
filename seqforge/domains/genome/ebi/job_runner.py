"""Jobs in, ended jobs out: submission, polling and fetching at EMBL-EBI, with back-off."""

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
    """A job under way in this process."""

    job: Job
    client: EbiClient
    """Of the job's own tool."""
    wanted: bool = True
    """False for one that an earlier command left running: it is fetched, but not waited for."""
    due: float = 0.0
    since: float = 0.0
    """When it was submitted or picked up in this process, by the monotonic clock."""
    failures: int = 0
    """Requests in a row that gave nothing."""
    bad_words: int = 0
    lost: int = 0
    stalls: int = 0
    """Results that did not come, though the job has finished."""
    broken: Counter[str] = field(default_factory=Counter)
    """Results that came and could not be read, by kind."""
    useless: set[str] = field(default_factory=set)
    """Kinds of result that are not asked for again."""
    refused: bool = False
    """Whether the service turned this query down, in this process."""


IN_FLIGHT = 30
"""EMBL-EBI asks for no more jobs at a time."""

_GRACE = 60.0  # a job may be NOT_FOUND for so long after it was submitted
_IN_A_ROW = 3  # ERROR, or NOT_FOUND later on, may be the service's own trouble so often
_RETRIES = 3  # of a reply that came broken, before another kind of it is asked for
_LONGEST = 60.0
_UNKNOWN_IN_A_ROW = 2  # one broken connection is bad luck
_BELIEVED = 5  # so often in a row a short Retry-After is taken at its word
_WAITING = frozenset(
    ("QUEUED", "PENDING", "RUNNING", "WAITING", "SUBMITTED", "RESUBMITTED", "ACCEPTED",
     "SCHEDULED", "STARTING", "STARTED", "PROCESSING", "HELD")
)  # fmt: skip
# These end a job whenever they are said.
_ENDED = re.compile(r"FAIL|CANCEL|KILL|ABORT|TERMINAT|REJECT|DELETED|TIMED?_?OUT")


class JobRunner:
    """Some jobs of a store, seen through with one client.

    Args:
        read: Turns a reply into what is kept; raises Unreadable for what is none.
        say: Told in sentences what a person should know.
        progress: Told how many are done, and in words how many are queued and running.
        refusal: Why nothing is submitted, where that is known from before.
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
        # Those of other tools too: the service counts them all, and lets no more in.
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
        """Why nothing more is submitted: what is wrong is the same for every query."""

    def run(self, deadline: float) -> bool:
        """Go on until all have ended or it is ``deadline`` by the client's monotonic clock.

        Returns:
            Whether all have ended.
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
        """What an earlier process left: replies that were kept are read."""
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
        """Jobs that run, and where there is room those that wait to be submitted."""
        running = [task for task in self.tasks if task.job.state == "running"]
        if len(running) >= IN_FLIGHT:
            return running
        return [task for task in self.tasks if self._goes_on(task)]

    def _goes_on(self, task: TrackedJob) -> bool:
        """Whether a job has not ended, for all that this process can do."""
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
            for other in self.tasks:  # the door is closed for all of them
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
        except BaseException:  # Ctrl-C in the middle of it
            self._store.move(key, "unknown", note=fate_unknown("seqforge was stopped", name))
            raise
        else:
            task.job = self._running(key, job_id)
            task.failures = self._turned_away = self._unknown = 0
            task.since = self._client.monotonic()
            task.due = task.since + poll_seconds(0.0)

    def _running(self, key: str, job_id: str) -> Job:
        """Write down the id that just came; it is kept beside the store where that fails.

        Raises:
            RunError: If the store cannot be written; the sentence has the id.
        """
        try:
            return self._store.move(key, "running", job_id=job_id)
        except BaseException as error:  # Ctrl-C too: an id that is not kept is lost
            kept = self._store.keep_id(key, job_id)
            if isinstance(error, RunError):
                raise RunError(id_not_written(str(error), job_id, kept=kept)) from error
            raise

    def _doubt(self, error: FateUnknown) -> None:
        """Submit no more where the next would most likely have an unknown fate too."""
        self._unknown += 1
        if not error.answered and self._unknown < _UNKNOWN_IN_A_ROW:
            return
        self.refusal = not_trusted(str(error))
        left = sum(task.job.state == "planned" for task in self.tasks)
        if left:
            self._say(f"{self.refusal} ({left} of them)")

    def _look(self, task: TrackedJob) -> None:
        """Ask once where a job stands, and do what the answer wants."""
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
        """A word but FINISHED; one that is none of those that mean to wait ends the job.

        As EMBL-EBI's own clients take it; but a word that is not known to be final has to be said
        again and again, since ERROR may be the service's own trouble, and a new word may mean
        anything.
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
        """Get the best kind of result that the job has and that can be read.

        Raises:
            Transient: If nothing came.
        """
        try:
            offered = task.client.result_types(job_id)
        except Gone:
            self._judge(task, "NOT_FOUND")
            return
        except (Refused, Unreadable):
            offered = list(KINDS)
        while kinds := [kind for kind in KINDS if kind in offered and kind not in task.useless]:
            # A kind that the service cannot make for now leaves its turn to the others.
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
        """Keep what a reply says; False if it says nothing."""
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
        """Try again when the service says, else after twice as long as the last time."""
        task.failures += 1
        wait = _backoff(task.failures)
        if error.retry_after is not None:
            # A service that says 0 for ever is asked less and less often all the same.
            wait = max(error.retry_after, _backoff(task.failures - _BELIEVED))
            quiet = self._client.monotonic() + wait
            for other in self.tasks:  # it asked us, not this job, to be quiet
                other.due = max(other.due, quiet)
        if task.failures in {1, 5}:
            self._say(f"{what}: {error}; trying again in {wait:.0f} s")
        task.due = self._client.monotonic() + wait

    def _failure(self, task: TrackedJob, word: str) -> str:
        """Why a job failed, with what the service's own program said, where it can be had."""
        job_id = task.job.job_id or ""
        try:
            told = page_text(task.client.result(job_id, "error"))
        except EbiError:
            told = ""
        return failed(task.job.query, job_id, word, told)

    def _age(self, task: TrackedJob) -> float:
        """Seconds since a job was submitted; at least those that it was looked at here."""
        by_date = self._client.clock() - (task.job.submitted or 0.0)
        return max(by_date, self._client.monotonic() - task.since)

    def _report(self) -> None:
        states = [task.job.state for task in self.tasks if task.wanted]
        queued, running = states.count("planned"), states.count("running")
        done = len(states) - queued - running
        self._progress(done, len(states), f"{queued} queued, {running} running, {done} done")


def _backoff(failures: int) -> float:
    """Twice as long every time, up to a minute."""
    return min(_LONGEST, 2.0 ** min(max(failures, 0), 6))
