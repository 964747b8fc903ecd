"""The bytes of a MIDI file to its events: the header and the chunks, past whatever is damaged.

The form is that of Standard MIDI Files 1.0: a header and tracks, each a chunk of four letters, a
length and so many bytes. `midi_tracks` reads what is in a track.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from operator import itemgetter

from seqforge.domains.music.midi_tracks import MOST_EVENTS, Event, Repairs, Track
from seqforge.errors import InputError

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
            f"{where}: is timed in nothing (its header gives no ticks a quarter note); "
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
