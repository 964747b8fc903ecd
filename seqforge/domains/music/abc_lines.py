"""What stands between the bars of ABC as an automaton: bar lines, repeats, endings and keys."""

from __future__ import annotations

from typing import NamedTuple

from seqforge.domains.music.abc_words import BAR, CLOSE, START, TIED, UPPER, Move, Moves

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
    """Where a character of a bar line leads."""

    word: str
    repeat: int
    part: int | None = FIRST_BAR
    """Of which the next bar is; None for the same as before."""


Turns = dict[str, dict[str, Turn]]


def turns(repeat: int, inside: dict[str, str]) -> Turns:
    """What may follow each word of a bar line, or of what stands beside one.

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
    """Leave out characters that a model lacks, and those after which none could come."""
    before = -1
    while before != (before := sum(len(found) for turns in tables for found in turns.values())):
        for turns in tables:
            for found in turns.values():
                for character, turn in list(found.items()):
                    if character not in known or tables[turn.repeat].get(turn.word) == {}:
                        del found[character]


def keys(prefix: str, stop: str, target: str) -> Moves:
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
