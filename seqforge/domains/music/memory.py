"""Symbols of tunes read so far in, the contexts of the next one out: bars, beats, the bars before,
contour and rhythm; and the memory that has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.core.memory.code_tree import AROUND, BEFORE
from seqforge.core.memory.contexts import (
    Contexts,
    Hashes,
    Recent,
    Selectors,
    State,
    Traits,
    hashed,
    paired,
    symbol_back,
    symbol_of_part,
    write_orders,
)
from seqforge.core.memory.memory import Arrays, Ids
from seqforge.core.memory.several import SeveralMemories
from seqforge.core.memory.symbol_streams import StreamedMemory
from seqforge.domains.music.event_codec import PITCHES

END, NOTE, REST, DIGIT, SLASH, BAR, NEWLINE, OTHER = range(8)
KINDS = 8
_ABC_STEPS = dict(zip("CDEFGABcdefgab", range(14), strict=True))

(POSITION, TIME, NUMERATOR, DENOMINATOR, BAR_NOW, BAR_1, BAR_2, BARS, NOTES, CONTOUR, PITCHED,
 RHYTHM, BAR_RHYTHM, HEADER, LINE, FIRST, PITCH, SECTION) = range(18)  # fmt: skip
"""The numbers of the state: place in the bar, hashes of bars, of the last notes, of the header."""
_BARS, _BAR_ENDS = 15, 1 << BAR | 1 << NEWLINE | 1 << END
STARTS = 18
"""Where the last bars began."""
STATE = STARTS + _BARS + 1
ORDERS = 9
_ONE, _SHIFT, _UNIT = np.uint64(1), np.uint64(20), 48


def traits(symbols: Sequence[str], events: bool) -> NDArray[np.int64]:
    """The symbols of a vocabulary (V - 1) in; kind, pitch, value of a digit out (V, 3)."""
    steps = {symbol: n for n, symbol in PITCHES.items()} if events else _ABC_STEPS
    found = np.zeros((len(symbols) + 1, 3), np.int64)
    for number, symbol in enumerate(symbols, 1):
        digit = int(symbol) if symbol in "0123456789" and not events else 0
        found[number] = _kind(symbol, steps, events), steps.get(symbol, 0), digit
    return found


def _kind(symbol: str, notes: dict[str, int], events: bool) -> int:
    if symbol in notes:
        return NOTE
    signs = {"|": BAR, "\n": NEWLINE}
    if not events:
        signs |= {
            "z": REST,
            "x": REST,
            "/": SLASH,
            ":": OTHER,
            **dict.fromkeys("0123456789", DIGIT),
        }
    return signs.get(symbol, OTHER)


@kernel
def _joined(a: int, b: int) -> int:
    return int(hashed(np.uint64(a), np.uint64(b)) >> _ONE)


@kernel
def _end_note(state: State) -> None:
    """Add the length of the last note to the time in the bar."""
    if state[NUMERATOR] < 0:
        return
    length = _UNIT * max(state[NUMERATOR], 1) // max(state[DENOMINATOR], 1)
    state[TIME] += length
    state[RHYTHM] = ((state[RHYTHM] << 10) | (length & 1023)) & 0xFFFFFFFFFF
    state[BAR_RHYTHM] = _joined(state[BAR_RHYTHM], length)
    state[NUMERATOR] = -1


@kernel
def _read_note(state: State, kind: int, pitch: int, digit: int) -> None:
    sounds = kind == NOTE
    if sounds or kind == REST:
        _end_note(state)
        state[NUMERATOR], state[DENOMINATOR] = 0, 0
        state[NOTES] += 1
        if sounds:
            state[CONTOUR] = ((state[CONTOUR] << 8) | ((pitch - state[PITCH]) & 255)) & 0xFFFFFFFF
            state[PITCHED] = ((state[PITCHED] << 8) | pitch) & 0xFFFFFFFF
            state[PITCH] = pitch
    elif kind == DIGIT and state[DENOMINATOR] > 0:
        state[DENOMINATOR] = digit
    elif kind == DIGIT and state[NUMERATOR] >= 0:
        state[NUMERATOR] = state[NUMERATOR] * 10 + digit
    elif kind == SLASH and state[NUMERATOR] >= 0:
        state[DENOMINATOR] = 2


@kernel
def _read_bar(state: State, kind: int, symbol: int, position: int) -> None:
    if _BAR_ENDS >> kind & 1 == 1:
        _end_note(state)
        if state[NOTES] > 0:
            state[BAR_2], state[BAR_1] = state[BAR_1], state[BAR_NOW]
            state[BARS] += 1
            state[STARTS + (state[BARS] & _BARS)] = position
        state[BAR_NOW], state[TIME], state[NOTES], state[BAR_RHYTHM] = 0, 0, 0, 0
    else:
        state[BAR_NOW] = _joined(state[BAR_NOW], symbol)


@kernel
def _read(state: State, recent: Recent, position: int, traits: Traits) -> None:
    symbol = symbol_back(recent, position, 1)
    kind = traits[symbol, 0]
    _read_note(state, kind, traits[symbol, 1], traits[symbol, 2])
    _read_bar(state, kind, symbol, position)
    if kind == NEWLINE:
        if state[SECTION] < 3:  # the lines of a head
            state[HEADER] = _joined(state[HEADER], state[LINE])
        state[SECTION] = min(state[SECTION] + 1, 7)
        state[LINE] = 0
    elif kind == END:
        state[HEADER], state[SECTION], state[LINE], state[BARS] = 0, 0, 0, 0
    else:
        state[LINE] = _joined(state[LINE], symbol)


@kernel
def _back(state: State, recent: Recent, position: int, offset: int, bars: int) -> int:
    """The symbol at the same place of a bar so many bars back."""
    part = state[BARS] - bars
    return symbol_of_part(state, STARTS, _BARS, part, recent, position, offset)


@kernel
def _write_bars(state: State, recent: Recent, position: int, hashes: Hashes, at: int) -> None:
    one, two = symbol_back(recent, position, 1), int(hashes[2])
    offset = position - state[STARTS + (state[BARS] & _BARS)]
    second = _back(state, recent, position, offset, 2)
    fourth = _back(state, recent, position, offset, 4)
    eighth = _back(state, recent, position, offset, 8)
    hashes[at] = paired(state[BAR_NOW], 0, 100)
    hashes[at + 1] = paired(state[BAR_NOW], state[BAR_1], 101)
    hashes[at + 2] = paired(state[BAR_NOW], state[BAR_2], 102)
    hashes[at + 3] = paired(state[BAR_NOW], state[HEADER], 103)
    hashes[at + 4] = paired(two, _back(state, recent, position, offset, 1), 104)
    hashes[at + 5] = hashed(paired(one, second, 105), np.uint64(state[HEADER]))
    hashes[at + 6] = hashed(paired(one, fourth, 106), np.uint64(eighth))
    hashes[at + 7] = paired(two, eighth, 107)
    hashes[at + 8] = paired(state[LINE], 0, 108)
    hashes[at + 9] = paired(state[LINE], state[SECTION], 109)
    hashes[at + 10] = paired(min(state[BARS], 40), state[BAR_NOW], 110)
    hashes[at + 11] = paired(min(offset, 40), one, 111)


@kernel
def _write_notes(state: State, recent: Recent, position: int, hashes: Hashes, at: int) -> None:
    one, two = symbol_back(recent, position, 1), int(hashes[2])
    beat = paired(state[TIME], max(state[NUMERATOR], -1) * 16 + state[DENOMINATOR], 120)
    hashes[at] = hashed(beat, np.uint64(one))
    hashes[at + 1] = hashed(hashes[at], np.uint64(state[HEADER]))
    hashes[at + 2] = hashed(beat, hashes[2])
    hashes[at + 3] = paired(one, state[HEADER], 121)
    hashes[at + 4] = paired(two, state[HEADER], 122)
    hashes[at + 5] = paired(int(hashes[3]), state[HEADER], 123)
    hashes[at + 6] = hashed(paired(state[CONTOUR] & 0xFFFF, state[PITCH], 124), np.uint64(one))
    hashes[at + 7] = hashed(paired(state[CONTOUR] & 0xFFFFFF, state[TIME], 125), np.uint64(one))
    hashes[at + 8] = hashed(paired(state[PITCHED] & 0xFFFFFF, state[TIME], 126), np.uint64(one))
    hashes[at + 9] = hashed(paired(state[PITCHED], state[HEADER], 127), np.uint64(one))
    hashes[at + 10] = hashed(paired(state[RHYTHM], state[TIME], 128), np.uint64(one))
    hashes[at + 11] = hashed(paired(state[BAR_RHYTHM], state[HEADER], 129), np.uint64(one))
    hashes[at + 12] = hashed(paired(state[PITCHED] & 0xFFFF, state[NOTES], 130), np.uint64(one))


@kernel
def tune_contexts(
    state: State, recent: Recent, position: int, traits: Traits, hashes: Hashes,
    selectors: Selectors,
) -> None:  # fmt: skip
    """The contexts of the next symbol."""
    if position > 0:
        _read(state, recent, position, traits)
    write_orders(recent, position, ORDERS, hashes)
    hashes[ORDERS] = hashes[ORDERS - 1]
    for n in range(ORDERS, 13):
        hashes[ORDERS] = hashed(hashes[ORDERS], np.uint64(symbol_back(recent, position, n)))
    _write_bars(state, recent, position, hashes, ORDERS + 1)
    _write_notes(state, recent, position, hashes, ORDERS + 13)
    one = symbol_back(recent, position, 1)
    selectors[0] = min(state[NOTES], 15) * KINDS + traits[one, 0]
    selectors[1] = min(state[TIME] // 12, 63)
    selectors[2] = int(hashed(np.uint64(state[TIME]), np.uint64(one)) >> _SHIFT) & 1023
    selectors[3] = min(state[BARS], 31)


TUNES = Contexts(tune_contexts, ORDERS + 26, ORDERS, STATE, (16 * KINDS, 64, 1024, 32))


class TuneMemory(StreamedMemory):
    """A memory for tunes, as ABC or as events."""

    contexts: ClassVar[Contexts] = TUNES

    @classmethod
    def made(
        cls, sample: Ids, symbols: Sequence[str], events: bool, budget: int,
        places: tuple[int, ...] = BEFORE,
    ) -> Self:  # fmt: skip
        """Training symbols and a vocabulary's symbols (V - 1) in, a new memory out.

        ``events``: they are of the events code, not ABC; ``places``: see `code_tree`.
        """
        return cls(sample, len(symbols) + 1, budget, traits(symbols, events), places)

    @classmethod
    def saved(cls, symbols: Sequence[str], events: bool, arrays: Arrays) -> Self:
        """Symbols and saved arrays in, the memory before any symbol out; see `made`.

        Raises:
            ValueError: If the arrays are not those of a memory of these symbols.
        """
        new = cls.made(np.arange(len(symbols) + 1, dtype=np.uint16), symbols, events, 0)
        return new.restored(arrays)


VIEWS = (BEFORE, AROUND)
"""What the trees of several memories go by."""


class TuneMemories(SeveralMemories):
    """Memories for tunes whose code trees join other symbols."""

    kind: ClassVar[Any] = TuneMemory
    count = len(VIEWS)

    @classmethod
    def made(cls, sample: Ids, symbols: Sequence[str], events: bool, budget: int) -> Self:
        """As `TuneMemory.made`; ``budget``: bytes of each one's tables."""
        return cls([TuneMemory.made(sample, symbols, events, budget, each) for each in VIEWS])
