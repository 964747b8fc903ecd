"""A piece in, a score out: parts, staves (left and right hand split), clefs, keys, tempo marks,
pitch spelling.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby, pairwise
from typing import NamedTuple

from seqforge.domains.music.keys import PITCH_CLASS, find_key, signature, spelling
from seqforge.domains.music.notes import (
    DEFAULT_TEMPO,
    DRUMS,
    BarSign,
    KeySignature,
    Note,
    Piece,
    Tempo,
    normalised,
    resampled,
    skyline,
)
from seqforge.domains.music.score.note_values import NoteValue, StaffNote, note_values_of
from seqforge.domains.music.score.quantize import (
    QUARTER,
    SIXTEENTH,
    Bar,
    bars_of,
    in_metre,
    split_at,
    triplet_beats,
)
from seqforge.domains.music.score.voice_separation import Voice, percussion, voices_of

MIDDLE_C = 60
_REACH, _STRETCH = 14, 1.0  # semitones that a hand spans, and what each beyond costs
_WIDE = 19  # a part with a greater range wants two staves
_AWAY = 0.15  # what a semitone from where a hand was costs
_GAP, _APART = 12, 0.4  # hands are this far apart, and what a semitone nearer costs
_OVER = 0.4  # what a semitone on the other hand's side costs, beyond an octave 1 more
_CROSSED = 4.0  # a note beyond those that the other hand holds
_BUSY = 5.0  # what it costs a hand to play while it holds a note
_UNLIKE, _ALIKE = 4.0, 18  # that its notes differ in length, by more than so many steps
_FULL = 2.5  # each note after its third
_LEGATO = 12  # steps that a note is held into the next without being meant to

CLEFS = {("G", 0): (64, 77), ("F", 0): (43, 57), ("G", 1): (76, 89), ("F", -1): (31, 45)}
"""Sign and octave, and the pitches of the lowest and the highest line."""
_CHANGE = 12.0  # what a change of clef costs, in semitones
_LEDGER = 6  # semitones to the second ledger line
_OCTAVE_CLEF = 7.0  # semitones off the staff, on average, that one is worth


def needs_two_staves(notes: Sequence[Note]) -> bool:
    """Whether a part is polyphonic, wide, and on both sides of middle C."""
    pitches = [note.pitch for note in notes]
    if not pitches or max(pitches) - min(pitches) < _WIDE:
        return False
    low = sum(pitch < MIDDLE_C - 3 for pitch in pitches) / len(pitches)
    high = sum(pitch > MIDDLE_C + 3 for pitch in pitches) / len(pitches)
    return min(low, high) > 0.05 and len(skyline(notes)) < 0.9 * len(notes)


def split_hands(notes: Sequence[Note]) -> tuple[list[Note], list[Note]]:
    """A part's notes in, those of the right and of the left hand out.

    Args:
        notes: In order of onset.
    """
    taken: tuple[list[Note], list[Note]] = ([], [])
    keys = [(67, 79), (48, 60)]  # the lowest and the highest under each hand
    held = [0, 0]  # until when
    for start, group in groupby(notes, key=lambda note: note.start):
        chord = sorted(group, key=lambda note: -note.pitch)
        is_busy = [until - start > _LEGATO for until in held]
        cut = min(range(len(chord) + 1), key=lambda cut: _strain(chord, cut, keys, is_busy))
        for hand, part in enumerate((chord[:cut], chord[cut:])):
            taken[hand].extend(part)
            if part:
                keys[hand] = (part[-1].pitch, part[0].pitch)
                held[hand] = max(note.start + note.duration for note in part)
    return taken


def _strain(
    chord: Sequence[Note], cut: int, keys: Sequence[tuple[int, int]], is_busy: Sequence[bool]
) -> float:
    parts = (chord[:cut], chord[cut:])
    strain = 0.0
    if parts[0] and parts[1]:
        upper, lower = parts[0][-1], parts[1][0]
        together = abs(upper.duration - lower.duration) <= _ALIKE
        strain = max(0, _GAP - (upper.pitch - lower.pitch)) * _APART / (1 if together else 2)
    if is_busy[1]:  # what the left hand holds is below what the right plays, and the other way
        strain += _CROSSED * sum(note.pitch < keys[1][1] for note in parts[0])
    if is_busy[0]:
        strain += _CROSSED * sum(note.pitch > keys[0][0] for note in parts[1])
    for notes, (low, high), busy in zip(parts, keys, is_busy, strict=True):
        strain += _AWAY * sum(max(0, low - note.pitch, note.pitch - high) for note in notes)
        if notes:
            lasting = [note.duration for note in notes]
            strain += _STRETCH * max(0, notes[0].pitch - notes[-1].pitch - _REACH) + _BUSY * busy
            strain += _UNLIKE * (max(lasting) - min(lasting) > _ALIKE)
            strain += _FULL * max(0, len(notes) - 3)
    over = [MIDDLE_C - note.pitch for note in parts[0]]
    over += [note.pitch - MIDDLE_C + 1 for note in parts[1]]
    return strain + sum(_OVER * max(0, by) + max(0, by - 12) for by in over)


def clef_for(notes: Sequence[Note]) -> tuple[str, int]:
    """Notes in, the clef (sign, octave) with the fewest ledger lines out."""

    def off(clef: tuple[str, int]) -> float:
        low, high = CLEFS[clef]
        away = sum(max(0, low - note.pitch, note.pitch - high) for note in notes)
        return away / max(1, len(notes)) + (_OCTAVE_CLEF if clef[1] else 0)

    return min(CLEFS, key=off)


def changing_clefs(pitches: Sequence[Sequence[int]], first: str) -> list[str]:
    """G or F for each bar of a hand's staff, with few ledger lines and few changes.

    Args:
        pitches: Of each bar.
        first: The clef that the staff is known by.
    """
    signs = ("G", "F")
    costs = {sign: 0.0 if sign == first else _CHANGE for sign in signs}
    came: list[dict[str, str]] = []
    for inside in pitches:
        best = {
            sign: min(signs, key=lambda old: costs[old] + _CHANGE * (old != sign)) for sign in signs
        }
        came.append(best)
        costs = {
            sign: costs[best[sign]] + _CHANGE * (best[sign] != sign) + _off(inside, sign)
            for sign in signs
        }
    sign = min(signs, key=lambda sign: costs[sign])
    found = [sign]
    for best in reversed(came):
        sign = best[sign]
        found.append(sign)
    return found[-2::-1]


def _off(pitches: Sequence[int], sign: str) -> float:
    """How far beyond two ledger lines, far ones worst, and a little for the lines."""
    low, high = CLEFS[sign, 0]
    away = [max(0, low - pitch, pitch - high) for pitch in pitches]
    return sum(max(0, by - _LEDGER) ** 2 / _LEDGER + by / 10 for by in away)


PitchName = tuple[str, int, int]
"""Letter, alteration in semitones, and octave; middle C is ("C", 0, 4)."""

_BLACK = (1, 3, 6, 8, 10)


def name_of(pitch: int, following: Sequence[int], sharps: int) -> PitchName:
    """A pitch in, its name out.

    A note outside the scale is a lower neighbour raised where a step up follows (E D# E), an upper
    one lowered where a step down does (D Eb D); else what lies nearest on the line of fifths, and
    so too where that would be a white key by another name.

    Args:
        pitch: 0-127.
        following: Pitches of what sounds next in its voice.
        sharps: Of the key signature.
    """
    letter, alter = spelling(sharps)[pitch % 12]
    scale = _scale(sharps)
    if pitch % 12 not in scale:
        up, down = pitch + 1 in following, pitch - 1 in following
        neighbour, by = scale[(pitch - 1 if up else pitch + 1) % 12]
        by += 1 if up else -1
        if up != down and (by == 0 or (pitch % 12 in _BLACK and abs(by) == 1)):
            letter, alter = neighbour, by
    octave = (pitch - alter - PITCH_CLASS[letter]) // 12 - 1
    if octave < 0:  # below what MusicXML can say
        letter, alter = spelling(0)[pitch % 12]
        octave = 0
    return letter, alter, octave


@lru_cache(maxsize=32)
def _scale(sharps: int) -> dict[int, tuple[str, int]]:
    altered = signature(sharps)
    return {
        (place + altered.get(letter, 0)) % 12: (letter, altered.get(letter, 0))
        for letter, place in PITCH_CLASS.items()
    }


class Spelled(NamedTuple):
    """A pitch name in its bar."""

    letter: str
    alter: int
    octave: int
    shows: bool
    """Whether its accidental is written."""


class Speller:
    """Spells the pitches of a part, bar by bar."""

    def __init__(self, voices: Sequence[Voice]) -> None:
        self._names: dict[tuple[int, int], PitchName] = {}
        self._following: dict[int, tuple[int, ...]] = {}  # repetitions passed over
        for voice in voices:
            for following, sound in pairwise(reversed(voice.sounds)):
                if following.start - sound.end <= SIXTEENTH:
                    after = following.pitches
                    if after == sound.pitches:
                        after = self._following.get(id(following), ())
                    self._following[id(sound)] = after

    def spelled(
        self, voices: list[list[NoteValue]], sharps: int
    ) -> Iterator[tuple[tuple[int, int], Spelled]]:
        """(id of a sign, pitch) and its name, for the voices of a staff in a bar.

        An accidental holds for its letter and octave to the end of the bar, and is not repeated
        after a tie.
        """
        altered = signature(sharps)
        said: dict[tuple[str, int], int] = {}
        values = sorted((v for values in voices for v in values), key=lambda value: value.start)
        for value, sound in ((value, value.sound) for value in values if value.sound):
            for pitch in sound.pitches:
                letter, alter, octave = self._named(sound, pitch, sharps)
                shows = not value.from_before and alter != said.get(
                    (letter, octave), altered.get(letter, 0)
                )
                if not value.from_before:
                    said[letter, octave] = alter
                yield (id(value), pitch), Spelled(letter, alter, octave, shows)

    def _named(self, sound: StaffNote, pitch: int, sharps: int) -> PitchName:
        """The name of a pitch, the same in all bars that it is tied through."""
        place = (id(sound), pitch)
        if place not in self._names:
            self._names[place] = name_of(pitch, self._following.get(id(sound), ()), sharps)
        return self._names[place]


_FEW_TEMPOS = 12  # more of them are a performance's rubato, of which one mark is made
_PERCUSSION = ("percussion", 0)


@dataclass(frozen=True)
class Staff:
    """A staff: clefs and voices."""

    clefs: dict[int, tuple[str, int]]
    """G, F or percussion, and octaves that it is moved by; by the number of the bar it begins."""
    voices: list[Voice]

    def values(self, bar: Bar) -> list[list[NoteValue]]:
        """The note values of each voice in a bar; the first voice is always there, with a rest
        if empty."""
        found = []
        for number, voice in enumerate(self.voices):
            sounds = voice.within(bar)
            if sounds or number == 0:
                spans = voice.divisions.within(bar.start, bar.end)
                found.append(note_values_of(sounds, bar, spans))
        return found or [note_values_of([], bar, [])]


@dataclass(frozen=True)
class ScorePart:
    """The staves of an instrument."""

    program: int
    staves: list[Staff]
    pitches: tuple[int, ...]
    """All its pitches, ascending."""


@dataclass(frozen=True)
class Score:
    """A score, ready for writing."""

    bars: list[Bar]
    keys: dict[int, KeySignature]
    """By the number of the bar they begin in."""
    tempos: list[Tempo]
    parts: list[ScorePart]
    prime_end: int
    signs: dict[int, BarSign]
    """Bar lines that are no plain ones, by step."""

    def part_named(self) -> bool:
        """Whether parts need names."""
        return len(self.parts) > 1


def score_of(piece: Piece, prime_end: int = 0, signs: Sequence[BarSign] = ()) -> Score:
    """A piece in, its score out.

    Args:
        piece: On any grid.
        prime_end: Steps of the piece; notes that begin before it are given.
        signs: Bar lines that are no plain ones, in steps of the piece.
    """
    prime_end = -(-prime_end * QUARTER // piece.steps_per_quarter)
    placed = {round(one.step * QUARTER / piece.steps_per_quarter): one for one in signs}
    piece = resampled(normalised(piece), QUARTER)
    bars = in_metre(split_at(bars_of(piece), placed), placed)
    parts = [
        _part(replace(piece, notes=tuple(notes)), program, bars, prime_end)
        for program, notes in _by_program(piece)
    ]
    voices = [voice for part in parts for staff in part.staves for voice in staff.voices]
    last = max((voice.sounds[-1].end for voice in voices), default=0)
    bars = [bar for number, bar in enumerate(bars) if bar.start < last or number == 0]
    return Score(bars, _keys(piece, bars), _tempos(piece), parts, prime_end, placed)


def _by_program(piece: Piece) -> list[tuple[int, list[Note]]]:
    """Programs with their notes as scores have them: from high to low, drums last."""
    found: dict[int, list[Note]] = {} if piece.notes else {0: []}
    for note in piece.notes:
        found.setdefault(note.program, []).append(note)

    def place(item: tuple[int, list[Note]]) -> tuple[bool, float]:
        program, notes = item
        return program == DRUMS, -sum(note.pitch for note in notes) / max(1, len(notes))

    return sorted(found.items(), key=place)


def _part(piece: Piece, program: int, bars: list[Bar], prime_end: int) -> ScorePart:
    notes = list(piece.notes)
    pitches = tuple(sorted({note.pitch for note in notes}))
    if program == DRUMS:
        return ScorePart(
            program, [Staff({0: _PERCUSSION}, [percussion(notes, bars, prime_end)])], pitches
        )
    triplets = triplet_beats(sorted({note.start for note in notes}), bars)
    if needs_two_staves(notes):
        staves = [
            _hand(taken, sign, bars, prime_end, triplets)
            for sign, taken in zip("GF", split_hands(notes), strict=True)
        ]
        return ScorePart(program, staves, pitches)
    voices = voices_of(notes, bars, prime_end, triplets) if notes else []
    return ScorePart(program, [Staff({0: clef_for(notes)}, voices)], pitches)


def _hand(
    notes: list[Note], sign: str, bars: list[Bar], prime_end: int, triplets: frozenset[int]
) -> Staff:
    voices = voices_of(notes, bars, prime_end, triplets) if notes else []
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
    """Tempo marks; for a performance a single one, the median by time."""
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
