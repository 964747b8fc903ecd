"""Two texts in, what they share out: the share of held-out windows that the training data holds
too (train-test overlap), and the spans of a sample copied from the training data
(memorization).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqforge.base.machine import in_blocks

Ids = NDArray[np.unsignedinteger]
Hashes = NDArray[np.uint64]

_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplication modulo 2^64 loses nothing
_FILTER_BITS = 20


class CopyFinder:
    """Finds spans of sequences that are copied from a training array; one pass per length, bounded
    memory.

    Spans are compared by a polynomial hash of 64 bits (Karp and Rabin 1987): for a million spans
    against a hundred million, the chance of one false match is below one in 10^5.
    """

    def __init__(self, sequences: Sequence[Ids], training: Ids) -> None:
        self._sequences = [np.asarray(ids) for ids in sequences if len(ids)]
        self._training = training

    def share(self, length: int) -> float | None:
        """Share of the sequences' spans of ``length`` symbols that occur in the training data.

        None where no sequence is so long.
        """
        wanted = self.spans(length)
        if not len(wanted):
            return None
        return float(np.isin(wanted, self.found(np.unique(wanted), length)).mean())

    def longest(self) -> int:
        """Length in symbols of the longest span that occurs in the training data."""
        low, high = 0, max((len(ids) for ids in self._sequences), default=0)
        while low < high:  # a span that occurs has shorter ones in it that do too
            middle = (low + high + 1) // 2
            wanted = np.unique(self.spans(middle))
            if len(self.found(wanted, middle)):
                low = middle
            else:
                high = middle - 1
        return low

    def spans(self, length: int) -> Hashes:
        """The hash of every span of ``length`` symbols."""
        found = [span_hashes(ids, length) for ids in self._sequences if len(ids) >= length]
        return np.concatenate(found) if found else np.empty(0, np.uint64)

    def found(self, wanted: Hashes, length: int) -> Hashes:
        """The hashes of ``wanted`` that occur in the training data."""
        maybe = np.zeros(1 << _FILTER_BITS, bool)
        shift = np.uint64(64 - _FILTER_BITS)
        maybe[wanted >> shift] = True
        found = np.empty(0, np.uint64)
        for block in in_blocks(self._training, overlap=length - 1):
            hashes = span_hashes(block, length)
            likely = hashes[maybe[hashes >> shift]]
            found = np.union1d(found, np.intersect1d(likely, wanted))
        return found


def copied_shares(
    groups: Sequence[Sequence[Ids]], training: Ids, length: int
) -> list[float | None]:
    """`CopyFinder.share` of each of several groups of sequences, in one pass."""
    finders = [CopyFinder(group, training) for group in groups]
    wanted = [finder.spans(length) for finder in finders]
    every = np.unique(np.concatenate([np.empty(0, np.uint64), *wanted]))
    found = CopyFinder((), training).found(every, length) if len(every) else every
    return [float(np.isin(spans, found).mean()) if len(spans) else None for spans in wanted]


def span_hashes(ids: Ids, length: int) -> Hashes:
    """The hash of every span of ``length`` symbols, (T - length + 1,).

    Spans of 1, 2, 4, ... symbols are put together from halves, and the length from those.
    """
    if length < 1 or len(ids) < length:
        return np.empty(0, np.uint64)
    power_of_two = (ids.astype(np.uint64) + np.uint64(1)) * _BASE
    power, size, done = _BASE, 1, 0
    total = np.zeros(len(ids) + 1, np.uint64)
    with np.errstate(over="ignore"):
        while True:
            if length & size:
                # total covers `done` symbols; the next `size` begin behind them
                tail = power_of_two[done:]
                total = total[: len(tail)] * power + tail
                done += size
            size *= 2
            if size > length:
                return total[: len(ids) - length + 1]
            half = size // 2
            power_of_two = power_of_two[:-half] * power + power_of_two[half:]
            power = power * power


WINDOW = 64
"""Symbols per window unless the domain has its own k-mer size."""
NOTABLE_OVERLAP = 0.05
"""From this share on the overlap is part of the headline."""
_SKETCH = 4096  # hashes
HIGHEST_HASH = np.uint64(2**64 - 1)
_FEW = 8  # sampled windows, below which a share is no more than a hint


@dataclass(frozen=True)
class WindowCodes:
    """Codes by which windows are compared: by the meaning of tokens, not their ids."""

    window: int
    forward: NDArray[np.integer]
    """A code for each id (V,); 0 breaks a window."""
    backward: NDArray[np.integer] | None = None
    """The codes on the other strand, if there is one."""

    def hashes(self, tokens: NDArray[np.integer]) -> Hashes:
        """A hash of each unbroken window of tokens (N,), equal on both strands."""
        values = self.forward[tokens]
        if len(values) < self.window:
            return np.empty(0, np.uint64)
        broken = np.concatenate([[0], np.cumsum(values == 0)])
        whole = broken[self.window :] == broken[: -self.window]
        found = _mixed(span_hashes(values, self.window)[whole])
        if self.backward is None:
            return found
        other = span_hashes(self.backward[tokens][::-1], self.window)[::-1]
        return np.minimum(found, _mixed(other[whole]))


def _mixed(values: Hashes) -> Hashes:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@dataclass(frozen=True)
class Overlap:
    """The train-test overlap."""

    share: float | None
    """Share of held-out windows that occur in the training part, each counted as often as it
    occurs; None without windows."""
    window: int
    part: str | None
    """test or valid; None if nothing is held out."""
    moved: bool = False
    """Whether another stretch than the tail is held out, because the tail overlaps more."""

    @property
    def notable(self) -> bool:
        """Whether the headline mentions it."""
        return self.share is not None and self.share >= NOTABLE_OVERLAP

    def remark(self, unit: str) -> str:
        """``37 % of its 24-mers stand in the training part too``."""
        windows = windows_name(self.window, unit)
        return f"{self.share or 0:.0%} of its {windows} stand in the training part too"

    def notes(self, unit: str) -> tuple[str, ...]:
        """Sentences for the user, before training."""
        moved = "another stretch than the tail is held out, which overlaps less with the rest"
        said: tuple[str, ...] = (moved,) if self.moved else ()
        if self.notable:
            said += (
                f"held-out data ({self.part}): {self.remark(unit)}, so its score measures memory "
                "as well; --hold-out NAME holds out what you name",
            )
        return said


def windows_name(window: int, unit: str) -> str:
    """The name of windows: 64-character windows, or 24-mers if the domain has its own size."""
    return f"{window}-{unit} windows" if window == WINDOW else f"{window}-mers"


class Sketch:
    """The smallest hashes of all windows of a text: a uniform sample of the distinct ones."""

    def __init__(self, hashes: Hashes | None = None) -> None:
        self.hashes = np.empty(0, np.uint64) if hashes is None else hashes

    @property
    def limit(self) -> np.uint64:
        """Hashes up to this one are in the sketch if they are in the text."""
        return self.hashes[-1] if len(self.hashes) == _SKETCH else HIGHEST_HASH

    def add(self, hashes: Hashes) -> None:
        """Add windows of more text."""
        few = hashes[hashes <= self.limit]
        if len(few):
            self.hashes = np.unique(np.concatenate([self.hashes, few]))[:_SKETCH]

    def merged(self, other: Sketch) -> Sketch:
        """The sketch of both texts."""
        both = Sketch(self.hashes)
        both.add(other.hashes)
        limit = min(self.limit, other.limit)
        return Sketch(both.hashes[both.hashes <= limit])

    def share(self, hashes: Iterable[Hashes]) -> float | None:
        """Windows in, the share of them in the sketched text out; None for too few."""
        seen = known = 0
        for block in hashes:
            sampled = block[block <= self.limit]
            known += len(sampled)
            seen += int(np.isin(sampled, self.hashes).sum())
        if not known or (known < _FEW and 2 * seen < known):
            return None
        return seen / known

    def dump(self) -> str:
        """The sketch as text, for a model's card."""
        return base64.b64encode(self.hashes.astype("<u8").tobytes()).decode()

    @classmethod
    def parse(cls, text: str) -> Sketch:
        """The sketch of a text made by `dump`.

        Raises:
            ValueError: If it is none.
        """
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError(f"a sketch of windows is base64 ({error})") from error
        if len(raw) % 8 or len(raw) > 8 * _SKETCH:
            raise ValueError(f"a sketch of windows is {_SKETCH} numbers of 8 bytes at most")
        hashes = sorted({*np.frombuffer(raw, "<u8").tolist()})  # np.unique loads numpy.ma
        return cls(np.array(hashes, np.uint64))
