"""A piece in, a text of events out, one character a token, and back; and the grammar of that
code.
"""

from __future__ import annotations

import string
from collections import defaultdict
from dataclasses import replace
from enum import IntEnum
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqforge.core.data.constraint import Constraint, PlanarTable
from seqforge.core.data.vocabulary import END, Vocabulary
from seqforge.domains.music.keys import PITCH_CLASS, parse_key
from seqforge.domains.music.notes import (
    DRUMS,
    MOST_QUARTERS,
    Decoded,
    KeySignature,
    Note,
    Piece,
    Tempo,
    TimeSignature,
    bar_length,
    bar_lines,
    normalised,
)

LONGEST = 96
"""Steps of the longest single duration or advance: a whole note on the default grid."""
BAR = "|"
PICKUP = "~"
LONGER = "+"
"""Adds `LONGEST` to a duration."""

_TEMPOS = [round(120 * 2 ** (k / 16)) for k in range(-41, 22)]  # 20 to 298 a minute, 4.4 % apart
_DURATION, _VELOCITY = 12, 80  # the registers at the beginning


def _alphabet(first: int, values: range, common: dict[int, str]) -> dict[int, str]:
    return {value: common.get(value, chr(first + i)) for i, value in enumerate(values)}


# Each block is of assigned, printable characters that no normalisation combines with another.
_LETTERS = string.ascii_uppercase + string.ascii_lowercase
PITCHES = _alphabet(0x100, range(128), dict(enumerate(_LETTERS, 43)))
LENGTHS = _alphabet(0x180, range(1, LONGEST + 1), {6 * n: str(n) for n in range(1, 10)})
ADVANCES = _alphabet(
    0x400, range(1, LONGEST + 1), {6: ".", 12: " ", 18: ":", 24: "-", 36: "_", 48: "="}
)
_VELOCITIES = _alphabet(0x1E00, range(32), {})
PROGRAMS = _alphabet(0x1E20, range(DRUMS + 1), {})
_TEMPO = _alphabet(0x2200, range(len(_TEMPOS)), {})
_KEY = _alphabet(0x2260, range(30), {})
_TIME = _alphabet(0x2500, range(7 * 32), {})


class Kind(IntEnum):
    """The kind of a token."""

    PITCH = 0
    LENGTH = 1
    ADVANCE = 2
    VELOCITY = 3
    PROGRAM = 4
    TEMPO = 5
    KEY = 6
    TIME = 7


_TABLES = (PITCHES, LENGTHS, ADVANCES, _VELOCITIES, PROGRAMS, _TEMPO, _KEY, _TIME)
TOKENS = {
    character: (kind, value)
    for kind, table in zip(Kind, _TABLES, strict=True)
    for value, character in table.items()
}
"""Kind and value of each token but bar lines and `LONGER`; a time signature is `metre_of` it."""


def metre_of(value: int) -> tuple[int, int]:
    """Numerator and denominator of a time signature's value."""
    return value % 32 + 1, 1 << value // 32


def quantised(piece: Piece) -> Piece:
    """A piece in, the piece as the code represents it out: velocities by fours, tempos by 4.4 %."""
    notes = tuple(note._replace(velocity=_velocity(note.velocity)) for note in piece.notes)
    tempos = tuple(
        tempo._replace(microseconds=_microseconds(_tempo_bin(tempo.microseconds)))
        for tempo in piece.tempos
    )
    return normalised(replace(piece, notes=notes, tempos=tempos))


def _velocity(velocity: int) -> int:
    return max(1, 4 * min(31, (velocity + 2) // 4))


def _tempo_bin(microseconds: int) -> int:
    quarters = 60e6 / max(1, microseconds)
    return min(range(len(_TEMPOS)), key=lambda i: abs(_TEMPOS[i] - quarters))


def _microseconds(tempo_bin: int) -> int:
    return round(60e6 / _TEMPOS[tempo_bin])


def encode(piece: Piece, whole: bool = False) -> str:
    """A piece in, its text out, up to the onset of the last note.

    Args:
        piece: Any.
        whole: Whether time goes on to the end of the last note, so that no length that comes
            after it changes that one.
    """
    piece = quantised(piece)
    last = piece.end if whole else max((note.start for note in piece.notes), default=0)
    at = _marks(piece, last)
    text: list[str] = []
    now, duration, velocity, program = 0, _DURATION, _VELOCITY, 0
    for note in piece.notes:
        at[note.start].append(note)
    for step in sorted(at):
        text.append(advanced(step - now))
        now = step
        for item in at[step]:
            if isinstance(item, str):
                text.append(item)
                continue
            if item.program != program:
                text.append(PROGRAMS[program := item.program])
            if item.velocity != velocity:
                velocity = item.velocity
                text.append(_VELOCITIES[velocity // 4])
            text.append(PITCHES[item.pitch])
            if item.duration != duration:
                duration = item.duration
                more, rest = divmod(duration - 1, LONGEST)
                text.append(LENGTHS[rest + 1] + LONGER * more)
    return "".join([*text, advanced(last - now)])


def advanced(steps: int) -> str:
    """Tokens that advance time by so many steps."""
    whole, rest = divmod(steps, LONGEST)
    return ADVANCES[LONGEST] * whole + (ADVANCES[rest] if rest else "")


def _marks(piece: Piece, last: int) -> defaultdict[int, list[Note | str]]:
    """By step: the bar line, then time signature, key and tempo where they change."""
    at: defaultdict[int, list[Note | str]] = defaultdict(list)
    for step, _ in bar_lines(piece, last + 1):
        if step:
            at[step].append(PICKUP if step == piece.pickup else BAR)
    for step, numerator, denominator in piece.time_signatures:
        at[step].append(_TIME[(denominator.bit_length() - 1) * 32 + numerator - 1])
    for step, sharps, minor in piece.key_signatures:
        at[step].append(_KEY[15 * minor + sharps + 7])
    for step, microseconds in piece.tempos:
        at[step].append(_TEMPO[_tempo_bin(microseconds)])
    return at


def bar_end(text: str, given: int, bars: int) -> int | None:
    """The end of the bars-th bar after the first ``given`` tokens; None if it is not there.

    The bar line that ends a bar which those began is not counted.
    """
    following = next((token for token in text[given:] if token in (BAR, PICKUP)), BAR)
    begun = given > 0 and text[given - 1] not in (BAR, PICKUP) and following == BAR
    ends = [place for place, token in enumerate(text, 1) if token == BAR and place > given]
    number = bars - 1 + begun
    return ends[number] if number < len(ends) else None


def decode(text: str, steps_per_quarter: int) -> Decoded:
    """Any text in, its piece out."""
    machine = Machine(steps_per_quarter)
    skipped = sum(not machine.take(character) for character in text)
    piece = machine.piece()
    return Decoded(piece, machine.bars, machine.full_bars, skipped, machine.now)


class Machine:
    """Reads tokens: the registers, and what has sounded."""

    def __init__(self, steps_per_quarter: int) -> None:
        self._grid = steps_per_quarter
        self.now, self.duration, self._velocity, self._program = 0, _DURATION, _VELOCITY, 0
        self.notes: list[Note] = []
        self.fresh = False
        """Whether the last token was a pitch or its duration."""
        self._tempos: list[Tempo] = []
        self._times = [TimeSignature(0, 4, 4)]
        self._keys: list[KeySignature] = []
        self._bar_start, self._pickup = 0, 0
        self.bars = self.full_bars = 0

    def take(self, character: str) -> bool:
        """One token; False if it is none."""
        if character in (BAR, PICKUP):
            self.bar(ends_pickup=character == PICKUP)
        elif character == LONGER:
            self.lengthen(self.duration + LONGEST)
        elif (token := TOKENS.get(character)) is not None:
            self.step(*token)
        else:
            return False
        return True

    def step(self, kind: int, value: int) -> None:
        """A token of a kind that has a value."""
        if kind == Kind.PITCH:
            self.notes.append(Note(value, self._velocity, self.now, self.duration, self._program))
        elif kind == Kind.LENGTH:
            self.lengthen(value)
            return
        elif kind == Kind.ADVANCE:
            self.now = min(self.now + value, MOST_QUARTERS * self._grid)
        elif kind == Kind.VELOCITY:
            self._velocity = max(1, 4 * value)
        elif kind == Kind.PROGRAM:
            self._program = value
        elif kind == Kind.TEMPO:
            self._tempos.append(Tempo(self.now, _microseconds(value)))
        elif kind == Kind.KEY:
            self._keys.append(KeySignature(self.now, value % 15 - 7, value >= 15))
        else:
            self._times.append(TimeSignature(self.now, *metre_of(value)))
        self.fresh = kind == Kind.PITCH

    def lengthen(self, duration: int) -> None:
        """A duration: the register, and the note just sounded."""
        self.duration = min(duration, MOST_QUARTERS * self._grid)
        if self.fresh:
            self.notes[-1] = self.notes[-1]._replace(duration=self.duration)

    def bar(self, ends_pickup: bool) -> None:
        """A bar line: one may end the pick-up, the others are only compared with the metre."""
        if ends_pickup and not self._pickup:
            self._pickup = self.now
        else:
            self.bars += 1
            wanted = bar_length(self._times[-1], self._grid)
            self.full_bars += abs(self.now - self._bar_start - wanted) < 1
        self._bar_start = self.now
        self.fresh = False

    def piece(self) -> Piece:
        """All that has been read."""
        return normalised(
            Piece(
                tuple(self.notes),
                self._grid,
                tuple(self._tempos),
                tuple(self._times),
                tuple(self._keys),
                self._pickup,
            )
        )


_LONGEST = 24  # quarters in a bar; what is longer is not counted
_OTHER, _NOTE, _LENGTH = 0, 1, 2  # what has just been said
_SAID = 3


@lru_cache(maxsize=2)
def grammar(vocabulary: Vocabulary, steps_per_quarter: int, held: str = "") -> Constraint | None:
    """The grammar mask of a model's tokens; None if they cannot fill a bar.

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


_Bools = NDArray[np.bool_]
_States = NDArray[np.int32]


class _Table:
    """All states of all bar lengths, before those that nothing leads to are left out.

    A plane is a bar length and whether a pick-up may end in this bar; in it a row is a place and
    what has just been said. The last plane has one state: all of a music whose metre is not
    counted. What a symbol means in a row is a code; a plane says where each code leads.
    """

    def __init__(self, vocabulary: Vocabulary, steps_per_quarter: int, held: str) -> None:
        self._grid, self._scale = steps_per_quarter, scale(held) if held else None
        self._size = len(vocabulary)
        self._ids = {symbol: number for number, symbol in enumerate(vocabulary.symbols, 1)}
        self._tokens = [(self._ids[s], *TOKENS[s]) for s in vocabulary.symbols if s in TOKENS]
        times = [metre_of(value) for _, kind, value in self._tokens if kind == Kind.TIME]
        self._meanings = sorted({self._bar(*metre) for metre in times})
        begin = self._bar(4, 4)
        lengths = {*self._meanings, begin} - {0}
        # A sample begins in a bar of 4/4, which is what stands where nothing is said.
        every = product(sorted(lengths), (True, False))
        ordered = sorted(every, key=lambda one: one != (begin, True))
        self._planes: dict[tuple[int, bool], int] = {}
        self._uncounted = 0
        for length, pickup in ordered:
            self._planes[length, pickup] = self._uncounted
            self._uncounted += (length + 1) * _SAID
        self._places = np.arange(max(lengths) + 1)
        self._fillable = self._filled()

    def constraint(self) -> Constraint | None:
        """The automaton."""
        planes = [self._plane(length, pickup) for length, pickup in self._planes]
        planes.append(self._uncounted_plane(len(planes[0][0])))
        sizes = [(length + 1) * _SAID for length, _ in self._planes]
        rows = [np.arange(size) for size in sizes]
        return PlanarTable(
            codes=self._codes(),
            leads=np.array([leads for leads, _ in planes], np.int32),
            allowed=np.array([allowed for _, allowed in planes]),
            planes=np.repeat(np.arange(len(planes)), [*sizes, 1]),
            rows=np.concatenate([*rows, [len(self._places) * _SAID]]),
            begun=self._begun(),
        ).reachable()

    def _begun(self) -> _States:
        """What a prime began is a whole bar, and no pick-up."""
        begun = np.arange(self._uncounted + 1, dtype=np.int32)
        for (length, pickup), base in self._planes.items():
            inside = np.arange(1, (length + 1) * _SAID, dtype=np.int32)
            if pickup:
                begun[base + inside] = self._planes[length, False] + inside
        return begun

    def _bar(self, numerator: int, denominator: int) -> int:
        """Steps of a bar; 0 where it is not counted."""
        length = bar_length(TimeSignature(0, numerator, denominator), self._grid)
        return int(length) if length == int(length) and length <= _LONGEST * self._grid else 0

    def _meant(self, length: int, pickup: bool) -> int:
        """The state after a time signature of bars of a length."""
        return self._planes[length, pickup] if length else self._uncounted

    def _filled(self) -> _Bools:
        """Whether advances that the model knows add up to so many steps."""
        advances = [value for _, kind, value in self._tokens if kind == Kind.ADVANCE]
        found = np.zeros(_LONGEST * self._grid + 1, np.bool_)
        found[0] = True
        for steps in range(1, len(found)):
            found[steps] = any(steps >= value and found[steps - value] for value in advances)
        return found

    def _codes(self) -> NDArray[np.int64]:
        """What each symbol means in each row (R, V)."""
        count = len(self._places)
        place, said = np.repeat(self._places, _SAID), np.tile(np.arange(_SAID), count)
        codes = np.repeat((said * count + place)[:, None], self._size, axis=1)
        advance = 2 * _SAID * count
        bar = advance + count + LONGEST
        time = bar + 2 * count
        for number, kind, value in self._tokens:
            if kind == Kind.ADVANCE:
                codes[:, number] = advance + place + value
            elif kind == Kind.TIME:
                meaning = self._meanings.index(self._bar(*metre_of(value)))
                codes[:, number] = time + 2 * meaning + (place + said == 0)
            else:
                then, fits = self._stays(kind, value, said)
                codes[:, number] = (_SAID * fits + then) * count + place
        for symbol, found in (
            (LONGER, (_SAID * (said == _LENGTH) + _LENGTH) * count + place),
            (BAR, bar + place), (PICKUP, bar + count + place),
        ):  # fmt: skip
            if symbol in self._ids:
                codes[:, self._ids[symbol]] = found
        codes[:, END] = time + 2 * len(self._meanings) + (said != _OTHER)
        return np.concatenate([codes, self._uncounted_codes(codes)])

    def _stays(self, kind: int, value: int, said: NDArray[np.int64]) -> tuple[int, Any]:
        """Of a token that takes no time, what it says, and whether it may come after each."""
        if kind == Kind.LENGTH:
            return _LENGTH, said == _NOTE
        if kind == Kind.PITCH:
            return _NOTE, self._scale is None or value % 12 in self._scale
        return _OTHER, kind != Kind.KEY or self._scale is None

    def _uncounted_codes(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row (1, V) of what is not counted; it differs for time signatures and the end."""
        end = codes[:, END].max()
        found = np.full((1, self._size), end + 1)
        found[0, END] = end
        for number, kind, _ in self._tokens:
            if kind == Kind.TIME:
                found[0, number] = codes[0, number]
        return found

    def _plane(self, length: int, pickup: bool) -> tuple[NDArray[Any], _Bools]:
        """Where each code leads in a plane, and whether it is allowed."""
        base, places = self._planes[length, pickup], self._places
        inside = (places < length) & self._fillable[np.maximum(length - places, 0)]
        stays = base + np.minimum(places, length) * _SAID + np.arange(_SAID)[:, None]
        reached = np.arange(len(places) + LONGEST)
        after = np.minimum(reached, length)
        next_bar = np.full(2 * len(places), self._planes[length, False])
        leads = [stays.ravel(), stays.ravel(), base + after * _SAID, next_bar]
        allowed = [
            np.zeros(stays.size, np.bool_), np.tile(inside, _SAID),
            (reached <= length) & self._fillable[length - after],
            places == length, inside & (places > 0) & pickup,
        ]  # fmt: skip
        return self._with_the_rest(leads, allowed, pickup)

    def _uncounted_plane(self, codes: int) -> tuple[NDArray[Any], _Bools]:
        rest = codes - 2 * len(self._meanings) - 3
        return self._with_the_rest([np.zeros(rest, int)], [np.zeros(rest, np.bool_)], False)

    def _with_the_rest(
        self, leads: list[NDArray[Any]], allowed: list[_Bools], pickup: bool
    ) -> tuple[NDArray[Any], _Bools]:
        """The codes of time signatures, of the end, and of what is not counted, added."""
        meant = np.repeat([self._meant(one, pickup) for one in self._meanings], 2)
        pairs = np.tile([False, True], len(self._meanings) + 1)  # forbidden, allowed
        return (
            np.concatenate([*leads, meant.astype(int), [0, 0, self._uncounted]]),
            np.concatenate([*allowed, pairs, [True]]),
        )
