"""The bytes of a MIDI file in, its events out: chunks and tracks, past whatever is damaged."""

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
_SYSTEM_SIZES = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # not for files, but met there; the others have no data
_ENDLESS = 1 << 28  # what a length or a time cannot be: it has 28 bits

# A time and what looks like an event after it: where reading goes on after damage.
_EVENT = re.compile(
    rb"[\x80-\xff]{0,3}[\x00-\x7f]"
    rb"(?=[\x80-\xbf\xe0-\xef][\x00-\x7f]{2}|[\xc0-\xdf][\x00-\x7f]|\xf0[\x00-\x7f]"
    rb"|\xff[\x00-\x7f]{2})"
)
_LONGEST_SETUP = 16  # bytes of a system-exclusive message that sets one thing
# Roland GS and Yamaha XG: which parts play drums. GS numbers its parts 10, 1 to 9, 11 to 16.
_GS_RHYTHM = re.compile(rb"\x41.\x42\x12\x40([\x10-\x1f])\x15(.)", re.DOTALL)
_XG_PART_MODE = re.compile(rb"\x43[\x10-\x1f]\x4c\x08([\x00-\x0f])\x07(.)", re.DOTALL)
_GS_ANY = re.compile(rb"\x41.\x42\x12", re.DOTALL)
# What goes on with a system-exclusive message that was sent in parts.
_PACKET = re.compile(rb"[\x80-\xff]{0,3}[\x00-\x7f]\xf7")


class Repairs:
    """What reading had to repair or leave out, counted."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._places: dict[str, int] = {}

    def add(self, what: str, count: int = 1, at: int | None = None) -> None:
        """Count ``what``, in which {n} stands for the number, {s} and {es} for its plural.

        Args:
            what: "{n} track{s} cut off".
            count: Nothing is said of 0.
            at: The byte of the file where it was met; the first is said.
        """
        self._counts[what] += count
        if at is not None and count:
            self._places.setdefault(what, at)

    def said(self) -> str:
        """All of it in a few words, in the order in which it was met."""
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
    """Walks the events of one track.

    Args:
        data: What the track holds, perhaps with something after it.
        start: Where in the file that is.
        number: Of the track.
        tick: At which it begins.
        longest: Ticks of the longest pause that is believed.
        repairs: Where repairs are counted.
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
        """Append the events to ``found``; what is in order takes no call but for long times."""
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
        """The number of at most four bytes there, or `_ENDLESS`; and the place after it."""
        number = 0
        for after in range(place + 1, place + 5):
            byte = self._data[after - 1]
            number = number << 7 | byte & 0x7F
            if byte < 128:
                return number, after
        return _ENDLESS, place + 4

    def _time(self, place: int) -> tuple[int, int]:
        """The time there, or of the next event where it has more bytes than a time may have."""
        time, after = self._number_at(place)
        if time == _ENDLESS:
            time, after = self._number_at(self._skip(after))
        if time > self._longest:
            what = "{n} pause{s} of more than an hour left out"
            self._repairs.add(what, 1, self._start + place)
            return 0, after
        return time, after

    def _status(self, before: int, place: int) -> tuple[int, int, int]:
        """What is added to the time, the status, the place after it, where none stands.

        Running status ends at a meta or system event, yet players go on with what was ``before``.
        """
        if before:
            what = "{n} running status{es} taken from before a meta or system event"
            self._repairs.add(what, 1, self._start + place)
            return 0, before, place
        time, place = self._number_at(self._skip(place))
        return time, self._data[place], place + 1

    def _skip(self, place: int) -> int:
        """The place of the next event; the end where there is none."""
        self._repairs.add("{n} damaged place{s} passed over", 1, self._start + place)
        found = _EVENT.search(self._data, place)
        return found.start() if found else len(self._data)

    def _system(self, status: int, place: int, tick: int, found: list[Event]) -> int:
        """Take a meta or system event, of which ``place`` is after the status; the place after."""
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
        """Take what a meta event of the right length says."""
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
        """Take what a short system-exclusive message says of drums."""
        if match := _GS_RHYTHM.match(data):
            part = match[1][0] & 15
            channel = 9 if part == 0 else part - 1 if part < 10 else part
            found.append((tick, self._number, DRUM_PART | channel, match[2][0] > 0, 0))
        elif match := _XG_PART_MODE.match(data):
            found.append((tick, self._number, DRUM_PART | match[1][0], match[2][0] > 0, 0))
        elif _GS_ANY.match(data):
            found.append((tick, self._number, GS, 0, 0))


_MOST_CHUNKS = 65_535  # what the header can say
_FARTHEST_HEADER = 1024  # bytes of mail or archive before a file; beyond it is something else
_HOUR = 7_200  # quarters, at 120 a minute
_NAME = re.compile(rb"[A-Za-z0-9 ]{4}")


@dataclass(frozen=True)
class MidiEvents:
    """What a file says."""

    events: list[Event]
    """In order of time; of those at one tick, earlier tracks first."""
    ticks_per_quarter: int
    in_seconds: bool
    """Whether ticks are of seconds (SMPTE), to which no tempo matters: 120 quarters a minute."""


def read_events(data: bytes, where: str, repairs: Repairs) -> MidiEvents:
    """The events of a file whose bytes are ``data``.

    Raises:
        InputError: If it is no MIDI file, has no track, no unit of time or too many events.
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
    """0 and the ticks of a quarter; of film time a factor for ticks, and how many then make one."""
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
    """Whether a track stands there, or a chunk of another kind that the file has room for."""
    if not _NAME.match(data, place) or place + 8 > len(data):
        return False
    name, length = struct.unpack_from(">4sI", data, place)
    return bool(name == b"MTrk" or place + 8 + length <= len(data))


class _Chunks:
    """Walks the chunks after the header."""

    def __init__(
        self, data: bytes, where: str, repairs: Repairs, longest: int, one_by_one: bool
    ) -> None:
        self._data, self._where, self._repairs = data, where, repairs
        self._longest, self._one_by_one = longest, one_by_one
        self.events: list[Event] = []
        self.tracks = 0
        self._tick = 0  # where the next pattern begins, of those that are played one by one

    def read(self, place: int) -> None:
        """Read what stands from ``place`` on."""
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
        """Read the track between two places; gives the place after it.

        A length at whose end nothing begins and the file does not end is not believed: the track
        then ends where it says so itself, at the next one at the latest.
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
