"""MusicXML to pieces, through music21, which is imported only when such a file comes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqforge.base.encodings import mark_of
from seqforge.base.file_types import HEAD
from seqforge.core.opening import read_bytes, refuse_foreign
from seqforge.domains.music.midi import MOST_BYTES, MOST_NOTES
from seqforge.domains.music.notes import (
    DRUMS,
    MOST_QUARTERS,
    KeySignature,
    Note,
    Piece,
    Tempo,
    TimeSignature,
    normalised,
)
from seqforge.errors import InputError

_UNPACKED = 5 * MOST_BYTES  # XML of a symphony; beyond it an archive means harm
# Bars of a hundred beats and a hundred repetitions, which music21 would go on counting out.
_ENDLESS = re.compile(r"<beats>[^<]*\d{3}|<repeat[^>]*times\s*=\s*.\d{3}")


def read_musicxml(path: Path, steps_per_quarter: int) -> tuple[Piece, str]:
    """The piece in a MusicXML file (.musicxml, .xml, .mxl) and a note, as `midi.read_midi`.

    Raises:
        InputError: If music21 is missing, or the file is too large, damaged or without notes.
    """
    text = _text(path)
    if found := _ENDLESS.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise InputError(f"{path}:{line}: no music has so many beats or repetitions; correct it")
    try:
        from music21 import converter  # 0.4 s
    except ImportError as error:
        raise InputError(f"{path}: reading MusicXML needs music21; pip install music21") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            score = converter.parseData(text, format="musicxml")  # of a file it would keep a pickle
            piece, note = _piece(_expanded(score), steps_per_quarter)
    except Exception as error:  # music21 raises whatever its parts raise
        raise InputError(
            f"{path}: music21 cannot read it as MusicXML ({_reason(error)}); "
            "export it again from a notation program"
        ) from error
    if not 0 < len(piece.notes) <= MOST_NOTES:
        raise InputError(f"{path}: has {'too many notes' if piece.notes else 'no note in it'}")
    if piece.end > MOST_QUARTERS * steps_per_quarter:
        raise InputError(f"{path}: lasts more than {MOST_QUARTERS:,} quarters; cut it into pieces")
    return piece, note


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def score_in(names: Sequence[str]) -> str | None:
    """The score among the files of a .mxl archive; None where it is another kind of archive."""
    if "[Content_Types].xml" in names or "mimetype" in names:  # an office document, an e-book
        return None
    scores = (name for name in names if name.lower().endswith((".xml", ".musicxml")))
    return next((name for name in scores if not name.startswith("META-INF")), None)


def _text(path: Path) -> str:
    data = read_bytes(path, _UNPACKED, "MusicXML", score_in)
    refuse_foreign(path, data[:HEAD])
    mark, encoding = mark_of(data)
    return data[len(mark) :].decode(encoding or "utf-8", "replace")


def _expanded(score: Any) -> Any:
    try:
        return score.expandRepeats()
    except Exception:  # badly formed repeats: as written
        return score


def _piece(score: Any, steps_per_quarter: int) -> tuple[Piece, str]:
    grid = steps_per_quarter
    notes: list[Note] = []
    moved = 0
    for part in list(score.parts) or [score]:
        flat = part.stripTies().flatten()
        instrument = flat.getElementsByClass("Instrument").first()
        program = getattr(instrument, "midiProgram", None) or 0
        if getattr(instrument, "midiChannel", None) == 9:
            program = DRUMS
        for element in flat.notes:
            if element.duration.isGrace or not hasattr(element, "pitches"):
                continue
            start = round(float(element.offset) * grid)
            duration = max(1, round(float(element.quarterLength) * grid))
            velocity = element.volume.velocity or 80
            for pitch in element.pitches:
                moved += abs(start - float(element.offset) * grid) > 1e-6
                number = min(max(int(pitch.midi), 0), 127)
                notes.append(Note(number, velocity, start, duration, program))
    piece = normalised(Piece(tuple(notes), grid, **_changes(score, grid)))
    return piece, f"{moved} of {len(notes)} notes moved to the grid" if moved else ""


def _changes(score: Any, grid: int) -> dict[str, Any]:
    first = (list(score.parts) or [score])[0]
    flat = first.flatten()
    measure = first.getElementsByClass("Measure").first()
    times = [
        TimeSignature(round(float(t.offset) * grid), t.numerator, t.denominator)
        for t in flat.getElementsByClass("TimeSignature")
        if 1 <= t.numerator <= 32 and 1 <= t.denominator <= 64
    ]
    keys = [
        KeySignature(round(float(k.offset) * grid), k.sharps, getattr(k, "mode", "") == "minor")
        for k in flat.getElementsByClass("KeySignature")
        if -7 <= (k.sharps or 0) <= 7 and k.sharps is not None
    ]
    tempos = []
    for mark in score.flatten().getElementsByClass("MetronomeMark"):
        quarters = mark.getQuarterBPM()
        if quarters:
            micro = round(60e6 / min(max(float(quarters), 20), 400))
            tempos.append(Tempo(round(float(mark.offset) * grid), micro))
    pickup = 0
    if measure is not None and measure.paddingLeft:
        pickup = round(float(measure.duration.quarterLength) * grid)
    return {
        "tempos": tuple(tempos),
        "time_signatures": tuple(times),
        "key_signatures": tuple(keys),
        "pickup": pickup,
    }
