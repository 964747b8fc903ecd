"""More kinds of damaged and odd MIDI files, each for something the reader promises."""

from __future__ import annotations

import struct

from .broken_midi import END, GOOD, NO_NOTE, NO_TRACK, NOTES, OFF, Kind, chunk, header, meta, track

OTHER = b"\x00\xc1\x10" + NOTES.replace(b"\x90", b"\x91").replace(b"\x80", b"\x81")

OTHERS: dict[str, Kind] = {
    "cut in the second of two tracks": Kind(
        header(tracks=2) + track() + track(OTHER)[:-20], 14,
        "1 track cut off at byte 149",
    ),
    "two tracks, the first said to be longer": Kind(
        header(tracks=2) + chunk(b"MTrk", NOTES + END, len(NOTES + END) + 9) + track(OTHER), 16,
        "1 track of another length than said at byte 22",
    ),
    "two tracks, the first said to be shorter": Kind(
        header(tracks=2) + chunk(b"MTrk", NOTES + END, 9) + track(OTHER), 16,
        "1 track of another length than said at byte 22",
    ),
    "a byte lost in a note": Kind(
        header() + chunk(b"MTrk", NOTES[:18] + NOTES[19:] + END), 8,
        "3 of 8 notes moved to the grid (by 0.01 quarter at most), 1 track cut off at byte 89, "
        "6 note-offs without a note ignored, 6 notes never ended and cut at the next",
    ),
    "a status lost at the beginning": Kind(
        header() + track(b"\x00" + NOTES[2:]), 7,
        "1 damaged place passed over at byte 23, 1 note-off without a note ignored",
    ),
    "a text longer than its track": Kind(
        header() + track(NOTES[:32] + b"\x00\xff\x01\xff\x7fabc" + NOTES[32:]), 8,
        "1 damaged place passed over at byte 59",
    ),
    "a length of five bytes": Kind(
        header() + track(b"\x00\xff\x01\x80\x80\x80\x80\x00" + NOTES), 8,
        "1 damaged place passed over at byte 29",
    ),
    "a meta event of no kind": Kind(
        header() + track(b"\x00\xff\x90\x01" + NOTES), 8,
        "1 damaged place passed over at byte 26",
    ),
    "an end-of-track that has a length": Kind(
        header() + track(meta(0x2F, b"ab") + NOTES), 8,
        "1 damaged place passed over at byte 26",
    ),
    "system-exclusive in two parts": Kind(
        header() + track(b"\x00\xf0\x02\x7e\x7f\x10\xf7\x02\x01\xf7" + NOTES), 8,
        "",
    ),
    "a header of 4 GB": Kind(
        b"MThd" + struct.pack(">IHHH", 0xFFFFFFFF, 1, 1, 96) + track(), 8,
        "header of 4,294,967,295 bytes instead of 6",
    ),
    "a program above 127": Kind(
        header() + track(b"\x00\xc0\xf0" + NOTES), 8,
        "1 note or program above 127 clipped at byte 24",
    ),
    "film time with a tempo": Kind(
        header(division=0xE350) + track(meta(0x51, b"\7\xa1\x20") + NOTES), 8,
        "7 of 8 notes moved to the grid (by 0.02 quarter at most), film time (SMPTE) taken for "
        "120 quarters a minute, 1 tempo ignored in film time",
    ),
    "a pause of more than an hour": Kind(
        header() + track(NOTES + b"\xff\xff\xff\x7f\x90\x3c\x40" + OFF), 9,
        "1 pause of more than an hour left out at byte 86",
    ),
    "many pauses of half an hour": Kind(
        header() + track(b"\x95\xc0\x00\x90\x3c\x40\x60\x80\x3c\x00" * 4), None,
        "lasts more than an hour; cut it into pieces",
    ),
    "more quarters than a piece may have": Kind(
        header(division=1) + track(meta(0x51, b"\x02\x49\xf0") + b"\xb6\x58\x90\x3c\x40" * 3), None,
        "lasts more than an hour; cut it into pieces",
    ),
    "200001 note-ons": Kind(
        header() + track(b"\x00\x90\x3c\x40" * 200_001), None,
        "has more than 200,000 notes; cut it into pieces",
    ),
    "a million note-offs": Kind(
        header() + track(OFF + b"\x00\x3c\x00" * 1_000_000), None,
        "has more than 1,000,000 events by byte 3,000,023; cut it into pieces",
    ),
    "65536 tracks": Kind(
        header() + track(b"") * 65_536, None,
        "has more than 65,535 tracks; is it MIDI?",
    ),
    "no tracks at all": Kind(header(tracks=0), None, NO_TRACK),
    "no notes": Kind(header() + track(b""), None, NO_NOTE.format("")),
    "two files in one": Kind(
        GOOD + GOOD, 8,
        "90 bytes of another MIDI file after this one ignored from byte 90 on",
    ),
    "a header before the header": Kind(
        header() + GOOD, 8,
        "1 chunk of other kinds passed over at byte 14",
    ),
    "the name of a track alone": Kind(
        GOOD + b"MTrk", 8,
        "4 bytes outside of tracks passed over from byte 90 on",
    ),
}  # fmt: skip
