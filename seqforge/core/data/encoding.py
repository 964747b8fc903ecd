"""A spool of records in; a corpus out: split, encoded, its parts held against each other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqforge.core.budget import Split
from seqforge.core.config import DataConfig
from seqforge.core.corpus import PARTS, Corpus, PartWriter, open_part
from seqforge.core.data.overlap import WindowCodes, measure
from seqforge.core.data.partition import Partition
from seqforge.core.data.spool import Spool
from seqforge.core.domain import Clusters, Domain, HasKmers
from seqforge.core.holdout import Cut, divide
from seqforge.core.vocabulary import Vocabulary

_MOVED_FROM = 0.25  # from this overlap on another stretch than the tail is looked for
_PLACES = (0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125)  # where in a group it may end


def split_and_encode(
    domain: Domain, spool: Spool, data: DataConfig, vocabulary: Vocabulary, folder: Path
) -> Corpus:
    """Part what was read and write its tokens.

    Identical records are held out together or not at all; of nucleotides a reverse complement is
    the same record. Where a quarter or more of a held-out tail stands in the training part too (an
    inverted repeat), another stretch is held out if that at least halves the overlap.

    Raises:
        InputError: If it is too small to hold anything out, or a region is not there.
        RunError: If the disk refuses.
    """
    clusters, notes = _clusters(domain, spool, data)
    sizes = [(spooled.record, spooled.length) for spooled in spool.records]
    split, codes = Split.parse(data.split), WindowCodes.of(domain, vocabulary)

    def attempt(ends_at: float) -> tuple[Partition, bool]:
        division = divide(sizes, split, clusters, data.hold_out, ends_at)
        for part in PARTS:
            _encode(spool, vocabulary, division.cuts[part], part, folder)
        parts = {part: open_part(folder, part) for part in PARTS}
        overlap, sketch = measure(parts, codes, moved=ends_at < 1)
        names = tuple(record.name for record, _ in sizes)
        said = (*notes, *division.notes)
        movable = division.tails and not data.hold_out
        return Partition(names, division.cuts, overlap, sketch, said), movable

    partition, movable = attempt(1.0)
    before = partition.overlap.share or 0.0
    if movable and before >= _MOVED_FROM:
        shares = {place: attempt(place)[0].overlap.share or 0.0 for place in _PLACES}
        best = min(shares, key=shares.__getitem__)
        partition, _ = attempt(best if shares[best] <= before / 2 else 1.0)
    partition.write(folder)
    return Corpus.finish(folder, vocabulary)


def _encode(
    spool: Spool, vocabulary: Vocabulary, cuts: Sequence[Cut], part: str, folder: Path
) -> None:
    with PartWriter(folder, part, vocabulary, cuts) as writer:
        for cut in cuts:
            writer.add(cut, _encoded(spool, vocabulary, cut))
        writer.close()


def _encoded(
    spool: Spool, vocabulary: Vocabulary, cut: Cut
) -> Iterator[NDArray[np.unsignedinteger]]:
    for points in spool.blocks(cut.record, cut.context_from, cut.stop):
        yield vocabulary.encode_points(points)


def _clusters(
    domain: Domain, spool: Spool, data: DataConfig
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """For each record that is not augmented the number of its cluster, and what is to be said."""
    same = _identical(domain, spool)
    copies = len(same) - len(np.unique(same))
    notes: tuple[str, ...] = ()
    if copies:
        notes = (
            f"{copies:,} of {len(same):,} records are copies of others; copies are held out "
            "together or not at all",
        )
    if isinstance(domain, Clusters) and Split.parse(data.split).train < 1:
        variants = domain.clusters(spool.texts())
        return (_joined(variants, same) if copies else variants), notes
    return (same if copies else None), notes


def _identical(domain: Domain, spool: Spool) -> NDArray[np.int64]:
    """The same number for records with the same symbols, on either strand."""
    originals = [n for n, spooled in enumerate(spool.records) if not spooled.record.augmented]
    lengths = Counter(spool.records[number].length for number in originals)
    other = _complements(domain) if isinstance(domain, HasKmers) else None
    numbers: dict[bytes, int] = defaultdict(lambda: len(numbers))
    found = []
    for number in originals:
        spooled = spool.records[number]
        digest = spooled.digest
        if other is not None and lengths[spooled.length] > 1:
            digest = min(digest, spool.backwards(number, other))
        found.append(numbers[digest])
    return np.array(found, np.int64)


def _complements(domain: HasKmers) -> NDArray[np.uint8]:
    """For each code point below 256 what stands for it on the other strand; else itself."""
    _, other = domain.strand_codes(Vocabulary(tuple(map(chr, range(1, 256)))))
    return np.where(other == 0, np.arange(256), other).astype(np.uint8)


def _joined(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """The finest clusters that hold whatever one of two clusterings holds together."""
    labels = np.arange(len(first))
    while True:
        before = labels
        for clusters in (first, second):
            _, members = np.unique(clusters, return_inverse=True)
            least = np.full(members.max(initial=0) + 1, len(first))
            np.minimum.at(least, members, labels)
            labels = least[members]
        if (labels == before).all():
            return labels
