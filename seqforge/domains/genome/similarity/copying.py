"""Copied or new? What samples share with the training data, base by base, on both strands.

The training data are streamed block by block: they may be far larger than what is asked about,
and only the latter is kept. Training positions whose 12-mer is among the wanted ones are found
in a table of all 12-mers; everything longer is looked at there alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.domains.genome.similarity.kmers import (
    NO_BASE,
    Codes,
    Kmers,
    complemented,
    distinct_kmers,
    encode,
    membership,
    packed_kmers,
    places_in,
    plain_bases,
    reverse_complement,
)

COPY_LENGTHS = (12, 16, 20, 24)
"""The k of the k-mers that are looked for."""

_SEED = COPY_LENGTHS[0]
_BLOCK = 1 << 20


def copy_report(
    samples: Sequence[str], held_out: Sequence[str], training_blocks: Iterable[str]
) -> dict[str, Any]:
    """How much of the samples stands in the training data on either strand, beside held-out.

    Longest matches grow with the length of what is searched, so ``held_out`` should be of the
    samples' lengths. Memory is that of both and of a block of the training data; one pass.

    Args:
        samples: What a model drew.
        held_out: Sequence that the model has not seen.
        training_blocks: The training data, cut anywhere; a letter that is no base, such as a
            line break, must stand between records.

    Returns:
        Share of k-mers found for each k, and the longest exact match in bases; None where
        there is nothing long enough to look for.
    """
    return copied_from({"samples": samples, "held-out": held_out}, training_blocks)


def copied_from(
    groups: Mapping[str, Sequence[str]], training_blocks: Iterable[str]
) -> dict[str, dict[str, float | None]]:
    """The same for any groups of sequences, which should have the same lengths.

    Returns:
        A row a measure, with a value for each group; see `copy_report`.
    """
    searches = {name: CopySearch(sequences) for name, sequences in groups.items()}
    longest = max((search.longest_query for search in searches.values()), default=0)
    for block in _overlapping(training_blocks, max(longest, _SEED)):
        for search in searches.values():
            search.look_through(block)
    rows: dict[str, dict[str, float | None]] = {
        f"{k}-mers found in training": {name: s.share(k) for name, s in searches.items()}
        for k in COPY_LENGTHS
    }
    rows["longest exact match"] = {name: search.longest for name, search in searches.items()}
    return rows


def _overlapping(blocks: Iterable[str], longest: int) -> Iterator[str]:
    """The same text in blocks that share ``longest`` letters with the block before.

    Small ones are put together: a block is long beside what it shares.
    """
    held: list[str] = []
    size, wanted = 0, max(_BLOCK, 2 * longest)
    fresh = False
    for block in blocks:
        for start in range(0, len(block), wanted):
            held.append(block[start : start + wanted])
            size += len(held[-1])
            fresh = True
            if size >= wanted:
                text = "".join(held)
                yield text
                held, size, fresh = [text[-longest:]], longest, False
    if fresh:
        yield "".join(held)


class CopySearch:
    """Looks for pieces of some sequences in training data that come block by block."""

    longest: int | None
    """Length of the longest match so far, bases; None where there is nothing to look for."""

    def __init__(self, sequences: Sequence[str]) -> None:
        plain = [plain_bases(sequence) for sequence in sequences]
        self._given = [encode(bases) for bases in plain]
        # Looked for on both strands: the training data then need to be read on one only.
        runs = [run for bases in plain for run in re.findall(b"[ACGT]+", bases)]
        both = [*runs, *map(reverse_complement, runs)]
        self.longest_query = max(map(len, runs), default=0)
        self.longest = 0 if runs else None
        self._text = b"\n".join(both)
        self._codes = encode(self._text)
        self._wanted = {k: distinct_kmers(self._codes, k) for k in COPY_LENGTHS}
        self._found = {k: np.zeros(len(self._wanted[k]), bool) for k in COPY_LENGTHS}
        self._seeds = membership(self._wanted[_SEED], _SEED)

    def share(self, k: int) -> float | None:
        """Share of the sequences' k-mers found so far, each counted as often as it occurs."""
        found = self._wanted[k][self._found[k]]
        total = hits = 0
        for codes in self._given:
            kmers, whole = packed_kmers(codes, k)
            total += int(whole.sum())
            other, _ = packed_kmers(complemented(codes), k)
            there = places_in(found, kmers)[1] | places_in(found, other)[1][::-1]
            hits += int((there & whole).sum())
        return hits / total if total else None

    def look_through(self, block: str) -> None:
        """Take note of what this block of training data has."""
        if self.longest is None:
            return
        codes = encode(block)
        self._lengthen_short(codes)
        seeds, whole = packed_kmers(codes, _SEED)
        places = np.flatnonzero(self._seeds[seeds] & whole)
        if self.longest >= _SEED:
            self._lengthen(plain_bases(block), places)
        for k in COPY_LENGTHS:
            places, kmers = _longer(codes, seeds, places, k)
            where, there = places_in(self._wanted[k], kmers)
            self._found[k][where[there]] = True
            places = places[there]

    def _lengthen_short(self, codes: Codes) -> None:
        """Matches shorter than a seed, by k-mers of the next length while there are any."""
        while self.longest is not None and self.longest < min(_SEED, self.longest_query):
            k = self.longest + 1
            wanted, whole = packed_kmers(self._codes, k)
            table = membership(wanted[whole], k)
            kmers, whole = packed_kmers(codes, k)
            if not table[kmers[whole]].any():
                return
            self.longest = k

    def _lengthen(self, block: bytes, places: NDArray[np.int64]) -> None:
        """Matches of a seed and more lie in runs of seeds that follow each other."""
        if not len(places):
            return
        breaks = np.flatnonzero(np.diff(places) != 1)
        starts = places[np.concatenate(([0], breaks + 1))]
        stops = places[np.concatenate((breaks, [len(places) - 1]))] + _SEED
        order = np.argsort(starts - stops, kind="stable")  # the longest runs first
        for start, stop in zip(starts[order].tolist(), stops[order].tolist(), strict=True):
            if stop - start <= (self.longest or 0):
                return
            self._match_run(block[start:stop])

    def _match_run(self, run: bytes) -> None:
        """Every place of a run of seeds where a match longer than all before could begin."""
        absent: set[int] = set()  # hashes of what a repetitive run would have us look for again
        start = 0
        while self.longest is not None and start + self.longest < len(run):
            piece = run[start : start + self.longest + 1]
            if hash(piece) not in absent:
                if piece in self._text:
                    self.longest = self._match_length(run[start:], len(piece))
                    absent.clear()
                else:
                    absent.add(hash(piece))
            start += 1

    def _match_length(self, text: bytes, known: int) -> int:
        """How many of the first letters match in one piece, when ``known`` do."""
        low, high = known, min(len(text), self.longest_query)
        while low < high:
            middle = (low + high + 1) // 2
            if text[:middle] in self._text:
                low = middle
            else:
                high = middle - 1
        return low


def _longer(
    codes: Codes, seeds: Kmers, places: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], Kmers]:
    """The k-mers at some places, as seed and letters behind it; places without one fall out."""
    places = places[places <= len(codes) - k]
    kmers = seeds[places]
    for offset in range(_SEED, k):
        following = codes[places + offset]
        places, kmers, following = (
            array[following != NO_BASE] for array in (places, kmers, following)
        )
        kmers = kmers << np.uint64(2) | following.astype(np.uint64)
    return places, kmers
