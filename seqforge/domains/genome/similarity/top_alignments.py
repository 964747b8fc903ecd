"""A query and a library sequence in, their best local alignments out, one after another."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from seqforge.domains.genome.similarity.scoring import PairScores, longest_span
from seqforge.domains.genome.similarity.smith_waterman import (
    Alignment,
    AlignmentEnd,
    Scanner,
    align_back,
    align_through,
)

# blastn goes on extending until a score has sunk by 100 bits, which no scores here take for more.
_DROP = 100  # in rewards
_GROWING = 4  # times as many are looked at where one may grow past others through masked letters


class Chunk(NamedTuple):
    """Letters ``start`` to ``stop`` of a library sequence, half-open, from 0."""

    start: int
    stop: int


class Candidate(NamedTuple):
    """The best alignment of a strand with a chunk, as known from scanning."""

    strand: int
    """1 or -1."""
    stretch: Chunk
    end: AlignmentEnd


@dataclass(frozen=True)
class Strand:
    """A strand of a query, prepared for scanning."""

    sign: int
    bases: bytes
    scoring: PairScores
    prepare: Callable[[bytes, PairScores], Scanner]
    unmasked: bytes | None = None
    """Its letters before some were masked in ``bases``; None where none were."""
    scanner: Scanner = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scanner", self.prepare(self.bases, self.scoring))


class FoundAlignment(NamedTuple):
    """An alignment of one strand, in coordinates of the whole library sequence, from 0."""

    strand: int
    alignment: Alignment


def chunks(length: int, size: int, overlap: int) -> Iterator[Chunk]:
    """A length in, chunks that overlap by ``overlap`` letters out.

    Raises:
        ValueError: If ``size`` leaves nothing beside the overlap.
    """
    if size <= overlap:
        raise ValueError(f"stretches of {size} letters cannot overlap by {overlap}")
    for start in range(0, max(1, length - overlap), size - overlap):
        yield Chunk(start, min(length, start + size))


def best_alignments(
    bases: bytes,
    strands: Sequence[Strand],
    candidates: Sequence[Candidate],
    cutoff: int,
    most: int,
) -> tuple[list[FoundAlignment], bool]:
    """A query and a library sequence in, their best alignments, not overlapping on a strand, out,
    best first.

    With them comes whether there are more.

    Args:
        bases: The library sequence: letters that have scores.
        strands: The query's.
        candidates: What scanning the whole sequence gave, at least those that reach the cutoff.
        cutoff: The lowest score that counts.
        most: How many to look for.
    """
    masked = {s.sign: _Masked(bases, s.scoring.masked) for s in strands}
    by_sign = {strand.sign: strand for strand in strands}
    # Equal scores: the one that ends first, so that the cut into stretches does not matter.
    heap = [(_rank(candidate), 0) for candidate in candidates if candidate.end.score >= cutoff]
    heapq.heapify(heap)
    found: list[FoundAlignment] = []
    grows = any(strand.unmasked is not None for strand in strands)
    while heap and len(found) < most * (_GROWING if grows else 1):
        (_, _, _, candidate), masks_known = heapq.heappop(heap)
        strand, mask = by_sign[candidate.strand], masked[candidate.strand]
        if not mask.touched(candidate.stretch, masks_known):
            alignment = _trace(strand, mask, candidate)
            if strand.unmasked is not None:
                alignment = _through_masked(strand.unmasked, strand, mask, alignment)
            found.append(FoundAlignment(strand.sign, alignment))
            mask.add(Chunk(alignment.hit_start, alignment.hit_stop))
        _scan_again(heap, strand, mask, candidate, cutoff)
    more = len(found) > most
    while heap and not more:  # what is left may lie in what was masked since
        (_, _, _, candidate), masks_known = heapq.heappop(heap)
        strand, mask = by_sign[candidate.strand], masked[candidate.strand]
        more = not mask.touched(candidate.stretch, masks_known)
        if not more:
            _scan_again(heap, strand, mask, candidate, cutoff)
    return sorted(found, key=lambda one: -one.alignment.score)[:most], more


def _scan_again(
    heap: list[tuple[tuple[int, int, int, Candidate], int]],
    strand: Strand,
    mask: _Masked,
    candidate: Candidate,
    cutoff: int,
) -> None:
    """Put back what is now the best of a stretch, if it is good enough."""
    end = strand.scanner.best_ends([mask.letters(candidate.stretch)])[0]
    if end.score >= cutoff:
        heapq.heappush(heap, (_rank(candidate._replace(end=end)), len(mask.parts)))


def _rank(candidate: Candidate) -> tuple[int, int, int, Candidate]:
    place = candidate.stretch.start + candidate.end.hit
    return -candidate.end.score, place, -candidate.strand, candidate


class _Masked:
    """A library sequence of which some parts may match nothing any more."""

    def __init__(self, bases: bytes, masked: str) -> None:
        self._bases, self._masked = bases, masked.encode()
        self.parts: list[Chunk] = []

    def add(self, part: Chunk) -> None:
        self.parts.append(part)

    def touched(self, stretch: Chunk, known: int) -> bool:
        """Whether parts masked after the first ``known`` lie in the stretch."""
        return any(_shared(stretch, part) for part in self.parts[known:])

    def letters(self, stretch: Chunk) -> bytes:
        letters = bytearray(self._bases[stretch.start : stretch.stop])
        for part in self.parts:
            if shared := _shared(stretch, part):
                first, last = shared.start - stretch.start, shared.stop - stretch.start
                letters[first:last] = self._masked * (last - first)
        return bytes(letters)


def _shared(one: Chunk, other: Chunk) -> Chunk | None:
    both = Chunk(max(one.start, other.start), min(one.stop, other.stop))
    return both if both.start < both.stop else None


def _trace(strand: Strand, mask: _Masked, candidate: Candidate) -> Alignment:
    """The whole alignment of a candidate, in places of the library sequence.

    A scan backwards from the end finds where the alignment begins, one forwards from there finds
    the end again: then both bound the box in which it is traced, even where several alignments
    share the score.
    """
    last = candidate.stretch.start + candidate.end.hit + 1
    first = max(0, last - longest_span(strand.scoring, len(strand.bases)))
    query, hit = strand.bases[: candidate.end.query + 1], mask.letters(Chunk(first, last))
    back = strand.prepare(query[::-1], strand.scoring).best_ends([hit[::-1]])[0]
    query_start, hit_start = len(query) - 1 - back.query, len(hit) - 1 - back.hit
    query, hit = query[query_start:], hit[hit_start:]
    end = strand.prepare(query, strand.scoring).best_ends([hit])[0]
    found = align_back(query[: end.query + 1], hit[: end.hit + 1], end.score, strand.scoring)
    return replace(
        found,
        query_start=found.query_start + query_start,
        query_stop=found.query_stop + query_start,
        hit_start=found.hit_start + hit_start + first,
        hit_stop=found.hit_stop + hit_start + first,
    )


def _through_masked(query: bytes, strand: Strand, mask: _Masked, found: Alignment) -> Alignment:
    """An alignment of unmasked letters, gone on to both sides through masked ones too."""
    query_at, hit_at = _firmest_pair(found)
    span = longest_span(strand.scoring, len(query))
    first = max(0, hit_at - span)
    letters = mask.letters(Chunk(first, hit_at + span))
    drop = max(found.score, _DROP * strand.scoring.highest)  # so that what was found is passed
    whole = align_through(query, letters, (query_at, hit_at - first), drop, strand.scoring)
    # Traced once more as all alignments are: gaps that may stand in several places stand there.
    again = align_back(
        query[: whole.query_stop], letters[: whole.hit_stop], whole.score, strand.scoring
    )
    if (again.query_start, again.hit_start) == (whole.query_start, whole.hit_start):
        whole = again
    return replace(whole, hit_start=whole.hit_start + first, hit_stop=whole.hit_stop + first)


def _firmest_pair(alignment: Alignment) -> tuple[int, int]:
    """Places of the pair in the middle of the longest run of equal letters."""
    rows = alignment.query_aligned, alignment.hit_aligned
    same = "".join("=" if a == b and a in "ACGT" else " " for a, b in zip(*rows, strict=True))
    run = max(same.split(), key=len)
    column = same.index(run) + len(run) // 2
    query_at, hit_at = (column - row[:column].count("-") for row in rows)
    return alignment.query_start + query_at, alignment.hit_start + hit_at
