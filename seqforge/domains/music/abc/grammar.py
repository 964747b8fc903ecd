"""A vocabulary in, the grammar mask of ABC tunes out: full bars, closed repeats."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.constraint import Constraint, reachable
from seqforge.core.data.vocabulary import END, Vocabulary
from seqforge.domains.music.abc.automata import (
    BAR,
    BEAT,
    CLOSE,
    CLOSED,
    EDGE,
    FIRST_BAR,
    LOWER,
    MAY_END,
    PARTS,
    REPEATS,
    SHORT,
    START,
    TIED,
    UPBEAT,
    UPPER,
    WHOLE,
    Turn,
    drop_dead_ends,
    keys,
    turns,
    words,
)
from seqforge.domains.music.abc.fields import metre

_BARS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16)  # unit notes in a bar
_METRES = ("C", "C|", *(f"{n}/{d}" for d in (2, 4, 8) for n in (2, 3, 4, 5, 6, 7, 9, 12)))
_UNITS = ("1/4", "1/8", "1/16")
_LOST = "lost"
_KEY, _INLINE = "key ", "[key "
_Ids = NDArray[np.int64]


@lru_cache(maxsize=2)
def grammar(vocabulary: Vocabulary, held: bool = False) -> Constraint | None:
    """A vocabulary in, its grammar out; None if its characters do not suffice for a tune.

    Args:
        vocabulary: The model's characters.
        held: Whether notes stay in the key, without accidentals.
    """
    return _Table(vocabulary, held).constraint()


class _Table:
    """Transition table over all states, before unreachable ones are removed."""

    def __init__(self, vocabulary: Vocabulary, held: bool) -> None:
        self._ids = {symbol: number for number, symbol in enumerate(vocabulary.symbols, 1)}
        self._moves = words(held) | keys(_KEY, "\n", EDGE)
        if not held:
            self._moves |= keys(_INLINE, "]", START)
            self._moves["["]["K"] = self._moves[_INLINE]["K"]
        names = [*self._moves, *turns(CLOSED, {}), _LOST]
        self._word = {name: number for number, name in enumerate(names)}
        self._inside = self._known((BAR, CLOSE, TIED), out=True)
        self._ends = self._known((BAR, CLOSE, TIED), out=False)
        live = self._live = self._fillable()
        begins = {c: move.word for c, move in self._moves[START].items()}
        inside = {c: word for c, word in begins.items() if live[BEAT, self._word[word]]}
        self._turns = [turns(repeat, inside) for repeat in REPEATS]
        drop_dead_ends(self._turns, frozenset(self._ids))
        self._size = len(vocabulary)
        headers = sum(len(text) for text, _ in _headers()) + 1
        self._planes: dict[tuple[int, int, int], int] = {}
        end = headers
        for plane in product((0, *_BARS), REPEATS, PARTS):
            bar = plane[0]
            self._planes[plane] = end
            end += (BEAT * bar + 1) * len(names)
        self._allowed = np.zeros((end, self._size), np.bool_)
        self._following = np.zeros((end, self._size), np.int32)

    def constraint(self) -> Constraint | None:
        """The automaton with reachable states only."""
        for bar, repeat, part in self._planes:
            self._fill_bar(bar, repeat, part)
            self._fill_lines(bar, repeat, part)
        self._fill_header()
        return reachable(self._allowed, self._following, self._begun())

    def _begun(self) -> NDArray[np.int32]:
        """States that continue a prime's last bar: that bar is filled up to its metre."""
        begun = np.arange(len(self._following), dtype=np.int32)
        notes = np.unique(self._ends[0])  # words of complete notes
        for (bar, repeat, part), base in self._planes.items():
            later = np.arange(len(self._word), (BEAT * bar + 1) * len(self._word))
            inside = np.concatenate([notes, later]).astype(np.int32)
            whole = self._planes[bar, repeat, WHOLE] + inside
            can = self._allowed[whole].any(axis=1) & (bar > 0) & (part != WHOLE)
            begun[base + inside[can]] = whole[can]
        return begun

    def _state(self, bar: int, repeat: int, part: int, word: str) -> int:
        """The state of a word at the beginning of a bar."""
        return self._planes[bar, repeat, part] + self._word[word]

    def _known(self, into: Collection[str], out: bool) -> NDArray[np.int64]:
        """Transitions as an array (4, M): word, character, next word, quarters of a unit note.

        Args:
            into: Words; keep transitions into them,
            out: or, if set, all others.
        """
        found = [
            (self._word[name], self._ids[character], self._word[move.word], move.quarters)
            for name, moves in self._moves.items()
            for character, move in moves.items()
            if character in self._ids and (move.word in into) != out
        ]
        return np.array(found, np.int64).reshape(-1, 4).T

    def _fillable(self) -> NDArray[np.bool_]:
        """Whether a bar can be filled from a word with Q quarters of a unit left: (Q, words)."""
        word, _, target, quarters = self._inside
        ends_word, _, _, ends = self._ends
        live = np.zeros((BEAT * max(_BARS) + 1, len(self._word)), np.bool_)
        live[:, self._word[EDGE]] = True  # after the key of the header
        for left, row in enumerate(live):
            row[ends_word[ends == left]] = True
            fits, before = quarters <= left, -1
            while before != (before := int(row.sum())):
                row[word[fits][live[left - quarters[fits], target[fits]]]] = True
        return live

    def _fill_bar(self, bar: int, repeat: int, part: int) -> None:
        """Fill the states inside a bar, at each position; bars in free metre have one position."""
        base, whole, size = self._planes[bar, repeat, part], BEAT * bar, len(self._word)
        self._fill_lost(bar, repeat, slice(base, base + (whole + 1) * size), part)
        places = np.arange(whole + 1)[:, None]
        word, symbol, target, quarters = self._inside
        after = places + quarters * (bar > 0)
        left = np.maximum(whole - after, 0) if bar else np.full_like(after, len(self._live) - 1)
        fits = (after <= whole) & self._live[left, target]
        fits &= (target != self._word.get(f"{_INLINE}K", -1)) | (places == 0)
        self._set(base + places * size + word, symbol, base + after * size + target, fits)
        word, symbol, target, quarters = self._ends
        after = places + quarters if bar else places + 0 * quarters
        is_short = after < whole
        if part == UPBEAT:
            target = np.where(is_short & (target == self._word[BAR]), self._word[SHORT], target)
        lines = (BAR, CLOSE, SHORT, TIED)
        fits = np.isin(target, [self._word[line] for line in lines if self._turns[repeat][line]])
        fits = fits & (after <= whole) & ((after > 0) | (bar == 0))
        left = whole - after  # a usual pick-up (at most half a bar) completes such a bar
        likely = ((left % BEAT == 0) | (2 * left == BEAT)) & (2 * left <= whole)
        ends_part = (part == UPBEAT) & likely & (target != self._word[TIED])
        fits &= ~is_short | (part == FIRST_BAR) | ends_part
        began = [self._planes[bar, repeat, after_part] for after_part in (WHOLE, UPBEAT)]
        planes = np.where(is_short, began[1], began[0])
        if part != FIRST_BAR:
            planes = np.full_like(planes, self._planes[bar, repeat, part])
        self._set(base + places * size + word, symbol, planes + target, fits)

    def _fill_lost(self, bar: int, repeat: int, rows: slice, part: int) -> None:
        """After a prime that breaks a rule, skip to the next bar line."""
        self._following[rows] = self._state(bar, repeat, UPBEAT, _LOST)
        for line in {BAR, CLOSE} & self._ids.keys():
            self._following[rows, self._ids[line]] = self._state(bar, repeat, UPBEAT, line)
        self._following[rows, END] = 0
        for field in {"M", "L"} & self._ids.keys():  # after these fields bars are not counted
            inside = slice(rows.start + self._word["["], rows.stop, len(self._word))
            self._following[inside, self._ids[field]] = self._state(0, repeat, UPBEAT, _LOST)
        if bar == 0:  # end of an inline field, or of a field line
            lost = self._state(bar, repeat, part, _LOST)
            for sign, word in {"]": START, "\n": EDGE}.items():
                if sign in self._ids:
                    self._following[lost, self._ids[sign]] = self._state(bar, repeat, part, word)

    def _set(self, states: _Ids, symbols: _Ids, leads: _Ids, fits: NDArray[np.bool_]) -> None:
        states, symbols, leads = np.broadcast_arrays(states, symbols, leads)
        self._allowed[states[fits], symbols[fits]] = True
        self._following[states[fits], symbols[fits]] = leads[fits]

    def _fill_lines(self, bar: int, repeat: int, part: int) -> None:
        """Fill the states of bar lines, and of the skip to the next one."""
        for name, found in self._turns[repeat].items():
            state = self._state(bar, repeat, part, name)
            self._allowed[state, END] = repeat == CLOSED and name in MAY_END
            for character, turn in found.items():
                symbol = self._ids[character]
                self._allowed[state, symbol] = True
                self._following[state, symbol] = self._after_line(bar, turn, part)
        state = self._state(bar, repeat, part, _LOST)
        for character in {*UPPER, *LOWER, *"z2 "} & self._ids.keys():
            self._allowed[state, self._ids[character]] = True
        for character in {BAR, CLOSE} & self._ids.keys():
            self._allowed[state, self._ids[character]] = bool(self._turns[repeat][character])

    def _after_line(self, bar: int, turn: Turn, part: int) -> int:
        """The state after a character of a bar line."""
        return self._state(bar, turn.repeat, part if turn.part is None else turn.part, turn.word)

    def _fill_header(self) -> None:
        """Fill the header: ``M:``, ``L:``, key; an unsupported metre or unit means free bars."""
        free = self._state(0, CLOSED, UPBEAT, _LOST)
        states: dict[str, int] = {"": 0}
        self._following[0] = free
        known = [item for item in _headers() if self._ids.keys() >= set(item[0])]
        for text, bar in known:
            for at, character in enumerate(text):
                before, symbol = states[text[:at]], self._ids[character]
                if at + 1 == len(text):
                    after = self._state(bar, CLOSED, FIRST_BAR, _KEY)
                else:
                    after = states.setdefault(text[: at + 1], len(states))
                    self._following[after][self._following[after] == 0] = free
                self._allowed[before, symbol] = True
                self._following[before, symbol] = after
        self._following[: len(states), END] = 0


def _headers() -> Iterator[tuple[str, int]]:
    """Header text before the key, and unit notes per bar."""
    for metre_text, unit in product(_METRES, _UNITS):
        found = metre(metre_text)
        assert found is not None
        bar, rest = divmod(found[0] * int(unit[2:]), found[1])
        if not rest and bar in _BARS:
            yield f"M:{metre_text}\nL:{unit}\n", bar
