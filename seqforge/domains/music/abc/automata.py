"""Options in, transitions of two automata of ABC out: the inside of a bar (notes, tuplets), and
the structure (bar lines, repeats, endings).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

UPPER, LOWER = "ABCDEFG", "abcdefg"
ACCIDENTALS = "^_="
BEAT = 4
"""Quarters in a unit note."""
START, SPACE, TIE = "start", "space", "tie"
BAR, CLOSE, TIED = "|", ":", "-|"
"""The words that end a bar: a bar line, one that begins by closing a repeat, one under a tie."""

_LONGEST = 16  # unit notes in a length written with digits
_ENDED = ("up", "up,", "lo", "lo'", "head")  # without a length; "head": no octave mark
_SLASHED = {1: "/", 3: "3/", 7: "7/"}
_MOST_IN_CHORD = 4


class Move(NamedTuple):
    """A transition: the next word."""

    word: str
    quarters: int = 0
    """Advance of the position in the bar, in quarters of a unit note."""


Moves = dict[str, dict[str, Move]]


def words(held: bool) -> Moves:
    """The automaton inside a bar: for each word (state) its characters and their transitions.

    Args:
        held: Whether notes stay in the key, without accidentals.
    """
    moves: Moves = {START: _begin("", held), SPACE: _begin("", held)}
    tied = {character: move for character, move in _begin("", held).items() if character != "z"}
    moves["tie, space"] = tied
    moves[TIE] = tied | dict.fromkeys(" \n", Move("tie, space")) | {"|": Move(TIED)}
    for word, length in _lengths(moves, held):
        moves[word] |= _after(length, held)
    _groups(moves, held)
    _chords(moves, held)
    return moves


def _begin(prefix: str, held: bool, quarters: int = 0) -> dict[str, Move]:
    """Transitions that begin a note; without a prefix also a tuplet or chord."""
    found = dict.fromkeys(UPPER, Move(prefix + "up", quarters))
    found |= dict.fromkeys(LOWER, Move(prefix + "lo", quarters))
    found["z"] = Move(prefix + "head", quarters)
    if not held:
        found |= dict.fromkeys(ACCIDENTALS, Move(prefix + "acc", quarters))
    if not prefix:
        found |= {"(": Move("(", quarters), "[": Move("[", quarters)}
    return found


def _after(quarters: int, held: bool) -> dict[str, Move]:
    """Transitions after a complete note of this length."""
    found = _begin("", held, quarters) | {
        " ": Move(SPACE, quarters), "\n": Move(SPACE, quarters), "-": Move(TIE, quarters),
        "|": Move(BAR, quarters), ":": Move(CLOSE, quarters),
    }  # fmt: skip
    if quarters in (2, 4):
        found |= {sign: Move(f"{quarters}{sign}") for sign in "<>"}
    return found


def _heads(moves: Moves, prefix: str, held: bool) -> None:
    """Add a note's letter, after its accidental, and up to two octave marks."""
    if not held:
        moves[prefix + "acc"] = dict.fromkeys(UPPER, Move(prefix + "up"))
        moves[prefix + "acc"] |= dict.fromkeys(LOWER, Move(prefix + "lo"))
    for word in _ENDED:
        moves[prefix + word] = {}
    for letter, mark in (("up", ","), ("lo", "'")):
        moves[prefix + letter] = {mark: Move(prefix + letter + mark)}
        moves[prefix + letter + mark] = {mark: Move(prefix + "head")}


def _lengths(moves: Moves, held: bool) -> Iterator[tuple[str, int]]:
    """Add notes with lengths; yields each word of a complete note with its length."""
    _heads(moves, "", held)
    for word in _ENDED:
        moves[word] |= {str(digit): Move(f"{digit}") for digit in range(1, 10)}
        moves[word]["/"] = Move("/")
        yield word, BEAT
    for number in range(1, _LONGEST + 1):
        moves[str(number)] = {}
        if number in _SLASHED:
            moves[str(number)]["/"] = Move(_SLASHED[number])
        yield str(number), BEAT * number
    moves["1"] |= {str(digit): Move(f"1{digit}") for digit in range(_LONGEST - 9)}
    for number, word in _SLASHED.items():
        moves[word] = {"2": Move(f"={2 * number}")}
        if number < 7:
            moves[word]["4"] = moves[word]["/"] = Move(f"={number}")
        yield word, 2 * number
    for quarters in (1, 2, 3, 6, 14):
        moves[f"={quarters}"] = {}
        yield f"={quarters}", quarters


def _groups(moves: Moves, held: bool) -> None:
    """Add groups of equal written length: broken rhythms and triplets."""
    for quarters in (2, 4):
        last, second = f"{quarters}last ", f"{quarters}second "
        for sign in "<>":
            moves[f"{quarters}{sign}"] = {sign: Move(last), **_begin(last, held)}
        moves[last] = _begin(last, held)
        for prefix in (last, second):
            _heads(moves, prefix, held)
        for word in _equal(moves, last, quarters):
            moves[word] |= {
                character: move
                for character, move in _after(2 * quarters, held).items()
                if character not in "<>"
            }
        for word in _equal(moves, second, quarters):
            moves[word] |= _begin(last, held)
    moves["("] = {"3": Move("(3")}
    moves["(3"] = _begin("first ", held)
    _heads(moves, "first ", held)
    for word in _ENDED:
        moves["first " + word] |= _begin("4second ", held)
    for word in _equal(moves, "first ", 2):
        moves[word] |= _begin("2second ", held)


def _equal(moves: Moves, prefix: str, quarters: int) -> list[str]:
    """The words of a complete note of this length; half a unit is written ``/`` or ``/2``."""
    if quarters == BEAT:
        return [prefix + word for word in _ENDED]
    for word in _ENDED:
        moves[prefix + word]["/"] = Move(prefix + "/")
    moves[prefix + "/"] = {"2": Move(prefix + "/2")}
    moves[prefix + "/2"] = {}
    return [prefix + "/", prefix + "/2"]


def _chords(moves: Moves, held: bool) -> None:
    """Add chords; after its bracket a chord continues like a note without octave marks."""
    moves["["] = _begin("1 ", held)
    del moves["["]["z"]
    for number in range(1, _MOST_IN_CHORD + 1):
        prefix = f"{number} "
        _heads(moves, prefix, held)
        for word in _ENDED:
            moves[prefix + word]["]"] = Move("head")
            if number < _MOST_IN_CHORD:
                more = _begin(f"{number + 1} ", held)
                del more["z"]
                moves[prefix + word] |= more


CLOSED, OPEN, FIRST_ENDING = REPEATS = range(3)
"""No repeat is open; one is; its first ending is being played."""
WHOLE, UPBEAT, FIRST_BAR = PARTS = range(3)
"""This part began with a whole bar; it began with a pick-up, so that its last bar may be short; its
first bar is being written."""

SHORT = "| short"
"""A bar line after a short bar: it must end a part, as ``||`` and repeats do."""
EDGE = "\n of a part"
"""The beginning of the line at which a part begins; the first of a tune is one."""
_LINE = "\n"
MAY_END = (BAR, "||", "|]", ":|")
"""What a tune may end with."""
_MODES = ("m", "dor", "mix", "lyd", "phr", "loc")


class Turn(NamedTuple):
    """A transition of the bar-line automaton."""

    word: str
    repeat: int
    part: int | None = FIRST_BAR
    """Part state of the next bar; None: unchanged."""


Turns = dict[str, dict[str, Turn]]


def turns(repeat: int, inside: dict[str, str]) -> Turns:
    """The automaton of bar lines: for each word its characters and their transitions.

    Args:
        repeat: One of `REPEATS`.
        inside: Characters that begin a note, and the words they lead to.
    """

    def goes_on(part: int | None) -> dict[str, Turn]:
        return {character: Turn(word, repeat, part) for character, word in inside.items()}

    new = goes_on(FIRST_BAR)
    new_line = new | {"\n": Turn(EDGE, repeat)}
    edges = {}
    if repeat == CLOSED:
        edges = {"|": Turn("||", CLOSED), "]": Turn("|]", CLOSED), ":": Turn("|:", OPEN)}
    ending = {} if repeat == FIRST_ENDING else {"1": Turn(START, FIRST_ENDING, None)}
    closed = {"|": Turn(":|", CLOSED), ":": Turn("::", OPEN)}
    return {
        BAR: goes_on(None) | edges | ending | {"\n": Turn(_LINE, repeat, None)},
        SHORT: edges,
        TIED: {character: turn for character, turn in goes_on(None).items() if character != "z"}
        | {"\n": Turn("-|\n", repeat, None)},
        "-|\n": {character: turn for character, turn in goes_on(None).items() if character != "z"},
        _LINE: goes_on(None) | {"|": Turn("line |", repeat, None)},
        "line |": edges | ending,
        EDGE: new | {"|": Turn("part |", repeat)},
        "part |": {character: turn for character, turn in edges.items() if character == ":"},
        "||": new_line,
        "|]": new_line,
        "|:": new,
        CLOSE: {"|": Turn(":|2", repeat, None)} if repeat == FIRST_ENDING else closed,
        ":|": new_line,
        ":|2": {"2": Turn(START, CLOSED, None)},
        "::": new_line,
    }


def drop_dead_ends(tables: list[Turns], known: frozenset[str]) -> None:
    """Remove transitions by characters not in the vocabulary, and those to words without any."""
    before = -1
    while before != (before := sum(len(found) for turns in tables for found in turns.values())):
        for turns in tables:
            for found in turns.values():
                for character, turn in list(found.items()):
                    if character not in known or tables[turn.repeat].get(turn.word) == {}:
                        del found[character]


def keys(prefix: str, stop: str, target: str) -> Moves:
    """The automaton of a key field: ``K:``, tonic, accidental, mode and the end character."""
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
