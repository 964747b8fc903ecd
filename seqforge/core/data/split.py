"""Records and shares in; out which of them are training, validation and test data (held-out
data).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from seqforge.core.config import Split
from seqforge.core.records import Record, Span, resolve
from seqforge.errors import InputError

PARTS = ("train", "valid", "test")

CONTEXT = 1024
"""Symbols read before a held-out tail so that the network is warm when scoring begins."""

_ENOUGH = 20  # clusters that the smallest part needs for whole records to be held out
_FEWEST_SYMBOLS = 100  # a held-out part below this says nothing
_MOST_HELD = 0.5  # of a small input, so that each held-out part has as many


@dataclass(frozen=True)
class Cut:
    """Symbols [start, stop) of a record, assigned to one part."""

    record: int
    """Position of the record in the input."""
    start: int
    stop: int
    context_from: int
    """[context_from, start) is read as context and not scored."""
    ends: bool
    """Whether the record (or its piece before a gap) ends at ``stop``."""


Cuts = dict[str, list[Cut]]
"""Those of each part."""


@dataclass(frozen=True)
class SplitResult:
    """The cuts of each part, and how they were chosen."""

    cuts: Cuts
    split: Split
    """As requested, or wider for a small input."""
    tails: bool
    """Whether tails are held out instead of whole records."""
    notes: tuple[str, ...] = ()
    """Sentences for the user."""


def cut_records(
    records: Sequence[tuple[Record, int]],
    split: Split,
    clusters: Sequence[int] | NDArray[np.int64] | None = None,
    hold_out: str | None = None,
) -> Cuts:
    """Records in, the cuts of each part out; see `split_records`."""
    return split_records(records, split, clusters, hold_out).cuts


def split_records(
    records: Sequence[tuple[Record, int]],
    split: Split,
    clusters: Sequence[int] | NDArray[np.int64] | None = None,
    hold_out: str | None = None,
    ends_at: float = 1.0,
) -> SplitResult:
    """Part records into train, valid and test.

    What ``hold_out`` names is the test part; ``split`` then divides the rest between train and
    valid. Otherwise whole clusters are dealt out where the smallest part's share of them is at
    least 20; one that is larger than what a held-out part still needs goes to training. Where
    there are fewer, each group (contig, file, tune book) gives its tail, its clusters one after
    the other, so that in a group only those at its cuts are divided. Symbols in gaps do not count.

    Args:
        records: Each record and its length. Augmented ones go where all of their original goes,
            but only to training.
        split: Shares of the parts. A part of fewer than 100 symbols gets a larger share, as long
            as half is left to train on.
        clusters: A number for each record that is not augmented, the same for those that must
            stay together; without it each is its own.
        hold_out: Regions, as `records.parse_regions` reads them.
        ends_at: Where in a group the held-out stretch ends, if it is no whole records: 1 for its
            tail, less for a place before, training going on behind it.

    Raises:
        InputError: If a part that was asked for would get next to nothing, or there is no such
            region.
    """
    originals = [_Original(i, r, n, r.pieces(n)) for i, (r, n) in enumerate(records)
                 if not r.augmented]  # fmt: skip
    cluster = _numbered(range(len(originals)) if clusters is None else clusters)
    named = resolve(hold_out, records) if hold_out else []
    spans = [("test", number, start, stop) for number, start, stop in named]
    if named:
        split = Split(split.train / (1 - split.test), split.valid / (1 - split.test), 0.0)
        originals, cluster = _without(named, originals, cluster)
    split, notes = _widened(split, sum(original.symbols for original in originals))
    smallest = min(share for share in (split.train, split.valid, split.test) if share > 0)
    dealt = _whole_clusters(originals, cluster, split)
    tails = len(set(cluster)) * smallest < _ENOUGH or not _fair(dealt, originals, split)
    spans += _tails(originals, cluster, split, ends_at) if tails else dealt
    if tails and _parted(spans, originals, cluster):
        notes += (
            "there are too few different records to keep all copies of one on one side: the cut "
            "between two parts goes through one of them",
        )
    spans.sort(key=lambda span: span[1:])
    if any(record.augmented for record, _ in records):
        spans += _augmented(records, spans)
    cuts: Cuts = {part: [] for part in PARTS}
    for part, record, start, stop in spans:
        cuts[part] += _cuts(part, record, *records[record], start, stop)
    _check_sizes(cuts, split, named)
    return SplitResult(cuts, split, tails, notes)


_SplitPart = tuple[str, int, int, int]  # part, record, start, stop


@dataclass(frozen=True)
class _Original:
    number: int
    """Its position in the input."""
    record: Record
    length: int
    pieces: list[tuple[int, int]]
    """What of it can be dealt out: no gaps, nothing that was named to be held out."""

    @property
    def symbols(self) -> int:
        return sum(stop - start for start, stop in self.pieces)

    def place(self, symbols: int) -> int:
        """Where the first so many symbols end."""
        for start, stop in self.pieces:
            if symbols <= stop - start:
                return start + symbols
            symbols -= stop - start
        return self.length


def _cuts(part: str, number: int, record: Record, length: int, start: int, stop: int) -> list[Cut]:
    """A span of a record, piece by piece between its gaps."""
    context = 0 if part == "train" else CONTEXT  # only what is scored is warmed
    return [
        Cut(number, low, high, max(piece_start, low - context), high == piece_stop)
        for piece_start, piece_stop in record.pieces(length)
        if (low := max(start, piece_start)) < (high := min(stop, piece_stop))
    ]


def _parted(
    spans: Sequence[_SplitPart], originals: Sequence[_Original], cluster: Sequence[int]
) -> bool:
    """Whether the records of a cluster of two or more are in several parts."""
    numbers = {original.number: of for original, of in zip(originals, cluster, strict=True)}
    members = np.bincount(np.asarray(cluster, np.int64))
    parts: dict[int, set[str]] = {}
    for part, number, _, _ in spans:
        if number in numbers and members[numbers[number]] > 1:
            parts.setdefault(numbers[number], set()).add(part)
    return any(len(found) > 1 for found in parts.values())


def _without(
    named: Sequence[Span], originals: Sequence[_Original], cluster: Sequence[int]
) -> tuple[list[_Original], list[int]]:
    """What is left when some regions are held out."""
    taken: dict[int, list[tuple[int, int]]] = {}
    for number, start, stop in named:
        taken.setdefault(number, []).append((start, stop))
    left, clusters = [], []
    for original, of in zip(originals, cluster, strict=True):
        pieces = original.pieces
        for start, stop in taken.get(original.number, ()):
            pieces = [
                (low, high)
                for a, b in pieces
                for low, high in ((a, min(b, start)), (max(a, stop), b))
                if low < high
            ]
        if pieces:
            left.append(replace(original, pieces=pieces))
            clusters.append(of)
    return left, _numbered(clusters)


def _widened(split: Split, symbols: int) -> tuple[Split, tuple[str, ...]]:
    """Larger held-out shares for a small input, so that each part has enough symbols."""
    least = (_FEWEST_SYMBOLS + 1) / max(1, symbols)
    valid, test = (max(share, least) if share else share for share in (split.valid, split.test))
    train = 1 - valid - test
    if (valid, test) == (split.valid, split.test) or train < 1 - _MOST_HELD:
        return split, ()
    said = (
        f"the input is small ({symbols:,} symbols): {100 * train:.0f}/{100 * valid:.0f}/"
        f"{100 * test:.0f} percent are trained on and held out, so that each part has "
        f"{_FEWEST_SYMBOLS} symbols"
    )
    return Split(train, valid, test), (said,)


def _numbered(clusters: Iterable[int]) -> list[int]:
    """Clusters as 0, 1, 2, ... in the order in which they first occur."""
    numbers: dict[int, int] = {}
    return [numbers.setdefault(int(cluster), len(numbers)) for cluster in clusters]


def _whole_clusters(
    originals: Sequence[_Original], cluster: Sequence[int], split: Split
) -> list[_SplitPart]:
    # The same records are held out whatever the run's seed is, so that runs can be compared.
    sizes = np.bincount(np.asarray(cluster, np.int64)).tolist()
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
        part
        for original, number in zip(originals, cluster, strict=True)
        for part in _parts(part_of[number], original, 0, original.symbols)
    ]


def _parts(part: str, original: _Original, low: int, high: int) -> list[_SplitPart]:
    """Symbols [low, high) of what can be dealt out of a record."""
    begins = 0 if low == 0 else original.place(low)
    ends = original.length if high == original.symbols else original.place(high)
    if original.pieces == original.record.pieces(original.length):
        return [(part, original.number, begins, ends)]  # nothing but gaps is left out
    return [
        (part, original.number, max(begins, start), min(ends, stop))
        for start, stop in original.pieces
        if max(begins, start) < min(ends, stop)
    ]


def _fair(spans: Sequence[_SplitPart], originals: Sequence[_Original], split: Split) -> bool:
    """Whether every part got its share of symbols, within a factor of two.

    A few long records among many short ones (chromosomes and scaffolds) cannot be dealt so.
    """
    shares = {"train": split.train, "valid": split.valid, "test": split.test}
    symbols = {original.number: original.symbols for original in originals}
    part_of = {number: part for part, number, _, _ in spans}
    total = sum(symbols.values())
    for part, share in shares.items():
        got = sum(symbols[number] for number, name in part_of.items() if name == part)
        if share > 0 and not 0.5 <= got / max(1, total) / share <= 2:
            return False
    return True


def _tails(
    originals: Sequence[_Original], cluster: Sequence[int], split: Split, ends_at: float
) -> list[_SplitPart]:
    spans: list[_SplitPart] = []
    numbered = zip(cluster, originals, strict=True)
    for _, members in groupby(numbered, key=lambda item: item[1].record.group):
        ordered = sorted(members, key=lambda item: item[0])
        begin = 0
        bounds = _bounds(_cluster_ends(ordered), split, ends_at)
        for _, original in ordered:
            for part, low, high in bounds:
                start, stop = max(low - begin, 0), min(high - begin, original.symbols)
                if start < stop:
                    spans += _parts(part, original, start, stop)
            begin += original.symbols
    return spans


def _cluster_ends(ordered: Sequence[tuple[int, _Original]]) -> list[tuple[int, int]]:
    """Where each cluster of a group begins and ends, in symbols; one record is no cluster."""
    spans, begin = [], 0
    for _, members in groupby(ordered, key=lambda item: item[0]):
        sizes = [original.symbols for _, original in members]
        end = begin + sum(sizes)
        spans += [(begin, end)] if len(sizes) > 1 else [(end, end)]
        begin = end
    return spans


def _bounds(
    clusters: Sequence[tuple[int, int]], split: Split, ends_at: float
) -> list[tuple[str, int, int]]:
    """Which symbols of a group belong to which part: the held-out ones end at a share of it.

    A cut goes through no cluster, where that leaves something to either side of it.
    """
    total = clusters[-1][1]
    train = round(total * split.train)
    valid = total if split.test == 0 else round(total * (split.train + split.valid))
    back = min(train, round(total * (1 - ends_at)))
    first = _outside(clusters, train - back, 0, valid - back if split.valid else total - back)
    third = total - back
    second = third if split.test == 0 else first
    if split.valid and split.test:
        second = _outside(clusters, valid - back, first, third)
    return [
        ("train", 0, first),
        ("valid", first, second),
        ("test", second, third),
        ("train", third, total),
    ]


def _outside(clusters: Sequence[tuple[int, int]], place: int, low: int, high: int) -> int:
    """The edge nearest to a place inside a cluster that leaves enough from ``low`` to ``high``."""
    for edges in clusters:
        if edges[0] < place < edges[1]:
            fit = [e for e in edges if low + _FEWEST_SYMBOLS <= e <= high - _FEWEST_SYMBOLS]
            return min(fit, key=lambda edge: abs(edge - place), default=place)
    return place


def _augmented(
    records: Sequence[tuple[Record, int]], spans: Sequence[_SplitPart]
) -> list[_SplitPart]:
    """The augmented records whose originals are trained on whole.

    First of each the first, then of each the second: a row of a batch is read with the state
    carried over, and what follows its original would be known from that.
    """
    trained = {
        position
        for part, position, start, stop in spans
        if part == "train" and (start, stop) == (0, records[position][1])
    }
    copies: list[tuple[int, _SplitPart]] = []
    original = -1
    for position, (record, length) in enumerate(records):
        if not record.augmented:
            original = position
        elif original in trained:
            copies.append((position - original, ("train", position, 0, length)))
    copies.sort()
    return [span for _, span in copies]


def _check_sizes(cuts: Cuts, split: Split, named: Sequence[Span]) -> None:
    sizes = {part: sum(cut.stop - cut.start for cut in cuts[part]) for part in PARTS}
    if named and min(sizes["train"], sizes["test"]) < _FEWEST_SYMBOLS:
        part = min(("train", "test"), key=sizes.__getitem__)
        raise InputError(
            f"--hold-out leaves {sizes[part]:,} symbols for {part}; at least {_FEWEST_SYMBOLS} "
            "are needed: hold out less, or more"
        )
    shares = {"train": split.train, "valid": split.valid, "test": split.test}
    for part, share in shares.items():
        if share > 0 and sizes[part] < _FEWEST_SYMBOLS:
            held = sum(share > 0 for share in (split.valid, split.test))
            needed = (
                int(np.ceil((_FEWEST_SYMBOLS + 1) * held / (1 - _MOST_HELD)))
                if held
                else _FEWEST_SYMBOLS
            )
            raise InputError(
                f"the input has {sum(sizes.values()):,} symbols, which leaves {sizes[part]:,} for "
                f"{part}; at least {_FEWEST_SYMBOLS} are needed in each part: give {needed:,.0f} "
                "symbols or more, or hold out a larger share"
            )


def mixed(cuts: Sequence[Cut]) -> list[Cut]:
    """Cuts in an order that says nothing of their labels.

    What is carried from record to record would otherwise tell a network the label, whose files
    have one behind the other, and it would not learn to ask for it.
    """
    order = np.random.default_rng(0).permutation(len(cuts))
    return [cuts[place] for place in order.tolist()]
