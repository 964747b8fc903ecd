"""Queries and a library in, hits with E-values out: exact Smith-Waterman over the whole library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Self

import numpy as np
from numpy.typing import NDArray

from seqforge.base.machine import usable_cores
from seqforge.base.messages import Advance, unheard
from seqforge.domains.genome.nucleotides import (
    base_codes,
    dust_mask,
    reverse_complement,
    searched_residues,
)
from seqforge.domains.genome.similarity.evalues import effective_search_space
from seqforge.domains.genome.similarity.hits import Hit, Hsp, Query, SearchParameters, SearchResult
from seqforge.domains.genome.similarity.library import (
    Entry,
    LibrarySize,
    in_portions,
    measure,
    read_library,
)
from seqforge.domains.genome.similarity.smith_waterman import MASKED, Backend, installed_backend
from seqforge.domains.genome.similarity.top_alignments import (
    Candidate,
    Chunk,
    FoundAlignment,
    Strand,
    best_alignments,
    chunks,
)
from seqforge.version import __version__

_FOUND_EVALUE = (
    10.0  # for the unmasked part of an alignment that is then extended through masked residues
)
# Library residues per batch that is read, and per task of a thread.
_BATCH, _TASK = 1 << 22, 1 << 18


def search_library(
    queries: Sequence[Query],
    library: Path | Sequence[Path],
    parameters: SearchParameters | None = None,
    progress: Advance = unheard,
    *,
    threads: int | None = None,
    backend: Backend | None = None,
    size: LibrarySize | None = None,
) -> list[SearchResult]:
    """Queries and a library in, one result per query out, in order.

    Memory is a few times the library's longest sequence.

    Args:
        queries: Empty queries have no hits.
        library: FASTA or GenBank files, .gz too.
        parameters: Scores and limits; EBI's for blastn if None.
        progress: Receives the library residues done.
        threads: All cores if None.
        backend: Smith-Waterman library; the faster installed one if None.
        size: The library's size, if it is known already.

    Raises:
        InputError: If the library cannot be used.
        ConfigError: If no Smith-Waterman library is installed.
    """
    parameters, backend = parameters or SearchParameters(), backend or installed_backend()
    paths = [library] if isinstance(library, Path) else list(library)
    size = size or measure(paths)
    targets = [_Target(query, parameters, size, backend) for query in queries]
    cut, stop, done = _Cut.of(queries, parameters, backend), Event(), 0
    pool = ThreadPoolExecutor(threads or usable_cores())
    try:
        for batch in in_portions(read_library(paths), _BATCH):
            for letters in _search_batch(batch, targets, cut, pool, stop):
                done += letters
                progress(done, size.letters, "both strands")
    finally:
        stop.set()  # Ctrl-C must not wait for queued scans
        pool.shutdown(cancel_futures=True)
    return [target.result(paths, size, backend) for target in targets]


class _Target:
    """State of a query: its two strands, score cutoff and best hits so far."""

    def __init__(
        self, query: Query, parameters: SearchParameters, size: LibrarySize, backend: Backend
    ) -> None:
        self.query, self.parameters = query, parameters
        self.hits: list[Hit] = []
        self.more_hits = False
        self.strands: tuple[Strand, ...] = ()
        self.space = self.cutoff = self.found_from = 0
        low = dust_mask(base_codes(query.bases))
        self.masked = float(low.mean()) if len(low) else 0.0
        plus = searched_residues(query.bases)
        self.statistics = parameters.statistics_for(plus)
        if plus:
            self.space = effective_search_space(
                self.statistics, len(plus), size.letters, size.sequences
            )
            self.cutoff = self.statistics.cutoff_score(parameters.evalue, self.space)
            hidden = _hidden(plus, low) if parameters.dust else plus
            self.found_from = self.cutoff
            if hidden != plus:
                weak = self.statistics.cutoff_score(_FOUND_EVALUE, self.space)
                self.found_from = min(self.cutoff, weak)
            if hidden.strip(b"N" + MASKED.encode()):
                self.strands = tuple(
                    Strand(
                        sign, turn(hidden), parameters.scoring, backend.scanner,
                        turn(plus) if hidden != plus else None,
                    )
                    for sign, turn in ((1, bytes), (-1, reverse_complement))
                )  # fmt: skip

    def wants(self, candidates: Sequence[Candidate]) -> bool:
        """Whether a library sequence with these candidates can be among the best hits."""
        best = max((candidate.end.score for candidate in candidates), default=0)
        if best < self.found_from or len(self.hits) < self.parameters.max_hits:
            return best >= self.found_from
        grows = any(strand.unmasked is not None for strand in self.strands)
        wanted = grows or best > self.hits[-1].hsps[0].score
        self.more_hits = self.more_hits or not wanted
        return wanted

    def keep(self, entry: Entry, found: Sequence[FoundAlignment], more: bool) -> None:
        """Add the hit of a library sequence and drop the worst beyond the limit."""
        hit = Hit(
            database=entry.database,
            id=entry.id,
            accession=entry.id,
            description=entry.description,
            organism="",
            length=len(entry.bases),
            source=entry.source,
            hsps=tuple(self._hsp(part) for part in found),
            more_hsps=more,
        )
        self.hits.append(hit)
        self.hits.sort(key=lambda hit: -hit.hsps[0].score)  # a stable sort: ties in library order
        self.more_hits = self.more_hits or len(self.hits) > self.parameters.max_hits
        del self.hits[self.parameters.max_hits :]

    def _hsp(self, found: FoundAlignment) -> Hsp:
        alignment, statistics = found.alignment, self.statistics
        query, hit = alignment.query_aligned, alignment.hit_aligned
        query_place = alignment.query_start + 1, alignment.query_stop
        hit_place = alignment.hit_start + 1, alignment.hit_stop
        if found.strand < 0:  # the query is shown on its plus strand, the hit reverse-complemented
            query, hit = (reverse_complement(row) for row in (query, hit))
            last = len(self.strands[0].bases) + 1
            query_place = last - query_place[1], last - query_place[0]
            hit_place = hit_place[1], hit_place[0]
        pairs = zip(query, hit, strict=True)  # N paired with N is an identity, as in blastn
        midline = "".join("|" if a == b != MASKED else " " for a, b in pairs)
        query, hit = query.replace(MASKED, "N"), hit.replace(MASKED, "N")
        identical = midline.count("|")
        percent = 100 * identical / len(midline)
        return Hsp(
            score=alignment.score,
            bit_score=statistics.bit_score(alignment.score),
            evalue=statistics.evalue(alignment.score, self.space),
            identity=percent,
            identity_count=identical,
            positive=percent,
            positive_count=identical,
            gaps=query.count("-") + hit.count("-"),
            query_strand=1,
            hit_strand=found.strand,
            query_start=query_place[0],
            query_end=query_place[1],
            hit_start=hit_place[0],
            hit_end=hit_place[1],
            query_aligned=query,
            midline=midline,
            hit_aligned=hit,
        )

    def result(self, paths: Sequence[Path], size: LibrarySize, backend: Backend) -> SearchResult:
        """The search result so far."""
        return SearchResult(
            query_id=self.query.id,
            query_length=len(self.query.bases),
            program="seqforge local",
            version=f"{__version__} ({backend.name} {backend.version})",
            database=" ".join(path.name for path in paths),
            database_length=size.letters,
            database_sequences=size.sequences,
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            parameters={
                **asdict(self.parameters),
                "against": [str(path) for path in paths],
            },
            hits=tuple(self.hits),
            masked=self.masked,
            more_hits=self.more_hits,
        )


def _hidden(bases: bytes, masked: NDArray[np.bool_]) -> bytes:
    """Bases and a mask in, bases out with masked ones replaced by a letter that matches nothing."""
    return np.where(masked, np.uint8(ord(MASKED)), np.frombuffer(bases, np.uint8)).tobytes()


@dataclass(frozen=True)
class _Cut:
    """Size and overlap of the chunks that library sequences are cut into."""

    size: int
    overlap: int

    @classmethod
    def of(cls, queries: Sequence[Query], parameters: SearchParameters, backend: Backend) -> Self:
        """Chunks that overlap so far that every alignment lies within one."""
        longest = max((len(query.bases) for query in queries), default=0)
        overlap = parameters.scoring.longest_span(longest)
        return cls(max(backend.stretch, 2 * overlap), overlap)

    def letters(self, part: Chunk, entry: Entry) -> int:
        """Residues of a chunk that the next one does not share."""
        whole = part.stop - part.start
        return whole if part.stop == len(entry.bases) else whole - self.overlap


def _search_batch(
    batch: Sequence[Entry],
    targets: Sequence[_Target],
    cut: _Cut,
    pool: ThreadPoolExecutor,
    stop: Event,
) -> Iterator[int]:
    """Scan a batch of sequences and keep its hits; yields residues done."""
    candidates: dict[tuple[int, int], list[Candidate]] = {}

    def scan(task: list[tuple[int, Chunk]]) -> list[tuple[tuple[int, int], Candidate]]:
        parts = [batch[number].bases[part.start : part.stop] for number, part in task]
        return [
            ((number, which), Candidate(strand.sign, part, end))
            for which, target in enumerate(targets)
            if not stop.is_set()
            for strand in target.strands
            for (number, part), end in zip(task, strand.scanner.best_ends(parts), strict=True)
            if end.score >= target.found_from
        ]

    def trace(key: tuple[int, int]) -> tuple[list[FoundAlignment], bool]:
        entry, target = batch[key[0]], targets[key[1]]
        found, more = best_alignments(
            entry.bases, target.strands, candidates[key], target.found_from,
            target.parameters.max_hsps,
        )  # fmt: skip
        return [one for one in found if one.alignment.score >= target.cutoff], more

    tasks = list(_tasks(batch, cut))
    for task, scanned in zip(tasks, pool.map(scan, tasks), strict=True):
        for key, candidate in scanned:
            candidates.setdefault(key, []).append(candidate)
        yield sum(cut.letters(part, batch[number]) for number, part in task)
    wanted = [key for key in sorted(candidates) if targets[key[1]].wants(candidates[key])]
    for key, (found, more) in zip(wanted, pool.map(trace, wanted), strict=True):
        if found:
            targets[key[1]].keep(batch[key[0]], found, more)


def _tasks(batch: Sequence[Entry], cut: _Cut) -> Iterator[list[tuple[int, Chunk]]]:
    """A batch in, tasks of chunks out, each long enough for a thread."""
    task: list[tuple[int, Chunk]] = []
    letters = 0
    for number, entry in enumerate(batch):
        for part in chunks(len(entry.bases), cut.size, cut.overlap):
            task.append((number, part))
            letters += part.stop - part.start
            if letters >= _TASK:
                yield task
                task, letters = [], 0
    if task:
        yield task
