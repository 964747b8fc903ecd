"""What is played by which hand: notes of a keyboard to two staves, and the clefs of staves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from seqforge.domains.music.notes import Note, skyline

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


def hands(notes: Sequence[Note]) -> tuple[list[Note], list[Note]]:
    """The notes of the right and of the left hand: about middle C, as chords and lines lie.

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
    """The clef in which the notes are least off the staff: its sign and octave."""

    def off(clef: tuple[str, int]) -> float:
        low, high = CLEFS[clef]
        away = sum(max(0, low - note.pitch, note.pitch - high) for note in notes)
        return away / max(1, len(notes)) + (_OCTAVE_CLEF if clef[1] else 0)

    return min(CLEFS, key=off)


def changing_clefs(pitches: Sequence[Sequence[int]], first: str) -> list[str]:
    """G or F for each bar of a hand's staff: few ledger lines, few changes.

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
