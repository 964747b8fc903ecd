"""``chrX,chr4:1-2000000`` in; out the spans of records that it names.

Coordinates are those of genome browsers: from 1, both ends included. A name without a range is the
whole record, or all records of a file of that name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from seqforge.core.records import Record
from seqforge.errors import InputError

_RANGE = re.compile(r"(?P<name>.+):(?P<first>[0-9]{1,18})-(?P<last>[0-9]{1,18})?")
_NAMED = 5  # records, in a message

Span = tuple[int, int, int]  # record, start, stop: from 0, half-open


@dataclass(frozen=True)
class Region:
    """A record, or bases ``first`` to ``last`` of it."""

    text: str
    """As it was typed."""
    name: str
    first: int = 1
    last: int | None = None


def parse_regions(text: str) -> tuple[Region, ...]:
    """Read ``chrX,chr4:1-2000000,chr2:5000-``.

    Raises:
        ValueError: If one of them is empty, begins at 0 or ends before it begins.
    """
    return tuple(_region(part.strip()) for part in text.split(","))


def _region(text: str) -> Region:
    if not text:
        raise ValueError("a part of it is empty; name records, as in chrX,chr4:1-2000000")
    match = _RANGE.fullmatch(text)
    if match is None:
        return Region(text, text)
    first, last = int(match["first"]), int(match["last"]) if match["last"] else None
    if first < 1 or (last is not None and last < first):
        raise ValueError(f"{text}: positions count from 1, and the first comes before the last")
    return Region(text, match["name"], first, last)


def resolve(regions: Iterable[Region], records: Sequence[tuple[Record, int]]) -> list[Span]:
    """The spans that regions name, in order, none twice.

    Args:
        regions: What to find.
        records: Each record and its length.

    Raises:
        InputError: If there is no such record, or it is shorter than that.
    """
    places: dict[str, list[int]] = {}
    for number, (record, _) in enumerate(records):
        if not record.augmented:
            for name in {record.name, Path(record.group).name, record.group} - {""}:
                places.setdefault(name, []).append(number)
    found: list[Span] = []
    for region in regions:
        # A name may itself look like a range: what is there as it was typed comes first.
        whole = places.get(region.text)
        numbers = whole or places.get(region.name)
        if numbers is None:
            raise InputError(f"--hold-out {region.text}: {_unknown(region.name, places)}")
        for number in numbers:
            length = records[number][1]
            found.append((number, 0, length) if whole else _span(region, number, length))
    return _merged(found)


def _unknown(name: str, places: Iterable[str]) -> str:
    known = list(places)
    near = get_close_matches(name, known, 1)
    if near:
        return f"there is no record {name!r}; did you mean {near[0]!r}?"
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    return f"there is no record {name!r}; there are {', '.join(known[:_NAMED])}{more}"


def _span(region: Region, number: int, length: int) -> Span:
    last = length if region.last is None else region.last
    if max(last, region.first) > length:
        raise InputError(
            f"--hold-out {region.text}: {region.name} has {length:,} symbols; give a range in it"
        )
    return number, region.first - 1, last


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for number, start, stop in sorted(spans):
        if merged and merged[-1][0] == number and start <= merged[-1][2]:
            merged[-1] = (number, merged[-1][1], max(stop, merged[-1][2]))
        else:
            merged.append((number, start, stop))
    return merged
