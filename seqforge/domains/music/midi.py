"""MIDI files to pieces and back, through mido, which is given nothing it could choke on unsaid."""

from __future__ import annotations

import io
import struct
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import mido

from seqforge.domains.music.notes import (
    DEFAULT_TEMPO,
    DRUMS,
    KeySignature,
    Note,
    Piece,
    Tempo,
    TimeSignature,
    normalised,
    pickup_metre,
)
from seqforge.errors import InputError

MOST_BYTES = 10_000_000
MOST_NOTES = 200_000
MOST_SECONDS = 3600.0
_FASTEST, _SLOWEST = 150_000, 3_000_000  # microseconds per quarter: 400 and 20 a minute
_DRUM_CHANNEL = 9

# What mido has been seen to raise on damaged files (KeySignatureError is a plain Exception).
_DAMAGED = (
    OSError, EOFError, ValueError, IndexError, KeyError, ZeroDivisionError, TypeError,
    OverflowError, RuntimeError, struct.error, mido.midifiles.meta.KeySignatureError,
)  # fmt: skip

_MAJOR = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_MINOR = ("Abm", "Ebm", "Bbm", "Fm", "Cm", "Gm", "Dm", "Am", "Em", "Bm", "F#m", "C#m", "G#m", "D#m",
          "A#m")  # fmt: skip
_SIGNATURES = {
    name: (index - 7, minor)
    for minor, names in ((False, _MAJOR), (True, _MINOR))
    for index, name in enumerate(names)
}


def read_midi(path: Path, steps_per_quarter: int) -> tuple[Piece, str]:
    """The piece in a MIDI file, on the grid, and what reading it changed (empty for nothing).

    Raises:
        InputError: If the file is too large, damaged, without notes, or not timed in beats.
    """
    if (size := path.stat().st_size) > MOST_BYTES:
        raise InputError(
            f"{path}: {size / 1e6:.0f} MB is too much for a MIDI file (10 MB at most); "
            "is it another kind of file?"
        )
    return parse_midi(path.read_bytes(), steps_per_quarter, str(path))


def parse_midi(data: bytes, steps_per_quarter: int, where: str) -> tuple[Piece, str]:
    """As `read_midi`, from the bytes of a file that messages call ``where``."""
    clean, ticks_per_beat = _standard(data, where)
    try:
        # clip: some writers leave velocities above 127, which every player takes
        file = mido.MidiFile(file=io.BytesIO(clean), clip=True)
    except _DAMAGED as error:
        raise InputError(
            f"{where}: the MIDI data is damaged or cut off ({_reason(error)}); "
            "save the file again from a music program"
        ) from error
    reader = _Reader(ticks_per_beat, steps_per_quarter, where)
    for tick, track, message in _in_time(file.tracks):
        reader.take(tick, track, message)
    return reader.piece(), reader.note()


def _reason(error: BaseException) -> str:
    return "a track ends too early" if isinstance(error, EOFError) else " ".join(str(error).split())


def _standard(data: bytes, where: str) -> tuple[bytes, int]:
    """The file with a header of six bytes and nothing but its tracks; and its ticks per beat.

    What is repaired: a RIFF wrapper or rubbish before the header, a longer header, chunks of other
    kinds, a wrong count of tracks (mido reads 65535 as none), a track said to be longer than the
    file, a format above 2.
    """
    start = data.find(b"MThd", 0, 1024)
    if start < 0 or len(data) < start + 14:
        raise InputError(f"{where}: not a MIDI file (its header is missing)")
    length, kind, _, division = struct.unpack(">IHHH", data[start + 4 : start + 14])
    if kind == 2:
        raise InputError(
            f"{where}: holds independent patterns (MIDI format 2), not one piece; "
            "save it as format 0 or 1"
        )
    if division == 0 or division & 0x8000:
        raise InputError(
            f"{where}: is timed in {'film frames (SMPTE)' if division else 'nothing'}, not in "
            "ticks per quarter note; save it again from a music program"
        )
    place, tracks = start + 8 + length, []
    while place + 8 <= len(data):
        chunk, length = struct.unpack(">4sI", data[place : place + 8])
        if chunk == b"MTrk":
            events = data[place + 8 : place + 8 + length]
            tracks.append(struct.pack(">4sI", chunk, len(events)) + events)
        place += 8 + length
    if not tracks:
        raise InputError(f"{where}: the MIDI file has no track")
    header = struct.pack(">4sIHHH", b"MThd", 6, min(kind, 1), len(tracks), division)
    return header + b"".join(tracks), division


def _in_time(tracks: Sequence[Any]) -> Iterator[tuple[int, int, Any]]:
    """(tick, track number, message) of what a piece is made of, in order of time."""
    found = []
    for number, track in enumerate(tracks):
        tick = 0
        for message in track:
            tick += message.time
            if message.type in _Reader.WANTED:
                found.append((tick, number, message))
    found.sort(key=lambda item: item[0])  # stable: tracks and their events stay in order
    yield from found


class _Reader:
    """Turns events in order of time into a piece on a grid."""

    WANTED = frozenset(
        ("note_on", "note_off", "program_change", "set_tempo", "time_signature", "key_signature")
    )

    def __init__(self, ticks_per_beat: int, steps_per_quarter: int, where: str) -> None:
        self._ticks, self._grid, self._where = ticks_per_beat, steps_per_quarter, where
        self._programs: dict[int, int] = defaultdict(int)
        self._open: dict[tuple[int, int, int], deque[Note]] = defaultdict(deque)  # in ticks
        self._closed: list[Note] = []
        self._tempos: list[Tempo] = []
        self._times: list[TimeSignature] = []
        self._keys: list[KeySignature] = []
        self._seconds, self._tick, self._tempo = 0.0, 0, DEFAULT_TEMPO
        self._count: Counter[str] = Counter()

    def _step(self, tick: int) -> int:
        return (2 * tick * self._grid + self._ticks) // (2 * self._ticks)

    def take(self, tick: int, track: int, message: Any) -> None:
        """One event; raises InputError once the piece is too long to be one."""
        self._seconds += (tick - self._tick) * self._tempo / (1e6 * self._ticks)
        self._tick = tick
        if self._seconds > MOST_SECONDS:
            raise InputError(f"{self._where}: lasts more than an hour; cut it into pieces")
        if message.type == "note_on" and message.velocity > 0:
            self._begin(tick, track, message)
        elif message.type in ("note_on", "note_off"):
            waiting = self._open.get((track, message.channel, message.note))
            if waiting:
                note = waiting.popleft()
                self._closed.append(note._replace(duration=tick - note.start))
        elif message.type == "program_change":
            self._programs[message.channel] = message.program
        elif message.type == "set_tempo":
            self._tempo = min(max(message.tempo, _FASTEST), _SLOWEST)
            self._count["impossible tempos clamped"] += self._tempo != message.tempo
            self._tempos.append(Tempo(self._step(tick), self._tempo))
        elif message.type == "time_signature":
            if 1 <= message.numerator <= 32 and 1 <= message.denominator <= 64:
                time = TimeSignature(self._step(tick), message.numerator, message.denominator)
                self._times.append(time)
            else:
                self._count["impossible time signatures ignored"] += 1
        elif message.key in _SIGNATURES:
            self._keys.append(KeySignature(self._step(tick), *_SIGNATURES[message.key]))

    def _begin(self, tick: int, track: int, message: Any) -> None:
        self._count["notes"] += 1
        if self._count["notes"] > MOST_NOTES:
            raise InputError(f"{self._where}: has more than {MOST_NOTES} notes; cut it into pieces")
        program = DRUMS if message.channel == _DRUM_CHANNEL else self._programs[message.channel]
        note = Note(message.note, message.velocity, tick, 0, program)
        self._open[track, message.channel, message.note].append(note)

    def _salvaged(self) -> list[Note]:
        """Notes that nothing ended: each lasts until the next of its part, a quarter at most."""
        found = []
        starts = sorted({note.start for notes in self._open.values() for note in notes})
        after = dict(pairwise(starts))
        for notes in self._open.values():
            for note in notes:
                gap = after.get(note.start, note.start + self._ticks) - note.start
                found.append(note._replace(duration=min(gap, self._ticks)))
        return found

    def piece(self) -> Piece:
        """All of it; raises InputError where there is no note."""
        salvaged = self._salvaged()
        self._count["notes never ended, cut at the next"] += len(salvaged)
        notes = []
        for note in self._closed + salvaged:
            start, end = self._step(note.start), self._step(note.start + note.duration)
            self._count["moved"] += start * self._ticks != note.start * self._grid
            notes.append(note._replace(start=start, duration=max(1, end - start)))
        if not notes:
            raise InputError(f"{self._where}: there is no note in it")
        return normalised(
            Piece(
                tuple(notes),
                self._grid,
                tuple(self._tempos),
                tuple(self._times),
                tuple(self._keys),
            )
        )

    def note(self) -> str:
        """What was changed, in a few words; after `piece`."""
        notes, moved = self._count.pop("notes"), self._count.pop("moved")
        said = [f"{moved} of {notes} notes moved to the grid"] if moved else []
        return ", ".join(said + [f"{count} {what}" for what, count in self._count.items() if count])


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
        channel = _DRUM_CHANNEL if program == DRUMS else (*range(9), *range(10, 16))[index % 15]
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
    for step, numerator, denominator in times:
        meta = mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)
        events.append((step, 1, meta))
    for step, sharps, minor in piece.key_signatures:
        key = (_MINOR if minor else _MAJOR)[sharps + 7]
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
