"""A vocabulary in, the grammar mask of ABC tunes out: full bars, closed repeats."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from enum import IntEnum
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.constraint import Constraint, PlanarTable
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
_ENDS = (BAR, CLOSE, TIED)
_PLACES = BEAT * max(_BARS) + 1
"""Places in the longest bar; the one after them is that of free metre."""
_SAME = len(PARTS)  # instead of a part: the one that the plane has
_Ids = NDArray[np.int64]
_Leads = tuple[_Ids, NDArray[np.bool_]]
"""The states that the codes stand for in a plane, and whether they are allowed (C,)."""


class _Code(IntEnum):
    """Codes of forbidden symbols and of the end symbol, counted from the last code."""

    LOST = -8  # a prime breaks a rule: skip to the next bar line,
    BAR = -7  # which this is,
    CLOSE = -6  # or this
    FREE = -5  # bars are not counted any more
    NOTE = -4  # in free metre, after the end of an inline field
    LINE = -3  # or of a field line
    END = -2
    NO_END = -1


class _Plane(NamedTuple):
    """What a state is beside a place in the bar, in quarters of a unit note, and a word."""

    bar: int
    """Unit notes in a bar; 0: free metre, with one place."""
    repeat: int
    part: int


@lru_cache(maxsize=2)
def grammar(vocabulary: Vocabulary, held: bool = False) -> Constraint | None:
    """A vocabulary in, its grammar out; None if its characters do not suffice for a tune.

    Args:
        vocabulary: The model's characters.
        held: Whether notes stay in the key, without accidentals.
    """
    return _Table(vocabulary, held).constraint()


class _Table:
    """All states, before unreachable ones are removed: the header's, then plane by plane.

    What follows a symbol differs between planes only in where their states are, so it is noted
    once, as codes: a row of them for each place and word of the longest bar (a shorter one is its
    end), then for each word of free metre, of the bar lines, and for each state of the header. A
    code is one of

    - the row of a place and word in the same plane,
    - an end of a bar with so many quarters left,
    - a repeat, part and word with which a bar begins,
    - `_Code`.
    """

    def __init__(self, vocabulary: Vocabulary, held: bool) -> None:
        self._ids = {symbol: number for number, symbol in enumerate(vocabulary.symbols, 1)}
        self._moves = words(held) | keys(_KEY, "\n", EDGE)
        if not held:
            self._moves |= keys(_INLINE, "]", START)
            self._moves["["]["K"] = self._moves[_INLINE]["K"]
        lines = [*turns(CLOSED, {}), _LOST]
        self._word = {name: number for number, name in enumerate([*self._moves, *lines])}
        self._inside = self._known(_ENDS, out=True)
        self._ends = self._known(_ENDS, out=False)
        live = self._live = self._fillable()
        begins = {c: move.word for c, move in self._moves[START].items()}
        inside = {c: word for c, word in begins.items() if live[BEAT, self._word[word]]}
        self._turns = [turns(repeat, inside) for repeat in REPEATS]
        drop_dead_ends(self._turns, frozenset(self._ids))
        self._size, self._words, self._lines = len(vocabulary), len(self._word), len(lines)
        self._first_line = self._first_end = (_PLACES + 1) * self._words
        self._first_word = self._first_end + len(_ENDS) * _PLACES
        self._last_codes = self._first_word + len(REPEATS) * (_SAME + 1) * self._words
        self._header = self._header_codes()
        self._planes: dict[_Plane, int] = {}
        self._states = len(self._header)
        for plane in map(_Plane._make, product((0, *_BARS), REPEATS, PARTS)):
            self._planes[plane] = self._states
            self._states += (BEAT * plane.bar + 1) * self._words

    def constraint(self) -> Constraint | None:
        """The automaton with reachable states only."""
        codes = np.concatenate([self._codes(), self._header])
        rows = [len(codes) - len(self._header) + np.arange(len(self._header))]
        rows += map(self._rows, self._planes)
        leads = [self._header_leads(), *map(self._leads, self._planes)]
        allowed = np.stack([may for _, may in leads])
        return PlanarTable(
            codes % allowed.shape[1],
            leads=np.stack([states for states, _ in leads]).astype(np.int32),
            allowed=allowed,
            planes=np.repeat(np.arange(len(rows)), [len(each) for each in rows]),
            rows=np.concatenate(rows),
            begun=self._begun(codes, dict(zip(self._planes, allowed[1:], strict=True))),
        ).reachable()

    def _begun(self, codes: _Ids, allowed: dict[_Plane, NDArray[np.bool_]]) -> NDArray[np.int32]:
        """States that continue a prime's last bar: that bar is filled up to its metre."""
        begun = np.arange(self._states, dtype=np.int32)
        notes = np.array(sorted({*self._ends[0].tolist()}), np.int64)  # words of complete ones
        longest = codes[: _PLACES * self._words]
        planes = [_Plane(max(_BARS), repeat, WHOLE) for repeat in REPEATS]
        can = np.array([allowed[plane][longest].any(axis=1) for plane in planes])
        for (bar, repeat, part), base in self._planes.items():
            if bar and part != WHOLE:
                later = np.arange(self._words, (BEAT * bar + 1) * self._words)
                inside = np.concatenate([notes, later])
                inside = inside[can[repeat, self._first_row(bar) + inside]]
                begun[base + inside] = self._planes[_Plane(bar, repeat, WHOLE)] + inside
        return begun

    def _state(self, bar: int, repeat: int, part: int, word: str) -> int:
        """The state of a word at the beginning of a bar."""
        return self._planes[_Plane(bar, repeat, part)] + self._word[word]

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

    def _first_row(self, bar: int) -> int:
        return (_PLACES - 1 - BEAT * bar if bar else _PLACES) * self._words

    def _rows(self, plane: _Plane) -> _Ids:
        """The row of each state of a plane."""
        rows = self._first_row(plane.bar) + np.arange((BEAT * plane.bar + 1) * self._words)
        first = self._first_line + plane.repeat * self._lines
        rows[self._words - self._lines : self._words] = np.arange(first, first + self._lines)
        return rows

    def _codes(self) -> _Ids:
        """The codes (R, V) of all rows but those of the header."""
        rows = self._first_line + len(REPEATS) * self._lines
        codes = np.full((rows, self._size), int(_Code.LOST))
        for line, code in {BAR: _Code.BAR, CLOSE: _Code.CLOSE}.items():
            if line in self._ids:
                codes[:, self._ids[line]] = code
        for field in {"M", "L"} & self._ids.keys():  # after these fields bars are not counted
            fields = slice(self._word["["], self._first_line, self._words)
            codes[fields, self._ids[field]] = _Code.FREE
        codes[:, END] = _Code.NO_END
        self._fill_bars(codes)
        for repeat in REPEATS:
            self._fill_lines(codes, repeat)
        return codes

    def _fill_bars(self, codes: _Ids) -> None:
        """Fill the rows inside a bar, at each place; in free metre notes take no time."""
        places = np.arange(_PLACES + 1)[:, None]
        free = places == _PLACES
        word, symbol, target, quarters = self._inside
        after = places + quarters * ~free
        left = np.where(free, _PLACES - 1, _PLACES - 1 - after)
        fits = (left >= 0) & self._live[left, target]
        _set(codes, places * self._words + word, symbol, after * self._words + target, fits)
        word, symbol, target, quarters = self._ends
        left = np.where(free, 0, _PLACES - 1 - places - quarters)
        end = (target[:, None] == [self._word[name] for name in _ENDS]).argmax(axis=1)
        leads = self._first_end + end * _PLACES + left
        _set(codes, places * self._words + word, symbol, leads, left >= 0)

    def _fill_lines(self, codes: _Ids, repeat: int) -> None:
        """Fill the rows of bar lines, and of the skip to the next one."""
        first, found = self._first_line + repeat * self._lines, self._turns[repeat]
        skips = {character: Turn(_LOST, repeat, UPBEAT) for character in (*UPPER, *LOWER, *"z2 ")}
        skips |= {line: Turn(line, repeat, UPBEAT) for line in (BAR, CLOSE) if found[line]}
        known = {character: turn for character, turn in skips.items() if character in self._ids}
        for row, (name, moves) in enumerate({**found, _LOST: known}.items(), first):
            if repeat == CLOSED and name in MAY_END:
                codes[row, END] = _Code.END
            for character, turn in moves.items():
                codes[row, self._ids[character]] = self._word_code(turn)
        for character, code in {"]": _Code.NOTE, "\n": _Code.LINE}.items():
            if character in self._ids:
                codes[first + self._lines - 1, self._ids[character]] = code

    def _word_code(self, turn: Turn) -> int:
        part = _SAME if turn.part is None else turn.part
        words = (turn.repeat * (_SAME + 1) + part) * self._words + self._word[turn.word]
        return self._first_word + words

    def _leads(self, plane: _Plane) -> _Leads:
        """What the codes stand for in a plane."""
        bar, repeat, part = plane
        inside, fits = self._leads_inside(plane)
        ends, complete = self._leads_of_ends(plane)
        begins = [self._planes[_Plane(bar, *to)] for to in product(REPEATS, (*PARTS, part))]
        words = np.add.outer(begins, np.arange(self._words)).ravel()
        lost, *lines = (self._state(bar, repeat, UPBEAT, name) for name in (_LOST, BAR, CLOSE))
        after = [lost if bar else self._state(0, repeat, part, name) for name in (START, EDGE)]
        last = [lost, *lines, self._state(0, repeat, UPBEAT, _LOST), *after, 0, 0]
        may = [np.ones(len(words), np.bool_), [code == _Code.END for code in _Code]]
        return np.concatenate([inside, ends, words, last]), np.concatenate([fits, complete, *may])

    def _leads_inside(self, plane: _Plane) -> _Leads:
        """What places and words stand for in a plane; a key changes where a bar begins."""
        bar, repeat, _ = plane
        last = (BEAT * bar + 1) * self._words - 1
        inside = np.clip(np.arange(self._first_line) - self._first_row(bar), 0, last)
        changes = inside % self._words == self._word.get(f"{_INLINE}K", -1)
        fits = ~changes | (inside < self._words)
        lost = self._state(bar, repeat, UPBEAT, _LOST)
        return np.where(fits, self._planes[plane] + inside, lost), fits

    def _leads_of_ends(self, plane: _Plane) -> _Leads:
        """What ends of a bar stand for in a plane; a short one is a pick-up, or completes one."""
        bar, repeat, part = plane
        whole, left = BEAT * bar, np.arange(_PLACES)
        is_short = left > 0
        target = np.array([self._word[name] for name in _ENDS]).repeat(_PLACES).reshape(-1, _PLACES)
        if part == UPBEAT:
            target[0, is_short] = self._word[SHORT]
        lines = (BAR, CLOSE, SHORT, TIED)
        fits = np.isin(target, [self._word[line] for line in lines if self._turns[repeat][line]])
        fits &= (left < whole) | (bar == 0)
        # a usual pick-up (at most half a bar) completes such a bar
        likely = ((left % BEAT == 0) | (2 * left == BEAT)) & (2 * left <= whole)
        ends_part = (part == UPBEAT) & likely & (target != self._word[TIED])
        fits &= ~is_short | (part == FIRST_BAR) | ends_part
        planes = np.full(_PLACES, self._planes[plane])
        if part == FIRST_BAR:
            began = [self._planes[_Plane(bar, repeat, after)] for after in (WHOLE, UPBEAT)]
            planes = np.where(is_short, began[1], began[0])
        forbidden = [[self._state(bar, repeat, UPBEAT, line)] for line in (BAR, CLOSE, BAR)]
        return np.where(fits, planes + target, forbidden).ravel(), fits.ravel()

    def _header_codes(self) -> _Ids:
        """The rows of the header: ``M:``, ``L:``, key; an unsupported metre or unit: free bars.

        A code is a state of the header; then come the numbers of unit notes in a bar, for its key.
        """
        known = [item for item in _headers() if self._ids.keys() >= set(item[0])]
        begun = dict.fromkeys(text[:at] for text, _ in known for at in range(len(text)))
        state = {text: number for number, text in enumerate(begun or [""])}
        codes = np.full((len(state), self._size), int(_Code.LOST))
        codes[:, END] = _Code.NO_END
        for text, bar in known:
            for at, character in enumerate(text):
                after = state.get(text[: at + 1], len(state) + bar)
                codes[state[text[:at]], self._ids[character]] = after
        return codes

    def _header_leads(self) -> _Leads:
        """What the codes stand for in the header."""
        size = len(self._header)
        states = np.zeros(self._last_codes + len(_Code), np.int64)
        states[:size] = np.arange(size)
        for bar in _BARS:
            states[size + bar] = self._state(bar, CLOSED, FIRST_BAR, _KEY)
        states[_Code.LOST] = self._state(0, CLOSED, UPBEAT, _LOST)
        return states, np.arange(len(states)) < self._last_codes


def _set(codes: _Ids, rows: _Ids, symbols: _Ids, leads: _Ids, fits: NDArray[np.bool_]) -> None:
    rows, symbols, leads, fits = np.broadcast_arrays(rows, symbols, leads, fits)
    codes[rows[fits], symbols[fits]] = leads[fits]


def _headers() -> Iterator[tuple[str, int]]:
    """Header text before the key, and unit notes per bar."""
    for metre_text, unit in product(_METRES, _UNITS):
        found = metre(metre_text)
        assert found is not None
        bar, rest = divmod(found[0] * int(unit[2:]), found[1])
        if not rest and bar in _BARS:
            yield f"M:{metre_text}\nL:{unit}\n", bar
