"""What a sequence is made of: GC content, k-mers, entropy, reading frames.

`copy_report`, what is copied from the training data, stands in `similarity.copying`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.domains.genome.similarity.copying import copy_report
from seqforge.domains.genome.similarity.kmers import (
    NO_BASE,
    Codes,
    encode,
    packed_kmers,
    plain_bases,
    reverse_complement,
)

__all__ = [
    "composition_report",
    "copy_report",
    "entropy",
    "gc_content",
    "jensen_shannon",
    "kmer_frequencies",
    "longest_orf",
]

KMER_DISTANCES = range(1, 7)
_STOPS = {b"TAA", b"TAG", b"TGA"}


def gc_content(sequences: Sequence[str]) -> float | None:
    """Share of G and C among the bases A, C, G and T; None where there are none."""
    counts = sum((_counts(encode(sequence)) for sequence in sequences), np.zeros(4, np.int64))
    total = int(counts.sum())
    return float(counts[1] + counts[2]) / total if total else None


def _counts(codes: Codes) -> NDArray[np.int64]:
    return np.bincount(codes, minlength=NO_BASE + 1)[:NO_BASE].astype(np.int64)


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
    """Base and k-mer statistics of samples beside those of held-out sequence.

    Few bases seem far from any others, so distances are between equals: half of the samples, and
    half of the held-out sequence, each to the other half of the held-out sequence. The second
    is what chance and the genome's own unevenness make.
    """
    here, there = _halves(held_out)
    drawn, _ = _halves(samples)
    rows: dict[str, Any] = {"GC content": _row(gc_content(samples), gc_content(held_out))}
    for k in KMER_DISTANCES:
        rows[f"{k}-mer distance to held-out (bits)"] = _row(
            _distance(drawn, there, k), _distance(here, there, k)
        )
    rows["order-5 entropy (bits per base)"] = _row(
        _markov_entropy(samples, 5), _markov_entropy(held_out, 5)
    )
    rows["mean longest open reading frame (bases)"] = _row(_mean_orf(samples), _mean_orf(held_out))
    return rows


def _halves(sequences: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Every other sequence, and the rest; of one sequence its two halves."""
    if len(sequences) != 1:
        return sequences[::2], sequences[1::2]
    middle = len(sequences[0]) // 2
    return [sequences[0][:middle]], [sequences[0][middle:]]


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
