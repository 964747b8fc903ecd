"""What is remembered of a job while this process sees it through."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from seqforge.domains.genome.similarity.ebi.client import EbiClient
from seqforge.domains.genome.similarity.ebi.rows import Job


@dataclass
class Task:
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
