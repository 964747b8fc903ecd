"""Token arrays in; out the share of held-out windows that the training part holds too.

A window is ``k`` symbols in a row: 24 bases read on both strands, 64 characters of anything else. A
high share means that the held-out score measures memory: an inverted repeat, a file given twice.
Windows are compared by hashes of 64 bits. The smallest hashes of all that was trained on are a
sketch of it (bottom-k, Cohen and Kaplan 2007), which a model carries: a later input is held against
that without the training data.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.copying import Hashes, span_hashes
from seqforge.core.domain import Domain, HasKmers
from seqforge.core.paging import in_blocks
from seqforge.core.vocabulary import Vocabulary, code_points

if TYPE_CHECKING:
    from seqforge.core.corpus import Part

WINDOW = 64
"""Symbols in a window where the domain names no other number."""
NOTABLE = 0.05
"""From this share on the overlap belongs into the headline."""
_SKETCH = 4096  # hashes
_LOOKED_UP = 1 << 16  # held-out hashes: a longer part is represented by its smallest
_ALL = np.uint64(2**64 - 1)
_BLOCK = 1 << 16  # tokens hashed at a time: they stay in the cache
_FEW = 8  # sampled windows, below which a share is no more than a hint


@dataclass(frozen=True)
class WindowCodes:
    """How tokens are read for comparison: by what they stand for, not by their ids."""

    window: int
    forward: NDArray[np.integer]
    """A number for each id (V,); 0 breaks a window."""
    backward: NDArray[np.integer] | None = None
    """The same on the other strand, where there is one."""

    @classmethod
    def of(cls, domain: Domain, vocabulary: Vocabulary) -> WindowCodes:
        """Those of a domain: strands and window as it says, else the code points of symbols."""
        if isinstance(domain, HasKmers):
            here, there = domain.strand_codes(vocabulary)
            return cls(domain.kmer_size, here, there)
        points = code_points("".join(vocabulary.symbols)) + np.uint32(1)
        return cls(WINDOW, np.concatenate([[0], points]))

    def hashes(self, tokens: NDArray[np.integer]) -> Hashes:
        """One hash for each window of tokens (N,) that nothing breaks; strands look the same."""
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
    """How much of the held-out part stands in the training part too."""

    share: float | None
    """Of its windows, each counted as often as it stands there; None where there is none."""
    window: int
    part: str | None
    """test or valid; None where nothing is held out."""
    moved: bool = False
    """Whether another stretch is held out than the tail, which overlaps more."""

    @classmethod
    def of(cls, summary: Mapping[str, Any]) -> Overlap:
        """What `summary` gave, out of a whole one; older ones have none."""
        kept = summary.get("overlap") or {}
        share, window = kept.get("held_out_in_training"), kept.get("window") or WINDOW
        return cls(share, window, kept.get("part"), bool(kept.get("moved")))

    @property
    def notable(self) -> bool:
        """Whether the held-out score needs the remark."""
        return self.share is not None and self.share >= NOTABLE

    def remark(self, unit: str) -> str:
        """``37 % of its 24-mers stand in the training part too``."""
        windows = windows_name(self.window, unit)
        return f"{self.share or 0:.0%} of its {windows} stand in the training part too"

    def notes(self, unit: str) -> tuple[str, ...]:
        """What a person should know before the training."""
        moved = "another stretch than the tail is held out, which overlaps less with the rest"
        said: tuple[str, ...] = (moved,) if self.moved else ()
        if self.notable:
            said += (
                f"held-out data ({self.part}): {self.remark(unit)}, so its score measures memory "
                "as well; --hold-out NAME holds out what you name",
            )
        return said

    def summary(self) -> dict[str, Any]:
        """For ``summary.json``."""
        return {
            "held_out_in_training": None if self.share is None else round(self.share, 4),
            "window": self.window,
            "part": self.part,
            "moved": self.moved,
        }


def windows_name(window: int, unit: str) -> str:
    """What windows are called: 24-mers, 64-character windows."""
    return f"{window}-mers" if unit == "base" else f"{window}-{unit} windows"


class Sketch:
    """The smallest hashes of all windows of a text: a uniform sample of the different ones."""

    def __init__(self, hashes: Hashes | None = None) -> None:
        self.hashes = np.empty(0, np.uint64) if hashes is None else hashes

    @property
    def limit(self) -> np.uint64:
        """Hashes up to this one are in it if the text has them."""
        return self.hashes[-1] if len(self.hashes) == _SKETCH else _ALL

    def add(self, hashes: Hashes) -> None:
        """Count in the windows of some more text."""
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
        """Of some windows the share that the text has; None where too few can be told."""
        seen = known = 0
        for block in hashes:
            sampled = block[block <= self.limit]
            known += len(sampled)
            seen += int(np.isin(sampled, self.hashes).sum())
        if not known or (known < _FEW and 2 * seen < known):
            return None
        return seen / known

    def dump(self) -> str:
        """As text, for a model's card."""
        return base64.b64encode(self.hashes.astype("<u8").tobytes()).decode()

    @classmethod
    def parse(cls, text: str) -> Sketch:
        """What `dump` gave.

        Raises:
            ValueError: If it is none.
        """
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError(f"a sketch of windows is base64 ({error})") from error
        if len(raw) % 8 or len(raw) > 8 * _SKETCH:
            raise ValueError(f"a sketch of windows is {_SKETCH} numbers of 8 bytes at most")
        return cls(np.unique(np.frombuffer(raw, "<u8").astype(np.uint64)))


def scored_windows(part: Part, codes: WindowCodes) -> Iterator[Hashes]:
    """Hashes of the windows of a part, block by block, without the context before its pieces."""
    context = part.segments[part.segments[:, 1] - part.segments[:, 0] > 1]
    place = 0
    for block in in_blocks(part.tokens, _BLOCK, codes.window - 1):
        tokens = np.array(block)
        low = np.searchsorted(context[:, 1], place, "right")
        for start, scored_from, _ in context[low:].tolist():
            if start >= place + len(tokens):
                break
            tokens[max(0, start - place) : scored_from - place] = 0
        yield codes.hashes(tokens)
        place += _BLOCK


def measure(
    parts: Mapping[str, Part], codes: WindowCodes, moved: bool = False
) -> tuple[Overlap, Sketch]:
    """How many held-out windows are in the training part, and that part's sketch.

    Exact up to 2^16 held-out windows; of a longer part those with the smallest hashes stand for
    all. Memory does not grow with the input.
    """
    name = next((name for name in ("test", "valid") if parts[name].symbols), None)
    limit, different, counts = _ALL, np.empty(0, np.uint64), np.empty(0, np.int64)
    if name is not None:
        limit = _limit(parts[name].symbols)
        wanted = [hashes[hashes <= limit] for hashes in scored_windows(parts[name], codes)]
        different, counts = np.unique(np.concatenate(wanted), return_counts=True)
    seen = np.zeros(len(different), bool)
    sketch = Sketch()
    for hashes in scored_windows(parts["train"], codes):
        sketch.add(hashes)
        if len(different):
            few = hashes[hashes <= limit]
            places = np.minimum(np.searchsorted(different, few), len(different) - 1)
            seen[places[different[places] == few]] = True
    share = float(counts[seen].sum() / counts.sum()) if len(different) else None
    return Overlap(share, codes.window, name, moved), sketch


def _limit(windows: int) -> np.uint64:
    """The hash below which about 2^16 of so many windows fall."""
    return np.uint64(int(_ALL) * min(1.0, _LOOKED_UP / windows)) if windows > _LOOKED_UP else _ALL
