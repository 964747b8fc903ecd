"""The 54 kinds of damaged and odd MIDI files of a survey of readers, under its names.

Each is given with what reading it must give: the number of notes and the whole note on what was
repaired; or None and the message of the InputError, without the name of the file.
"""

from __future__ import annotations

import random
import struct
from typing import NamedTuple


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


class Kind(NamedTuple):
    data: bytes
    notes: int | None
    said: str


def flipped(data: bytes, count: int, seed: int) -> bytes:
    """The bytes after the first 22, the headers, with so many bits flipped."""
    rng, found = random.Random(seed), bytearray(data)
    for _ in range(count):
        found[rng.randrange(22, len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


GOOD = header() + track()
LONG = header() + track(NOTES * 40)
NO_HEADER = "is not a MIDI file (its header is missing); is it another kind of file?"
CUT_HEADER = "is not a MIDI file (its header at byte 0 is cut off); is it another kind of file?"
NO_TRACK = "the MIDI file has no track; save it again from a music program"
NOTHING = (
    "has no time base (its header gives no ticks a quarter note); "
    "save it again from a music program"
)
NO_NOTE = "there is no note in it{}; save it again from a music program"

SURVEYED: dict[str, Kind] = {
    "00_good": Kind(GOOD, 8, ""),
    "01_empty": Kind(b"", None, NO_HEADER),
    "02_not_midi_text": Kind(b"X:1\nT:hello\nK:C\nCDEF|", None, NO_HEADER),
    "03_header_only": Kind(header(), None, NO_TRACK),
    "04_header_short": Kind(b"MThd\0\0", None, CUT_HEADER),
    "05_trunc_mid_track": Kind(
        GOOD[:60], 5,
        "1 track cut off at byte 60, 1 note never ended and cut at the next",
    ),
    "06_trunc_in_event": Kind(
        GOOD[:-6], 8,
        "1 track cut off at byte 84, 1 note never ended and cut at the next",
    ),
    "07_track_len_too_big": Kind(
        header() + chunk(b"MTrk", NOTES + END, 1_000_000), 8,
        "1 track of another length than said at byte 22",
    ),
    "08_track_len_4G": Kind(
        header() + chunk(b"MTrk", NOTES + END, 0xFFFFFFF0), 8,
        "1 track of another length than said at byte 22",
    ),
    "09_track_len_too_small": Kind(
        header() + chunk(b"MTrk", NOTES + END, 21), 8,
        "1 track of another length than said at byte 22",
    ),
    "10_no_EOT": Kind(header() + track(end=b""), 8, "1 track without an end-of-track at byte 86"),
    "11_zero_tpq": Kind(header(division=0) + track(), None, NOTHING),
    "12_smpte_div": Kind(
        header(division=0xE728) + track(), 8,
        "7 of 8 notes moved to the grid (by 0.018 quarter at most), film time (SMPTE) taken for"
        " 120 quarters a minute",
    ),
    "13_smpte_zero_fps": Kind(header(division=0x8000) + track(), None, NOTHING),
    "14_running_status": Kind(
        header() + track(b"\x00\x90\x3c\x40\x60\x3c\x00\x00\x3e\x40\x60\x3e\x00"), 2,
        "",
    ),
    "15_running_status_first": Kind(
        header() + track(b"\x00\x3c\x40" + NOTES), 8,
        "1 damaged place passed over at byte 23",
    ),
    "16_running_after_meta": Kind(
        header() + track(ON + meta(1, b"x") + b"\x60\x3c\x00"), 1,
        "1 running status taken from before a meta or system event at byte 32",
    ),
    "17_no_note_off": Kind(
        header() + track(b"".join(b"\x60\x90%c\x40" % p for p in range(60, 68))), 8,
        "8 notes never ended and cut at the next",
    ),
    "18_orphan_note_off": Kind(
        header() + track(OFF * 8 + NOTES), 8,
        "8 note-offs without a note ignored",
    ),
    "19_overlap_same_pitch": Kind(
        header() + track(b"\x00\x90\x3c\x40\x30\x90\x3c\x40" + OFF + OFF), 2,
        "1 held note cut where the same instrument strikes the pitch again",
    ),
    "20_zero_length_note": Kind(
        header() + track(ON + b"\x00\x80\x3c\x00" + NOTES[8:16]), 2,
        "1 note shorter than half a step made a step long",
    ),
    "21_tempo_zero": Kind(
        header() + track(meta(0x51, b"\0\0\0") + NOTES), 8,
        "1 tempo of 0 ignored",
    ),
    "22_tempo_huge": Kind(
        header() + track(meta(0x51, b"\xff\xff\xff") + NOTES), 8,
        "1 impossible tempo changed to 400 or 20 a minute",
    ),
    "23_tempo_1us": Kind(
        header() + track(meta(0x51, b"\0\0\1") + NOTES), 8,
        "1 impossible tempo changed to 400 or 20 a minute",
    ),
    "24_tempo_bad_len": Kind(
        header() + track(meta(0x51, b"\0\1") + NOTES), 8,
        "1 damaged place passed over at byte 26",
    ),
    "25_timesig_zero": Kind(
        header() + track(meta(0x58, b"\0\0\x18\x08") + NOTES), 8,
        "1 impossible time signature ignored",
    ),
    "26_timesig_den_2^200": Kind(
        header() + track(meta(0x58, b"\4\xc8\x18\x08") + NOTES), 8,
        "1 impossible time signature ignored",
    ),
    "27_keysig_bad": Kind(
        header() + track(meta(0x59, b"\x0f\0") + NOTES), 8,
        "1 impossible key signature ignored",
    ),
    "28_format2": Kind(
        header(2, 2) + track() + track(), 16,
        "format 2: its patterns put one after the other",
    ),
    "29_format7": Kind(header(7) + track(), 8, "format 7 read as 1"),
    "30_ntracks_65535": Kind(
        header(tracks=65535) + track(), 8,
        "said to have 65,535 tracks but has 1",
    ),
    "31_ntracks_0": Kind(
        header(tracks=0) + track(), 8,
        "said to have 0 tracks but has 1",
    ),
    "32_sysex": Kind(header() + track(b"\x00\xf0\x03\x7e\x7f\xf7" + NOTES), 8, ""),
    "33_sysex_no_f7": Kind(
        header() + track(b"\x00\xf0\x03\x7e\x7f\x09" + NOTES), 8,
        "1 system-exclusive message without an end at byte 24",
    ),
    "34_sysex_huge_len": Kind(
        header() + track(b"\x00\xf0\xff\xff\xff\x7f\x01" + NOTES), 8,
        "1 damaged place passed over at byte 28",
    ),
    "35_data_byte_gt127": Kind(
        header() + track(b"\x00\x90\x3c\xbc\x18\x80\x3c\x00" + NOTES), 9,
        "1 note or program above 127 clipped at byte 24",
    ),
    "36_system_realtime": Kind(
        header() + track(b"\x00\xf8\x00\xfe" + NOTES), 8,
        "2 messages of a running system ignored from byte 24 on",
    ),
    "37_vlq_5bytes": Kind(
        header() + track(b"\x82\x80\x80\x80\x00\x90\x3c\x40" + OFF), 1,
        "1 damaged place passed over at byte 26",
    ),
    "38_huge_delta": Kind(
        header() + track(b"\xff\xff\xff\x7f\x90\x3c\x40" + OFF), 1,
        "1 pause of more than an hour left out at byte 22",
    ),
    "39_many_huge_deltas": Kind(
        header() + track(b"\xff\xff\xff\x7f\x90\x3c\x40" * 40), 1,
        "40 pauses of more than an hour left out from byte 22 on, 40 notes never ended and cut "
        "at the next, 39 notes that only doubled another left out",
    ),
    "40_unknown_chunk": Kind(
        header() + chunk(b"XFIH", b"abcd") + track(), 8,
        "1 chunk of other kinds passed over at byte 14",
    ),
    "41_garbage_before": Kind(b"\0\1\2" + GOOD, 8, "3 bytes before the header passed over"),
    "42_garbage_after": Kind(
        GOOD + b"\0\1\2\3", 8,
        "4 bytes outside of tracks passed over from byte 90 on",
    ),
    "43_RIFF_rmid": Kind(
        b"RIFF\0\0\0\0RMIDdata\0\0\0\0" + GOOD, 8,
        "taken out of its RIFF wrapper",
    ),
    "44_header_len_8": Kind(
        chunk(b"MThd", struct.pack(">HHHH", 1, 1, 96, 0)) + track(), 8,
        "header of 8 bytes instead of 6",
    ),
    "45_meta_text_latin1": Kind(header() + track(meta(3, b"caf\xe9") + NOTES), 8, ""),
    "46_meta_text_utf16_lyrics": Kind(header() + track(meta(5, b"\xff\xfeh\0i\0") + NOTES), 8, ""),
    "47_event_after_EOT": Kind(
        header() + track(NOTES + END + NOTES[:8]), 8,
        "12 bytes after an end-of-track ignored from byte 90 on",
    ),
    "48_random_body": Kind(
        header() + track(bytes(range(7, 120, 3))), None,
        "there is no note in it (1 damaged place passed over at byte 23); save it again from a "
        "music program",
    ),
    "49_dup_on_many_100k": Kind(
        header(division=480) + track(b"\x01\x90\x3c\x40" * 100_000), 5001,
        "95000 of 100000 notes moved to the grid (by 0.021 quarter at most), 100,000 notes "
        "never ended and cut at the next, 94,999 notes shorter than half a step made a step "
        "long, 94,999 notes that only doubled another left out",
    ),
    "50_fmt1_tempo_in_track2": Kind(
        header(tracks=2) + track() + track(meta(0x51, b"\7\xa1\x20") + NOTES), 8,
        "8 notes that only doubled another left out",
    ),
    "51_seq_specific_prefix": Kind(header() + track(meta(0x7F, b"\0\0\x41abc") + NOTES), 8, ""),
    "52_bit_flips": Kind(
        flipped(LONG, 30, seed=52), 320,
        "169 of 321 notes moved to the grid (by 0.021 quarter at most), 2 notes or programs "
        "above 127 clipped from byte 862 on, 146 note-offs without a note ignored, 151 notes "
        "never ended and cut at the next, 1 note that only doubled another left out, 59 held "
        "notes cut where the same instrument strikes the pitch again",
    ),
    "53_nul_file_1MB": Kind(bytes(1_000_000), None, NO_HEADER),
}  # fmt: skip
