"""Symbols in, ids out, and back. Id 0 is the end symbol, which is also the start."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from seqforge.errors import InputError

END = 0
"""Id of the end symbol; it ends a record, and an unprimed sample is fed it first."""
UNKNOWN = "�"
"""How the unknown symbol is shown, where a vocabulary has one."""

Unknown = Literal["refuse", "skip", "map"]
"""What becomes of symbols that a model does not know: an error, nothing, the unknown symbol."""

_NOWHERE = -1


@dataclass(frozen=True)
class Vocabulary:
    """The symbols a model knows, one character each, and their ids.

    ``symbols[i]`` has id ``i + 1``. With ``unknown``, one of the symbols is `UNKNOWN` and stands
    for all others.
    """

    symbols: tuple[str, ...]
    unknown: bool = False

    def __post_init__(self) -> None:
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError("a symbol occurs twice in the vocabulary")
        if any(len(symbol) != 1 for symbol in self.symbols):
            raise ValueError("every symbol of a vocabulary is one character")
        if self.unknown and UNKNOWN not in self.symbols:
            raise ValueError("the vocabulary has no unknown symbol, and is said to have one")

    def __len__(self) -> int:
        """Number of ids, the end symbol counted."""
        return len(self.symbols) + 1

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], min_count: int = 1) -> Vocabulary:
        """Symbol counts in, a vocabulary in code-point order out.

        Args:
            counts: Occurrences of each symbol.
            min_count: Rarer symbols fall together into the unknown symbol, which exists only then.
        """
        kept = sorted(s for s, count in counts.items() if count >= min_count and s != UNKNOWN)
        unknown = len(kept) < len(counts)
        if not unknown:
            return cls(tuple(kept))
        if min_count <= 1:  # the text itself holds U+FFFD: a symbol like any other
            return cls(tuple(sorted(counts)))
        return cls((*kept, UNKNOWN), unknown=True)

    def extended(self, counts: Mapping[str, int], min_count: int = 1) -> Vocabulary:
        """Symbol counts of a new text in, this vocabulary with its new symbols added at the end
        out.

        Args:
            counts: Occurrences of each symbol of the text.
            min_count: Rarer new symbols fall to the unknown symbol, which is itself added where
                it is needed and missing; symbols that are known already stay, however rare.
        """
        strange = sorted(set(counts) - set(self.symbols))
        new = [s for s in strange if counts[s] >= min_count and (s != UNKNOWN or min_count <= 1)]
        if self.unknown or len(new) == len(strange):
            return Vocabulary((*self.symbols, *new), self.unknown)
        added = () if UNKNOWN in self.symbols else (UNKNOWN,)
        return Vocabulary((*self.symbols, *new, *added), unknown=True)

    @property
    def unknown_id(self) -> int | None:
        """Id of the unknown symbol, where there is one."""
        return self.symbols.index(UNKNOWN) + 1 if self.unknown else None

    @cached_property
    def _table(self) -> NDArray[np.int32]:
        highest = max((ord(symbol) for symbol in self.symbols), default=0)
        table = np.full(highest + 2, _NOWHERE, np.int32)  # the last entry: whatever lies beyond
        table[[ord(symbol) for symbol in self.symbols]] = np.arange(1, len(self), dtype=np.int32)
        if self.unknown_id is not None:
            table[table == _NOWHERE] = self.unknown_id
        return table

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """The smallest unsigned integer that holds every id."""
        return np.dtype(
            np.uint8 if len(self) <= 256 else np.uint16 if len(self) <= 65536 else np.uint32
        )

    def encode(self, text: str, where: str = "the text") -> NDArray[np.unsignedinteger]:
        """A text in, ids (T,) out.

        Raises:
            InputError: If a symbol is not in the vocabulary; names it and its place in ``where``.
        """
        points = code_points(text)
        missing = self._ids(points) == _NOWHERE
        if missing.any():
            place = int(missing.argmax())
            raise InputError(
                f"{where}: {describe(text[place])} at position {place + 1} is not a symbol of "
                f"this model, which knows {self.listing()}"
            )
        return self.encode_points(points)

    def known(
        self,
        text: str,
        where: str,
        unknown: Unknown = "refuse",
        hint: Callable[[str], str] = lambda symbol: "",
        remedied: bool = True,
        spelled: Callable[[str], str] = str,
    ) -> tuple[str, dict[str, int]]:
        """A text in; its known symbols, and counts of the unknown ones, out.

        Unlike `encode`, maps nothing to the unknown symbol unless asked to.

        Args:
            text: Any.
            where: Its name in messages.
            unknown: Whether unknown symbols are refused, skipped or mapped.
            hint: Explains an unknown symbol; the first explanation found is shown.
            remedied: Whether the message proposes ``--unknown``.
            spelled: What a symbol stands for, if it is not itself.

        Raises:
            InputError: If unknown symbols are refused, cannot be mapped, or nothing else is left;
                names them and the place of the first.
        """
        if unknown not in get_args(Unknown):
            raise ValueError(f"unknown is one of {', '.join(get_args(Unknown))}, not {unknown!r}")
        symbols = frozenset(self.symbols)
        strange = Counter(symbol for symbol in text if symbol not in symbols)
        if not strange:
            return text, {}
        if unknown == "refuse":
            raise InputError(self._refusal(text, where, strange, hint, remedied, spelled))
        if unknown == "map" and not self.unknown:
            raise InputError(
                f"{where}: this model has no unknown symbol to map "
                f"{describe(spelled(next(iter(strange))))} to; leave such symbols out with "
                "--unknown skip"
            )
        with_what = UNKNOWN if unknown == "map" else ""
        kept = text.translate({ord(symbol): with_what for symbol in strange})
        if not kept:
            raise InputError(
                f"{where}: holds no symbol of this model, which knows {self.listing()}"
            )
        return kept, {spelled(symbol): count for symbol, count in strange.items()}

    def _refusal(
        self, text: str, where: str, strange: Counter[str], hint: Callable[[str], str],
        remedied: bool, spelled: Callable[[str], str],
    ) -> str:  # fmt: skip
        first = next(iter(strange))
        others = f"; not known are {listed({spelled(s): n for s, n in strange.items()})}"
        if strange.total() == 1:
            others = ""
        said = next((f"{known}; " for known in map(hint, strange) if known), "")
        remedy = "leave them out with --unknown skip"
        if self.unknown:
            remedy += ", or take them for the unknown symbol with --unknown map"
        if not remedied:
            remedy, said = "", said.removesuffix("; ")
        end = f"; {said}{remedy}" if said or remedy else ""
        place = f"{describe(spelled(first))} at position {text.index(first) + 1}"
        knows = f"which knows {self.listing()}{others}{end}"
        return f"{where}: {place} is not a symbol of this model, {knows}"

    def encode_points(self, points: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
        """Code points (T,) in, ids out; all must be in the vocabulary."""
        if points.dtype == np.uint8:
            return np.take(self._narrow_table, points)
        return self._ids(points).astype(self.dtype)

    @cached_property
    def _narrow_table(self) -> NDArray[np.unsignedinteger]:
        return self._ids(np.arange(256, dtype=np.uint8)).astype(self.dtype)

    def _ids(self, points: NDArray[np.unsignedinteger]) -> NDArray[np.int32]:
        highest = min(len(self._table) - 1, np.iinfo(points.dtype).max)
        places = np.minimum(points, points.dtype.type(highest))
        return np.asarray(self._table[places])

    def decode(self, ids: Iterable[int]) -> str:
        """Ids in, their text out; the end symbol is left out."""
        said = self._said
        return "".join([said[i] for i in ids])

    @cached_property
    def _said(self) -> tuple[str, ...]:
        return ("", *self.symbols)

    def listing(self, most: int = 40) -> str:
        """The symbols for an error message, shortened if there are many."""
        shown = "".join(s for s in self.symbols[:most] if s.isprintable() and s != " ")
        more = len(self.symbols) - most
        return shown + (f" and {more} more" if more > 0 else "")


def code_points(text: str) -> NDArray[np.uint32]:
    """The Unicode code points of a text (T,)."""
    order = "le" if sys.byteorder == "little" else "be"
    return np.frombuffer(text.encode(f"utf-32-{order}", "surrogatepass"), np.uint32)


def narrowest(text: str) -> NDArray[np.unsignedinteger]:
    """The same, a byte a symbol where that is enough for all of them."""
    try:
        return np.frombuffer(text.encode("latin-1"), np.uint8)
    except UnicodeEncodeError:
        return code_points(text)


def text_of(points: NDArray[np.uint32]) -> str:
    """The text of Unicode code points (T,)."""
    order = "le" if sys.byteorder == "little" else "be"
    return points.tobytes().decode(f"utf-32-{order}", "surrogatepass")


def describe(symbol: str) -> str:
    """A symbol as a message should name it: 'x' (U+0078); a word without its code points."""
    return f"{symbol!r} (U+{ord(symbol):04X})" if len(symbol) == 1 else repr(symbol)


def listed(counts: Mapping[str, int], most: int = 10) -> str:
    """Symbols for a message, with how often each occurs: 'x' (U+0078) 3 times."""
    named = [
        f"{describe(symbol)} {'once' if count == 1 else f'{count:,} times'}"
        for symbol, count in list(counts.items())[:most]
    ]
    more = len(counts) - len(named)
    return ", ".join(named) + (f" and {more:,} more" if more else "")
