"""A piece to look at and to listen to: a piano roll and a plain synthesis, as arrays."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from seqforge.domains.music.notes import (
    DEFAULT_TEMPO,
    DRUMS,
    Note,
    Piece,
    Tempo,
    bar_lines,
)

Picture = NDArray[np.uint8]
Sound = NDArray[np.float32]

_ROW, _QUARTER = 8, 32  # pixels: height of a semitone, width of a quarter note
_KEYS = 28  # width of the keyboard at the left
_MOST_PIXELS = 2_400  # of time; what is longer is cut
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
"""A colour a program, in order of appearance; loud notes are darker."""

_MOST_SECONDS = 20.0
_OVERTONES = 6
_ATTACK, _RELEASE, _DECAY = 0.008, 0.06, 0.9  # seconds; the last to 1/e
_LOUDEST = 0.8


def piano_roll(piece: Piece) -> Picture | None:
    """Pitch upwards, time to the right, a keyboard at the left; None for a piece without notes.

    Returns:
        (height, width, 3), RGB.
    """
    if not piece.notes:
        return None
    low, high = _range(piece)
    pixels = _QUARTER / piece.steps_per_quarter
    width = min(_MOST_PIXELS, int(np.ceil(piece.end * pixels)) + 1)
    roll = np.empty(((high - low) * _ROW, _KEYS + width, 3), np.uint8)
    for pitch in range(low, high):
        rows = _rows(pitch, high)
        black = pitch % 12 in _BLACK
        roll[rows] = _SHADE if black else _PAPER
        if pitch % 12 in (0, 5):  # between B and C, and between E and F, no black key parts them
            roll[rows.stop - 1] = _RULE
    for step, _ in bar_lines(piece, piece.end + 1):
        if (x := round(step * pixels)) < width:
            roll[:, _KEYS + x] = _BAR_LINE
    programs = list(dict.fromkeys(note.program for note in piece.notes))
    for note in piece.notes:
        _draw(roll, note, _rows(note.pitch, high), pixels, programs.index(note.program))
    _draw_keyboard(roll, low, high)
    return roll


def _range(piece: Piece) -> tuple[int, int]:
    """Whole octaves from C to B that hold all notes: the lowest pitch, and one past the highest."""
    pitches = [note.pitch for note in piece.notes]
    low, high = min(pitches) // 12 * 12, max(pitches) // 12 * 12 + 12
    while high - low < 12 * _LEAST_OCTAVES:
        low, high = (low - 12, high) if low >= 60 else (low, high + 12)
    return low, high


def _rows(pitch: int, high: int) -> slice:
    return slice((high - 1 - pitch) * _ROW, (high - pitch) * _ROW)


def _draw(roll: Picture, note: Note, rows: slice, pixels: float, program: int) -> None:
    ink = np.array(_INKS[program % len(_INKS)])
    strength = 0.45 + 0.55 * note.velocity / 127
    colour = (np.array(_PAPER) * (1 - strength) + ink * strength).astype(np.uint8)
    start = _KEYS + round(note.start * pixels)
    stop = _KEYS + max(round(note.start * pixels) + 2, round((note.start + note.duration) * pixels))
    inside = slice(rows.start + 1, rows.stop - 1)
    roll[inside, start : stop - 1] = colour  # a pixel stays free before the next note
    roll[inside, start : start + 1] = (ink * 0.6).astype(np.uint8)


def _draw_keyboard(roll: Picture, low: int, high: int) -> None:
    for pitch in range(low, high):
        rows = _rows(pitch, high)
        roll[rows, :_KEYS] = _IVORY
        if pitch == 60:
            roll[rows, :_KEYS] = _MIDDLE_C
        if pitch % 12 in _BLACK:
            roll[rows, : _KEYS * 2 // 3] = _EBONY
        if pitch % 12 in (0, 5):
            roll[rows.stop - 1, :_KEYS] = _BAR_LINE
    roll[:, _KEYS - 1] = _EBONY


def synthesis(piece: Piece, rate: int) -> Sound | None:
    """The first 20 seconds, each note a plucked tone of a few overtones; None without notes.

    Args:
        piece: Drums become short noise.
        rate: Values a second.

    Returns:
        (time,), the loudest moment at 0.8.
    """
    clock = _Clock(piece)
    notes = [note for note in piece.notes if clock.seconds(note.start) < _MOST_SECONDS]
    if not notes:
        return None
    ends = [min(_MOST_SECONDS, clock.seconds(n.start + n.duration)) + _RELEASE for n in notes]
    mix = np.zeros(int(max(ends) * rate) + 1, np.float32)
    for note, end in zip(notes, ends, strict=True):
        first = int(clock.seconds(note.start) * rate)
        tone = _tone(note, int(end * rate) - first, rate)
        mix[first : first + len(tone)] += tone
    loudest = float(np.abs(mix).max())
    return mix * np.float32(_LOUDEST / loudest) if loudest else None


def _tone(note: Note, length: int, rate: int) -> Sound:
    t = np.arange(length, dtype=np.float32) / np.float32(rate)
    envelope = np.minimum(1, t / _ATTACK) * np.minimum(1, (length / rate - t) / _RELEASE)
    if note.program == DRUMS:
        wave = np.random.default_rng(note.pitch).standard_normal(length) * np.exp(-t / 0.05)
    else:
        pitch = 440 * 2 ** ((note.pitch - 69) / 12)  # equal temperament, A4 at 440 Hz
        wave = np.exp(-t / _DECAY) * sum(
            np.sin(2 * np.pi * pitch * k * t) / k**1.5
            for k in range(1, _OVERTONES + 1)
            if k == 1 or pitch * k < rate / 2
        )
    return np.asarray(wave * envelope * (note.velocity / 127), np.float32)


class _Clock:
    """Steps as seconds, by the tempos of a piece."""

    def __init__(self, piece: Piece) -> None:
        self._grid = piece.steps_per_quarter
        tempos = piece.tempos or (Tempo(0, DEFAULT_TEMPO),)
        self._steps, self._tempos, self._seconds = [0], [DEFAULT_TEMPO], [0.0]
        for step, microseconds in tempos:
            self._seconds.append(self.seconds(step))
            self._steps.append(step)
            self._tempos.append(microseconds)

    def seconds(self, step: int) -> float:
        """When a step is."""
        place = bisect_right(self._steps, step) - 1
        since = (step - self._steps[place]) / self._grid
        return self._seconds[place] + since * self._tempos[place] / 1e6
