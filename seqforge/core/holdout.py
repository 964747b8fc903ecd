"""What is held out: whole records where there are many, else the tail of each group of records.

Records that are variants of each other, a cluster, are held out together or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from seqforge.core.budget import Split
from seqforge.core.records import Record
from seqforge.errors import InputError

PARTS = ("train", "valid", "test")

CONTEXT = 1024
"""Symbols read before a held-out tail so that the network is warm when scoring begins."""

_ENOUGH = 20  # clusters that the smallest part needs for whole records to be held out
_FEWEST_SYMBOLS = 100  # a held-out part below this says nothing


@dataclass(frozen=True)
class Cut:
    """Symbols [start, stop) of one record, which belong to one part."""

    record: int
    """Position of the record in the input."""
    start: int
    stop: int
    context_from: int
    """What lies in [context_from, start) is read to get warm and not scored."""
    ends: bool
    """Whether the record (or its piece before a gap) ends at ``stop``."""


Cuts = dict[str, list[Cut]]
"""Those of each part."""


def cut_records(
    records: Sequence[tuple[Record, int]],
    split: Split,
    clusters: Sequence[int] | NDArray[np.int64] | None = None,
) -> Cuts:
    """Which piece of which record belongs to which part.

    Whole clusters are dealt out where the smallest part's share of them is at least 20; one that
    is larger than what a held-out part still needs goes to training. Where there are fewer, each
    group (contig, file, tune book) gives its tail, its clusters one after the other, so that in
    a group only those at its cuts are divided. This is settled before gaps are taken out.

    Args:
        records: Each record and its length. Augmented ones go where all of their original goes,
            but only to training.
        split: Shares of the parts.
        clusters: A number for each record that is not augmented, the same for those that must
            stay together; without it each is its own.

    Raises:
        InputError: If a part that was asked for would get next to nothing.
    """
    smallest = min(share for share in (split.train, split.valid, split.test) if share > 0)
    originals = [(i, record, n) for i, (record, n) in enumerate(records) if not record.augmented]
    cluster = _numbered(range(len(originals)) if clusters is None else clusters)
    spans = _whole_clusters(originals, cluster, split)
    if len(set(cluster)) * smallest < _ENOUGH or not _fair(spans, split):
        spans = _tails(originals, cluster, split)
    spans.sort(key=lambda span: span[1])
    if len(originals) < len(records):
        spans += _augmented(records, spans)
    cuts: Cuts = {part: [] for part in PARTS}
    for part, record, start, stop in spans:
        context = 0 if part == "train" else CONTEXT  # only what is scored is warmed
        found, length = records[record]
        cuts[part] += [
            Cut(record, low, high, max(piece_start, low - context), high == piece_stop)
            for piece_start, piece_stop in found.pieces(length)
            if (low := max(start, piece_start)) < (high := min(stop, piece_stop))
        ]
    _check_sizes(cuts, split, smallest)
    return cuts


_Span = tuple[str, int, int, int]  # part, record, start, stop
_Original = tuple[int, Record, int]  # its position in the input, itself, its length


def _numbered(clusters: Iterable[int]) -> list[int]:
    """Clusters as 0, 1, 2, ... in the order in which they first occur."""
    numbers: dict[int, int] = {}
    return [numbers.setdefault(int(cluster), len(numbers)) for cluster in clusters]


def _whole_clusters(
    originals: Sequence[_Original], cluster: Sequence[int], split: Split
) -> list[_Span]:
    # The same records are held out whatever the run's seed is, so that runs can be compared.
    sizes = np.bincount(cluster).tolist()
    part_of = ["train"] * len(sizes)
    wanted = {
        "valid": round(len(originals) * split.valid),
        "test": round(len(originals) * split.test),
    }
    order = np.random.Generator(np.random.Philox(key=0)).permutation(len(sizes))
    for number in order.tolist():
        for part, room in wanted.items():
            if sizes[number] <= room:
                part_of[number] = part
                wanted[part] -= sizes[number]
                break
    return [
        (part_of[number], position, 0, length)
        for (position, _, length), number in zip(originals, cluster, strict=True)
    ]


def _fair(spans: Sequence[_Span], split: Split) -> bool:
    """Whether every part got its share of symbols, give or take a factor of two.

    A few long records among many short ones (chromosomes and scaffolds) cannot be dealt so.
    """
    shares = {"train": split.train, "valid": split.valid, "test": split.test}
    total = sum(stop - start for _, _, start, stop in spans)
    for part, share in shares.items():
        got = sum(stop - start for name, _, start, stop in spans if name == part)
        if share > 0 and not 0.5 <= got / max(1, total) / share <= 2:
            return False
    return True


def _tails(originals: Sequence[_Original], cluster: Sequence[int], split: Split) -> list[_Span]:
    spans: list[_Span] = []
    numbered = zip(cluster, originals, strict=True)
    for _, members in groupby(numbered, key=lambda item: item[1][1].group):
        group = [original for _, original in sorted(members, key=lambda item: item[0])]
        total = sum(length for _, _, length in group)
        bounds = [0, round(total * split.train), round(total * (split.train + split.valid)), total]
        if split.test == 0:
            bounds[2] = total
        begin = 0
        for position, _, length in group:
            for part, low, high in zip(PARTS, bounds, bounds[1:], strict=False):
                start, stop = max(low - begin, 0), min(high - begin, length)
                if start < stop:
                    spans.append((part, position, start, stop))
            begin += length
    return spans


def _augmented(records: Sequence[tuple[Record, int]], spans: Sequence[_Span]) -> list[_Span]:
    """The augmented records whose originals are trained on whole.

    First of each the first, then of each the second: a row of a batch is read with the state
    carried over, and what follows its original would be known from that.
    """
    trained = {
        position
        for part, position, start, stop in spans
        if part == "train" and (start, stop) == (0, records[position][1])
    }
    copies: list[tuple[int, _Span]] = []
    original = -1
    for position, (record, length) in enumerate(records):
        if not record.augmented:
            original = position
        elif original in trained:
            copies.append((position - original, ("train", position, 0, length)))
    copies.sort()
    return [span for _, span in copies]


def _check_sizes(cuts: Cuts, split: Split, smallest: float) -> None:
    shares = {"train": split.train, "valid": split.valid, "test": split.test}
    for part, share in shares.items():
        size = sum(cut.stop - cut.start for cut in cuts[part])
        if share > 0 and size < _FEWEST_SYMBOLS:
            total = sum(cut.stop - cut.start for found in cuts.values() for cut in found)
            needed = int(np.ceil(_FEWEST_SYMBOLS / smallest))
            raise InputError(
                f"the input has {total:,} symbols, which leaves {size:,} for {part}; at least "
                f"{_FEWEST_SYMBOLS} are needed in each part: give {needed:,} symbols or more, or "
                "hold out a larger share"
            )
