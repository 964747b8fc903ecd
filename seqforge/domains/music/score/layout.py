"""Piece to score: parts, staves and clefs; bars with their keys; tempo marks."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace

from seqforge.domains.music.keys import find_key
from seqforge.domains.music.notes import (
    DEFAULT_TEMPO,
    DRUMS,
    KeySignature,
    Note,
    Piece,
    Tempo,
    normalised,
    resampled,
)
from seqforge.domains.music.score.hands import changing_clefs, clef_for, hands, needs_two_staves
from seqforge.domains.music.score.metre import QUARTER, Bar, bars_of
from seqforge.domains.music.score.values import Value, values_of
from seqforge.domains.music.score.voices import Voice, percussion, voices_of

_FEW_TEMPOS = 12  # more of them are a performance's rubato, of which one mark is made
_PERCUSSION = ("percussion", 0)


@dataclass(frozen=True)
class Staff:
    """Five lines: their clef and the voices on them."""

    clefs: dict[int, tuple[str, int]]
    """G, F or percussion, and octaves that it is moved by; by the number of the bar it begins."""
    voices: list[Voice]

    def values(self, bar: Bar) -> list[list[Value]]:
        """The signs of each voice in a bar; the first is always there, as a rest if need be."""
        found = []
        for number, voice in enumerate(self.voices):
            sounds = voice.within(bar)
            if sounds or number == 0:
                spans = voice.divisions.within(bar.start, bar.end)
                found.append(values_of(sounds, bar, spans))
        return found or [values_of([], bar, [])]


@dataclass(frozen=True)
class Part:
    """The staves of an instrument."""

    program: int
    staves: list[Staff]
    pitches: tuple[int, ...]
    """All that occur, ascending."""


@dataclass(frozen=True)
class Score:
    """What a writer needs."""

    bars: list[Bar]
    keys: dict[int, KeySignature]
    """By the number of the bar in which they begin."""
    tempos: list[Tempo]
    parts: list[Part]
    prime_end: int

    def part_named(self) -> bool:
        """Whether instruments have to be told apart."""
        return len(self.parts) > 1


def score_of(piece: Piece, prime_end: int = 0) -> Score:
    """The score of any piece.

    Args:
        piece: On any grid.
        prime_end: Steps of the piece; notes that begin before it are given.
    """
    prime_end = -(-prime_end * QUARTER // piece.steps_per_quarter)
    piece = resampled(normalised(piece), QUARTER)
    bars = bars_of(piece)
    parts = [
        _part(replace(piece, notes=tuple(notes)), program, bars, prime_end)
        for program, notes in _by_program(piece)
    ]
    voices = [voice for part in parts for staff in part.staves for voice in staff.voices]
    last = max((voice.sounds[-1].end for voice in voices), default=0)
    bars = [bar for number, bar in enumerate(bars) if bar.start < last or number == 0]
    return Score(bars, _keys(piece, bars), _tempos(piece), parts, prime_end)


def _by_program(piece: Piece) -> list[tuple[int, list[Note]]]:
    """Programs with their notes as scores have them: from high to low, drums last."""
    found: dict[int, list[Note]] = {} if piece.notes else {0: []}
    for note in piece.notes:
        found.setdefault(note.program, []).append(note)

    def place(item: tuple[int, list[Note]]) -> tuple[bool, float]:
        program, notes = item
        return program == DRUMS, -sum(note.pitch for note in notes) / max(1, len(notes))

    return sorted(found.items(), key=place)


def _part(piece: Piece, program: int, bars: list[Bar], prime_end: int) -> Part:
    notes = list(piece.notes)
    pitches = tuple(sorted({note.pitch for note in notes}))
    if program == DRUMS:
        return Part(
            program, [Staff({0: _PERCUSSION}, [percussion(notes, bars, prime_end)])], pitches
        )
    if needs_two_staves(notes):
        staves = [
            _hand(taken, sign, bars, prime_end)
            for sign, taken in zip("GF", hands(notes), strict=True)
        ]
        return Part(program, staves, pitches)
    voices = voices_of(notes, bars, prime_end) if notes else []
    return Part(program, [Staff({0: clef_for(notes)}, voices)], pitches)


def _hand(notes: list[Note], sign: str, bars: list[Bar], prime_end: int) -> Staff:
    voices = voices_of(notes, bars, prime_end) if notes else []
    sounding = [[sound for voice in voices for sound in voice.within(bar)] for bar in bars]
    signs = changing_clefs([[p for s in inside for p in s.pitches] for inside in sounding], sign)
    changes = [n for n, now in enumerate(signs) if n == 0 or now != signs[n - 1]]
    return Staff({number: (signs[number], 0) for number in changes}, voices)


def _keys(piece: Piece, bars: list[Bar]) -> dict[int, KeySignature]:
    """The key signatures, each at its nearest bar line; the first is heard where none is given."""
    keys = list(piece.key_signatures)
    if not keys or keys[0].step > 0:
        stop = keys[0].step if keys else piece.end + 1
        heard, _ = find_key(note for note in piece.notes if note.start < stop)
        keys.insert(0, KeySignature(0, heard.sharps, heard.minor))
    starts = [bar.start for bar in bars]
    found: dict[int, KeySignature] = {}
    for key in keys:
        number = bisect_right(starts, key.step) - 1
        if number + 1 < len(bars) and key.step - starts[number] > bars[number].length / 2:
            number += 1
        found[number] = key
    changes: dict[int, KeySignature] = {}
    for number in sorted(found):
        before = list(changes.values())[-1:]
        if not before or before[0].sharps != found[number].sharps:
            changes[number] = found[number]
    return changes


def _tempos(piece: Piece) -> list[Tempo]:
    """The tempo marks; of a performance one, at which it is half the time slower."""
    tempos = list(piece.tempos) or [Tempo(0, DEFAULT_TEMPO)]
    if len(tempos) <= _FEW_TEMPOS:
        return tempos
    ends = [tempo.step for tempo in tempos[1:]] + [max(piece.end, tempos[-1].step)]
    lasting = sorted(
        (tempo.microseconds, end - tempo.step) for tempo, end in zip(tempos, ends, strict=True)
    )
    half, passed = sum(steps for _, steps in lasting) / 2, 0
    for microseconds, steps in lasting:
        passed += steps
        if passed >= half:
            return [Tempo(0, microseconds)]
    return tempos[:1]
