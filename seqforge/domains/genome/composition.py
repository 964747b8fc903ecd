"""What a sequence is made of, and how much of it is copied: GC, k-mers, reading frames.

A k-mer is packed into an integer, two bits a base. The training data are streamed: they may be
far larger than what is asked about, and only the latter is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

KMER_DISTANCES = range(1, 7)
COPY_LENGTHS = (12, 16, 20, 24)

_SEED = COPY_LENGTHS[0]
_BLOCK = 1 << 20

_NO_BASE = 4
_CODES = np.full(256, _NO_BASE, np.uint8)
for _code, _letters in enumerate(("Aa", "Cc", "Gg", "TtUu")):
    _CODES[np.frombuffer(_letters.encode(), np.uint8)] = _code

_COMPLEMENT = str.maketrans("ACGTacgt", "TGCAtgca")
_FRAME_STOP = re.compile("TAA|TAG|TGA")

Codes = NDArray[np.uint8]
Kmers = NDArray[np.uint64]


def encode(sequence: str) -> Codes:
    """Bases as 0 to 3 in the order ACGT (U is T), anything else as 4; (T,)."""
    return _CODES[np.frombuffer(sequence.encode("ascii", "replace"), np.uint8)]


def reverse_complement(sequence: str) -> str:
    """The other strand, read in its own direction; letters but ACGT stay what they are."""
    return sequence.translate(_COMPLEMENT)[::-1]


def gc_content(sequences: Sequence[str]) -> float | None:
    """Share of G and C among the bases A, C, G and T; None where there are none."""
    counts = sum((_counts(encode(sequence)) for sequence in sequences), np.zeros(4, np.int64))
    total = int(counts.sum())
    return float(counts[1] + counts[2]) / total if total else None


def _counts(codes: Codes) -> NDArray[np.int64]:
    return np.bincount(codes, minlength=_NO_BASE + 1)[:_NO_BASE].astype(np.int64)


def packed_kmers(codes: Codes, k: int) -> tuple[Kmers, NDArray[np.bool_]]:
    """Every k-mer as an integer (the first base counts most), and whether it is all bases.

    Args:
        codes: From `encode`, (T,).
        k: 1 to 32.

    Returns:
        Two arrays (T - k + 1,), or empty ones where the sequence is shorter than k.
    """
    if not 1 <= k <= 32:
        raise ValueError(f"k must be 1 to 32, not {k}")
    if len(codes) < k:
        return np.empty(0, np.uint64), np.empty(0, bool)
    kmers, size, done = codes.astype(np.uint64) & np.uint64(3), 1, 0
    packed = np.zeros(len(codes), np.uint64)
    while size <= k:  # put together from k-mers of 1, 2, 4, ... bases
        if k & size:
            tail = kmers[done:]
            packed = packed[: len(tail)] << np.uint64(2 * size) | tail
            done += size
        kmers = kmers[:-size] << np.uint64(2 * size) | kmers[size:]
        size *= 2
    wrong = np.concatenate(([0], np.cumsum(codes == _NO_BASE)))
    count = len(codes) - k + 1
    return packed[:count], wrong[k:] == wrong[:count]


def kmer_frequencies(sequences: Sequence[str], k: int) -> NDArray[np.float64]:
    """Share of each k-mer among all, on the strand given, (4^k,); zeros where there are none."""
    counts = np.zeros(4**k, np.int64)
    for sequence in sequences:
        kmers, whole = packed_kmers(encode(sequence), k)
        counts += np.bincount(kmers[whole].astype(np.int64), minlength=4**k)
    return counts / max(1, int(counts.sum()))


def entropy(frequencies: NDArray[np.float64]) -> float:
    """Shannon entropy, bits."""
    some = frequencies[frequencies > 0]
    return float(-(some * np.log2(some)).sum()) + 0.0


def jensen_shannon(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Jensen-Shannon divergence of two distributions: 0 for the same, 1 bit for nothing shared.

    References:
        Lin 1991, https://doi.org/10.1109/18.61115
    """
    return max(0.0, entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2)


def longest_orf(sequence: str) -> int:
    """Bases of the longest open reading frame, ATG to stop codon included, on both strands.

    One that runs off the end has no stop and counts as far as its last whole codon.
    """
    upper = sequence.upper().replace("U", "T")
    strands = (upper, reverse_complement(upper))
    return max(_longest_in_frame(strand[frame:]) for strand in strands for frame in range(3))


def _longest_in_frame(bases: str) -> int:
    longest = start = 0
    inside = False
    for place in range(0, len(bases) - 2, 3):
        codon = bases[place : place + 3]
        if not inside and codon == "ATG":
            inside, start = True, place
        if inside:
            longest = max(longest, place + 3 - start)
            inside = _FRAME_STOP.fullmatch(codon) is None
    return longest


def composition_report(samples: Sequence[str], held_out: Sequence[str]) -> dict[str, Any]:
    """Base and k-mer statistics of samples beside those of held-out sequence.

    The k-mer distance of the samples is to the held-out sequence; beside it stands the distance
    between the two halves of the held-out sequence, which is what chance alone makes.
    """
    half = len(held_out) // 2
    text = "\n".join(held_out)
    halves = (held_out[:half], held_out[half:]) if half else (
        [text[: len(text) // 2]], [text[len(text) // 2 :]]
    )  # fmt: skip
    rows: dict[str, Any] = {"GC content": _row(gc_content(samples), gc_content(held_out))}
    for k in KMER_DISTANCES:
        rows[f"{k}-mer distance to held-out (bits)"] = _row(
            _distance(samples, held_out, k), _distance(*halves, k)
        )
    rows["order-5 entropy (bits per base)"] = _row(
        _markov_entropy(samples, 5), _markov_entropy(held_out, 5)
    )
    rows["mean longest open reading frame (bases)"] = _row(_mean_orf(samples), _mean_orf(held_out))
    return rows


def _row(samples: float | None, held_out: float | None) -> dict[str, float | None]:
    return {"samples": samples, "held-out": held_out}


def _distance(one: Sequence[str], other: Sequence[str], k: int) -> float | None:
    p, q = kmer_frequencies(one, k), kmer_frequencies(other, k)
    return jensen_shannon(p, q) if p.any() and q.any() else None


def _markov_entropy(sequences: Sequence[str], order: int) -> float | None:
    """Bits per base that the ``order`` bases before it leave open; short sequences seem to
    have less than they have.
    """
    longer = kmer_frequencies(sequences, order + 1)
    if not longer.any():
        return None
    return entropy(longer) - entropy(longer.reshape(-1, 4).sum(1))


def _mean_orf(sequences: Sequence[str]) -> float | None:
    found = [longest_orf(sequence) for sequence in sequences if sequence]
    return sum(found) / len(found) if found else None


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
    groups = {"samples": CopySearch(samples), "held-out": CopySearch(held_out)}
    longest = max(group.longest_query for group in groups.values())
    for block in _overlapping(training_blocks, max(longest, _SEED)):
        for group in groups.values():
            group.look_through(block)
    rows: dict[str, Any] = {
        f"{k}-mers found in training": {name: group.share(k) for name, group in groups.items()}
        for k in COPY_LENGTHS
    }
    rows["longest exact match"] = {name: group.longest for name, group in groups.items()}
    return rows


def _overlapping(blocks: Iterable[str], longest: int) -> Iterator[str]:
    """The same text in blocks that share ``longest`` letters with the block before.

    Small ones are put together: a block is long beside what it shares.
    """
    held: list[str] = []
    size, wanted = 0, max(_BLOCK, 4 * longest)
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
        upper = [sequence.upper().replace("U", "T") for sequence in sequences]
        self._given = [encode(sequence) for sequence in upper]
        # Looked for on both strands: the training data then need to be read on one only.
        runs = [run for sequence in upper for run in re.findall("[ACGT]+", sequence)]
        both = [*runs, *map(reverse_complement, runs)]
        self.longest_query = max(map(len, runs), default=0)
        self.longest = 0 if runs else None
        self._text = "\n".join(both)
        self._codes = encode(self._text)
        self._wanted = {k: _distinct(self._codes, k) for k in COPY_LENGTHS}
        self._found = {k: np.zeros(len(self._wanted[k]), bool) for k in COPY_LENGTHS}
        self._seeds = _membership(self._wanted[_SEED], _SEED)

    def share(self, k: int) -> float | None:
        """Share of the sequences' k-mers found so far, each counted as often as it occurs."""
        found = self._wanted[k][self._found[k]]
        total = hits = 0
        for codes in self._given:
            kmers, whole = packed_kmers(codes, k)
            total += int(whole.sum())
            hits += int(np.isin(kmers[whole], found).sum())
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
            self._lengthen(block.upper().replace("U", "T"), places)
        for k in COPY_LENGTHS:
            places, kmers = _longer(codes, seeds, places, k)
            where = np.searchsorted(self._wanted[k], kmers)
            where[where == len(self._wanted[k])] = 0
            same = self._wanted[k][where] == kmers if len(self._wanted[k]) else np.zeros(0, bool)
            self._found[k][where[same]] = True
            places = places[same]

    def _lengthen_short(self, codes: Codes) -> None:
        """Matches shorter than a seed, by k-mers of the next length while there are any."""
        while self.longest is not None and self.longest < min(_SEED, self.longest_query):
            k = self.longest + 1
            wanted = _membership(_distinct(self._codes, k), k)
            kmers, whole = packed_kmers(codes, k)
            if not wanted[kmers[whole]].any():
                return
            self.longest = k

    def _lengthen(self, block: str, places: NDArray[np.int64]) -> None:
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

    def _match_run(self, run: str) -> None:
        start = 0
        while self.longest is not None and start + self.longest < len(run):
            low = self.longest
            if run[start : start + low + 1] in self._text:
                low, high = low + 1, min(len(run) - start, self.longest_query)
                while low < high:
                    middle = (low + high + 1) // 2
                    if run[start : start + middle] in self._text:
                        low = middle
                    else:
                        high = middle - 1
                self.longest = low
            start += 1


def _distinct(codes: Codes, k: int) -> Kmers:
    kmers, whole = packed_kmers(codes, k)
    return np.unique(kmers[whole])


def _membership(kmers: Kmers, k: int) -> NDArray[np.bool_]:
    """Whether each k-mer is among these, (4^k,)."""
    table = np.zeros(4**k, bool)
    table[kmers] = True
    return table


def _longer(
    codes: Codes, seeds: Kmers, places: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], Kmers]:
    """The k-mers at some places, as seed and letters behind it; places without one fall out."""
    places = places[places <= len(codes) - k]
    kmers = seeds[places]
    for offset in range(_SEED, k):
        following = codes[places + offset]
        places, kmers, following = (
            array[following != _NO_BASE] for array in (places, kmers, following)
        )
        kmers = kmers << np.uint64(2) | following.astype(np.uint64)
    return places, kmers
