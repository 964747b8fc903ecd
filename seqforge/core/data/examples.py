"""Pairs of sequences in, their ids by part out: what the tasks beside generation learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.integer]
IGNORED = 65535
"""The id of a label that is neither learnt nor scored."""


TaskName = Literal["classify", "label", "translate"]


@dataclass(frozen=True)
class Example:
    """A source and what it is to be turned into, in symbols."""

    source: str
    target: tuple[str, ...]
    """One class; a label a symbol; or the symbols of the other sequence."""
    group: str
    """Examples of a group are held out together or not at all."""
    where: str = ""
    """File and line, for messages."""


@runtime_checkable
class ReadsExamples(Protocol):
    """A domain whose files can hold examples of tasks beside generation."""

    def examples(self, task: TaskName, paths: Sequence[Path]) -> Iterator[Example]:
        """Files in, their examples out.

        Raises:
            InputError: Naming file and line.
        """
        ...


@dataclass(frozen=True)
class Examples:
    """The examples of one part, as ids."""

    sources: Ids
    """All sources, one behind the other."""
    source_ends: NDArray[np.int64]
    """(N,), where each ends."""
    targets: Ids
    target_ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.source_ends)

    def source(self, number: int) -> Ids:
        """The ids of a source."""
        return _piece(self.sources, self.source_ends, number)

    def target(self, number: int) -> Ids:
        """The ids of a target."""
        return _piece(self.targets, self.target_ends, number)

    def source_start(self, number: int) -> int:
        """Where a source begins among all sources."""
        return _start(self.source_ends, number)

    @property
    def source_lengths(self) -> NDArray[np.int64]:
        """(N,)."""
        return np.diff(self.source_ends, prepend=0)

    @property
    def symbols(self) -> int:
        """Of all sources."""
        return len(self.sources)

    @classmethod
    def of(cls, pairs: Iterable[tuple[Ids, Ids]]) -> Examples:
        """Pairs of source and target ids in, one array of each out."""
        found = list(pairs)
        sources, source_ends = joined([source for source, _ in found])
        targets, target_ends = joined([target for _, target in found])
        return cls(sources, source_ends, targets, target_ends)


def joined(pieces: Sequence[Ids]) -> tuple[Ids, NDArray[np.int64]]:
    """Arrays in, all behind one another and where each ends out."""
    whole = np.concatenate(pieces) if pieces else np.zeros(0, np.uint8)
    return whole, np.cumsum([len(piece) for piece in pieces], dtype=np.int64)


def _piece(whole: Ids, ends: NDArray[np.int64], number: int) -> Ids:
    return whole[_start(ends, number) : ends[number]]


def _start(ends: NDArray[np.int64], number: int) -> int:
    return int(ends[number - 1]) if number else 0


@dataclass(frozen=True)
class ExampleSet:
    """All that a task learns from: the parts of the split, and what ids stand for."""

    task: TaskName
    parts: Mapping[str, Examples]
    """train, valid, test."""
    source_symbols: tuple[str, ...]
    """Id n is number n - 1; id 0 stands for both ends, and for symbols that are not known."""
    target_symbols: tuple[str, ...]
    """Classes or labels: id n is number n. Of a translation as those of sources."""
    sensors: Mapping[str, NDArray[Any]]
    """What the domain's sensors learnt from the training part, and what training reads of them;
    empty without sensors."""
    notes: tuple[str, ...] = ()
    """Sentences on what was read and how it was split."""


class SymbolTable:
    """Symbols of any length to ids from 1 on, and back; 0 is the end, and what is not known."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = tuple(symbols)
        self._ids = {symbol: number for number, symbol in enumerate(symbols, 1)}

    def encode(self, sequence: Iterable[str]) -> NDArray[np.uint16]:
        """Symbols in, ids out."""
        return np.array([self._ids.get(symbol, 0) for symbol in sequence], np.uint16)

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Ids in, symbols out, without ends."""
        return [self.symbols[number - 1] for number in ids if number]


def counted_symbols(sequences: Iterable[Iterable[str]], min_count: int = 1) -> tuple[str, ...]:
    """Sequences in, the symbols that stand in them so often, sorted, out."""
    counts = Counter(chain.from_iterable(sequences))
    return tuple(sorted(symbol for symbol, count in counts.items() if count >= min_count))
