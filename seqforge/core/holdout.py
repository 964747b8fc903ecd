"""What is held out: whole records where there are many, else the tail of each group of records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from seqforge.core.budget import Split
from seqforge.core.records import Record
from seqforge.errors import InputError

PARTS = ("train", "valid", "test")

CONTEXT = 1024
"""Symbols read before a held-out tail so that the network is warm when scoring begins."""

_ENOUGH_RECORDS = 20  # the smallest part needs so many for whole records to be held out
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


def cut_records(records: Sequence[tuple[Record, int]], split: Split) -> dict[str, list[Cut]]:
    """Which piece of which record belongs to which part.

    Whole records are dealt out where the smallest part gets at least 20 of them, else each group
    (contig, file, tune book) gives its tail. This is settled before gaps are taken out.

    Args:
        records: Each record and its length.
        split: Shares of the parts.

    Raises:
        InputError: If a part that was asked for would get next to nothing.
    """
    smallest = min(share for share in (split.train, split.valid, split.test) if share > 0)
    spans = _whole_records(records, split) if len(records) * smallest >= _ENOUGH_RECORDS else None
    if spans is None or not _fair(spans, split):
        spans = _tails(records, split)
    cuts: dict[str, list[Cut]] = {part: [] for part in PARTS}
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


def _whole_records(records: Sequence[tuple[Record, int]], split: Split) -> list[_Span]:
    # The same records are held out whatever the run's seed is, so that runs can be compared.
    order = np.random.Generator(np.random.Philox(key=0)).permutation(len(records))
    held_valid = round(len(records) * split.valid)
    held_test = round(len(records) * split.test)
    part_of = ["train"] * len(records)
    for place, record in enumerate(order):
        if place < held_valid:
            part_of[record] = "valid"
        elif place < held_valid + held_test:
            part_of[record] = "test"
    return [(part_of[i], i, 0, length) for i, (_, length) in enumerate(records)]


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


def _tails(records: Sequence[tuple[Record, int]], split: Split) -> list[_Span]:
    spans: list[_Span] = []
    numbered = [(record, number, length) for number, (record, length) in enumerate(records)]
    for _, members in groupby(numbered, key=lambda item: item[0].group):
        group = list(members)
        total = sum(length for _, _, length in group)
        bounds = [0, round(total * split.train), round(total * (split.train + split.valid)), total]
        if split.test == 0:
            bounds[2] = total
        begin = 0
        for _, number, length in group:
            for part, low, high in zip(PARTS, bounds, bounds[1:], strict=False):
                start, stop = max(low - begin, 0), min(high - begin, length)
                if start < stop:
                    spans.append((part, number, start, stop))
            begin += length
    return spans


def _check_sizes(cuts: dict[str, list[Cut]], split: Split, smallest: float) -> None:
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
