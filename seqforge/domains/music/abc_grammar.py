"""The grammar of a tune in ABC: bars as long as the metre says, and repeats that close.

A deterministic finite automaton over characters. Its state is a *plane* (unit notes in a bar,
whether a repeat is open, whether this bar may be short, as one after a double bar line may be), a
place in the bar, and a *word*, the note or bar line being written. What leads from word to word is
the same at every place: it is written once, in `abc_words` and here, and laid over all of them.

What it is narrower in than ABC: no lengths below a quarter of the unit note, tuplets of three, no
change of metre within a tune. A prime may have all of that: it leads to a word of its own, "lost",
in which anything goes until the next bar line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.sampling.constraints import Constraint
from seqforge.core.vocabulary import END, Vocabulary
from seqforge.domains.music.abc_text import metre
from seqforge.domains.music.abc_words import (
    BAR,
    BEAT,
    CLOSE,
    LOWER,
    START,
    UPPER,
    Move,
    Moves,
    words,
)
from seqforge.domains.music.automaton import reachable

_BARS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16)  # unit notes in a bar
_METRES = ("C", "C|", *(f"{n}/{d}" for d in (2, 4, 8) for n in (2, 3, 4, 5, 6, 7, 9, 12)))
_UNITS = ("1/4", "1/8", "1/16")

_CLOSED, _OPEN, _FIRST = 0, 1, 2
"""No repeat is open; one is; its first ending is being played."""

_SHORT = "| short"
"""A bar line after a short bar: it must be that of an edge, ``||`` or a repeat."""
_LOST = "lost"
_LINE = "\n"
_KEY, _INLINE = "key ", "[key "
_MODES = ("m", "dor", "mix", "lyd", "phr", "loc")


class _Turn(NamedTuple):
    """Where a character of a bar line leads."""

    word: str
    repeat: int
    may_be_short: bool = True
    """Whether the bar that begins may be short."""


_Turns = dict[str, dict[str, _Turn]]
_Ids = NDArray[np.int64]


@lru_cache(maxsize=2)
def grammar(vocabulary: Vocabulary, held: bool = False) -> Constraint | None:
    """The grammar over a model's characters, or None where they do not suffice for a tune.

    Args:
        vocabulary: Characters that it lacks are not written.
        held: Whether notes stay in the key of the tune.
    """
    return _Table(vocabulary, held).constraint()


def _turns(repeat: int, inside: dict[str, str]) -> _Turns:
    """What may follow each word of a bar line, or of what stands beside one.

    Args:
        repeat: `_CLOSED`, `_OPEN` or `_FIRST`.
        inside: Characters that begin a note, and the words they lead to.
    """

    def note(turn: int, may_be_short: bool) -> dict[str, _Turn]:
        return {c: _Turn(word, turn, may_be_short) for c, word in inside.items()}

    edges = {}
    if repeat == _CLOSED:
        edges = {"|": _Turn("||", _CLOSED), "]": _Turn("|]", _CLOSED), ":": _Turn("|:", _OPEN)}
    if repeat != _FIRST:
        edges["1"] = _Turn(START, _FIRST)
    closed = {"|": _Turn(":|", _CLOSED), ":": _Turn("::", _OPEN)}
    return {
        BAR: note(repeat, False) | edges | {"\n": _Turn(_LINE, repeat, False)},
        _SHORT: edges,
        _LINE: note(repeat, True) | {"|": _Turn("line |", repeat)},
        "line |": edges,
        "||": note(repeat, True) | {"\n": _Turn(_LINE, repeat)},
        "|]": note(repeat, True) | {"\n": _Turn(_LINE, repeat)},
        "|:": note(repeat, True),
        CLOSE: {"|": _Turn(":|2", repeat)} if repeat == _FIRST else closed,
        ":|": note(repeat, True) | {"\n": _Turn(_LINE, repeat)},
        ":|2": {"2": _Turn(START, _CLOSED)},
        "::": note(repeat, True) | {"\n": _Turn(_LINE, repeat)},
    }


_MAY_END = (BAR, "||", "|]", ":|")


def _drop_dead_ends(tables: list[_Turns], known: frozenset[str]) -> None:
    """Leave out characters that a model lacks, and those after which none could come."""
    before = -1
    while before != (before := sum(len(found) for turns in tables for found in turns.values())):
        for turns in tables:
            for found in turns.values():
                for character, turn in list(found.items()):
                    if character not in known or tables[turn.repeat].get(turn.word) == {}:
                        del found[character]


def _keys(prefix: str, stop: str, target: str) -> Moves:
    """The words of a key: ``K:``, a letter, a sign, a mode, and what ends it."""
    end = {stop: Move(target)}
    moves: Moves = {
        prefix: {"K": Move(prefix + "K")},
        prefix + "K": {":": Move(prefix + "K:")},
        prefix + "K:": dict.fromkeys(UPPER, Move(prefix + "tonic")),
        prefix + "sign": dict(end),
    }
    for mode in _MODES:
        for at, letter in enumerate(mode):
            before = prefix + (mode[:at] or "sign")
            moves.setdefault(before, {})[letter] = Move(prefix + mode[: at + 1])
        moves.setdefault(prefix + mode, {}).update(end)
    moves[prefix + "tonic"] = moves[prefix + "sign"] | {c: Move(prefix + "sign") for c in "#b"}
    return moves


class _Table:
    """All states of all planes, before those that nothing leads to are left out."""

    def __init__(self, vocabulary: Vocabulary, held: bool) -> None:
        self._ids = {symbol: number for number, symbol in enumerate(vocabulary.symbols, 1)}
        self._moves = words(held) | _keys(_KEY, "\n", _LINE)
        if not held:
            self._moves |= _keys(_INLINE, "]", START)
            self._moves["["]["K"] = self._moves[_INLINE]["K"]
        inside = {c: move.word for c, move in self._moves[START].items()}
        self._turns = [_turns(repeat, inside) for repeat in (_CLOSED, _OPEN, _FIRST)]
        _drop_dead_ends(self._turns, frozenset(self._ids))
        names = [*self._moves, *self._turns[0], _LOST]
        self._word = {name: number for number, name in enumerate(names)}
        self._inside = self._known((BAR, CLOSE), out=True)
        self._ends = self._known((BAR, CLOSE), out=False)
        self._size = len(vocabulary)
        headers = sum(len(text) for text, _ in _headers()) + 1
        self._planes: dict[tuple[int, int, bool], int] = {}
        end = headers
        for bar, repeat, short in product((0, *_BARS), range(3), (False, True)):
            self._planes[bar, repeat, short] = end
            end += (BEAT * bar + 1) * len(names)
        self._allowed = np.zeros((end, self._size), np.bool_)
        self._following = np.zeros((end, self._size), np.int32)

    def constraint(self) -> Constraint | None:
        """The automaton."""
        live = self._live()
        for bar, repeat, short in self._planes:
            self._fill_bar(bar, repeat, short, live)
        for bar, repeat in product((0, *_BARS), range(3)):
            self._fill_lines(bar, repeat)
        self._fill_header()
        return reachable(self._allowed, self._following)

    def _state(self, bar: int, repeat: int, short: bool, word: str) -> int:
        """The state at the beginning of a bar."""
        return self._planes[bar, repeat, short] + self._word[word]

    def _known(self, into: Collection[str], out: bool) -> NDArray[np.int64]:
        """Moves (4, M): word, character, the word it leads to, quarters.

        Args:
            into: Words; only moves that lead to one of them,
            out: or only those that lead to none of them.
        """
        found = [
            (self._word[name], self._ids[character], self._word[move.word], move.quarters)
            for name, moves in self._moves.items()
            for character, move in moves.items()
            if character in self._ids and (move.word in into) != out
        ]
        return np.array(found, np.int64).reshape(-1, 4).T

    def _live(self) -> NDArray[np.bool_]:
        """Whether from a word a bar can be filled, by the quarters left in it: (Q, words)."""
        word, _, target, quarters = self._inside
        ends_word, _, _, ends = self._ends
        live = np.zeros((BEAT * max(_BARS) + 1, len(self._word)), np.bool_)
        live[:, self._word[_LINE]] = True  # after the key of the header
        for left, row in enumerate(live):
            row[ends_word[ends == left]] = True
            fits, before = quarters <= left, -1
            while before != (before := int(row.sum())):
                row[word[fits][live[left - quarters[fits], target[fits]]]] = True
        return live

    def _fill_bar(self, bar: int, repeat: int, short: bool, live: NDArray[np.bool_]) -> None:
        """What is written in a bar, at all its places."""
        base, whole, size = self._planes[bar, repeat, short], BEAT * bar, len(self._word)
        rows = slice(base, base + (whole + 1) * size)
        self._following[rows] = self._state(bar, repeat, False, _LOST)
        for line in {BAR, CLOSE} & self._ids.keys():  # a prime whose bar is wrong
            self._following[rows, self._ids[line]] = self._state(bar, repeat, False, line)
        self._following[rows, END] = 0
        if bar == 0:
            return
        places = np.arange(whole + 1)[:, None]
        word, symbol, target, quarters = self._inside
        after = places + quarters
        fits = (after <= whole) & live[np.maximum(whole - after, 0), target]
        fits &= (target != self._word.get(f"{_INLINE}K", -1)) | (places == 0)
        self._set(base + places * size + word, symbol, base + after * size + target, fits)
        word, symbol, target, quarters = self._ends
        after = places + quarters
        turns = self._turns[repeat]
        is_short = (after < whole) & (target == self._word[BAR]) & (not short)
        target = np.where(is_short, self._word[_SHORT], target)
        goes_on = [self._word[line] for line in (BAR, CLOSE, _SHORT) if turns[line]]
        fits = (after > 0) & (after <= whole) & np.isin(target, goes_on)
        leads = self._planes[bar, repeat, False] + target
        self._set(base + places * size + word, symbol, leads, fits)

    def _set(self, states: _Ids, symbols: _Ids, leads: _Ids, fits: NDArray[np.bool_]) -> None:
        states, symbols, leads = np.broadcast_arrays(states, symbols, leads)
        self._allowed[states[fits], symbols[fits]] = True
        self._following[states[fits], symbols[fits]] = leads[fits]

    def _fill_lines(self, bar: int, repeat: int) -> None:
        """Bar lines and what stands beside them; and what is lost, up to the next of them."""
        for name, found in self._turns[repeat].items():
            for short in (False, True):
                state = self._state(bar, repeat, short, name)
                self._allowed[state, END] = repeat == _CLOSED and name in _MAY_END
                for character, turn in found.items():
                    symbol = self._ids.get(character)
                    if symbol is not None:
                        self._allowed[state, symbol] = True
                        self._following[state, symbol] = self._after_line(bar, name, turn, short)
        state = self._state(bar, repeat, False, _LOST)
        for character in (*UPPER, *LOWER, *"z2 "):
            if character in self._ids:
                self._allowed[state, self._ids[character]] = True
        for character in (BAR, CLOSE):
            if character in self._ids:
                self._allowed[state, self._ids[character]] = bool(self._turns[repeat][character])

    def _after_line(self, bar: int, name: str, turn: _Turn, short: bool) -> int:
        """The state that a character of a bar line leads to.

        A line break keeps what the bar line before it has said of the next bar.
        """
        if bar == 0 and turn.word in self._moves:  # a metre that is not counted
            return self._state(bar, turn.repeat, False, _LOST)
        may_be_short = short if name == _LINE else turn.may_be_short
        return self._state(bar, turn.repeat, may_be_short, turn.word)

    def _fill_header(self) -> None:
        """``M:``, ``L:`` and a key; a metre or unit that is not counted leads to free bars."""
        free = self._state(0, _CLOSED, False, _LOST)
        states: dict[str, int] = {"": 0}
        self._following[0] = free
        known = [item for item in _headers() if self._ids.keys() >= set(item[0])]
        for text, bar in known:
            for at, character in enumerate(text):
                before, symbol = states[text[:at]], self._ids[character]
                if at + 1 == len(text):
                    after = self._state(bar, _CLOSED, True, _KEY)
                else:
                    after = states.setdefault(text[: at + 1], len(states))
                    self._following[after][self._following[after] == 0] = free
                self._allowed[before, symbol] = True
                self._following[before, symbol] = after
        self._following[: len(states), END] = 0


def _headers() -> Iterator[tuple[str, int]]:
    """The lines of a header before its key, and the unit notes of a bar."""
    for metre_text, unit in product(_METRES, _UNITS):
        found = metre(metre_text)
        assert found is not None
        bar, rest = divmod(found[0] * int(unit[2:]), found[1])
        if not rest and bar in _BARS:
            yield f"M:{metre_text}\nL:{unit}\n", bar
