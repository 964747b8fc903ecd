"""MIDI files: exact on the grid, guarded against everything else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from seqforge.domains.music.events import encode
from seqforge.domains.music.midi import midi_bytes, parse_midi, read_midi
from seqforge.domains.music.notes import Note, Piece, Tempo, TimeSignature, normalised
from seqforge.errors import InputError

from .broken_midi import NOTES, SURVEYED, header, track
from .conftest import few, pieces
from .odd_midi import OTHERS

KINDS = SURVEYED | OTHERS


def test_one_note_is_these_bytes():
    """A quarter of middle C at 24 ticks a quarter, against the MIDI standard."""
    expected = bytes.fromhex(
        "4d546864 00000006 0001 0002 0018"  # MThd, format 1, 2 tracks, 24 ticks
        "4d54726b 00000013"  # MTrk, 19 bytes
        "00 ff 58 04 04 02 18 08"  # 4/4
        "00 ff 51 03 07 a1 20"  # 500 000 microseconds
        "18 ff 2f 00"  # end of track after 24 ticks
        "4d54726b 0000000f"  # MTrk, 15 bytes
        "00 c0 00"  # program 0
        "00 90 3c 40"  # note_on 60, velocity 64
        "18 80 3c 00"  # 24 ticks on: note_off 60
        "00 ff 2f 00"
    )

    assert midi_bytes(normalised(Piece((Note(60, 64, 0, 24),)))) == expected


@few
@given(piece=pieces())
def test_reading_undoes_writing(piece):
    piece = normalised(piece)
    if not piece.notes:
        return

    assert parse_midi(midi_bytes(piece, "a text"), piece.steps_per_quarter, "x.mid") == (piece, "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_file_gives_its_notes_or_one_sentence(kind, tmp_path):
    data, notes, said = KINDS[kind]
    path = tmp_path / "x.mid"
    path.write_bytes(data)

    if notes is None:
        with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {said}')}$"):
            read_midi(path, 24)
    else:
        piece, note = read_midi(path, 24)
        assert (len(piece.notes), note) == (notes, said)
        encode(piece)


def test_the_survey_has_all_its_kinds():
    assert [int(kind[:2]) for kind in SURVEYED] == list(range(54))


def test_a_file_of_eleven_megabytes_is_refused_unread(tmp_path):
    path = tmp_path / "x.mid"
    path.write_bytes(bytes(11_000_000))

    with pytest.raises(InputError, match="11 MB is too much for a MIDI file"):
        read_midi(path, 24)


def test_what_reading_changed_is_said():
    """At 96 ticks a quarter a 24th of a quarter is 4 ticks: 2 ticks later is off the grid."""
    late = b"\x02\x90\x3c\x40\x60\x80\x3c\x00"
    piece, note = parse_midi(header() + track(NOTES + late + b"\x00\x90\x40\x40"), 24, "x.mid")

    assert note == (
        "2 of 10 notes moved to the grid (by 0.021 quarter at most), "
        "1 note never ended and cut at the next"
    )
    assert len(piece.notes) == 10


def test_what_a_salvaged_track_holds():
    """Half a file gives the notes of its half, at their places; the one that was cut sounds on."""
    piece, _ = parse_midi(SURVEYED["05_trunc_mid_track"].data, 24, "x.mid")

    assert piece.notes == tuple(Note(60 + n, 64, 24 * n, 24) for n in range(5))


def test_patterns_of_format_2_follow_one_another():
    piece, _ = parse_midi(SURVEYED["28_format2"].data, 24, "x.mid")

    assert [note.start for note in piece.notes] == [24 * n for n in range(16)]


def test_film_time_is_seconds():
    """At 25 frames of 40 ticks a second, 96 ticks are 0.096 s: 4.608 steps of 120 quarters."""
    piece, _ = parse_midi(SURVEYED["12_smpte_div"].data, 24, "x.mid")

    assert [note.start for note in piece.notes] == [round(4.608 * n) for n in range(8)]
    assert piece.tempos == (Tempo(0, 500_000),)


def test_29_frames_a_second_are_those_of_ntsc():
    """A second and a thousandth is 30 frames of 80 ticks, which is 48 steps and a little."""
    delta = b"\x92\x60"  # 2400
    data = header(division=0xE350) + track(delta + b"\x90\x3c\x40" + delta + b"\x80\x3c\x40")

    assert parse_midi(data, 1000, "x.mid")[0].notes == (Note(60, 64, 2002, 2002),)


def test_a_first_bar_in_a_shorter_metre_is_the_pickup():
    times = (TimeSignature(0, 1, 4), TimeSignature(24, 3, 4))
    piece = normalised(Piece((Note(60, 80, 0, 24), Note(60, 80, 24, 24)), time_signatures=times))

    assert piece.pickup == 24
    assert piece.time_signatures == (TimeSignature(0, 3, 4),)
