"""The measures of a score's parts to the notes of a piece, in the order in which they sound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from seqforge.domains.music.midi import MOST_NOTES
from seqforge.domains.music.midi_tracks import Repairs
from seqforge.domains.music.musicxml_measures import Measure, Struck
from seqforge.domains.music.notes import (
    DRUMS,
    MOST_QUARTERS,
    KeySignature,
    Note,
    Piece,
    Tempo,
    TimeSignature,
    normalised,
    pickup_metre,
    tempo_of,
)
from seqforge.domains.music.playing_order import MOST_PLAYED, Marks, playing_order
from seqforge.errors import InputError


def played_piece(
    parts: Sequence[Sequence[Measure]], grid: int, where: str, repairs: Repairs
) -> tuple[list[Note], Piece]:
    """All notes as they are written, and the piece in normal form.

    Args:
        parts: Of each the measures.
        grid: Steps a quarter.
        where: What messages call the file.
        repairs: Where what is changed is counted.

    Raises:
        InputError: If it has too many notes or lasts too long.
    """
    count = max(map(len, parts), default=0)
    bars = [_bar([part[n] for part in parts if n < len(part)]) for n in range(count)]
    order = playing_order([bar.marks for bar in bars])
    starts = [Fraction(0)]
    for number in order:
        starts.append(starts[-1] + bars[number].length)
    too_long = InputError(
        f"{where}: lasts more than {MOST_QUARTERS:,} quarters; cut it into pieces"
    )
    if len(order) > MOST_PLAYED or starts[-1] > MOST_QUARTERS:
        raise too_long
    layer = _Layer(grid)
    for part in parts:
        layer.lay(part, order, starts)
        if len(layer.notes) > MOST_NOTES:
            raise InputError(f"{where}: has more than {MOST_NOTES:,} notes; cut it into pieces")
    if any(note.start + note.duration > MOST_QUARTERS * grid for note in layer.notes):
        raise too_long  # a note of a chord may be longer than its bar
    if layer.moved:
        repairs.add(f"{{n}} of {len(layer.notes):,} notes moved to the grid", layer.moved)
    times, pickup = _metres(
        [bars[number] for number in order], [layer.step(s) for s in starts], grid
    )
    piece = Piece(
        tuple(layer.notes),
        grid,
        tuple(_tempos(bars, order, starts, layer)),
        tuple(times),
        tuple(_keys(parts, order, starts, layer)),
        pickup,
    )
    return layer.notes, normalised(piece)


def _bar(measures: Sequence[Measure]) -> Measure:
    """What all parts together say of a bar; its notes are left out."""
    bar = Measure(metre=measures[0].metre, marks=Marks())
    bar.length = max(measure.length for measure in measures)
    if not bar.length:
        numerator, denominator = bar.metre or (4, 4)
        bar.length = Fraction(4 * numerator, denominator)
    for measure in measures:
        bar.marks.add(measure.marks)
        bar.tempos += measure.tempos
    return bar


class _Layer:
    """Lays the notes of parts along time, tied ones as one."""

    def __init__(self, grid: int) -> None:
        self._grid = grid
        self.notes: list[Note] = []
        self.moved = 0

    def step(self, quarters: Fraction) -> int:
        """The nearest step."""
        return int((2 * quarters * self._grid + 1) // 2)

    def lay(
        self, part: Sequence[Measure], order: Sequence[int], starts: Sequence[Fraction]
    ) -> None:
        """Add a part's notes, each tie looked up by where the note before it ends."""
        tied: dict[tuple[int, int, Fraction], int] = {}
        for number, start in zip(order, starts, strict=False):
            if number >= len(part):
                continue
            for struck in sorted(part[number].notes, key=_onset):
                begin = start + struck.onset
                end = begin + struck.length
                place = tied.pop((struck.pitch, struck.program, begin), None)
                if place is not None:  # some programs write no stop of a tie
                    note = self.notes[place]
                    self.notes[place] = note._replace(duration=self._until(note.start, end))
                else:
                    place = len(self.notes)
                    self.notes.append(self._note(struck, begin, end))
                if struck.goes_on:
                    tied[struck.pitch, struck.program, end] = place

    def _note(self, struck: Struck, begin: Fraction, end: Fraction) -> Note:
        first = self.step(begin)
        self.moved += first != begin * self._grid
        return Note(struck.pitch, struck.velocity, first, self._until(first, end), struck.program)

    def _until(self, first: int, end: Fraction) -> int:
        return max(1, self.step(end) - first)


def _onset(struck: Struck) -> Fraction:
    return struck.onset


def _metres(
    bars: Sequence[Measure], steps: Sequence[int], grid: int
) -> tuple[list[TimeSignature], int]:
    """Time signatures such that bar lines fall where they are written, and the pick-up.

    A bar too short or too long has a time signature of its own, but for the pick-up, the last bar,
    and two that make one together, as do the end of a part and the pick-up of the next.
    """
    found: list[TimeSignature] = []
    pickup = number = 0
    while number < len(bars):
        place, metre = number, bars[number].metre
        number += 1
        if metre is None:
            continue
        wanted = Fraction(4 * metre[0], metre[1])
        length = bars[place].length
        own = None
        if place == 0 and length < wanted and len(bars) > 1:
            pickup = steps[1]
        elif length != wanted and number < len(bars):
            following = bars[number]
            if following.metre == metre and length + following.length == wanted:
                number += 1
            else:
                own = pickup_metre(steps[number] - steps[place], grid)
        found.append(TimeSignature(steps[place], *(own or metre)))
    return found, pickup


def _tempos(
    bars: Sequence[Measure], order: Sequence[int], starts: Sequence[Fraction], layer: _Layer
) -> Iterable[Tempo]:
    for number, start in zip(order, starts, strict=False):
        for offset, quarters in bars[number].tempos:
            yield Tempo(layer.step(start + offset), tempo_of(quarters))


def _keys(
    parts: Sequence[Sequence[Measure]],
    order: Sequence[int],
    starts: Sequence[Fraction],
    layer: _Layer,
) -> Iterable[KeySignature]:
    """Those of the first part that has any and is no percussion."""
    said = [part for part in parts if any(measure.keys for measure in part)]
    pitched = [part for part in said if any(n.program != DRUMS for m in part for n in m.notes)]
    for part in (pitched or said)[:1]:
        for number, start in zip(order, starts, strict=False):
            for offset, sharps, is_minor in part[number].keys if number < len(part) else ():
                yield KeySignature(layer.step(start + offset), sharps, is_minor)
