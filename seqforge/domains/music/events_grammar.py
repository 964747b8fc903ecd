"""The grammar of the events code: bars as long as the metre says.

A finite automaton over characters. Its state is the length of a bar, the place in it, whether a
pick-up may end here, and whether a note or its duration has just been said. A bar line stands
where a bar is full and nowhere else, and the metre changes where a bar begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from seqforge.core.sampling.constraints import Constraint
from seqforge.core.vocabulary import END, Vocabulary
from seqforge.domains.music.automaton import reachable
from seqforge.domains.music.events import BAR, LONGER, PICKUP, TOKENS, Kind, metre_of
from seqforge.domains.music.keys import PITCH_CLASS, parse_key
from seqforge.domains.music.notes import TimeSignature, bar_length

_LONGEST = 24  # quarters in a bar; what is longer is not counted
_OTHER, _NOTE, _LENGTH = 0, 1, 2  # what has just been said
_SAID = 3


@lru_cache(maxsize=2)
def grammar(vocabulary: Vocabulary, steps_per_quarter: int, held: str = "") -> Constraint | None:
    """The grammar over a model's tokens, or None where they do not suffice for a bar.

    Args:
        vocabulary: Tokens that it lacks are not written; pitches stay within those that it has.
        steps_per_quarter: Of the grid.
        held: A key whose scale all notes stay in, as ABC writes it; empty for any.
    """
    return _Table(vocabulary, steps_per_quarter, held).constraint()


def scale(key: str) -> frozenset[int]:
    """The pitch classes of the seven notes of a key; a minor one's raised sixth and seventh too."""
    found = parse_key(key)
    notes = {place + found.alterations.get(letter, 0) for letter, place in PITCH_CLASS.items()}
    if found.mode == "m":
        notes |= {found.pitch_class + 9, found.pitch_class + 11}
    return frozenset(note % 12 for note in notes)


_Places = NDArray[np.int64]


class _Table:
    """All states of all bar lengths, before those that nothing leads to are left out.

    A plane is a bar length and whether a pick-up may end in this bar; in it a state is a place and
    what has just been said. State 0 stands for all of a music whose metre is not counted.
    """

    def __init__(self, vocabulary: Vocabulary, steps_per_quarter: int, held: str) -> None:
        self._grid, self._scale = steps_per_quarter, scale(held) if held else None
        self._size = len(vocabulary)
        self._ids = {symbol: number for number, symbol in enumerate(vocabulary.symbols, 1)}
        self._tokens = [(self._ids[s], *TOKENS[s]) for s in vocabulary.symbols if s in TOKENS]
        times = [metre_of(value) for _, kind, value in self._tokens if kind == Kind.TIME]
        lengths = {self._bar(*metre) for metre in [*times, (4, 4)]} - {0}
        self._planes: dict[tuple[int, bool], int] = {}
        end = 1
        for length, pickup in product(sorted(lengths), (True, False)):
            self._planes[length, pickup] = end
            end += (length + 1) * _SAID
        self._allowed = np.zeros((end, self._size), np.bool_)
        stays = np.arange(end, dtype=np.int32)[:, None]  # what is no token changes nothing
        self._following = np.repeat(stays, self._size, axis=1)

    def constraint(self) -> Constraint | None:
        """The automaton; it begins in a bar of 4/4, which is what stands where nothing is said."""
        begin = self._state(self._bar(4, 4), True, 0, _OTHER)
        full = self._fillable()
        for length, pickup in self._planes:
            self._fill(length, pickup, full)
        self._allowed[0] = True
        for number, kind, value in self._tokens:
            if kind == Kind.TIME:
                self._following[0, number] = self._meant(value, False)
        self._following[:, END] = begin
        order = np.arange(len(self._following), dtype=np.int32)
        order[[0, begin]] = begin, 0  # the first state is where a sample begins
        begun = order[self._begun()[order]]
        return reachable(self._allowed[order], order[self._following[order]], begun)

    def _begun(self) -> NDArray[np.int32]:
        """What a prime began is a whole bar, and no pick-up."""
        begun = np.arange(len(self._following), dtype=np.int32)
        for (length, pickup), base in self._planes.items():
            inside = np.arange(1, (length + 1) * _SAID, dtype=np.int32)
            if pickup:
                begun[base + inside] = self._planes[length, False] + inside
        return begun

    def _bar(self, numerator: int, denominator: int) -> int:
        """Steps of a bar; 0 where it is not counted."""
        length = bar_length(TimeSignature(0, numerator, denominator), self._grid)
        return int(length) if length == int(length) and length <= _LONGEST * self._grid else 0

    def _state(self, length: int, pickup: bool, place: int, said: int) -> int:
        return self._planes[length, pickup] + place * _SAID + said

    def _meant(self, value: int, pickup: bool) -> int:
        """The state after a time signature."""
        length = self._bar(*metre_of(value))
        return self._state(length, pickup, 0, _OTHER) if length else 0

    def _fillable(self) -> NDArray[np.bool_]:
        """Whether advances that the model knows add up to so many steps."""
        advances = [value for _, kind, value in self._tokens if kind == Kind.ADVANCE]
        found = np.zeros(_LONGEST * self._grid + 1, np.bool_)
        found[0] = True
        for steps in range(1, len(found)):
            found[steps] = any(steps >= value and found[steps - value] for value in advances)
        return found

    def _fill(self, length: int, pickup: bool, fillable: NDArray[np.bool_]) -> None:
        """All tokens at all places of a bar."""
        places = np.arange(length + 1)
        inside = (places < length) & fillable[length - places]
        for number, kind, value in self._tokens:
            if kind == Kind.ADVANCE:
                after = np.minimum(places + value, length)
                fits = (places + value <= length) & fillable[length - after]
                self._set(length, pickup, number, fits, after, _OTHER)
            elif kind == Kind.LENGTH:
                self._set(length, pickup, number, inside, places, _LENGTH, said=(_NOTE,))
            elif kind == Kind.TIME:
                states = self._planes[length, pickup] + np.arange((length + 1) * _SAID)
                self._following[states, number] = self._meant(value, pickup)
                self._allowed[states[_OTHER], number] = True
            elif kind == Kind.KEY:
                self._set(length, pickup, number, inside & (self._scale is None), places, _OTHER)
            elif kind == Kind.PITCH:
                fits = inside & (self._scale is None or value % 12 in self._scale)
                self._set(length, pickup, number, fits, places, _NOTE)
            else:
                self._set(length, pickup, number, inside, places, _OTHER)
        longer = self._ids.get(LONGER)
        if longer is not None:
            self._set(length, pickup, longer, inside, places, _LENGTH, said=(_LENGTH,))
        self._fill_ends(length, pickup, places, inside)

    def _fill_ends(
        self, length: int, pickup: bool, places: _Places, inside: NDArray[np.bool_]
    ) -> None:
        """Bar lines, and the end, which is after a note."""
        for line, fits in ((BAR, places == length), (PICKUP, inside & (places > 0) & pickup)):
            if line in self._ids:
                states = self._planes[length, pickup] + np.arange((length + 1) * _SAID)
                self._following[states, self._ids[line]] = self._state(length, False, 0, _OTHER)
                self._set(length, pickup, self._ids[line], fits, 0 * places, _OTHER, new=True)
        self._set(length, pickup, END, places >= 0, places, _OTHER, said=(_NOTE, _LENGTH))

    def _set(
        self, length: int, pickup: bool, number: int, fits: NDArray[np.bool_], after: _Places,
        then: int, said: Sequence[int] = range(_SAID), new: bool = False,
    ) -> None:  # fmt: skip
        """Where a token may come, and where it leads: a place, and that it has been said.

        Args:
            fits: (places,) of the bar at which it may come.
            said: What must have been said just before.
            new: Whether another bar begins.
        """
        base = self._planes[length, pickup]
        target = self._planes[length, pickup and not new] + after * _SAID + then
        for before in range(_SAID):
            states = base + np.arange(length + 1) * _SAID + before
            self._following[states, number] = target
            if before in said:
                self._allowed[states[fits], number] = True
