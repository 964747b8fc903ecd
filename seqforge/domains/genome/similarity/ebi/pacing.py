"""How often to look, how long results last, and the sentences on searches that gave none."""

from __future__ import annotations

from pathlib import Path

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
