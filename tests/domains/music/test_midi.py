"""MIDI files: exact on the grid, guarded against everything else."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given

from seqforge.domains.music.events import encode
from seqforge.domains.music.midi import midi_bytes, parse_midi, read_midi
from seqforge.domains.music.notes import Note, Piece, TimeSignature, normalised
from seqforge.errors import InputError

from .broken_midi import GOOD, KINDS, NOTES, header, track
from .conftest import few, pieces


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
    data, expected = KINDS[kind]
    path = tmp_path / "x.mid"
    path.write_bytes(data)

    if isinstance(expected, str):
        with pytest.raises(InputError, match=f"^{re.escape(str(path))}: .*{expected}") as caught:
            read_midi(path, 24)
        assert "\n" not in str(caught.value)
    else:
        piece, _ = read_midi(path, 24)
        assert len(piece.notes) == expected
        encode(piece)


def test_mutated_files_give_notes_or_an_input_error():
    rng = random.Random(8)
    for _ in range(1500):
        data = bytearray(GOOD)
        for _ in range(rng.choice((1, 2, 5))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        del data[rng.randrange(len(data)) :][: rng.randrange(3)]
        try:
            encode(parse_midi(bytes(data), 24, "x.mid")[0])
        except InputError:
            continue


def test_a_file_of_eleven_megabytes_is_refused_unread(tmp_path):
    path = tmp_path / "x.mid"
    path.write_bytes(bytes(11_000_000))

    with pytest.raises(InputError, match="11 MB is too much for a MIDI file"):
        read_midi(path, 24)


def test_what_reading_changed_is_said():
    """At 96 ticks a quarter a 24th of a quarter is 4 ticks: 2 ticks later is off the grid."""
    late = b"\x02\x90\x3c\x40\x60\x80\x3c\x00"
    piece, note = parse_midi(header() + track(NOTES + late + b"\x00\x90\x40\x40"), 24, "x.mid")

    assert note == "2 of 10 notes moved to the grid, 1 notes never ended, cut at the next"
    assert len(piece.notes) == 10


def test_a_first_bar_in_a_shorter_metre_is_the_pickup():
    times = (TimeSignature(0, 1, 4), TimeSignature(24, 3, 4))
    piece = normalised(Piece((Note(60, 80, 0, 24), Note(60, 80, 24, 24)), time_signatures=times))

    assert piece.pickup == 24
    assert piece.time_signatures == (TimeSignature(0, 3, 4),)
