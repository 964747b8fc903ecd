"""Bases in, what is so at each of them out: composition, repeats, low complexity; files of features
(GFF3, GTF, BED) in, the same for the bases of records out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.base.messages import did_you_mean, shown
from seqforge.base.textio import first_bytes, opened_as_utf8, refuse_foreign
from seqforge.core.data.domain import Record
from seqforge.domains.genome.nucleotides import NO_BASE, Codes, base_codes, dust_mask
from seqforge.errors import InputError

WINDOW, AROUND, CPG_WINDOW = 30, 200, 100
"""Bases that shares are taken of."""
MOST_NAMES = 20
"""Names of features that are kept, the commonest; of BED files with more, no name is."""

_LONGEST_UNIT, _SHORTEST_TANDEM = 6, 12
_NAMED = 3  # records or names, in a message

Truth = NDArray[np.bool_]
Numbers = NDArray[np.float32]


def annotate_bases(symbols: str) -> dict[str, NDArray[Any]]:
    """Bases of either case (T of them) in, arrays (T,) by name out; see `Annotates.annotate`."""
    codes = base_codes(symbols)
    known = codes != NO_BASE
    pairs = _pairs(codes)
    return {
        f"GC of the last {WINDOW} bases": _share((codes == 1) | (codes == 2), known, WINDOW, 0),
        f"GC of {AROUND} bases around": _share(
            (codes == 1) | (codes == 2), known, AROUND // 2, AROUND // 2
        ),
        f"A and G of the last {WINDOW} bases": _share(
            (codes == 0) | (codes == 2), known, WINDOW, 0
        ),
        f"CpG in the last {CPG_WINDOW} bases": _share(pairs, known, CPG_WINDOW, 0),
        "G of a CpG": pairs,
        "equal bases in a row": _run(codes),
        "tandem repeat": _tandem(codes),
        "low complexity": dust_mask(codes),
        "soft-masked repeat": _soft_masked(symbols),
        "distance to the start": np.arange(len(codes), dtype=np.float32),
    }


def _share(what: Truth, known: Truth, before: int, after: int) -> Numbers:
    """The share of known bases that are so, among ``before`` with each and ``after`` behind it."""
    places = np.arange(len(what))
    first = np.maximum(places + 1 - before, 0)
    last = np.minimum(places + 1 + after, len(what))
    total, bases = (np.append(0, np.cumsum(each)) for each in (what, known))
    count = bases[last] - bases[first]
    found = (total[last] - total[first]) / np.maximum(count, 1)
    return np.where(count > 0, found, np.nan).astype(np.float32)


def _pairs(codes: Codes) -> Truth:
    """Where a G comes after a C."""
    found = np.zeros(len(codes), bool)
    found[1:] = (codes[1:] == 2) & (codes[:-1] == 1)
    return found


def _run(codes: Codes) -> Numbers:
    """How many equal bases there are up to each; NaN where there is no base."""
    places = np.arange(len(codes))
    starts = np.append(True, codes[1:] != codes[:-1])[: len(codes)]
    found = places + 1 - np.maximum.accumulate(np.where(starts, places, 0))
    return np.where(codes != NO_BASE, found, np.nan).astype(np.float32)


def _tandem(codes: Codes) -> Truth:
    """Stretches of 12 bases or more in which units of 1 to 6 bases follow each other, whole or cut;
    there are two units at least.
    """
    edges = np.zeros(len(codes) + 1, np.int32)
    for unit in range(1, min(_LONGEST_UNIT, len(codes) - 1) + 1):
        same = (codes[unit:] == codes[:-unit]) & (codes[unit:] != NO_BASE)
        bounds = np.flatnonzero(np.diff(same, prepend=False, append=False)).reshape(-1, 2)
        long = bounds[:, 1] - bounds[:, 0] + unit >= max(_SHORTEST_TANDEM, 2 * unit)
        np.add.at(edges, bounds[long, 0], 1)
        np.add.at(edges, bounds[long, 1] + unit, -1)
    return np.cumsum(edges[:-1]) > 0


def _soft_masked(symbols: str) -> Truth:
    """Small letters, where a sequence has both."""
    small = np.frombuffer(symbols.encode("ascii", "replace"), np.uint8) >= ord("a")
    return small & (not small.all())


class Feature(NamedTuple):
    """A stretch of a sequence, as a file names it."""

    sequence: str
    start: int
    """From 0."""
    stop: int
    name: str
    strand: str = "."
    phase: int | None = None
    """Of a coding stretch: bases before the first whole codon, in reading direction."""


def read_features(path: Path, records: Sequence[Record]) -> dict[str, list[NDArray[Any]]]:
    """A GFF3, GTF or BED file in, for each name which bases (T,) of each record have it out.

    Names are the types of features (GFF3, GTF) or column 4 (BED; else the file's name). Coding
    stretches (CDS) with a phase also give the three bases of codons, by strand: 1, 0, and NaN for
    bases that do not code there, so that they tell nothing but the phase.

    Raises:
        InputError: If a line is not of these formats, or no feature lies in a record.
    """
    places: dict[str, int] = {}
    for number, record in enumerate(records):
        places.setdefault(record.name, number)
    found, elsewhere = list[tuple[int, Feature]](), Counter[str]()
    for one in _features(path):
        number = places.get(one.sequence, -1)
        if number >= 0 and one.start < len(records[number].symbols):
            found.append((number, one))
        else:
            elsewhere[one.sequence] += 1
    if not found:
        raise InputError(f"{path}: {_nothing(elsewhere, records)}")
    sizes = [len(record.symbols) for record in records]
    names = _kept_names(path, [one.name for _, one in found])
    tracks: dict[str, list[NDArray[Any]]] = {
        name: [np.zeros(size, bool) for size in sizes] for name in dict.fromkeys(names)
    }
    for (number, one), name in zip(found, names, strict=True):
        tracks[name][number][one.start : one.stop] = True
    return tracks | _codons([pair for pair in found if pair[1].phase is not None], sizes)


def _nothing(elsewhere: Mapping[str, int], records: Sequence[Record]) -> str:
    """Why no feature lies in a record."""
    if not elsewhere:
        return "holds no features; give a GFF3, GTF or BED file with some"
    named = [record.name for record in records]
    there, here = (", ".join(list(names)[:_NAMED]) for names in (elsewhere, named))
    if set(elsewhere) & set(named):
        return f"its features on {there} lie behind the end of the input's sequence of that name"
    near = did_you_mean(next(iter(elsewhere)), named)
    return f"its features lie on {there}, and the input has {here}, so none fits{near}"


def _kept_names(path: Path, names: Sequence[str]) -> list[str]:
    """The name of each feature's annotation."""
    common = Counter(names).most_common(MOST_NAMES + 1)
    if len(common) <= MOST_NAMES:
        return list(names)
    return [path.name.split(".")[0]] * len(names)


def _features(path: Path) -> Iterator[Feature]:
    for number, line in feature_lines(path):
        one = _feature(line, path)
        if one is None:
            raise InputError(f"{path}:{number}: {shown(line, 60)} is no line of GFF3, GTF or BED")
        yield one


def feature_lines(path: Path) -> Iterator[tuple[int, str]]:
    """A GFF3, GTF or BED file in, its lines with their numbers out, without comments and what
    follows the features.

    Raises:
        InputError: If it is a file of another kind.
    """
    refuse_foreign(path, first_bytes(path))
    with opened_as_utf8(path) as stream:
        for number, raw in enumerate(stream, 1):
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if line.startswith(("##FASTA", ">")):
                return  # sequence follows the features
            if line.strip() and not line.startswith(("#", "track", "browser")):
                yield number, line


def _feature(line: str, path: Path) -> Feature | None:
    """A line in, its feature out; None if it has none."""
    cells = line.split("\t") if line.count("\t") > 1 else line.split()
    if len(cells) > 2 and _are_numbers(cells[1:3]):  # BED
        name = cells[3] if len(cells) > 3 and cells[3] else path.name.split(".")[0]
        one = Feature(cells[0], int(cells[1]), int(cells[2]), name)
    elif len(cells) > 7 and _are_numbers(cells[3:5]):
        start, stop, strand, phase = int(cells[3]) - 1, int(cells[4]), cells[6], cells[7]
        is_coding = cells[2] == "CDS" and strand in ("+", "-") and phase in ("0", "1", "2")
        name, known = cells[2], int(phase) if is_coding else None
        one = Feature(cells[0], start, stop, name, strand, known)
    else:
        return None
    return one if 0 <= one.start <= one.stop else None


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(cell.isascii() and cell.isdigit() and len(cell) < 19 for cell in cells)


def _codons(
    coding: Sequence[tuple[int, Feature]], sizes: Sequence[int]
) -> dict[str, list[NDArray[Any]]]:
    """Which coding bases are the first, second and third of codons, by strand."""
    tracks: dict[str, list[NDArray[Any]]] = {}
    for strand, said in (("+", "forward"), ("-", "reverse")):
        here = [(number, one) for number, one in coding if one.strand == strand]
        if not here:
            continue
        bases = [[np.full(size, np.nan, np.float32) for size in sizes] for _ in range(3)]
        for number, one in here:
            read = np.arange(one.stop - one.start)
            if strand == "-":
                read = read[::-1]
            place = (read - (one.phase or 0)) % 3
            for base in range(3):
                part = bases[base][number][one.start : one.stop]
                part[:] = np.fmax(part, (place == base)[: len(part)])
        for base in range(3):
            tracks[f"base {base + 1} of codons, {said} strand"] = bases[base]
    return tracks
