"""Characters read so far in, the contexts of the next one out: words, lines, columns, brackets;
and the memory that has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.core.memory.code_tree import AROUND, BEFORE
from seqforge.core.memory.contexts import (
    RECENT,
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
from seqforge.core.memory.memory import Ids
from seqforge.core.memory.several import SeveralMemories
from seqforge.core.memory.symbol_streams import StreamedMemory

END, LOWER, UPPER, DIGIT, SPACE, NEWLINE, OPENING, CLOSING, STOP, OTHER = range(10)
KINDS = 10
BAR, QUOTE, COLON = 1, 2, 3
_MARKS = {"|": BAR, '"': QUOTE, ":": COLON}
_VOWELS = "aeiouy"
_OPENINGS, _CLOSINGS, _STOPS = "([{<", ")]}>", ".?!;:"

(WORD, WORD_1, WORD_2, WORD_3, FIRST, SPEAKER, COLUMN, INDENT, LINE, ABOVE, SENTENCE, DEPTH,
 PREFIX, SHAPE, LENGTH, BLANK, FIRST_ABOVE, GAP, TAIL, TAIL_1, TAIL_2, SYLLABLES, VOWEL,
 LENGTH_ABOVE, FIELD, FIELD_1, FIELD_2, FIELDS, NOTES, QUOTED, IN_QUOTES, HEADER,
 COLONS) = range(33)  # fmt: skip
"""The numbers of the state: hashes of words, of the line, of fields; places; counts."""
_DEEPEST, _FIELDS, _PAIRS = 31, 15, 1 << 14
STACK = 33
"""The opening brackets that are not closed yet."""
STARTS = STACK + _DEEPEST + 1
"""Where the last fields began."""
INDIRECT = STARTS + _FIELDS + 1
"""What followed each symbol, and each pair of symbols, the last three times."""
STATE = INDIRECT + 2 * _PAIRS
ORDERS = 9
_SAMPLE = 1 << 22
_ONE, _SHIFT = np.uint64(1), np.uint64(20)


def traits(symbols: Sequence[str]) -> NDArray[np.int64]:
    """The symbols of a vocabulary (V - 1) in; kind, lower-case form, part of a word out (V, 3)."""
    ids = {symbol: number for number, symbol in enumerate(symbols, 1)}
    found = np.zeros((len(symbols) + 1, 5), np.int64)
    for number, symbol in enumerate(symbols, 1):
        word = symbol.isalnum() or symbol in "_'"
        found[number] = (
            _kind(symbol),
            ids.get(symbol.lower(), number),
            word,
            symbol.lower() in _VOWELS,
            _MARKS.get(symbol, 0),
        )
    return found


def _kind(symbol: str) -> int:
    if symbol.isalpha():
        return UPPER if symbol.isupper() else LOWER
    if symbol.isdigit():
        return DIGIT
    for kind, some in ((NEWLINE, "\n"), (SPACE, " \t"), (OPENING, _OPENINGS),
                       (CLOSING, _CLOSINGS), (STOP, _STOPS)):  # fmt: skip
        if symbol in some:
            return kind
    return OTHER


@kernel
def _add(state: State, field: int, symbol: int) -> None:
    """Add a symbol to a hash that is kept in the state."""
    state[field] = int(hashed(np.uint64(state[field]), np.uint64(symbol)) >> _ONE)


@kernel
def _read_word(state: State, kind: int, folded: int, in_word: bool) -> None:
    if in_word:
        _add(state, WORD, folded)
        state[TAIL] = ((state[TAIL] << 8) | folded) & 0xFFFFFF
        state[LENGTH] += 1
        return
    if state[WORD] != 0:
        state[WORD_3], state[WORD_2] = state[WORD_2], state[WORD_1]
        state[WORD_1] = state[WORD]
        if state[FIRST] == 0:
            state[FIRST] = state[WORD]
        state[WORD], state[LENGTH], state[GAP] = 0, 0, 0
        state[TAIL_2], state[TAIL_1], state[TAIL] = state[TAIL_1], state[TAIL], 0
    _add(state, GAP, folded)
    if kind == STOP:
        state[SENTENCE] = 0
    elif kind != SPACE:
        state[SENTENCE] = (state[SENTENCE] + 1) & 7


@kernel
def _read_line(
    state: State, kind: int, symbol: int, position: int, vowel: bool, recent: Recent
) -> None:
    if kind == NEWLINE:
        if state[COLUMN] > 2 and symbol_back(recent, position, state[COLUMN]) == state[COLONS]:
            state[HEADER] = state[PREFIX]
        state[BLANK] = 1 if state[COLUMN] == 0 else 0
        state[ABOVE], state[LINE] = state[LINE], position
        state[FIRST_ABOVE] = state[FIRST]
        state[LENGTH_ABOVE], state[SYLLABLES] = state[COLUMN], 0
        state[COLUMN], state[INDENT], state[FIRST], state[PREFIX] = 0, 0, 0, 0
        return
    if kind == SPACE and state[INDENT] == state[COLUMN]:
        state[INDENT] += 1
    state[COLUMN] += 1
    if vowel and state[VOWEL] == 0:
        state[SYLLABLES] += 1
    state[VOWEL] = 1 if vowel else 0
    _add(state, PREFIX, symbol)
    if kind == STOP and state[BLANK] == 1 and state[COLUMN] < 30:
        state[SPEAKER] = state[FIRST] if state[FIRST] != 0 else state[WORD_1]
        state[BLANK] = 0


@kernel
def _read_field(state: State, mark: int, kind: int, symbol: int, position: int) -> None:
    """What stands between bars, and between quotation marks."""
    if mark == BAR or kind == NEWLINE:
        if state[FIELD] != 0:
            state[FIELD_2], state[FIELD_1] = state[FIELD_1], state[FIELD]
            state[FIELDS] += 1
            state[STARTS + (state[FIELDS] & _FIELDS)] = position
            state[NOTES] = 0
        state[FIELD], state[IN_QUOTES] = 0, 0
        return
    _add(state, FIELD, symbol)
    if mark == COLON:
        state[COLONS] = symbol
    if kind <= UPPER and state[IN_QUOTES] == 0:
        state[NOTES] += 1
    if mark == QUOTE:
        state[IN_QUOTES] = 1 - state[IN_QUOTES]
        if state[IN_QUOTES] == 1:
            state[QUOTED] = 0
    elif state[IN_QUOTES] == 1:
        _add(state, QUOTED, symbol)


@kernel
def _read_bracket(state: State, kind: int, symbol: int) -> None:
    if kind == OPENING:
        state[DEPTH] = min(state[DEPTH] + 1, _DEEPEST)
        state[STACK + state[DEPTH]] = state[WORD_1]
        _add(state, STACK + state[DEPTH], symbol)
    elif kind == CLOSING and state[DEPTH] > 0:
        state[DEPTH] -= 1


@kernel
def _pair(one: int, two: int) -> int:
    return int(hashed(np.uint64(one), np.uint64(two)) >> np.uint64(30)) & (_PAIRS - 1)


@kernel
def _read_pairs(state: State, recent: Recent, position: int) -> None:
    """Which symbols followed the last one, and the last two, when they were here before."""
    one, two = symbol_back(recent, position, 1), symbol_back(recent, position, 2)
    three = symbol_back(recent, position, 3)
    at = INDIRECT + _pair(two, 0)
    state[at] = ((state[at] << 8) | (one & 255)) & 0xFFFFFF
    at = INDIRECT + _PAIRS + _pair(two, three)
    state[at] = ((state[at] << 8) | (one & 255)) & 0xFFFFFF


@kernel
def _above(state: State, recent: Recent, position: int, more: int) -> int:
    """The symbol above the next one, or so many places on; the end symbol if there is none."""
    at = state[ABOVE] + state[COLUMN] + more
    if at >= state[LINE] or position - at >= RECENT:
        return 0
    return int(recent[at & (RECENT - 1)])


@kernel
def _read(state: State, recent: Recent, position: int, traits: Traits) -> None:
    symbol = symbol_back(recent, position, 1)
    kind, folded = traits[symbol, 0], traits[symbol, 1]
    _read_word(state, kind, folded, traits[symbol, 2] == 1)
    _read_line(state, kind, symbol, position, traits[symbol, 3] == 1, recent)
    _read_bracket(state, kind, symbol)
    _read_field(state, traits[symbol, 4], kind, symbol, position)
    _read_pairs(state, recent, position)
    state[SHAPE] = ((state[SHAPE] << 4) | kind) & 0xFFFFFFFF


@kernel
def _write_words(state: State, one: int, hashes: Hashes, at: int) -> None:
    word = state[WORD] if state[WORD] != 0 else state[GAP]
    last, before = state[WORD_1], state[WORD_2]
    hashes[at] = paired(word, 0, 100)
    hashes[at + 1] = paired(word, last, 101)
    hashes[at + 2] = paired(word, before, 102)
    hashes[at + 3] = hashed(hashes[at + 1], np.uint64(before))
    hashes[at + 4] = hashed(hashes[at + 3], np.uint64(state[WORD_3]))
    hashes[at + 5] = paired(word, state[FIRST], 103)
    hashes[at + 6] = paired(word, state[SPEAKER], 104)
    hashes[at + 7] = paired(word, state[SENTENCE], 105)
    hashes[at + 8] = paired(word, state[COLUMN] // 4, 106)
    hashes[at + 9] = paired(word, state[STACK + state[DEPTH]], 107)
    hashes[at + 10] = paired(word, state[WORD_3], 108)
    hashes[at + 11] = paired(word, state[TAIL_1], 109)
    hashes[at + 12] = hashed(
        paired(word, state[TAIL_1] & 0xFFFF, 110), np.uint64(state[TAIL_2] & 0xFFFF)
    )
    hashes[at + 13] = hashed(paired(state[SYLLABLES], state[WORD], 111), np.uint64(one))
    hashes[at + 14] = hashed(paired(state[LENGTH_ABOVE], state[COLUMN], 112), np.uint64(one))


@kernel
def _back(state: State, recent: Recent, position: int, offset: int, fields: int) -> int:
    """The symbol at the same place of a field so many fields back."""
    part = state[FIELDS] - fields
    return symbol_of_part(state, STARTS, _FIELDS, part, recent, position, offset)


@kernel
def _write_places(state: State, recent: Recent, position: int, hashes: Hashes, at: int) -> None:
    one, two = symbol_back(recent, position, 1), symbol_back(recent, position, 2)
    three, four = symbol_back(recent, position, 3), symbol_back(recent, position, 4)
    above = _above(state, recent, position, 0)
    hashes[at] = paired(two, three, 120)
    hashes[at + 1] = paired(one, three, 121)
    hashes[at + 2] = paired(three, four, 122)
    hashes[at + 3] = hashed(paired(two, three, 123), np.uint64(four))
    hashes[at + 4] = paired(min(state[COLUMN], 80), one, 124)
    hashes[at + 5] = paired(one, state[FIRST], 125)
    hashes[at + 6] = hashed(paired(above, one, 126), np.uint64(two))
    hashes[at + 7] = hashed(paired(above, _above(state, recent, position, 1), 127), np.uint64(one))
    hashes[at + 8] = paired(state[PREFIX], state[FIRST_ABOVE], 128)
    hashes[at + 9] = paired(state[SHAPE], one, 129)
    hashes[at + 10] = paired(int(hashes[3]), state[WORD_1], 130)
    hashes[at + 11] = paired(state[INDENT], state[STACK + state[DEPTH]], 131)
    hashes[at + 12] = paired(one, state[INDIRECT + _pair(one, 0)], 132)
    hashes[at + 13] = paired(int(hashes[2]), state[INDIRECT + _PAIRS + _pair(one, two)], 133)


@kernel
def _write_fields(state: State, recent: Recent, position: int, hashes: Hashes, at: int) -> None:
    one, two = symbol_back(recent, position, 1), int(hashes[2])
    offset = position - state[STARTS + (state[FIELDS] & _FIELDS)]
    last, before = (
        _back(state, recent, position, offset, 1),
        _back(state, recent, position, offset, 2),
    )
    fourth, eighth = (
        _back(state, recent, position, offset, 4), _back(state, recent, position, offset, 8),
    )  # fmt: skip
    hashes[at] = paired(state[FIELD], state[FIELD_1], 134)
    hashes[at + 1] = paired(state[FIELD], state[QUOTED], 135)
    hashes[at + 2] = paired(two, last, 136)
    hashes[at + 3] = paired(two, state[QUOTED], 137)
    hashes[at + 4] = hashed(paired(min(offset, 40), state[QUOTED], 138), np.uint64(one))
    hashes[at + 5] = paired(two, state[HEADER], 139)
    hashes[at + 6] = paired(state[FIELD], state[FIELD_2], 140)
    hashes[at + 7] = hashed(paired(one, fourth, 141), np.uint64(eighth))
    hashes[at + 8] = hashed(paired(one, before, 142), np.uint64(state[HEADER]))
    hashes[at + 9] = hashed(paired(state[NOTES], state[HEADER], 143), np.uint64(one))


@kernel
def text_contexts(
    state: State, recent: Recent, position: int, traits: Traits, hashes: Hashes,
    selectors: Selectors,
) -> None:  # fmt: skip
    """The contexts of the next character."""
    if position > 0:
        _read(state, recent, position, traits)
    write_orders(recent, position, ORDERS, hashes)
    one = symbol_back(recent, position, 1)
    hashes[ORDERS] = hashes[ORDERS - 1]
    for n in range(ORDERS, 12):
        hashes[ORDERS] = hashed(hashes[ORDERS], np.uint64(symbol_back(recent, position, n)))
    _write_words(state, one, hashes, ORDERS + 1)
    _write_places(state, recent, position, hashes, ORDERS + 16)
    selectors[0] = min(state[COLUMN], 31)
    selectors[1] = min(state[LENGTH], 7) * KINDS + traits[one, 0]
    selectors[2] = int(hashed(np.uint64(state[SHAPE] & 0xFFF), np.uint64(0)) >> _SHIFT) & 255
    selectors[3] = (state[WORD] if state[WORD] != 0 else state[GAP]) >> 20 & 1023
    selectors[4] = state[WORD_1] >> 20 & 255


_SELECTORS = (32, 8 * KINDS, 256, 1024, 256)
TEXT = Contexts(text_contexts, ORDERS + 30, ORDERS, STATE, _SELECTORS)


@kernel
def barred_contexts(
    state: State, recent: Recent, position: int, traits: Traits, hashes: Hashes,
    selectors: Selectors,
) -> None:  # fmt: skip
    """The same, and contexts of what stands between bars."""
    text_contexts(state, recent, position, traits, hashes, selectors)
    _write_fields(state, recent, position, hashes, ORDERS + 30)


BARRED = Contexts(barred_contexts, ORDERS + 40, ORDERS, STATE, _SELECTORS)
_MANY_BARS = 0.01


class TextMemory(StreamedMemory):
    """A memory for text."""

    contexts: ClassVar[Contexts] = TEXT

    @classmethod
    def made(
        cls, sample: Ids, symbols: Sequence[str], budget: int = 1 << 29,
        places: tuple[int, ...] = BEFORE,
    ) -> TextMemory:  # fmt: skip
        """Training symbols and a vocabulary's symbols (V - 1) in, a new memory out: a
        `BarredTextMemory` where there are many bars; ``places``: see `code_tree`."""
        table = traits(symbols)
        bars = table[:, 4] == BAR
        counts = np.bincount(sample[:_SAMPLE], minlength=len(table))
        barred = counts[bars].sum() > _MANY_BARS * counts.sum()
        return (BarredTextMemory if barred else cls)(sample, len(table), budget, table, places)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Saved arrays in, the memory out, of the kind that was saved."""
        return cast(Self, super(TextMemory, _kind_of(arrays)).from_arrays(arrays))

    @classmethod
    def saved(cls, symbols: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> TextMemory:
        """A vocabulary's symbols (V - 1) and saved arrays in, the memory before any symbol out.

        Raises:
            ValueError: If the arrays are not those of a memory of these symbols.
        """
        table = traits(symbols)
        new: TextMemory = _kind_of(arrays)(
            np.arange(len(table), dtype=np.uint16), len(table), 0, table
        )
        return new.restored(arrays)


def _kind_of(arrays: Mapping[str, NDArray[Any]]) -> Any:
    barred = len(arrays["row.slots.hashes"]) == BARRED.count
    return BarredTextMemory if barred else TextMemory


class BarredTextMemory(TextMemory):
    """A memory for text that is divided by bars: music as text, tables."""

    contexts: ClassVar[Contexts] = BARRED


VIEWS = (BEFORE, AROUND)
"""What the trees of several memories go by."""


class TextMemories(SeveralMemories):
    """Memories for text whose code trees join other characters."""

    kind: ClassVar[Any] = TextMemory
    count = len(VIEWS)

    @classmethod
    def made(cls, sample: Ids, symbols: Sequence[str], budget: int) -> Self:
        """As `TextMemory.made`; ``budget``: bytes of each one's tables."""
        return cls([TextMemory.made(sample, symbols, budget, each) for each in VIEWS])
