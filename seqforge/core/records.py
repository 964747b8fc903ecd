"""What is read and what is drawn: sequences of symbols with where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Record:
    """One input record: a contig, a text, a tune. The end symbol is not part of it."""

    symbols: str
    """One character a symbol."""
    name: str = ""
    """What the record is called in its file."""
    group: str = ""
    """What a held-out tail is cut from: the contig, the text file, the tune book."""
    gaps: tuple[tuple[int, int], ...] = ()
    """Half-open spans [start, stop) of ``symbols`` that carry nothing, such as runs of N. The
    record is split there, after the held-out part has been cut off."""
    note: str = ""
    """What reading changed, for ``ingest.tsv``: ``3 U read as T``."""
    description: str = ""
    """What its file says of it besides its name."""
    augmented: bool = False
    """Whether it is the last record before it that is not, changed so as to teach more (a tune in
    another key). It is trained on where that one is, and never held out."""

    def pieces(self, length: int | None = None) -> list[tuple[int, int]]:
        """The spans [start, stop) between gaps, of ``length`` symbols (those it has)."""
        end = len(self.symbols) if length is None else length
        starts = [0, *(stop for _, stop in self.gaps)]
        stops = [*(start for start, _ in self.gaps), end]
        return [(a, b) for a, b in zip(starts, stops, strict=True) if a < b]


@dataclass(frozen=True)
class Block:
    """The next symbols of a record that may be too long to be held whole."""

    points: NDArray[np.unsignedinteger]
    """Their code points, (T,): uint8 in all blocks of a record, or uint32 in all."""
    ends: Record | None = None
    """With the last of them the record itself, whose own ``symbols`` then do not count."""


def joined(blocks: Iterable[Block]) -> Iterator[tuple[Record, bytes]]:
    """Records that came in blocks of uint8, each with its symbols, a byte a symbol."""
    parts: list[bytes] = []
    for block in blocks:
        parts.append(block.points.tobytes())
        if block.ends is not None:
            symbols, parts = b"".join(parts), []
            yield block.ends, symbols


@dataclass(frozen=True)
class Sample:
    """One sequence that a model drew, and how."""

    symbols: str
    """All of it: the prime, then what was drawn."""
    prime_length: int = 0
    """How many of ``symbols``, from the left, were given and not drawn."""
    suffix_length: int = 0
    """The same from the right."""
    number: int = 1
    model: str = ""
    temperature: float | None = None
    seed: int | None = None
    mean_log_prob: float | None = None
    """Mean log-probability a drawn symbol under the model at temperature 1, in nats."""
    ended: bool = False
    """Whether the model drew the end symbol (which is not among ``symbols``)."""
    removed_mass: float | None = None
    """Mean probability, over what was drawn, of the symbols that the grammar forbade; None without
    a grammar."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """How it was drawn besides: what differs from plain drawing, by the option's name."""

    @property
    def drawn(self) -> str:
        """What the model drew: ``symbols`` without what was given."""
        return self.symbols[self.prime_length : len(self.symbols) - self.suffix_length]
