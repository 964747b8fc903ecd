"""A piece in, a piano roll out, as an array of pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqforge.domains.music.notes import Note, Piece, bar_lines

Pixels = NDArray[np.uint8]

_ROW = 8  # pixels: height of a semitone
_QUARTER, _LEAST_QUARTER = 32, 8  # width of a quarter note; in long pieces it is narrower
KEYS = 28
"""Width of the keyboard at the left, in pixels."""
_GOOD_PIXELS = 2_400  # of time: longer pieces get narrower quarters, as far as can be seen
_MOST_PIXELS = 16_000  # what does not go into that is cut
_LEAST_OCTAVES = 2
_BLACK = {1, 3, 6, 8, 10}  # pitch classes of the black keys
_PAPER, _SHADE, _RULE, _BAR_LINE = (
    (252, 252, 250),
    (240, 240, 236),
    (214, 214, 208),
    (150, 150, 150),
)
_IVORY, _EBONY, _MIDDLE_C = (255, 255, 255), (45, 45, 48), (194, 106, 28)
_INKS = ((11, 110, 153), (179, 38, 30), (46, 125, 50), (123, 63, 160), (194, 106, 28), (70, 70, 70))
"""A colour per program, in order of appearance; loud notes are darker."""
_PRIME_TINT, _PRIME_LINE, _LINE_WIDTH = np.array((0.85, 0.93, 0.97)), (11, 110, 153), 3
_GIVEN = (120, 132, 140)
"""Of the notes that were given, whatever their program."""


def quarter_pixels(piece: Piece) -> int:
    """The width of a quarter note in a piece's roll."""
    quarters = max(1, piece.end / piece.steps_per_quarter)
    return max(_LEAST_QUARTER, min(_QUARTER, int(_GOOD_PIXELS / quarters)))


def piano_roll(piece: Piece, prime_end: int = 0) -> Pixels | None:
    """A piece in, its piano roll (pitch up, time right, keyboard at the left) out; None without
    notes.

    Args:
        piece: What to show.
        prime_end: The step before which everything was given: that is tinted, up to a line, and its
            notes are grey.

    Returns:
        (height, width, 3), RGB.
    """
    if not piece.notes:
        return None
    low, high = _range(piece)
    pixels = quarter_pixels(piece) / piece.steps_per_quarter
    width = min(_MOST_PIXELS, int(np.ceil(piece.end * pixels)) + 1)
    roll = np.empty(((high - low) * _ROW, KEYS + width, 3), np.uint8)
    _draw_paper(roll, low, high)
    end = KEYS + min(width, round(prime_end * pixels))
    roll[:, KEYS:end] = (roll[:, KEYS:end] * _PRIME_TINT).astype(np.uint8)
    for step, _ in bar_lines(piece, piece.end + 1):
        if (x := round(step * pixels)) < width:
            roll[:, KEYS + x] = _BAR_LINE
    if prime_end:
        roll[:, max(KEYS, end - _LINE_WIDTH) : end] = _PRIME_LINE
    programs = list(dict.fromkeys(note.program for note in piece.notes))
    for note in piece.notes:
        ink = _INKS[programs.index(note.program) % len(_INKS)]
        given = note.start < prime_end
        _draw(roll, note, _rows(note.pitch, high), pixels, _GIVEN if given else ink)
    _draw_keyboard(roll, low, high)
    return roll


def octave_names(piece: Piece) -> list[tuple[float, str]]:
    """The name of each C of a piece's roll, and its lower edge in percent from the top."""
    if not piece.notes:
        return []
    low, high = _range(piece)
    return [
        (round(100 * (high - pitch) / (high - low), 2), f"C{pitch // 12 - 1}")
        for pitch in range(low, high, 12)
    ]


def _draw_paper(roll: Pixels, low: int, high: int) -> None:
    for pitch in range(low, high):
        rows = _rows(pitch, high)
        black = pitch % 12 in _BLACK
        roll[rows] = _SHADE if black else _PAPER
        if pitch % 12 in (0, 5):  # between B and C, and between E and F, no black key parts them
            roll[rows.stop - 1] = _RULE


def _range(piece: Piece) -> tuple[int, int]:
    """Whole octaves from C to B that hold all notes: the lowest pitch, and one past the highest."""
    pitches = [note.pitch for note in piece.notes]
    low, high = min(pitches) // 12 * 12, max(pitches) // 12 * 12 + 12
    while high - low < 12 * _LEAST_OCTAVES:
        low, high = (low - 12, high) if low >= 60 else (low, high + 12)
    return low, high


def _rows(pitch: int, high: int) -> slice:
    return slice((high - 1 - pitch) * _ROW, (high - pitch) * _ROW)


def _draw(
    roll: Pixels, note: Note, rows: slice, pixels: float, colour_of: tuple[int, int, int]
) -> None:
    ink = np.array(colour_of)
    strength = 0.45 + 0.55 * note.velocity / 127
    colour = (np.array(_PAPER) * (1 - strength) + ink * strength).astype(np.uint8)
    start = KEYS + round(note.start * pixels)
    stop = KEYS + max(round(note.start * pixels) + 2, round((note.start + note.duration) * pixels))
    inside = slice(rows.start + 1, rows.stop - 1)
    roll[inside, start : stop - 1] = colour  # a pixel stays free before the next note
    roll[inside, start : start + 1] = (ink * 0.6).astype(np.uint8)


def _draw_keyboard(roll: Pixels, low: int, high: int) -> None:
    for pitch in range(low, high):
        rows = _rows(pitch, high)
        roll[rows, :KEYS] = _IVORY
        if pitch == 60:
            roll[rows, :KEYS] = _MIDDLE_C
        if pitch % 12 in _BLACK:
            roll[rows, : KEYS * 2 // 3] = _EBONY
        if pitch % 12 in (0, 5):
            roll[rows.stop - 1, :KEYS] = _BAR_LINE
    roll[:, KEYS - 1] = _EBONY
