"""Records (what is read), prompts (what is given) and samples (what is drawn); regions such as
chr4:1-2000000 in, spans of records out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqforge.base.messages import did_you_mean
from seqforge.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Record:
    """One input record: a contig, a text, a tune; without the end symbol."""

    symbols: str
    """One character a symbol."""
    name: str = ""
    """Its name in the file."""
    group: str = ""
    """The unit a held-out tail is cut from: the contig, the text file, the tune book."""
    gaps: tuple[tuple[int, int], ...] = ()
    """Half-open spans [start, stop) of ``symbols`` without content, such as runs of N. The record
    is split there, after the held-out part has been cut off."""
    note: str = ""
    """Changes made while reading, for ``ingest.tsv``: ``3 U read as T``."""
    description: str = ""
    """Its description in the file, without the name."""
    augmented: bool = False
    """An augmented copy of the preceding original (a transposed tune): trained on with it, never
    held out."""
    label: str = ""
    """What conditions a model of it: its class."""

    def pieces(self, length: int | None = None) -> list[tuple[int, int]]:
        """The spans [start, stop) between gaps, of ``length`` symbols (default: those it has)."""
        end = len(self.symbols) if length is None else length
        starts = [0, *(stop for _, stop in self.gaps)]
        stops = [*(start for start, _ in self.gaps), end]
        return [(a, b) for a, b in zip(starts, stops, strict=True) if a < b]


@dataclass(frozen=True)
class Block:
    """Consecutive symbols of a record that may be too long for memory."""

    points: NDArray[np.unsignedinteger]
    """Their code points, (T,): uint8 in all blocks of a record, or uint32 in all."""
    ends: Record | None = None
    """In the record's last block the record itself, without ``symbols``."""


def joined(blocks: Iterable[Block]) -> Iterator[tuple[Record, bytes]]:
    """Blocks of uint8 in, each record with its symbols (a byte a symbol) out."""
    parts: list[bytes] = []
    for block in blocks:
        parts.append(block.points.tobytes())
        if block.ends is not None:
            symbols, parts = b"".join(parts), []
            yield block.ends, symbols


@dataclass(frozen=True)
class Prompt:
    """What is given to a model (prime, suffix, where to stop), in its own symbols."""

    symbols: str = ""
    name: str = "the prime"
    """What messages call it: a file, else what it is for."""
    unknown: Mapping[str, int] = field(default_factory=dict)
    """Symbols that the model does not know, left out or mapped, each with how often."""
    notes: tuple[str, ...] = ()
    """What was changed, in sentences that its name goes before."""

    def __bool__(self) -> bool:
        """Whether there are any symbols."""
        return bool(self.symbols)


@dataclass(frozen=True)
class Sample:
    """A sequence drawn from a model, and how it was drawn."""

    symbols: str
    """The whole sequence: prime, drawn symbols, suffix."""
    prime_length: int = 0
    """Symbols of the prime, at the left."""
    suffix_length: int = 0
    """Symbols of the suffix, at the right."""
    number: int = 1
    model: str = ""
    temperature: float | None = None
    seed: int | None = None
    mean_log_prob: float | None = None
    """Mean log-probability per drawn symbol under the model at temperature 1, in nats."""
    ended: bool = False
    """Whether the model drew the end symbol (which is not among ``symbols``)."""
    removed_mass: float | None = None
    """Mean probability of the symbols that the grammar forbade; None without a grammar."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Other sampling options that differ from the defaults, by name."""

    @property
    def drawn(self) -> str:
        """The drawn symbols, without prime and suffix."""
        return self.symbols[self.prime_length : len(self.symbols) - self.suffix_length]


_NUMBER = r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,18}"
_RANGE = re.compile(rf"(?P<name>.+):(?P<first>{_NUMBER})-(?P<last>{_NUMBER})?")
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_MOST_COMMAS = 12  # of the two numbers of a range
_CONTIG = re.compile(r"#[0-9]+\Z")  # the number of a record in its file, where each is a group
_NAMED = 5  # records, in a message

Span = tuple[int, int, int]  # record, start, stop: from 0, half-open


@dataclass(frozen=True)
class Region:
    """A record, or bases ``first`` to ``last`` of it."""

    text: str
    """As typed."""
    name: str
    first: int = 1
    last: int | None = None


def parse_regions(text: str) -> tuple[Region, ...]:
    """Read ``chrX,chr4:1-2000000,chr2:5000-``.

    Raises:
        ValueError: If one of them is empty, begins at 0 or ends before it begins.
    """
    # A comma between digits may be one of 2,000,000: then no position is refused for it here.
    return tuple(_region(part.strip()) for part in _THOUSANDS.sub("", text).split(","))


def _region(text: str) -> Region:
    if not text:
        raise ValueError("a part of it is empty; name records, as in chrX,chr4:1-2000000")
    match = _RANGE.fullmatch(text)
    if match is None:
        return Region(text, text)
    first = int(match["first"].replace(",", ""))
    last = int(match["last"].replace(",", "")) if match["last"] else None
    if first < 1 or (last is not None and last < first):
        raise ValueError(f"{text}: positions count from 1, and the first comes before the last")
    return Region(text, match["name"], first, last)


def resolve(text: str, records: Sequence[tuple[Record, int]]) -> list[Span]:
    """Regions in, the spans they name out, in order, without overlap.

    Args:
        text: The regions. A comma may also stand in the name of a record, or in a position as
            browsers show them: what there is a record for is taken.
        records: Each record and its length.

    Raises:
        InputError: If there is no such record, or it is shorter than that.
    """
    places: dict[str, list[int]] = {}
    for number, (record, _) in enumerate(records):
        if not record.augmented:
            for name in _names(record):
                places.setdefault(_spaced(name), []).append(number)
    most = max((name.count(",") for name in places), default=0) + _MOST_COMMAS + 1
    found: list[Span] = []
    parts = [part.strip() for part in text.split(",")]
    while parts:
        for taken in range(min(most, len(parts)), 0, -1):
            if spans := _named(parts[:taken], places, records):
                break
        else:
            raise InputError(f"--hold-out {parts[0]}: {_unknown(parts[0], records)}")
        found += spans
        parts = parts[taken:]
    return _merged(found)


def _spaced(name: str) -> str:
    """A name without blanks around its commas, as regions are split at commas."""
    return ",".join(part.strip() for part in name.split(","))


def _named(
    parts: Sequence[str], places: Mapping[str, list[int]], records: Sequence[tuple[Record, int]]
) -> list[Span]:
    """The spans of a region that was parted at commas; none if there is no such record."""
    text = ",".join(parts)
    # A name may itself look like a range: what is there as it was typed comes first.
    if text in places:
        return [(number, 0, records[number][1]) for number in places[text]]
    match = _RANGE.fullmatch(text)
    if match is None or match["name"] not in places:
        return []
    if any(part in places for part in parts[match["name"].count(",") + 1 :]):
        return []  # chr4:1-2,100 where there is a record 100
    try:
        region = _region(text)
    except ValueError as error:
        raise InputError(f"--hold-out {error}") from error
    return [_span(region, number, records[number][1]) for number in places[region.name]]


def _names(record: Record) -> set[str]:
    """All names of a record: its name, its group, and the file of its group."""
    group = record.group
    file = _CONTIG.sub("", group)
    return {record.name, group, Path(group).name, file, Path(file).name} - {""}


def _unknown(name: str, records: Sequence[tuple[Record, int]]) -> str:
    originals = [record for record, _ in records if not record.augmented]
    files = [Path(_CONTIG.sub("", record.group)).name for record in originals]
    known = [n for n in dict.fromkeys([*(r.name for r in originals), *files]) if n]
    match = _RANGE.fullmatch(name)
    name = match["name"] if match else name
    longer = [one for one in known if one.startswith(name)]  # without its version, cut off
    if near := did_you_mean(name, longer if len(longer) == 1 else known):
        return f"there is no record {name!r}{near}"
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
