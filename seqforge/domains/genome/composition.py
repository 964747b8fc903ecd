"""Sequences in; out GC content, k-mer frequencies, entropy and reading frames, and the longest
spans copied from the training data on either strand (memorization).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.presentation import Measured, Wording
from seqforge.domains.genome.nucleotides import (
    NO_BASE,
    Codes,
    Kmers,
    base_codes,
    complemented,
    distinct_kmers,
    membership,
    packed_kmers,
    places_in,
    plain_bases,
    reverse_complement,
)
from seqforge.domains.genome.stretches import word_counts

COPY_LENGTHS = (12, 16, 20, 24)
"""The k of the k-mers looked for in the training data."""

_SEED = COPY_LENGTHS[0]
_BLOCK = 1 << 18  # what is worked out for so many letters stays in the cache


def copy_report(
    samples: Sequence[str], held_out: Sequence[str], training_blocks: Iterable[str]
) -> dict[str, Any]:
    """Copies of training data (either strand) in samples, beside those in held-out sequence.

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
    """The same for any groups of sequences, which should have equal lengths.

    Returns:
        A row a measure, with a value for each group; see `copy_report`.
    """
    searches = {name: CopySearch(sequences) for name, sequences in groups.items()}
    longest = max((search.longest_query for search in searches.values()), default=0)
    seeds = [np.empty(0, np.uint64), *(search.seeds for search in searches.values())]
    wanted = membership(np.concatenate(seeds), _SEED)
    for text in _overlapping(training_blocks, max(longest, _SEED)):
        block = TrainingBlock.of(text, wanted)
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


@dataclass(frozen=True)
class TrainingBlock:
    """A block of training data, as all searches look through it."""

    text: str
    codes: Codes
    places: NDArray[np.int64]
    """Where a seed of any search begins."""
    seeds: Kmers
    """The seeds at these places."""

    @classmethod
    def of(cls, text: str, wanted: NDArray[np.bool_]) -> TrainingBlock:
        """A block and the seeds of all searches (4^12,) in, the block out."""
        codes = base_codes(text)
        seeds, whole = packed_kmers(codes, _SEED)
        places = np.flatnonzero(wanted[seeds] & whole)
        return cls(text, codes, places, seeds[places])


class CopySearch:
    """Finds copies of training data, given in blocks, in some sequences."""

    longest: int | None
    """Length of the longest match so far, in bases; None if there is nothing to look for."""

    def __init__(self, sequences: Sequence[str]) -> None:
        plain = [plain_bases(sequence) for sequence in sequences]
        self._given = [base_codes(bases) for bases in plain]
        # Looked for on both strands: the training data then need to be read on one only.
        runs = [run for bases in plain for run in re.findall(b"[ACGT]+", bases)]
        both = [*runs, *map(reverse_complement, runs)]
        self.longest_query = max(map(len, runs), default=0)
        self.longest = 0 if runs else None
        self._text = b"\n".join(both)
        self._codes = base_codes(self._text)
        self._wanted = {k: distinct_kmers(self._codes, k) for k in COPY_LENGTHS}
        self._found = {k: np.zeros(len(self._wanted[k]), bool) for k in COPY_LENGTHS}

    @property
    def seeds(self) -> Kmers:
        """The k-mers from which copies are looked for."""
        return self._wanted[_SEED]

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

    def look_through(self, block: TrainingBlock) -> None:
        """Look through a block of training data."""
        if self.longest is None:
            return
        self._lengthen_short(block.codes)
        _, ours = places_in(self._wanted[_SEED], block.seeds)
        places, seeds = block.places[ours], block.seeds[ours]
        if self.longest >= _SEED:
            self._lengthen(plain_bases(block.text), places)
        for k in COPY_LENGTHS:
            places, seeds, kmers = _longer(block.codes, seeds, places, k)
            where, there = places_in(self._wanted[k], kmers)
            self._found[k][where[there]] = True
            places, seeds = places[there], seeds[there]

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
) -> tuple[NDArray[np.int64], Kmers, Kmers]:
    """The k-mers at some places, as seed and letters behind it; places without one fall out."""
    inside = places <= len(codes) - k
    places, seeds = places[inside], seeds[inside]
    kmers = seeds
    for offset in range(_SEED, k):
        following = codes[places + offset]
        places, seeds, kmers, following = (
            array[following != NO_BASE] for array in (places, seeds, kmers, following)
        )
        kmers = kmers << np.uint64(2) | following.astype(np.uint64)
    return places, seeds, kmers


KMER_DISTANCES = range(1, 7)
_STOPS = {b"TAA", b"TAG", b"TGA"}


def gc_content(sequences: Sequence[str]) -> float | None:
    """Share of G and C among the bases A, C, G and T; None without bases."""
    counts = sum((_counts(base_codes(sequence)) for sequence in sequences), np.zeros(4, np.int64))
    total = int(counts.sum())
    return float(counts[1] + counts[2]) / total if total else None


def _counts(codes: Codes) -> NDArray[np.int64]:
    return np.bincount(codes, minlength=NO_BASE + 1)[:NO_BASE].astype(np.int64)


def kmer_frequencies(sequences: Sequence[str], k: int) -> NDArray[np.float64]:
    """Frequency of each k-mer on the given strand, (4^k,); zeros if there are none."""
    counts = np.zeros(4**k, np.int64)
    for sequence in sequences:
        counts += word_counts(base_codes(sequence), k, NO_BASE)
    return counts / max(1, int(counts.sum()))


def entropy(frequencies: NDArray[np.float64]) -> float:
    """Shannon entropy in bits."""
    some = frequencies[frequencies > 0]
    return float(-(some * np.log2(some)).sum()) + 0.0


def jensen_shannon(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Jensen-Shannon divergence of two distributions: from 0 (equal) to 1 bit (disjoint).

    References:
        Lin 1991, https://doi.org/10.1109/18.61115
    """
    return max(0.0, entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2)


def longest_orf(sequence: str) -> int:
    """Bases of the longest open reading frame, from ATG to the stop codon, on both strands.

    One that runs off the end has no stop and counts as far as its last whole codon.
    """
    plain = plain_bases(sequence)
    strands = (plain, reverse_complement(plain))
    return max(_longest_in_frame(strand[frame:]) for strand in strands for frame in range(3))


def _longest_in_frame(bases: bytes) -> int:
    longest = start = 0
    inside = False
    for place in range(0, len(bases) - 2, 3):
        codon = bases[place : place + 3]
        if not inside and codon == b"ATG":
            inside, start = True, place
        if inside:
            longest = max(longest, place + 3 - start)
            inside = codon not in _STOPS
    return longest


def composition_report(samples: Sequence[str], held_out: Sequence[str]) -> dict[str, Any]:
    """Base and k-mer statistics of samples beside those of held-out sequence."""
    rows: dict[str, Any] = {"GC content": beside(gc_content(samples), gc_content(held_out))}
    rows |= distances(samples, held_out, KMER_DISTANCES, kmer_frequencies)
    rows["order-5 entropy (bits per base)"] = beside(
        _markov_entropy(samples, 5), _markov_entropy(held_out, 5)
    )
    rows["mean longest open reading frame (bases)"] = beside(
        _mean_orf(samples), _mean_orf(held_out)
    )
    return rows


def measured_groups(
    groups: Sequence[Sequence[str]], held_out: Sequence[str], training_blocks: Iterable[str]
) -> list[Measured]:
    """Groups of sequences in, composition and copies of each out, in one pass over the training."""
    found = [composition_report(group, held_out) for group in groups]
    named = {str(place): group for place, group in enumerate(groups)}
    return joined_rows(found, copied_from(named, training_blocks))


def joined_rows(
    found: Sequence[Mapping[str, Mapping[str, float | None]]],
    copied: Mapping[str, Mapping[str, float | None]],
) -> list[Measured]:
    """Reports on groups, and what is copied of each by its number, in; measures of each out."""
    return [
        {name: row["samples"] for name, row in rows.items()}
        | {name: row[str(place)] for name, row in copied.items()}
        for place, rows in enumerate(found)
    ]


WORDINGS = {
    "GC content": Wording("bases that are G or C (GC content)", share=True),
    **{
        f"{k}-mer distance to held-out (bits)": Wording(
            f"how unlike the use of runs of {k} is (Jensen-Shannon divergence of {k}-mers, bits)"
            if k > 1
            else "how unlike the use of single bases is (Jensen-Shannon divergence, bits)"
        )
        for k in KMER_DISTANCES
    },
    "order-5 entropy (bits per base)": Wording(
        "what five bases leave open of the next (order-5 entropy, bits)"
    ),
    "mean longest open reading frame (bases)": Wording(
        "bases from a start to its stop codon (longest open reading frame, mean)"
    ),
    **{
        f"{k}-mers found in training": Wording(
            f"runs of {k} bases that the training data have ({k}-mers)", share=True
        )
        for k in COPY_LENGTHS
    },
    "longest exact match": Wording("bases of the longest copy (exact match)"),
}


def _halves(sequences: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Every other sequence, and the rest; of one sequence its two halves."""
    if len(sequences) != 1:
        return sequences[::2], sequences[1::2]
    middle = len(sequences[0]) // 2
    return [sequences[0][:middle]], [sequences[0][middle:]]


def beside(samples: float | None, held_out: float | None) -> dict[str, float | None]:
    """A measure of samples and of held-out sequence in, its row out."""
    return {"samples": samples, "held-out": held_out}


def distances(
    samples: Sequence[str],
    held_out: Sequence[str],
    sizes: Iterable[int],
    frequencies: Callable[[Sequence[str], int], NDArray[np.float64]],
) -> dict[str, dict[str, float | None]]:
    """A row of distances to held-out sequence for each size of k-mers.

    A few letters seem far from any others, so distances are between equals: half of the samples,
    and half of the held-out sequence, each to the other half of the held-out sequence. The second
    is what chance and unevenness make.
    """
    here, there = _halves(held_out)
    drawn, _ = _halves(samples)
    rows = {}
    for k in sizes:
        real = frequencies(there, k)
        rows[f"{k}-mer distance to held-out (bits)"] = beside(
            _distance(frequencies(drawn, k), real), _distance(frequencies(here, k), real)
        )
    return rows


def _distance(p: NDArray[np.float64], q: NDArray[np.float64]) -> float | None:
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
