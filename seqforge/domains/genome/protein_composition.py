"""Proteins in; out what they are made of, how long they are, and what of them is copied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.overlap import CopyFinder, copied_shares
from seqforge.core.data.presentation import Measured, Wording
from seqforge.domains.genome.composition import beside, distances, joined_rows
from seqforge.domains.genome.residues import RESIDUES, low_complexity, residue_codes
from seqforge.domains.genome.stretches import word_counts

COPY_LENGTHS = (6, 12, 20)
"""The k of the k-mers looked for in the training data."""
KMER_SIZES = (1, 2, 3)
_KINDS = len(RESIDUES)

WORDINGS = {
    "residues in a protein (mean)": Wording("amino acids in a protein (mean length)"),
    "residues in a protein (median)": Wording("amino acids in a protein (median length)"),
    "begin with M (share)": Wording("proteins that begin with methionine (M)", share=True),
    "low complexity (share)": Wording(
        "amino acids in stretches of few kinds (low complexity, SEG)", share=True
    ),
    **{
        f"{k}-mer distance to held-out (bits)": Wording(
            f"how unlike the use of runs of {k} is (Jensen-Shannon divergence of {k}-mers, bits)"
            if k > 1
            else "how unlike the use of amino acids is (Jensen-Shannon divergence, bits)"
        )
        for k in KMER_SIZES
    },
    **{
        f"{k}-mers found in training": Wording(
            f"runs of {k} amino acids that the training data have ({k}-mers)", share=True
        )
        for k in COPY_LENGTHS
    },
    "longest exact match": Wording("amino acids of the longest copy (exact match)"),
    **{
        f"{letter} (share)": Wording(f"amino acids that are {letter}", share=True)
        for letter in RESIDUES
    },
}


@dataclass(frozen=True)
class Proteins:
    """Proteins to be measured."""

    whole: Sequence[str]
    """As they are, from the first amino acid on: for lengths and beginnings."""
    pieces: Sequence[str]
    """What is compared: all, or stretches of equal lengths."""


def word_frequencies(sequences: Sequence[str], k: int) -> NDArray[np.float64]:
    """Frequency of each run of ``k`` amino acids, (20^k,); zeros if there are none."""
    counts = np.zeros(_KINDS**k, np.int64)
    for sequence in sequences:
        counts += word_counts(residue_codes(sequence), k, _KINDS)
    return counts / max(1, int(counts.sum()))


def composition_report(samples: Proteins, held_out: Proteins) -> dict[str, Any]:
    """What samples are made of, beside held-out proteins."""
    measured, real = _measures(samples), _measures(held_out)
    rows = {name: beside(value, real[name]) for name, value in measured.items()}
    rows |= distances(samples.pieces, held_out.pieces, KMER_SIZES, word_frequencies)
    shares, real_shares = (word_frequencies(some.pieces, 1) for some in (samples, held_out))
    for letter, share, other in zip(RESIDUES, shares, real_shares, strict=True):
        rows[f"{letter} (share)"] = beside(_share(share, shares), _share(other, real_shares))
    return rows


def _share(share: float, of: NDArray[np.float64]) -> float | None:
    return round(float(share), 4) if of.any() else None


def _measures(proteins: Proteins) -> dict[str, float | None]:
    lengths = [len(protein) for protein in proteins.whole]
    begin = [protein.startswith("M") for protein in proteins.whole if protein]
    low = [low_complexity(piece) for piece in proteins.pieces if piece]
    return {
        "residues in a protein (mean)": round(float(np.mean(lengths)), 1) if lengths else None,
        "residues in a protein (median)": float(np.median(lengths)) if lengths else None,
        "begin with M (share)": sum(begin) / len(begin) if begin else None,
        "low complexity (share)": float(np.concatenate(low).mean()) if low else None,
    }


def copied_proteins(
    groups: Mapping[str, Sequence[str]], training_blocks: Iterable[str]
) -> dict[str, dict[str, float | None]]:
    """What of groups of proteins is copied from training data: `genome.composition.copied_from`.

    Memory is a byte for each residue of the training data.
    """
    training = np.concatenate([np.empty(0, np.uint8), *map(residue_codes, training_blocks)])
    coded = [[residue_codes(protein) for protein in group] for group in groups.values()]
    rows: dict[str, dict[str, float | None]] = {
        f"{k}-mers found in training": dict(
            zip(groups, copied_shares(coded, training, k), strict=True)
        )
        for k in COPY_LENGTHS
    }
    rows["longest exact match"] = {
        name: CopyFinder(group, training).longest() if any(map(len, group)) else None
        for name, group in zip(groups, coded, strict=True)
    }
    return rows


def measured_groups(
    groups: Sequence[Proteins], held_out: Proteins, training_blocks: Iterable[str]
) -> list[Measured]:
    """Groups of proteins in, composition and copies of each out."""
    found = [composition_report(group, held_out) for group in groups]
    copied = copied_proteins(
        {str(place): group.pieces for place, group in enumerate(groups)}, training_blocks
    )
    return joined_rows(found, copied)
