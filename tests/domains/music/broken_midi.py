"""Kinds of damaged and odd MIDI files, each with what reading it must give.

The value beside the bytes is the number of notes, or a part of the message of the InputError.
"""

from __future__ import annotations

import struct


def chunk(kind: bytes, data: bytes, length: int | None = None) -> bytes:
    return kind + struct.pack(">I", len(data) if length is None else length) + data


def header(kind: int = 1, tracks: int = 1, division: int = 96) -> bytes:
    return chunk(b"MThd", struct.pack(">HHH", kind, tracks, division))


END = b"\x00\xff\x2f\x00"
ON, OFF = b"\x00\x90\x3c\x40", b"\x60\x80\x3c\x00"
NOTE = ON + OFF
NOTES = b"".join(b"\x00\x90%c\x40\x60\x80%c\x00" % (p, p) for p in range(60, 68))


def track(data: bytes = NOTES, end: bytes = END) -> bytes:
    return chunk(b"MTrk", data + end)


def meta(kind: int, data: bytes) -> bytes:
    return b"\x00\xff" + bytes([kind, len(data)]) + data


GOOD = header() + track()
DAMAGED = "damaged or cut off"

KINDS: dict[str, tuple[bytes, int | str]] = {
    "good": (GOOD, 8),
    "empty": (b"", "not a MIDI file"),
    "text": (b"X:1\nT:hello\nK:C\nCDEF|", "not a MIDI file"),
    "header only": (header(), "no track"),
    "header short": (b"MThd\0\0", "not a MIDI file"),
    "cut in a track": (GOOD[:60], DAMAGED),
    "cut in an event": (GOOD[:-6], DAMAGED),
    "track length too big": (header() + chunk(b"MTrk", NOTES + END, 1_000_000), 8),
    "track length 4 GB": (header() + chunk(b"MTrk", NOTES + END, 0xFFFFFFF0), 8),
    "track length too small": (header() + chunk(b"MTrk", NOTES + END, 21), DAMAGED),
    "no end of track": (header() + track(end=b""), 8),
    "zero ticks": (header(division=0) + track(), "timed in nothing"),
    "SMPTE": (header(division=0xE728) + track(), "film frames"),
    "SMPTE of no frames": (header(division=0x8000) + track(), "film frames"),
    "running status": (
        header() + track(b"\x00\x90\x3c\x40\x60\x3c\x00\x00\x3e\x40\x60\x3e\x00"),
        2,
    ),
    "running status first": (header() + track(b"\x00\x3c\x40" + NOTES), DAMAGED),
    "running status after meta": (header() + track(ON + meta(1, b"x") + b"\x60\x3c\x00"), 1),
    "no note-off": (header() + track(b"\x60\x90\x3c\x40\x60\x90\x3e\x40"), 2),
    "stray note-off": (header() + track(OFF * 8 + NOTES), 8),
    "same pitch twice": (header() + track(b"\x00\x90\x3c\x40\x30\x90\x3c\x40" + OFF + OFF), 2),
    "zero length": (header() + track(ON + b"\x00\x80\x3c\x00"), 1),
    "tempo zero": (header() + track(meta(0x51, b"\0\0\0") + NOTES), 8),
    "tempo huge": (header() + track(meta(0x51, b"\xff\xff\xff") + NOTES), 8),
    "tempo of a microsecond": (header() + track(meta(0x51, b"\0\0\1") + NOTES), 8),
    "tempo of two bytes": (header() + track(meta(0x51, b"\0\1") + NOTES), DAMAGED),
    "time signature 0/1": (header() + track(meta(0x58, b"\0\0\x18\x08") + NOTES), 8),
    "time signature 4/2^200": (header() + track(meta(0x58, b"\4\xc8\x18\x08") + NOTES), 8),
    "key signature of 15 sharps": (header() + track(meta(0x59, b"\x0f\0") + NOTES), DAMAGED),
    "format 2": (header(2, 2) + track() + track(), "format 2"),
    "format 7": (header(7) + track(), 8),
    "65535 tracks": (header(tracks=65535) + track(), 8),
    "0 tracks": (header(tracks=0) + track(), 8),
    "no tracks at all": (header(tracks=0), "no track"),
    "sysex": (header() + track(b"\x00\xf0\x03\x7e\x7f\xf7" + NOTES), 8),
    "sysex of 256 MB": (header() + track(b"\x00\xf0\xff\xff\xff\x7f\x01" + NOTES), DAMAGED),
    "velocity above 127": (header() + track(b"\x00\x90\x3c\xbc\x60\x80\x3c\x00"), 1),
    "delta of five bytes": (header() + track(b"\x82\x80\x80\x80\x00\x90\x3c\x40" + OFF), "an hour"),
    "huge delta": (header() + track(b"\xff\xff\xff\x7f\x90\x3c\x40" + OFF), "an hour"),
    "many huge deltas": (header() + track(b"\xff\xff\xff\x7f\x90\x3c\x40" * 40), "an hour"),
    "unknown chunk": (header() + chunk(b"XFIH", b"abcd") + track(), 8),
    "rubbish before": (b"\0\1\2" + GOOD, 8),
    "rubbish after": (GOOD + b"\0\1\2\3", 8),
    "RIFF": (b"RIFF\0\0\0\0RMIDdata\0\0\0\0" + GOOD, 8),
    "header of 8 bytes": (chunk(b"MThd", struct.pack(">HHHH", 1, 1, 96, 0)) + track(), 8),
    "Latin-1 text": (header() + track(meta(3, b"caf\xe9") + NOTES), 8),
    "UTF-16 lyrics": (header() + track(meta(5, b"\xff\xfeh\0i\0") + NOTES), 8),
    "random body": (header() + track(bytes(range(7, 120, 3))), DAMAGED),
    "200001 note-ons": (header() + track(b"\x00\x90\x3c\x40" * 200_001), "200000 notes"),
    "tempo in track 2": (header(tracks=2) + track() + track(meta(0x51, b"\7\xa1\x20") + NOTES), 8),
    "no notes": (header() + track(b""), "no note in it"),
    "a megabyte of nothing": (bytes(1_000_000), "not a MIDI file"),
}
