"""The bytes of a MIDI file in, its events out: chunks and tracks parsed, damage skipped."""

from __future__ import annotations

import re
import struct
from collections import Counter
from dataclasses import dataclass
from operator import itemgetter

from seqforge.errors import InputError

MOST_EVENTS = 1_000_000

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM = 0x80, 0x90, 0xB0, 0xC0
TEMPO, TIME_SIGNATURE, KEY_SIGNATURE = 0x51, 0x58, 0x59
MARKER = 0x06
DRUM_PART, GS = 0x100, 0x200
PICKUP_MARKER = b"pick-up"
"""Text of the marker that says that the first bar is a pick-up where its metre cannot."""
BANK, SUSTAIN, SOSTENUTO, SOUND_OFF, NOTES_OFF = 0, 64, 66, 120, 123
"""The controllers that are taken; NOTES_OFF and all above it end what sounds."""
_END_OF_TRACK = 0x2F

Event = tuple[int, int, int, int, int]
"""(tick, track, kind, first, second), of which kind says what the last two are:

a status byte, channel and all, of `NOTE_OFF` (a `NOTE_ON` of velocity 0 becomes one), `NOTE_ON`
(pitch, velocity), `CONTROL` (controller, value) or `PROGRAM` (program, 0); or a meta event, `TEMPO`
(microseconds a quarter, 0), `TIME_SIGNATURE` (numerator, power of two of the denominator),
`KEY_SIGNATURE` (sharps, minor), `MARKER` (0, 0: the one of a pick-up); or what a system-exclusive
message says: `DRUM_PART` | channel (whether it plays drums, 0), `GS` (0, 0: made for Roland's GS).
"""

_CONTROLS = frozenset((BANK, SUSTAIN, SOSTENUTO, SOUND_OFF, *range(NOTES_OFF, 128)))
_SIZES = {_END_OF_TRACK: 0, TEMPO: 3, TIME_SIGNATURE: 4, KEY_SIGNATURE: 2}
_SYSTEM_SIZES = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # invalid in files, but found; others have no data
_ENDLESS = 1 << 28  # no valid length or time: these have 28 bits

# A delta time and the beginning of an event: where parsing resumes after damage.
_EVENT = re.compile(
    rb"[\x80-\xff]{0,3}[\x00-\x7f]"
    rb"(?=[\x80-\xbf\xe0-\xef][\x00-\x7f]{2}|[\xc0-\xdf][\x00-\x7f]|\xf0[\x00-\x7f]"
    rb"|\xff[\x00-\x7f]{2})"
)
_LONGEST_SETUP = 16  # bytes of a system-exclusive message that sets one parameter
# Roland GS and Yamaha XG: drum parts. GS numbers its parts 10, 1 to 9, 11 to 16.
_GS_RHYTHM = re.compile(rb"\x41.\x42\x12\x40([\x10-\x1f])\x15(.)", re.DOTALL)
_XG_PART_MODE = re.compile(rb"\x43[\x10-\x1f]\x4c\x08([\x00-\x0f])\x07(.)", re.DOTALL)
_GS_ANY = re.compile(rb"\x41.\x42\x12", re.DOTALL)
# A further packet of a system-exclusive message.
_PACKET = re.compile(rb"[\x80-\xff]{0,3}[\x00-\x7f]\xf7")


class Repairs:
    """Counts of what the parser repaired or skipped."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._places: dict[str, int] = {}

    def add(self, what: str, count: int = 1, at: int | None = None) -> None:
        """Add to the count of ``what``.

        Args:
            what: A text such as "{n} track{s} cut off"; {s} and {es} are plural endings.
            count: A count of 0 is not reported.
            at: Byte offset in the file; the first is reported.
        """
        self._counts[what] += count
        if at is not None and count:
            self._places.setdefault(what, at)

    def said(self) -> str:
        """The counts in words, in order of occurrence."""
        return ", ".join(
            what.format(n=f"{count:,}", s="s"[: count != 1], es="es"[: 2 * (count != 1)])
            + self._at(what)
            for what, count in self._counts.items()
            if count
        )

    def _at(self, what: str) -> str:
        if what not in self._places:
            return ""
        place = f"{self._places[what]:,}"
        return f" at byte {place}" if self._counts[what] == 1 else f" from byte {place} on"


class Track:
    """Parses the events of one track.

    Args:
        data: The track's bytes, perhaps with more after them.
        start: Their offset in the file.
        number: Index of the track.
        tick: Tick at which it begins.
        longest: Longest plausible delta time in ticks.
        repairs: Counts repairs.
    """

    def __init__(
        self, data: bytes, start: int, number: int, tick: int, longest: int, repairs: Repairs
    ) -> None:
        self._data, self._start, self._number, self._repairs = data, start, number, repairs
        self._longest = longest
        self.tick = tick
        self.end = start
        """The place in the file after what was read."""
        self.ended = False
        """Whether there was an end-of-track."""
        self.cut = False
        """Whether the bytes ended inside an event."""

    def walk(self, found: list[Event]) -> None:
        """Append the events to ``found``. The fast path calls only for long delta times."""
        data, number, end = self._data, self._number, len(self._data)
        tick, place, running = self.tick, 0, 0
        try:
            while place < end and len(found) < MOST_EVENTS:
                delta, place = data[place], place + 1
                if delta > 127:
                    delta, place = self._time(place - 1)
                tick += delta
                status = data[place]
                if status > 127:
                    place += 1
                elif running > 0:
                    status = running
                else:
                    delta, status, place = self._status(-running, place)
                    tick += delta
                if status < 0xA0:
                    running, first, second = status, data[place], data[place + 1]
                    if first | second > 127:
                        first, second = self._clipped(place), min(second, 127)
                    kind = status if second else status & 0xEF  # velocity 0 ends a note
                    found.append((tick, number, kind, first, second))
                    place += 2
                elif status < 0xF0:
                    running = status
                    if PROGRAM <= status < 0xD0:
                        first = data[place] if data[place] < 128 else self._clipped(place)
                        found.append((tick, number, status, first, 0))
                    elif status < PROGRAM and status >= CONTROL and data[place] in _CONTROLS:
                        value = min(data[place + 1], 127)
                        found.append((tick, number, status, data[place], value))
                    place += 1 if PROGRAM <= status < 0xE0 else 2
                else:
                    running, place = -abs(running), self._system(status, place, tick, found)
                    if self.ended:
                        break
        except IndexError:
            self.cut = True
        self.cut = self.cut or place > end
        self.tick, self.end = tick, self._start + min(place, end)

    def _clipped(self, place: int) -> int:
        self._repairs.add("{n} note{s} or program{s} above 127 clipped", 1, self._start + place)
        return min(self._data[place], 127)

    def _number_at(self, place: int) -> tuple[int, int]:
        """An offset in, the variable-length number (or `_ENDLESS`) and the next offset out."""
        number = 0
        for after in range(place + 1, place + 5):
            byte = self._data[after - 1]
            number = number << 7 | byte & 0x7F
            if byte < 128:
                return number, after
        return _ENDLESS, place + 4

    def _time(self, place: int) -> tuple[int, int]:
        """An offset in, the delta time and the next offset out; an over-long time is skipped."""
        time, after = self._number_at(place)
        if time == _ENDLESS:
            time, after = self._number_at(self._skip(after))
        if time > self._longest:
            what = "{n} pause{s} of more than an hour left out"
            self._repairs.add(what, 1, self._start + place)
            return 0, after
        return time, after

    def _status(self, before: int, place: int) -> tuple[int, int, int]:
        """Where a status byte is missing: time to add, status and next offset.

        A meta or system event ends running status, but players go on with the status ``before``.
        """
        if before:
            what = "{n} running status{es} taken from before a meta or system event"
            self._repairs.add(what, 1, self._start + place)
            return 0, before, place
        time, place = self._number_at(self._skip(place))
        return time, self._data[place], place + 1

    def _skip(self, place: int) -> int:
        """An offset in, that of the next recognisable event out, else the end."""
        self._repairs.add("{n} damaged place{s} passed over", 1, self._start + place)
        found = _EVENT.search(self._data, place)
        return found.start() if found else len(self._data)

    def _system(self, status: int, place: int, tick: int, found: list[Event]) -> int:
        """Parse a meta or system event from after its status; returns the next offset."""
        if status not in (0xF0, 0xF7, 0xFF):
            self._repairs.add("{n} message{s} of a running system ignored", 1, self._start + place)
            return place + _SYSTEM_SIZES.get(status, 0)
        kind = self._data[place] if status == 0xFF else -1
        length, first = self._number_at(place + (status == 0xFF))
        after = first + length
        if after > len(self._data) or kind > 127 or length != _SIZES.get(kind, length):
            return self._skip(first)
        if kind in _SIZES or kind == MARKER:
            self._meta(kind, self._data[first:after], tick, found)
        elif status == 0xF0 and length < _LONGEST_SETUP:
            self._exclusive(self._data[first:after], tick, found)
        whole = self._data.endswith(b"\xf7", first, after) or _PACKET.match(self._data, after)
        if status == 0xF0 and not whole:
            what = "{n} system-exclusive message{s} without an end"
            self._repairs.add(what, 1, self._start + place)
        return after

    def _meta(self, kind: int, data: bytes, tick: int, found: list[Event]) -> None:
        """Parse a meta event of valid length."""
        if kind == _END_OF_TRACK:
            self.ended = True
        elif kind == TEMPO:
            found.append((tick, self._number, kind, int.from_bytes(data, "big"), 0))
        elif kind == TIME_SIGNATURE:
            found.append((tick, self._number, kind, data[0], data[1]))
        elif kind == MARKER:
            if data == PICKUP_MARKER:
                found.append((tick, self._number, kind, 0, 0))
        else:
            sharps = data[0] - 256 if data[0] > 127 else data[0]
            found.append((tick, self._number, kind, sharps, data[1]))

    def _exclusive(self, data: bytes, tick: int, found: list[Event]) -> None:
        """Parse a short system-exclusive message that sets drum parts."""
        if match := _GS_RHYTHM.match(data):
            part = match[1][0] & 15
            channel = 9 if part == 0 else part - 1 if part < 10 else part
            found.append((tick, self._number, DRUM_PART | channel, match[2][0] > 0, 0))
        elif match := _XG_PART_MODE.match(data):
            found.append((tick, self._number, DRUM_PART | match[1][0], match[2][0] > 0, 0))
        elif _GS_ANY.match(data):
            found.append((tick, self._number, GS, 0, 0))


_MOST_CHUNKS = 65_535  # limit of the header's field
_FARTHEST_HEADER = 1024  # bytes of a mail or archive header before the file
_HOUR = 7_200  # quarters, at 120 a minute
_NAME = re.compile(rb"[A-Za-z0-9 ]{4}")


@dataclass(frozen=True)
class MidiEvents:
    """The events of a file with their time base."""

    events: list[Event]
    """By tick, then by track."""
    ticks_per_quarter: int
    in_seconds: bool
    """Whether the time base is SMPTE (seconds): tempos are ignored, 120 quarters a minute."""


def read_events(data: bytes, where: str, repairs: Repairs) -> MidiEvents:
    """The bytes of a file in, its events out.

    Raises:
        InputError: If it is not a MIDI file, or has no track, no time base or too many events.
    """
    start = data.find(b"MThd", 0, _FARTHEST_HEADER)
    if start < 0 or len(data) < start + 14:
        lacks = "is missing" if start < 0 else f"at byte {start} is cut off"
        raise InputError(
            f"{where}: is not a MIDI file (its header {lacks}); is it another kind of file?"
        )
    length, form, count, division = struct.unpack_from(">IHHH", data, start + 4)
    wrapped = data.startswith(b"RIFF")
    repairs.add("taken out of its RIFF wrapper", int(wrapped))
    repairs.add("{n} byte{s} before the header passed over", 0 if wrapped else start)
    repairs.add(f"header of {length:,} bytes instead of 6", int(length != 6))
    repairs.add(f"format {form} read as 1", int(form > 2))
    scale, ticks = _division(division, where)
    repairs.add("film time (SMPTE) taken for 120 quarters a minute", int(scale > 0))
    place = start + 8 + length
    reader = _Chunks(data, where, repairs, _HOUR * ticks // max(1, scale), one_by_one=form == 2)
    reader.read(place if _is_chunk(data, place) else start + 14)
    if not reader.tracks:
        raise InputError(f"{where}: the MIDI file has no track; save it again from a music program")
    said = f"said to have {count:,} track{'' if count == 1 else 's'} but has {reader.tracks:,}"
    repairs.add(said, int(count != reader.tracks))
    repairs.add("format 2: its patterns put one after the other", int(form == 2))
    events = reader.events
    if scale > 1:
        events = [(tick * scale, track, kind, a, b) for tick, track, kind, a, b in events]
    events.sort(key=itemgetter(0))
    return MidiEvents(events, ticks, scale > 0)


def _division(division: int, where: str) -> tuple[int, int]:
    """The division in, (0, ticks per quarter) out; for SMPTE (tick factor, ticks per quarter)."""
    if division and not division & 0x8000:
        return 0, division
    frames, ticks = 256 - (division >> 8), division & 0xFF
    if not division or not ticks:
        raise InputError(
            f"{where}: has no time base (its header gives no ticks a quarter note); "
            "save it again from a music program"
        )
    # At 120 quarters a minute a quarter is half a second. 29 means 30000/1001 frames a second.
    return (1001, 15_000 * ticks) if frames == 29 else (2, frames * ticks)


def _is_chunk(data: bytes, place: int) -> bool:
    """Whether a track begins there, or another chunk that fits into the file."""
    if not _NAME.match(data, place) or place + 8 > len(data):
        return False
    name, length = struct.unpack_from(">4sI", data, place)
    return bool(name == b"MTrk" or place + 8 + length <= len(data))


class _Chunks:
    """Parses the chunks after the header."""

    def __init__(
        self, data: bytes, where: str, repairs: Repairs, longest: int, one_by_one: bool
    ) -> None:
        self._data, self._where, self._repairs = data, where, repairs
        self._longest, self._one_by_one = longest, one_by_one
        self.events: list[Event] = []
        self.tracks = 0
        self._tick = 0  # beginning of the next pattern of a file of format 2

    def read(self, place: int) -> None:
        """Parse the chunks from offset ``place`` on."""
        data, chunks = self._data, 0
        while place < len(data):
            found = place if _is_chunk(data, place) else data.find(b"MTrk", place)
            if found < 0 or found + 8 > len(data):
                found = len(data)
            self._repairs.add("{n} byte{s} outside of tracks passed over", found - place, place)
            if found == len(data):
                return
            if (chunks := chunks + 1) > _MOST_CHUNKS:
                raise InputError(
                    f"{self._where}: has more than {_MOST_CHUNKS:,} tracks; is it MIDI?"
                )
            name, length = struct.unpack_from(">4sI", data, found)
            if name == b"MThd" and self.tracks:
                what = "{n} byte{s} of another MIDI file after this one ignored"
                self._repairs.add(what, len(data) - found, found)
                return
            if name == b"MTrk":
                place = self._track(found + 8, found + 8 + length)
            else:
                self._repairs.add("{n} chunk{s} of other kinds passed over", 1, found)
                place = found + 8 + length

    def _track(self, start: int, end: int) -> int:
        """Parse the track between two offsets; returns the offset after it.

        The chunk length is ignored if neither a chunk nor the end of the file follows. The track
        then ends at its end-of-track event, or at the next track.
        """
        data, repairs = self._data, self._repairs
        believed = end == len(data) or _is_chunk(data, end)
        last = end
        if not believed:
            last = data.find(b"MTrk", start)
            last = len(data) if last < 0 else last
        number, tick = self.tracks, self._tick
        track = Track(data[start:last], start, number, tick, self._longest, repairs)
        track.walk(self.events)
        if len(self.events) >= MOST_EVENTS:
            raise InputError(
                f"{self._where}: has more than {MOST_EVENTS:,} events by byte "
                f"{track.end:,}; cut it into pieces"
            )
        self.tracks += 1
        if self._one_by_one:
            self._tick = track.tick
        if track.cut or not (track.ended or believed):
            repairs.add("{n} track{s} cut off", 1, last)
        elif not track.ended:
            repairs.add("{n} track{s} without an end-of-track", 1, last)
        elif believed:
            repairs.add("{n} byte{s} after an end-of-track ignored", last - track.end, track.end)
            return last
        elif track.end != end:
            repairs.add("{n} track{s} of another length than said", 1, start)
        return track.end if track.ended else last
