"""Queries in, search results out, from EMBL-EBI or from the job store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from seqforge.base.messages import Advance
from seqforge.domains.genome.ebi.client import EbiClient
from seqforge.domains.genome.ebi.errors import Unreadable, renamed, result_damaged
from seqforge.domains.genome.ebi.job_params import (
    JobForms,
    ServiceMetadata,
    check_query,
    key_of,
    prepare,
)
from seqforge.domains.genome.ebi.job_runner import JobRunner
from seqforge.domains.genome.ebi.job_store import Job, JobStore, damaged, is_result
from seqforge.domains.genome.ebi.replies import KINDS, QueryContext, parse_reply
from seqforge.domains.genome.similarity.hits import (
    Hit,
    Query,
    SearchResult,
    from_json,
    to_json,
)
from seqforge.domains.genome.similarity.kinds import kind_of
from seqforge.domains.genome.similarity.parameters import Residues, SearchLimits
from seqforge.errors import ConfigError, RunError, Unfinished

GO_ON = "run the same command again to go on"
ALL = "all"
AGAIN = frozenset({"unknown", "failed", "expired"})
"""States of a search that may be submitted once more."""


class EbiBackend:
    """Search backend for the databases of one tool at EMBL-EBI. Query residues leave the machine.

    Args:
        client: API client of the tool, with the user's e-mail address.
        store: Job store; each job is written there before it is submitted.
        database: The service's name of one database, or of several.
        deadline_seconds: Seconds after the start of the first search at which every `search` stops
            waiting. Running jobs go on at EMBL-EBI.
        say: Receives messages for the user.
        letters: Residue type of the queries.
        resubmit: Names of queries to submit again although an earlier submission failed, was
            lost or has an unknown fate; ``all`` stands for all of these.
    """

    name = "ebi"

    def __init__(
        self,
        client: EbiClient,
        store: JobStore,
        database: str | Sequence[str],
        deadline_seconds: float,
        say: Callable[[str], None],
        *,
        letters: Residues = "dna",
        resubmit: Collection[str] = (),
    ) -> None:
        self._client, self._store, self._say = client, store, say
        self._databases = [database] if isinstance(database, str) else list(database)
        self._deadline, self.letters = deadline_seconds, letters
        self._resubmit = frozenset(resubmit)
        self._refusal: str | None = None
        self._first = True
        self.unanswered: dict[str, str] = {}
        """The queries of all searches that have no result and get none by waiting, and why."""
        self._until: float | None = None

    def close(self) -> None:
        """Close the connections. Submitted jobs go on running."""
        self._client.close()

    def dry_run(self, queries: Sequence[Query], parameters: SearchLimits) -> list[dict[str, Any]]:
        """Queries in, the exact requests of `search` out. Sends nothing.

        Raises:
            ConfigError, InputError: As `search` does.
        """
        self._check(queries)
        forms = self._prepare(parameters, self._say, ask=False)
        return [
            {
                "query": query.id,
                "request": f"POST {self._client.url}/run",
                "form": {**forms.form(query), "email": self._client.email},
            }
            for query in queries
            if query.bases
        ]

    def search(
        self,
        queries: Sequence[Query],
        parameters: SearchLimits,
        progress: Advance,
    ) -> list[SearchResult]:
        """Queries in, results out in query order. Queries listed in `unanswered` have no result.

        Raises:
            ConfigError: If the service does not offer a database or value; nothing was sent.
            InputError: If a query has invalid residues; nothing was sent.
            Unfinished: At the deadline; all jobs and results are kept.
            RunError: If no query has a result and none can get one by waiting.
        """
        if self._until is None:
            self._until = self._client.until = self._client.monotonic() + self._deadline
        forms = self._forms(queries, parameters)
        names = {query.id for query in queries}
        keys = [self._plan(forms, query, names).key if query.bases else "" for query in queries]
        self._submit_again(queries, keys)
        planned = {key: self._mended(self._store.job(key)) for key in keys if key}
        if any(job.state == "planned" for job in planned.values()):
            self._client.require_email()
        campaign = JobRunner(
            self._client,
            self._store,
            planned.values(),
            self._read,
            self._say,
            progress,
            self._refusal,
        )
        ended = campaign.run(self._until)
        self._refusal = campaign.refusal
        jobs = {key: self._store.job(key) for key in planned}
        if not ended:
            raise Unfinished(_how_far(jobs.values()))
        pairs = [(query, jobs.get(key)) for query, key in zip(queries, keys, strict=True)]
        self._tell_unanswered(pairs, campaign.refusal)
        return self._results(pairs, parameters)

    def _results(
        self, pairs: Sequence[tuple[Query, Job | None]], parameters: SearchLimits
    ) -> list[SearchResult]:
        """Results in query order, without unanswered queries."""
        results = [self._result(query, job, parameters) for query, job in pairs]
        searched = next((result for result in results if result is not None), None)
        for place, (query, job) in enumerate(pairs):
            if job is None:
                results[place] = self._void(query, parameters, searched)
        return [result for result in results if result is not None]

    def _forms(self, queries: Sequence[Query], parameters: SearchLimits) -> JobForms:
        """The job forms. Does not contact the service if all jobs were submitted before."""
        self._check(queries)
        with suppress(ConfigError):
            forms = self._prepare(parameters, lambda _: None, ask=False)
            sent = {key for key, state in self._store.states().items() if state != "planned"}
            service = self._client.service
            if all(key_of(service, forms.form(q)) in sent for q in queries if q.bases):
                return forms
        return self._prepare(parameters, self._say, ask=True)

    def _check(self, queries: Iterable[Query]) -> None:
        for query in queries:
            check_query(query, self.letters)

    def _prepare(
        self, parameters: SearchLimits, say: Callable[[str], None], *, ask: bool
    ) -> JobForms:
        catalogue = ServiceMetadata(self._client, say, ask=ask)
        forms = prepare(self._client.tool, self.letters, self._databases, parameters, catalogue)
        named = ", ".join(
            name if label == name else f"{name} ({label})"
            for name, label in zip(self._databases, forms.labels, strict=True)
        )
        say(f"EMBL-EBI's {self._client.tool} searches {named}; --database takes another")
        return forms

    def _plan(self, forms: JobForms, query: Query, names: Collection[str]) -> Job:
        """The job of a query in the store, added if it is new.

        A stored job whose query name does not occur in this search takes the present name.
        """
        form = forms.form(query)
        key = key_of(self._client.service, form)
        job = self._store.plan(key, self._client.service, query.id, form)
        return job if job.query in names else self._store.rename(key, query.id)

    def _submit_again(self, queries: Iterable[Query], keys: Sequence[str]) -> None:
        """Set the jobs named by ``resubmit`` back to planned.

        Raises:
            ConfigError: If a name is unknown, in the first search.
        """
        lost = [job for job in self._store.jobs() if job.state in AGAIN]
        names = {key: {ALL} for key in keys}  # one sequence may have several names
        for query, key in zip(queries, keys, strict=True):
            names[key].add(query.id)
        known = {ALL}.union(*names.values(), (job.query for job in lost))
        if self._first and (strange := sorted(self._resubmit - known)):
            could = ", ".join(dict.fromkeys(job.query for job in lost)) or "none"
            raise ConfigError(
                f"--resubmit {', '.join(strange)}: no query has this name; those that could be "
                f"submitted again: {could}"
            )
        self._first = False
        for job in lost:
            if self._resubmit & names.get(job.key, set()):
                self._store.move(job.key, "planned", note="submitted once more, as was asked")

    def _mended(self, job: Job) -> Job:
        """The job; a damaged stored result is parsed again from the raw reply."""
        if job.state != "finished" or is_result(job.result):
            return job
        for kind in KINDS:
            body = None if job.job_id is None else self._store.raw(job.job_id, kind)
            with suppress(Unreadable):
                if body is not None:
                    result = self._read(job, kind, body)
                    self._say(f"{job.query}: its result was damaged; read again from {kind}")
                    return self._store.mend(job.key, result)
        return self._store.move(job.key, "failed", note=result_damaged(job.query))

    def _read(self, job: Job, kind: str, body: bytes) -> dict[str, object]:
        """A raw reply in, the result as a JSON document out.

        Raises:
            Unreadable: If the reply cannot be read.
        """
        return to_json([parse_reply(kind, body, self._asked(job))])

    def _asked(self, job: Job) -> QueryContext:
        """A job in, the context for parsing its reply out."""
        if missing := {"sequence", "program", "database"} - job.form.keys():
            raise damaged(self._store.path, job.key, f"its form lacks {', '.join(missing)}")
        settings = {name: value for name, value in job.form.items() if name != "sequence"}
        letters = "".join(job.form["sequence"].split("\n")[1:])
        now = datetime.fromtimestamp(self._client.clock(), UTC)
        return QueryContext(
            query_id=job.query,
            query_length=len(letters),
            tool=job.service.rpartition("/")[2],
            program=settings["program"],
            database=" ".join(settings["database"]),
            when=now.isoformat(timespec="seconds"),
            parameters={"service": job.service, "job": job.job_id, "settings": settings},
        )

    def _tell_unanswered(
        self, pairs: Iterable[tuple[Query, Job | None]], refusal: str | None
    ) -> None:
        asked = [(query, job) for query, job in pairs if job is not None]
        unanswered = {
            query.id: renamed(job.note, job.query, query.id)
            or refusal
            or f"it was not submitted; {GO_ON}"
            for query, job in asked
            if job.state != "finished"
        }
        self.unanswered |= unanswered
        if asked and all(job.state != "finished" for _, job in asked):
            name, why = next(iter(unanswered.items()))
            raise RunError(f"no search was answered; {name}: {why}")

    def _void(
        self, query: Query, parameters: SearchLimits, like: SearchResult | None
    ) -> SearchResult:
        """The result of an empty query; library name and size come from another query's result."""
        self._say(f"{query.id} has no letters, so nothing was sent for it")
        asked = asdict(parameters)
        if like is not None:
            return replace(
                like, query_id=query.id, query_length=0, parameters=asked, hits=(), masked=None
            )
        now = datetime.fromtimestamp(self._client.clock(), UTC).isoformat(timespec="seconds")
        name, database = f"EMBL-EBI {self._client.tool}", " ".join(self._databases)
        return SearchResult(query.id, 0, name, "", database, 0, 0, now, asked, letters=self.letters)

    def _result(
        self, query: Query, job: Job | None, parameters: SearchLimits
    ) -> SearchResult | None:
        """The result of a query; None if it is unanswered."""
        if job is None or job.state != "finished" or job.result is None:
            return None
        (kept,) = from_json(job.result)
        hits, more = _limited(kept.hits, parameters)
        if parameters.dust and not hits:
            self._say(f"{query.id} has no hits, and was masked; without --dust it may have some")
        told = {**asdict(parameters), **kept.parameters}
        masked = kind_of(self.letters).low_share(query.bases)
        return replace(
            kept, query_id=query.id, parameters=told, hits=hits, masked=masked, more_hits=more,
            letters=self.letters,
        )  # fmt: skip


def _how_far(jobs: Collection[Job]) -> str:
    states = Counter(job.state for job in jobs)
    waiting = f"{states['running']} running at EMBL-EBI, {states['planned']} not yet submitted"
    return f"{states['finished']} of {len(jobs)} searches are finished, {waiting}; {GO_ON}"


def _limited(hits: Iterable[Hit], parameters: SearchLimits) -> tuple[tuple[Hit, ...], bool]:
    """Hits within our limits (the service's are wider), and whether there are more."""
    limited = []
    for hit in hits:
        good = [hsp for hsp in hit.hsps if hsp.evalue <= parameters.evalue]
        if good:
            kept = tuple(good[: parameters.max_hsps])
            limited.append(replace(hit, hsps=kept, more_hsps=len(good) > len(kept)))
    return tuple(limited[: parameters.max_hits]), len(limited) > parameters.max_hits
