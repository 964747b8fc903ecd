"""A MIDI file in, a piece on a grid out, and back."""

from __future__ import annotations

import io
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from seqforge.base.compression import HEAD
from seqforge.base.textio import read_bytes, refuse_foreign
from seqforge.domains.music.keys import key_from_signature
from seqforge.domains.music.midi.event_parser import (
    BANK,
    CONTROL,
    DRUM_PART,
    GS,
    KEY_SIGNATURE,
    MARKER,
    NOTE_OFF,
    NOTE_ON,
    PICKUP_MARKER,
    PROGRAM,
    SOSTENUTO,
    SUSTAIN,
    TEMPO,
    TIME_SIGNATURE,
    MidiEvents,
    Repairs,
    read_events,
)
from seqforge.domains.music.notes import (
    DEFAULT_TEMPO,
    DRUMS,
    FASTEST_TEMPO,
    MOST_QUARTERS,
    SLOWEST_TEMPO,
    KeySignature,
    Note,
    Piece,
    Tempo,
    TimeSignature,
    bar_length,
    count_cut,
    implied_pickup,
    normalised,
    pickup_metre,
)
from seqforge.errors import InputError

MOST_NOTES = 200_000
MOST_SECONDS = 3600
DRUM_CHANNEL = 9

_GM2_DRUMS, _GM2_MELODY, _XG_DRUMS = 120, 121, 127  # banks
_PEDAL_DOWN = 64

_Sounding = tuple[int, int, int, int]
"""Of a note that has begun: tick, pitch, velocity, program."""


@dataclass
class _Channel:
    """State of a MIDI channel."""

    is_drums: bool
    number: int = 0
    """Program."""
    bank: int = 0
    by_bank: bool = False
    """Whether it is a drum channel because of its bank."""
    pedals: set[int] = field(default_factory=set)
    """Pedals that are down."""

    @property
    def program(self) -> int:
        """Program as in `Note`."""
        return DRUMS if self.is_drums else self.number


class PieceReader:
    """MIDI events in, a piece on a grid out.

    Args:
        file: Events of the file.
        steps_per_quarter: Resolution of the grid.
        where: Name of the file in messages.
        repairs: Counts changes and omissions.
    """

    def __init__(
        self, file: MidiEvents, steps_per_quarter: int, where: str, repairs: Repairs
    ) -> None:
        self._file, self._grid, self._where, self._repairs = file, steps_per_quarter, where, repairs
        self._ticks = file.ticks_per_quarter
        self._open: list[dict[int, deque[_Sounding]]] = [defaultdict(deque) for _ in range(16)]
        self._channels = [_Channel(is_drums=number == DRUM_CHANNEL) for number in range(16)]
        self._programs = [channel.program for channel in self._channels]
        self._is_gs = self._marks_pickup = False
        self._closed: list[tuple[int, _Sounding]] = []  # with the end tick of each
        self._tempos: list[Tempo] = []
        self._times: list[TimeSignature] = []
        self._keys: list[KeySignature] = []
        self._seconds, self._since, self._tempo = 0.0, 0, DEFAULT_TEMPO
        self._moved, self._farthest = 0, 0

    def piece(self) -> Piece:
        """The whole piece.

        Raises:
            InputError: If there are no notes, too many, or if it lasts too long.
        """
        self._check_length(self._take())
        self._end_what_sounds()
        notes = self._quantised()
        if not notes:
            said = self._repairs.said()
            raise InputError(
                f"{self._where}: there is no note in it{f' ({said})' if said else ''}; "
                "save it again from a music program"
            )
        pickup = self._taken_pickup() if self._marks_pickup else 0
        changes = tuple(self._tempos), tuple(self._times), tuple(self._keys)
        piece = normalised(Piece(tuple(notes), self._grid, *changes, pickup))
        doubled = len(notes) - len(piece.notes)
        self._repairs.add("{n} note{s} that only doubled another left out", doubled)
        what = "{n} held note{s} cut where the same instrument strikes the pitch again"
        self._repairs.add(what, count_cut(notes, piece))
        return piece

    def _taken_pickup(self) -> int:
        """Length of a marked pick-up in steps; removes its time signature."""
        if len(self._times) < 2 or self._times[0].step:
            return 0
        first, second = self._times[:2]
        if second.step != bar_length(first, self._grid):
            return 0
        self._times[:2] = [second._replace(step=0)]
        return second.step

    def moved(self) -> str:
        """How many notes were moved to the grid, and by how much at most; call it after `piece`."""
        if not self._moved:
            return ""
        farthest = self._farthest / (2 * self._ticks * self._grid)
        return (
            f"{self._moved} of {len(self._closed)} notes moved to the grid "
            f"(by {farthest:.2g} quarter at most)"
        )

    def _take(self) -> int:
        """Process the events; returns the last tick."""
        tick, programs = 0, self._programs
        for tick, track, kind, first, second in self._file.events:
            if kind < NOTE_OFF:
                self._change(tick, kind, first, second)
            elif kind >= CONTROL:
                self._set_channel(tick, kind, first, second)
            else:
                sounding = self._open[kind & 15][track << 7 | first]
                if kind >= NOTE_ON:
                    sounding.append((tick, first, second, programs[kind & 15]))
                elif sounding:
                    self._closed.append((tick, sounding.popleft()))
                else:
                    self._repairs.add("{n} note-off{s} without a note ignored")
        return tick

    def _set_channel(self, tick: int, kind: int, first: int, second: int) -> None:
        """Process a program, controller or drum-part event."""
        if kind == GS:
            self._is_gs = True
            return
        self._set(self._channels[kind & 15], tick, kind, first, second)
        self._programs[kind & 15] = self._channels[kind & 15].program

    def _set(self, channel: _Channel, tick: int, kind: int, first: int, second: int) -> None:
        if kind >= DRUM_PART:
            channel.is_drums = bool(first)
        elif kind >= PROGRAM:
            channel.number = first
            if channel.bank == _GM2_DRUMS or (channel.bank == _XG_DRUMS and not self._is_gs):
                channel.is_drums = True
            elif channel.bank == _GM2_MELODY or (channel.by_bank and not channel.bank):
                channel.is_drums = False
            channel.by_bank = channel.bank in (_GM2_DRUMS, _XG_DRUMS)
        elif first == BANK:
            channel.bank = second
        elif first in (SUSTAIN, SOSTENUTO):
            was_down, is_down = first in channel.pedals, second >= _PEDAL_DOWN
            self._repairs.add("{n} press{es} of a pedal ignored", int(is_down and not was_down))
            (channel.pedals.add if is_down else channel.pedals.discard)(first)
        else:
            self._end_all(tick, kind & 15)

    def _end_all(self, tick: int, channel: int) -> None:
        """All notes off: end the sounding notes of a channel."""
        ended = [note for sounding in self._open[channel].values() for note in sounding]
        self._open[channel].clear()
        self._closed += [(tick, note) for note in ended]
        self._repairs.add("{n} note{s} ended by an all-notes-off", len(ended))

    def _change(self, tick: int, kind: int, first: int, second: int) -> None:
        """Process a tempo, time signature, key signature or marker."""
        step = (2 * tick * self._grid + self._ticks) // (2 * self._ticks)
        if kind == TEMPO and self._file.in_seconds:
            self._repairs.add("{n} tempo{s} ignored in film time")
        elif kind == TEMPO and first == 0:
            self._repairs.add("{n} tempo{s} of 0 ignored")
        elif kind == TEMPO:
            self._seconds += (tick - self._since) * self._tempo / (1e6 * self._ticks)
            self._since, self._tempo = tick, min(max(first, FASTEST_TEMPO), SLOWEST_TEMPO)
            self._tempos.append(Tempo(step, self._tempo))
            what = "{n} impossible tempo{s} changed to 400 or 20 a minute"
            self._repairs.add(what, int(self._tempo != first))
        elif kind == TIME_SIGNATURE:
            if 1 <= first <= 32 and second <= 6:
                self._times.append(TimeSignature(step, first, 2**second))
            else:
                self._repairs.add("{n} impossible time signature{s} ignored")
        elif kind == MARKER:
            self._marks_pickup |= tick == 0
        elif kind == KEY_SIGNATURE and abs(first) <= 7 and second <= 1:
            self._keys.append(KeySignature(step, first, bool(second)))
        else:
            self._repairs.add("{n} impossible key signature{s} ignored")

    def _check_length(self, last: int) -> None:
        seconds = self._seconds + (last - self._since) * self._tempo / (1e6 * self._ticks)
        if seconds > MOST_SECONDS or last > MOST_QUARTERS * self._ticks:
            raise InputError(f"{self._where}: lasts more than an hour; cut it into pieces")

    def _end_what_sounds(self) -> None:
        """End notes without a note-off at the next such note, at most a quarter later."""
        left = [
            note for channel in self._open for sounding in channel.values() for note in sounding
        ]
        after = dict(pairwise(sorted({tick for tick, *_ in left})))
        for note in left:
            latest = note[0] + self._ticks
            self._closed.append((min(after.get(note[0], latest), latest), note))
        self._repairs.add("{n} note{s} never ended and cut at the next", len(left))
        if len(self._closed) > MOST_NOTES:
            raise InputError(
                f"{self._where}: has more than {MOST_NOTES:,} notes; cut it into pieces"
            )

    def _quantised(self) -> list[Note]:
        """Notes quantized to the nearest steps, each at least one step long."""
        notes, twice, half, short = [], 2 * self._grid, self._ticks, 0
        moved = farthest = 0
        for end, (start, pitch, velocity, program) in self._closed:
            # tick * grid / ticks, rounded to the nearest step
            begin, rest = divmod(start * twice + half, 2 * half)
            if rest != half:
                moved += 1
                farthest = max(farthest, abs(rest - half))
            length = (end * twice + half) // (2 * half) - begin
            if length < 1:
                length = 1
                short += 1
            notes.append(Note(pitch, velocity, begin, length, program))
        self._moved, self._farthest = moved, farthest
        self._repairs.add("{n} note{s} shorter than half a step made a step long", short)
        return notes


MOST_BYTES = 10_000_000


def read_midi(path: Path, steps_per_quarter: int) -> tuple[Piece, str]:
    """A MIDI file in, the piece on the grid and a note on repairs (or empty) out.

    Raises:
        InputError: If the file is too large, not MIDI, or without notes or time base.
    """
    data = read_bytes(path, MOST_BYTES, "a MIDI file")
    refuse_foreign(path, data[:HEAD])
    return parse_midi(data, steps_per_quarter, str(path))


def parse_midi(data: bytes, steps_per_quarter: int, where: str) -> tuple[Piece, str]:
    """Like `read_midi`, from bytes; ``where`` names the file in messages."""
    repairs = Repairs()
    reader = PieceReader(read_events(data, where, repairs), steps_per_quarter, where, repairs)
    piece = reader.piece()
    return piece, ", ".join(filter(None, (reader.moved(), repairs.said())))


def midi_bytes(piece: Piece, text: str = "") -> bytes:
    """A piece in, a MIDI file of format 1 with a tick per step out; `parse_midi` inverts it.

    Args:
        piece: A piece from `normalised`.
        text: Written as a text event at the beginning.
    """
    import mido  # only writing needs it

    file = mido.MidiFile(type=1, ticks_per_beat=piece.steps_per_quarter, charset="utf-8")
    file.tracks.append(_track(_conductor(piece, text), max(1, piece.end)))
    programs = sorted({note.program for note in piece.notes}) or [0]
    for index, program in enumerate(programs):
        notes = [note for note in piece.notes if note.program == program]
        # 15 channels are not for drums; more programs share one, with program changes
        channel = DRUM_CHANNEL if program == DRUMS else (*range(9), *range(10, 16))[index % 15]
        events = _part(notes, program, channel, shared=len(programs) > 15)
        file.tracks.append(_track(events, max(1, piece.end)))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _conductor(piece: Piece, text: str) -> list[tuple[int, int, Any]]:
    import mido

    events = [(0, 0, mido.MetaMessage("text", text=text))] if text else []
    times = list(piece.time_signatures)
    short = pickup_metre(piece.pickup, piece.steps_per_quarter) if piece.pickup else None
    if times and short:  # see `normalised`: the pick-up is a bar with its own metre
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
    import mido

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
    """(tick, rank, message) in, a track out; note-offs precede note-ons at the same tick."""
    import mido

    track, now = mido.MidiTrack(), 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=max(0, end - now)))
    return track
