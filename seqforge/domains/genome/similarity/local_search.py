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
from seqforge.domains.genome.nucleotides import reverse_complement
from seqforge.domains.genome.similarity.evalues import Significance
from seqforge.domains.genome.similarity.hits import Hit, Hsp, Query, SearchResult
from seqforge.domains.genome.similarity.kinds import kind_of
from seqforge.domains.genome.similarity.library import Entry, in_portions, measure, read_library
from seqforge.domains.genome.similarity.parameters import (
    LibrarySize,
    SearchLimits,
    SearchParameters,
)
from seqforge.domains.genome.similarity.scoring import PairScores, longest_span, rows
from seqforge.domains.genome.similarity.smith_waterman import Backend, installed_backend
from seqforge.domains.genome.similarity.top_alignments import (
    Candidate,
    Chunk,
    FoundAlignment,
    Strand,
    best_alignments,
    chunks,
)
from seqforge.errors import ConfigError
from seqforge.version import __version__

_FOUND_EVALUE = (
    10.0  # for the unmasked part of an alignment that is then extended through masked residues
)
# Library residues per batch that is read, and per task of a thread.
_BATCH, _TASK = 1 << 22, 1 << 18


def search_library(
    queries: Sequence[Query],
    library: Path | Sequence[Path],
    parameters: SearchLimits | None = None,
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
        library: FASTA or GenBank files, .gz too; of proteins FASTA.
        parameters: Scores and limits; EBI's for blastn if None.
        progress: Receives the library residues done.
        threads: All cores if None.
        backend: Smith-Waterman library; the faster installed one if None.
        size: The library's size, if it is known already.

    Raises:
        InputError: If the library cannot be used.
        ConfigError: If no Smith-Waterman library is installed, or proteins are to be masked.
    """
    parameters, backend = parameters or SearchParameters(), backend or installed_backend()
    paths = [library] if isinstance(library, Path) else list(library)
    kind = kind_of(parameters.letters)
    if parameters.dust and kind.letters == "protein":
        raise ConfigError("this search masks no proteins; leave --dust out, or take blast+ (SEG)")
    size = size or measure(paths, kind.letters)
    targets = [_Target(query, parameters, size, backend) for query in queries]
    cut, stop, done = _Cut.of(queries, parameters, backend), Event(), 0
    pool = ThreadPoolExecutor(threads or usable_cores())
    try:
        for batch in in_portions(read_library(paths, kind.letters), _BATCH):
            for letters in _search_batch(batch, targets, cut, pool, stop):
                done += letters
                progress(done, size.letters, kind.strands)
    finally:
        stop.set()  # Ctrl-C must not wait for queued scans
        pool.shutdown(cancel_futures=True)
    return [target.result(paths, size, backend) for target in targets]


class _Target:
    """State of a query: its strands, what its scores mean, and its best hits so far."""

    def __init__(
        self, query: Query, parameters: SearchLimits, size: LibrarySize, backend: Backend
    ) -> None:
        kind = kind_of(parameters.letters)
        self.query, self.parameters = query, parameters
        self.hits: list[Hit] = []
        self.more_hits = False
        self.strands: tuple[Strand, ...] = ()
        self._hides, self._found_evalue = False, parameters.evalue
        low = kind.low_complexity(query.bases)
        self.masked = float(low.mean()) if len(low) else 0.0
        plus = kind.searched(query.bases)
        if not plus:
            return
        self.significance: Significance = parameters.significance(plus, size)
        scoring = parameters.scoring
        hidden = _hidden(plus, low, scoring) if parameters.dust else plus
        self._hides = hidden != plus
        if self._hides:
            self._found_evalue = max(parameters.evalue, _FOUND_EVALUE)
        if hidden.strip(f"{kind.any_letter}{scoring.masked}".encode()):
            turns = ((sign, bytes if sign > 0 else reverse_complement) for sign in kind.signs)
            self.strands = tuple(
                Strand(
                    sign, turn(hidden), scoring, backend.scanner,
                    turn(plus) if self._hides else None,
                )
                for sign, turn in turns
            )  # fmt: skip

    def cutoff(self, hit_length: int) -> int:
        """The lowest score that counts in a library sequence of that length."""
        return self.significance.cutoff_score(self.parameters.evalue, hit_length)

    def found_from(self, hit_length: int) -> int:
        """The lowest score of the unmasked part of an alignment that is looked at."""
        return self.significance.cutoff_score(self._found_evalue, hit_length)

    def looks_at(self, score: int, hit_length: int) -> bool:
        """Whether a score is that of `found_from` or above; quicker, as every chunk is asked."""
        return score > 0 and self.significance.evalue(score, hit_length) <= self._found_evalue

    def wants(self, entry: Entry, candidates: Sequence[Candidate]) -> bool:
        """Whether a library sequence with these candidates can be among the best hits."""
        best = max((candidate.end.score for candidate in candidates), default=0)
        looked_at = self.looks_at(best, len(entry.bases))
        if not looked_at or len(self.hits) < self.parameters.max_hits:
            return looked_at
        rank = self.significance.evalue(best, len(entry.bases)), -best
        wanted = self._hides or rank < _rank(self.hits[-1])
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
            hsps=tuple(self._hsp(part, len(entry.bases)) for part in found),
            more_hsps=more,
        )
        self.hits.append(hit)
        self.hits.sort(key=_rank)  # a stable sort: ties in library order
        self.more_hits = self.more_hits or len(self.hits) > self.parameters.max_hits
        del self.hits[self.parameters.max_hits :]

    def _hsp(self, found: FoundAlignment, hit_length: int) -> Hsp:
        alignment, scoring = found.alignment, self.parameters.scoring
        query, hit = alignment.query_aligned, alignment.hit_aligned
        query_place = alignment.query_start + 1, alignment.query_stop
        hit_place = alignment.hit_start + 1, alignment.hit_stop
        if found.strand < 0:  # the query is shown on its plus strand, the hit reverse-complemented
            query, hit = (reverse_complement(row) for row in (query, hit))
            last = len(self.strands[0].bases) + 1
            query_place = last - query_place[1], last - query_place[0]
            hit_place = hit_place[1], hit_place[0]
        midline = _midline(query, hit, self.parameters)
        shown = kind_of(self.parameters.letters).any_letter
        query, hit = (row.replace(scoring.masked, shown) for row in (query, hit))
        identical = sum(mark not in " +" for mark in midline)
        positive = identical + midline.count("+")
        return Hsp(
            score=alignment.score,
            bit_score=self.significance.bit_score(alignment.score),
            evalue=self.significance.evalue(alignment.score, hit_length),
            identity=100 * identical / len(midline),
            identity_count=identical,
            positive=100 * positive / len(midline),
            positive_count=positive,
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
            letters=self.parameters.letters,
        )


def _rank(hit: Hit) -> tuple[float, int]:
    """The best E-value, then the score: blastp's order; of nucleotides that of the scores."""
    return hit.hsps[0].evalue, -hit.hsps[0].score


def _midline(query: str, hit: str, parameters: SearchLimits) -> str:
    """Two aligned rows in, BLAST's row between them out.

    N paired with N is an identity, as in blastn, and X with X, as in blastp. Of proteins it has the
    letter itself, and + for other pairs of a positive score.
    """
    masked, scores = parameters.scoring.masked, rows(parameters.scoring)
    plain = parameters.letters == "dna"
    return "".join(
        ("|" if plain else a)
        if a == b != masked
        else "+"
        if not plain and scores[ord(a), ord(b)] > 0
        else " "
        for a, b in zip(query, hit, strict=True)
    )


def _hidden(letters: bytes, masked: NDArray[np.bool_], scoring: PairScores) -> bytes:
    """Letters and a mask in, the same out with masked ones as one that matches nothing."""
    nothing = np.uint8(ord(scoring.masked))
    return np.where(masked, nothing, np.frombuffer(letters, np.uint8)).tobytes()


@dataclass(frozen=True)
class _Cut:
    """Size and overlap of the chunks that library sequences are cut into."""

    size: int
    overlap: int

    @classmethod
    def of(cls, queries: Sequence[Query], parameters: SearchLimits, backend: Backend) -> Self:
        """Chunks that overlap so far that every alignment lies within one."""
        longest = max((len(query.bases) for query in queries), default=0)
        overlap = longest_span(parameters.scoring, longest)
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
            if target.looks_at(end.score, len(batch[number].bases))
        ]

    def trace(key: tuple[int, int]) -> tuple[list[FoundAlignment], bool]:
        entry, target = batch[key[0]], targets[key[1]]
        length = len(entry.bases)
        found, more = best_alignments(
            entry.bases, target.strands, candidates[key], target.found_from(length),
            target.parameters.max_hsps,
        )  # fmt: skip
        return [one for one in found if one.alignment.score >= target.cutoff(length)], more

    tasks = list(_tasks(batch, cut))
    for task, scanned in zip(tasks, pool.map(scan, tasks), strict=True):
        for key, candidate in scanned:
            candidates.setdefault(key, []).append(candidate)
        yield sum(cut.letters(part, batch[number]) for number, part in task)
    wanted = [
        key for key in sorted(candidates) if targets[key[1]].wants(batch[key[0]], candidates[key])
    ]
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
