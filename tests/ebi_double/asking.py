"""The package's client as the tests run it: against a double, and by the double's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from seqforge.domains.genome.ebi.backend import EbiBackend
from seqforge.domains.genome.ebi.client import EbiClient
from seqforge.domains.genome.ebi.job_store import JobStore
from seqforge.domains.genome.similarity.hits import Hsp, Query, SearchResult
from seqforge.domains.genome.similarity.parameters import SearchParameters
from tests.ebi_double.clock import Clock
from tests.ebi_double.faults import Fault
from tests.ebi_double.library import SmallDivision
from tests.ebi_double.searching import Asked
from tests.ebi_double.server import EbiDouble
from tests.ebi_double.validation import InputSequence
from tests.patience import PATIENCE

MINUTES = 60.0


class Asking:
    """Somebody with a folder who runs the same command, perhaps again and again."""

    def __init__(
        self, double: EbiDouble, division: SmallDivision, folder: Path, clock: Clock
    ) -> None:
        self.double, self.division = double, division
        self.folder, self.clock = folder, clock
        self.said: list[str] = []
        self.unanswered: dict[str, str] = {}
        self.timeout = (PATIENCE, PATIENCE)
        self.email = "a@ebi.ac.uk"

    def search(
        self,
        *names: str,
        deadline: float = 30 * MINUTES,
        resubmit: tuple[str, ...] = (),
        tool: str = "ncbiblast",
        dust: bool = False,
        **more: str,
    ) -> list[SearchResult]:
        """One run of the command, for queries of the division and others (name=letters)."""
        with self.opened(deadline=deadline, resubmit=resubmit, tool=tool, dust=dust) as search:
            return search(*names, **more)

    @contextmanager
    def opened(
        self,
        *,
        deadline: float = 30 * MINUTES,
        resubmit: tuple[str, ...] = (),
        tool: str = "ncbiblast",
        dust: bool = False,
    ) -> Iterator[Callable[..., list[SearchResult]]]:
        """One run of a command that searches as often as it likes."""
        client = EbiClient(
            self.email,
            tool=tool,
            base_url=self.double.url,
            sleep=self.clock.sleep,
            clock=self.clock.wall,
            monotonic=self.clock,
            timeout=self.timeout,
            grace=PATIENCE,
        )
        with JobStore(self.folder / "jobs.sqlite", self.clock.wall) as store:
            backend = EbiBackend(
                client, store, "em_std_inv", deadline, self.said.append, resubmit=resubmit
            )

            def search(*names: str, **more: str) -> list[SearchResult]:
                queries = [Query(name, self.division.queries[name]) for name in names]
                queries += [Query(name, letters) for name, letters in more.items()]
                parameters = SearchParameters(dust=dust)
                return backend.search(queries, parameters, lambda done, total, what: None)

            try:
                yield search
            finally:
                self.unanswered = backend.unanswered

    def states(self) -> dict[str, str]:
        """What the store says of each query."""
        with JobStore(self.folder / "jobs.sqlite", self.clock) as store:
            return {job.query: job.state for job in store.jobs()}

    def words(self) -> str:
        """All that was said, and why there are no results."""
        return "\n".join([*self.said, *self.unanswered.values()])

    def assert_all_right(
        self, results: list[SearchResult], *names: str, submissions: int | None = None
    ) -> None:
        """These queries have their results, from so many submissions; one each where None."""
        assert [result.query_id for result in results] == list(names)
        self.assert_right(results)
        assert len(self.double.submissions) == (submissions or len(names))
        assert self.double.violations == []

    def assert_right(self, results: list[SearchResult], *, rounding: float = 0.0) -> None:
        """Every result is what the search behind the double finds, number for number.

        E-values have the two digits that EBI keeps, or with ``rounding`` are that near.
        """
        for result in results:
            letters = self.division.queries[result.query_id]
            found = self.division.engine.find(InputSequence("q", letters), Asked(dust=False))
            assert result.query_length == len(letters)
            assert [hit.id for hit in result.hits] == [
                hit["title"].split()[0].split(":")[1] for hit in found.hits
            ]
            for hit, expected in zip(result.hits, found.hits, strict=True):
                told = expected["hsps"][:5]
                assert [_ours(hsp) for hsp in hit.hsps] == [_told(hsp) for hsp in told]
                for hsp, true in zip(hit.hsps, told, strict=True):
                    two_digits = float(f"{true['evalue']:.2g}")
                    assert hsp.evalue == pytest.approx(two_digits, rel=rounding, abs=0.0)


def _told(hsp: dict[str, Any]) -> tuple[Any, ...]:
    places = tuple(hsp[f"{side}_{end}"] for side in ("query", "hit") for end in ("from", "to"))
    strand = 1 if hsp["hit_strand"] == "Plus" else -1
    counts = hsp["identity"], hsp["gaps"], hsp["align_len"]
    return hsp["score"], strand, places, counts, hsp["qseq"], hsp["hseq"]


def _ours(hsp: Hsp) -> tuple[Any, ...]:
    places = hsp.query_start, hsp.query_end, hsp.hit_start, hsp.hit_end
    counts = hsp.identity_count, hsp.gaps, hsp.align_length
    return hsp.score, hsp.hit_strand, places, counts, hsp.query_aligned, hsp.hit_aligned


@contextmanager
def asking(
    division: SmallDivision, folder: Path, *script: Fault, **options: Any
) -> Iterator[Asking]:
    """A double with faults, and somebody who asks it."""
    clock = Clock()
    with EbiDouble(division.engine, script, clock=clock, **options) as double:
        yield Asking(double, division, folder, clock)
