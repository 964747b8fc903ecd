"""MIDI files to pieces and back: our own reader, which salvages; mido writes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mido

from seqforge.base.file_types import HEAD
from seqforge.core.opening import read_bytes, refuse_foreign
from seqforge.domains.music.keys import key_from_signature
from seqforge.domains.music.midi_events import read_events
from seqforge.domains.music.midi_pieces import DRUM_CHANNEL, MOST_NOTES, PieceReader
from seqforge.domains.music.midi_tracks import PICKUP_MARKER, Repairs
from seqforge.domains.music.notes import (
    DRUMS,
    Note,
    Piece,
    TimeSignature,
    implied_pickup,
    pickup_metre,
)

__all__ = ["MOST_BYTES", "MOST_NOTES", "midi_bytes", "parse_midi", "read_midi"]

MOST_BYTES = 10_000_000


def read_midi(path: Path, steps_per_quarter: int) -> tuple[Piece, str]:
    """The piece in a MIDI file, on the grid, and what reading it changed (empty for nothing).

    Raises:
        InputError: If the file is too large, no MIDI, without notes or timed in nothing.
    """
    data = read_bytes(path, MOST_BYTES, "a MIDI file")
    refuse_foreign(path, data[:HEAD])
    return parse_midi(data, steps_per_quarter, str(path))


def parse_midi(data: bytes, steps_per_quarter: int, where: str) -> tuple[Piece, str]:
    """As `read_midi`, from the bytes of a file that messages call ``where``."""
    repairs = Repairs()
    reader = PieceReader(read_events(data, where, repairs), steps_per_quarter, where, repairs)
    piece = reader.piece()
    return piece, ", ".join(filter(None, (reader.moved(), repairs.said())))


def midi_bytes(piece: Piece, text: str = "") -> bytes:
    """The piece as a MIDI file of format 1, a tick a step: reading it gives the piece back.

    Args:
        piece: In the form `normalised` gives.
        text: Kept as a text event at the beginning.
    """
    file = mido.MidiFile(type=1, ticks_per_beat=piece.steps_per_quarter, charset="utf-8")
    file.tracks.append(_track(_conductor(piece, text), max(1, piece.end)))
    programs = sorted({note.program for note in piece.notes}) or [0]
    for index, program in enumerate(programs):
        notes = [note for note in piece.notes if note.program == program]
        # 15 channels are not for drums; past them a channel is shared, and told anew each time
        channel = DRUM_CHANNEL if program == DRUMS else (*range(9), *range(10, 16))[index % 15]
        events = _part(notes, program, channel, shared=len(programs) > 15)
        file.tracks.append(_track(events, max(1, piece.end)))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _conductor(piece: Piece, text: str) -> list[tuple[int, int, Any]]:
    events = [(0, 0, mido.MetaMessage("text", text=text))] if text else []
    times = list(piece.time_signatures)
    short = pickup_metre(piece.pickup, piece.steps_per_quarter) if piece.pickup else None
    if times and short:  # see `normalised`: the pick-up is a bar in a metre of its own
        times = [TimeSignature(0, *short), times[0]._replace(step=piece.pickup), *times[1:]]
        if not implied_pickup(times, piece.notes, piece.steps_per_quarter):
            events.append((0, 0, mido.MetaMessage("marker", text=PICKUP_MARKER.decode())))
    for step, numerator, denominator in times:
        meta = mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)
        events.append((step, 1, meta))
    for step, sharps, minor in piece.key_signatures:
        key = str(key_from_signature(sharps, minor))
        events.append((step, 2, mido.MetaMessage("key_signature", key=key)))
    for step, microseconds in piece.tempos:
        events.append((step, 3, mido.MetaMessage("set_tempo", tempo=microseconds)))
    return events


def _part(
    notes: Sequence[Note], program: int, channel: int, shared: bool
) -> list[tuple[int, int, Any]]:
    is_drums = program == DRUMS
    change = mido.Message("program_change", channel=channel, program=0 if is_drums else program)
    events: list[tuple[int, int, Any]] = [] if is_drums else [(0, 0, change)]
    for note in notes:
        if shared and not is_drums:
            events.append((note.start, 1, change))
        on = mido.Message("note_on", channel=channel, note=note.pitch, velocity=note.velocity)
        off = mido.Message("note_off", channel=channel, note=note.pitch, velocity=0)
        events += [(note.start, 2, on), (note.start + note.duration, 0, off)]
    return events


def _track(events: list[tuple[int, int, Any]], end: int) -> Any:
    """A track of (tick, rank, message); ends go before beginnings at the same tick."""
    track, now = mido.MidiTrack(), 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=max(0, end - now)))
    return track
